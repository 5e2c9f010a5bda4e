"""One request and its reply, over real sockets: what is known of one that got none, and when."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest
import requests
import urllib3.exceptions

from certbot_dns_aliyun import https, journeys
from certbot_dns_aliyun.journeys import Journeys
from certbot_dns_aliyun.unanswered import (
    Lost,
    MaybeDoneError,
    NotSent,
    NotSentError,
    UnansweredError,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

Act = Callable[[socket.socket], None]


class Server:
    """Reads each request on a connection, and then does as it is told."""

    def __init__(self, act: Act) -> None:
        self.connections = 0
        self.requests = 0
        self._act = act
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while b"\r\n\r\n" in connection.recv(65536):
                self.requests += 1
                self._act(connection)


def answer(connection: socket.socket) -> None:
    connection.sendall(OK)


def takes(seconds: float) -> Act:
    def act(connection: socket.socket) -> None:
        time.sleep(seconds)
        connection.sendall(OK)

    return act


def sends(*pieces: bytes, for_ever: bytes = b"") -> Act:
    def act(connection: socket.socket) -> None:
        for piece in itertools.chain(pieces, itertools.repeat(for_ever) if for_ever else ()):
            connection.sendall(piece)
            time.sleep(0.05)
        connection.shutdown(socket.SHUT_RDWR)

    return act


Serve = Callable[[Act], Server]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setattr(https, "_READING", 0.5)
    https._make_session.cache_clear()
    servers: list[Server] = []

    def start(act: Act) -> Server:
        servers.append(Server(act))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
    https.session().close()
    https._make_session.cache_clear()


def get(server: Server, replying: float = 0.5) -> https.Reply:
    return https.exchange("GET", server.url, connecting=1.0, replying=replying)


def failure(server: Server, replying: float = 0.5) -> UnansweredError:
    with pytest.raises(UnansweredError) as caught:
        get(server, replying)
    assert caught.value.__suppress_context__ or not caught.value.__context__
    return caught.value


def at_once(monkeypatch: pytest.MonkeyPatch, most: int) -> Journeys:
    monkeypatch.setattr(journeys, "CONNECTIONS", most)
    few = Journeys()
    monkeypatch.setattr(https, "JOURNEYS", few)
    return few


def test_a_reply_is_status_headers_and_body(serve: Serve) -> None:
    server = serve(answer)
    reply = get(server)
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "4", b"pong")
    assert get(server).body == b"pong"
    assert server.connections == 1, "the connection serves again"


def test_an_idle_connection_that_the_server_ended_is_no_failure(serve: Serve) -> None:
    server = serve(sends(OK))
    for _ in range(3):
        assert get(server).body == b"pong"
        time.sleep(0.15)
    assert (server.connections, server.requests) == (3, 3)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        pytest.param(takes(30), Lost.NO_REPLY, id="silence"),
        pytest.param(
            sends(for_ever=b"HTTP/1.1 100 Continue\r\n\r\n"), Lost.NO_REPLY, id="100 for ever"
        ),
        pytest.param(
            sends(b"HTTP/1.1 200 OK\r\nX: ", for_ever=b"a"), Lost.NO_REPLY, id="a header for ever"
        ),
        pytest.param(
            sends(CHUNKED, b"1", for_ever=b";a"), Lost.NO_REPLY, id="an extension for ever"
        ),
        pytest.param(
            sends(CHUNKED, for_ever=b"1\r\na\r\n"), Lost.NO_REPLY, id="a body for ever, in drops"
        ),
        pytest.param(
            sends(CHUNKED, for_ever=b"1000000\r\n%s\r\n" % (b"a" * 0x1000000)),
            Lost.NO_REPLY_OF_THIS_KIND,
            id="a body for ever, fast",
        ),
        pytest.param(
            sends(CHUNKED, b"4\r\npong\r\n0\r\n", for_ever=b"X: a\r\n"),
            Lost.NO_REPLY,
            id="trailers for ever",
        ),
        pytest.param(
            sends(b"HTTP/1.0 200 OK\r\n\r\n", for_ever=b"a"),
            Lost.NO_REPLY,
            id="a body of no length for ever",
        ),
        pytest.param(sends(OK[:-1]), Lost.CONNECTION_LOST, id="half a body"),
        pytest.param(sends(OK[:20]), Lost.CONNECTION_LOST, id="half a header"),
        pytest.param(sends(b""), Lost.CONNECTION_LOST, id="nothing"),
        pytest.param(sends(b"220 mail\r\n"), Lost.CONNECTION_LOST, id="no HTTP"),
    ],
)
def test_a_request_that_was_sent_and_has_no_reply_may_be_done(
    serve: Serve, act: Act, why: Lost
) -> None:
    server = serve(act)
    begun = time.monotonic()
    error = failure(server)
    assert isinstance(error, MaybeDoneError)
    assert error.why is why
    assert time.monotonic() - begun < 3
    assert server.requests == 1, "nothing is repeated behind our back"


def test_where_nobody_listens_nothing_is_sent(serve: Serve) -> None:
    server = serve(answer)
    server.close()
    error = failure(server)
    assert isinstance(error, NotSentError)
    assert error.why is NotSent.NO_CONNECTION


def test_a_reply_in_time_counts_however_long_its_turn_took(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch, 2)
    server = serve(takes(0.4))
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: get(server), range(10)))
    assert [reply.body for reply in replies] == [b"pong"] * 10
    assert server.connections == 2


def test_a_turn_that_never_comes_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch, 1)
    monkeypatch.setattr(journeys, "_LONGEST_WAIT", 0.2)
    server = serve(takes(1))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(get, server, 5.0)
        wait_for(lambda: server.requests == 1)
        error = failure(server)
        assert isinstance(error, NotSentError)
        assert error.why is NotSent.NO_TURN
        assert first.result().body == b"pong"
    assert get(server, 5.0).body == b"pong", "who gave up takes nobody's place"


def test_who_is_in_a_hurry_waits_for_no_reply_and_no_turn(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = at_once(monkeypatch, 1)
    server = serve(takes(30))
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        sent = pool.submit(failure, server, 60.0)
        wait_for(lambda: server.requests == 1)
        waiting = pool.submit(failure, server, 60.0)
        wait_for(lambda: bool(few._waiting))
        few.hurry(0.2)
        assert sent.result().why is Lost.NO_REPLY
        assert waiting.result().why is NotSent.NO_TURN
    assert time.monotonic() - begun < 5
    assert server.requests == 1


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def certificate_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("Somebody else's text")
    error.verify_code, error.reason = code, "CERTIFICATE_VERIFY_FAILED"
    error.verify_message = "OpenSSL's words"
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError("Somebody else's text")
    error.reason = reason
    return error


def wrapped(inner: Exception) -> urllib3.exceptions.MaxRetryError:
    return urllib3.exceptions.MaxRetryError(None, "/?Signature=abc", inner)  # type: ignore[arg-type]


RESET = requests.ConnectionError(urllib3.exceptions.ProtocolError("x", ConnectionResetError()))
REFUSED = requests.ConnectionError(
    wrapped(urllib3.exceptions.NewConnectionError(None, "refused"))  # type: ignore[arg-type]
)
NO_NAME = requests.ConnectionError(wrapped(socket.gaierror(-2, "unknown")))
TUNNEL = requests.exceptions.ProxyError(wrapped(OSError("Tunnel connection failed: 407 Auth")))
BAD_GATEWAY = requests.exceptions.ProxyError(wrapped(OSError("Tunnel connection failed: 502 No")))
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
NO_BUNDLE = OSError("Could not find a suitable TLS CA certificate bundle")


def tls(error: ssl.SSLError) -> Exception:
    return requests.exceptions.SSLError(wrapped(urllib3.exceptions.SSLError(error)))


class Session:
    """Gets as far as it is told, and fails."""

    def __init__(self, error: Exception, is_through: bool = False, is_sent: bool = False) -> None:
        self._error, self._is_through, self._is_sent = error, is_through, is_sent

    def request(self, method: str, url: str, **_: Any) -> requests.Response:
        journey = https.JOURNEYS.here
        journey.is_through = self._is_through
        if self._is_sent:
            journey.send()
        raise self._error


PROXIED = {"HTTPS_PROXY": "http://proxy.example:3128"}


@pytest.mark.parametrize(
    ("error", "is_through", "environment", "why"),
    [
        (NO_NAME, False, {}, NotSent.NO_ADDRESS),
        (REFUSED, False, {}, NotSent.NO_CONNECTION),
        (requests.ConnectTimeout(), False, {}, NotSent.NO_CONNECTION),
        (NO_BUNDLE, False, {}, NotSent.WRONG_SET_UP),
        (NO_BUNDLE, False, PROXIED, NotSent.WRONG_SET_UP),
        (tls(tls_error("NO_CERTIFICATE_OR_CRL_FOUND")), True, {}, NotSent.WRONG_SET_UP),
        (requests.ReadTimeout(), True, {}, NotSent.TLS_FAILED),
        (RESET, True, {}, NotSent.TLS_FAILED),
        (tls(tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE")), True, {}, NotSent.TLS_FAILED),
        (tls(tls_error("WRONG_VERSION_NUMBER")), True, {}, NotSent.TLS_REFUSED),
        (tls(certificate_error(18)), True, {}, NotSent.CERTIFICATE_REFUSED),
        (tls(certificate_error(10)), True, {}, NotSent.CERTIFICATE_EXPIRED),
        (tls(certificate_error(9)), True, {}, NotSent.CERTIFICATE_NOT_YET_VALID),
        (tls(certificate_error(62)), True, {}, NotSent.CERTIFICATE_OF_ANOTHER),
        (tls(certificate_error(10)), True, PROXIED, NotSent.CERTIFICATE_EXPIRED),
        (REFUSED, False, PROXIED, NotSent.PROXY_FAILED),
        (NO_NAME, False, PROXIED, NotSent.PROXY_FAILED),
        (RESET, False, PROXIED, NotSent.PROXY_FAILED),
        (BAD_GATEWAY, False, PROXIED, NotSent.PROXY_FAILED),
        (TUNNEL, False, PROXIED, NotSent.PROXY_REFUSED),
        (tls(tls_error("WRONG_VERSION_NUMBER")), False, PROXIED, NotSent.PROXY_WITHOUT_TLS),
        (tls(certificate_error(18)), False, PROXIED, NotSent.PROXY_WITHOUT_TLS),
        (tls(ssl.SSLEOFError("Somebody else's text")), False, PROXIED, NotSent.PROXY_FAILED),
    ],
)
def test_what_went_wrong_before_the_request_was_sent_is_told_apart(
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    is_through: bool,
    environment: dict[str, str],
    why: NotSent,
) -> None:
    set_proxies(monkeypatch, environment)
    with pytest.raises(NotSentError) as caught:
        fail(monkeypatch, Session(error, is_through))
    assert caught.value.why is why
    assert caught.value.proxy == "".join(environment)
    assert "else's" not in caught.value.detail
    if "CERTIFICATE" in why.name:
        assert caught.value.detail == "CERTIFICATE_VERIFY_FAILED: OpenSSL's words"


@pytest.mark.parametrize(
    "error",
    [
        RESET,
        REFUSED,
        TUNNEL,
        tls(tls_error("WRONG_VERSION_NUMBER")),
        tls(tls_error("TLSV1_ALERT_INTERNAL_ERROR")),
        tls(certificate_error(18)),
        urllib3.exceptions.SSLError("x"),
        ssl.SSLError("x"),
        requests.exceptions.ChunkedEncodingError("x"),
        ValueError("x"),
        KeyError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_goes_wrong_later_may_be_done(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with pytest.raises(MaybeDoneError) as caught:
        fail(monkeypatch, Session(error, is_through=True, is_sent=True))
    assert caught.value.why is Lost.CONNECTION_LOST


NO_CA = tls(tls_error("NO_CERTIFICATE_OR_CRL_FOUND"))


@pytest.mark.parametrize("names", [["REQUESTS_CA_BUNDLE"], ["CURL_CA_BUNDLE"], list(BUNDLES)])
@pytest.mark.parametrize(("file", "error"), [("gone.pem", NO_BUNDLE), ("some.pem", NO_CA)])
def test_ca_certificates_that_cannot_be_read_are_told_with_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: list[str], file: str, error: Exception
) -> None:
    set_proxies(monkeypatch, PROXIED)
    (tmp_path / "some.pem").touch()
    for name in names:
        monkeypatch.setenv(name, str(tmp_path / file))
    with pytest.raises(NotSentError) as caught:
        fail(monkeypatch, Session(error, is_through=False))
    said = f"{names[0]}={tmp_path / file}"
    assert (caught.value.why, caught.value.proxy) == (NotSent.WRONG_BUNDLE, said)


def test_ca_certificates_that_can_be_read_are_not_to_blame(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_proxies(monkeypatch, {})
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    with pytest.raises(NotSentError) as caught:
        fail(monkeypatch, Session(REFUSED, is_through=False))
    assert caught.value.why is NotSent.NO_CONNECTION


def fail(monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    monkeypatch.setattr(https, "session", lambda: session)
    https.exchange("POST", "https://alidns.aliyuncs.com/", body=b"x")


def set_proxies(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Set the variables of proxies, and unset those of CA certificates."""
    of_proxies = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
    for name in (*of_proxies, *BUNDLES):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"HTTPS_PROXY": '"http://proxy.example:3128"'}, NotSent.WRONG_PROXY),
        ({"https_proxy": "'http://u:secret@proxy.example:3128'"}, NotSent.WRONG_PROXY),
        ({"HTTPS_PROXY": '"proxy.example:3128"'}, NotSent.WRONG_PROXY),
        ({"HTTPS_PROXY": "http://proxy.example:port"}, NotSent.WRONG_PROXY),
        ({"HTTPS_PROXY": "http://"}, NotSent.WRONG_PROXY),
        ({"HTTPS_PROXY": "http://proxy.example:65536"}, NotSent.WRONG_PROXY),
        ({"HTTPS_PROXY": "ftp://proxy.example"}, NotSent.WRONG_PROXY),
        ({"all_proxy": "socks5h://127.0.0.1:1080"}, NotSent.NO_SOCKS),
        ({"ALL_PROXY": "socks5://127.0.0.1:1080"}, NotSent.NO_SOCKS),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], why: NotSent
) -> None:
    set_proxies(monkeypatch, environment)
    monkeypatch.setattr(https.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotSentError) as caught:
        https.exchange("POST", "https://alidns.aliyuncs.com/")
    (variable,) = environment
    assert (caught.value.why, caught.value.proxy) == (why, variable)


@pytest.mark.parametrize(
    "address",
    [
        "http://proxy.example:3128",
        "http://proxy.example:65535",
        "HTTP://proxy.example:3128/",
        "proxy.example:3128",
        "proxy",
        "https://u:p%40ss@proxy.example:443",
        "http://u:p@ss:word@10.0.0.1:3128",
        "http://[2001:db8::1]:3128",
        "socks5h://127.0.0.1:1080",
        "socks4a://127.0.0.1",
    ],
)
def test_the_address_of_a_proxy_has_many_forms(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    set_proxies(monkeypatch, {"HTTPS_PROXY": address})
    monkeypatch.setattr(https.importlib.util, "find_spec", lambda name: object())
    assert https._checked_proxy("https://alidns.aliyuncs.com/") == "HTTPS_PROXY"


def test_where_no_proxy_is_to_be_used_its_address_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_proxies(monkeypatch, {"HTTPS_PROXY": '"', "NO_PROXY": ".aliyuncs.com"})
    assert https._checked_proxy("https://alidns.aliyuncs.com/") == ""
