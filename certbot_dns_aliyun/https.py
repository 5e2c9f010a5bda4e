"""One request and its reply, over the one HTTPS session of this process.

Careful by design: TLS 1.2 or newer, the host verified, no redirects, no cookies, nothing of .netrc,
bounded connections, time and length. Proxies and CA certificates are those of the environment.
"""

from __future__ import annotations

import functools
import http.cookiejar
import importlib.util
import logging
import os
import re
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import requests.adapters
import requests.utils
import urllib3.exceptions

from certbot_dns_aliyun.journeys import CONNECTIONS, JOURNEYS, Journey
from certbot_dns_aliyun.unanswered import Lost, MaybeDoneError, NotSent, NotSentError

#: A name may have several addresses, of which the first ones are dead; a proxy and TLS take time.
_CONNECTING = 3.0
#: Seconds for a reply beyond those for its first byte: it may be long, and the line slow.
_READING = 5.0
#: Seconds for a proxy to answer in the clear.
_PROBE = 3.0
#: A page of 500 records is some 150 kB.
_BODY_LIMIT = 8 * 1024 * 1024

#: OpenSSL's words for a peer that speaks no TLS, or none that is new enough.
_NO_COMMON_TLS = (
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "WRONG_VERSION_NUMBER",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
)
#: OpenSSL's words for a file without CA certificates.
_NO_CA_CERTIFICATES = ("NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE", "PEM_LIB", "X509_LIB")
#: OpenSSL's numbers for what is wrong with a certificate (X509_V_ERR_…).
_CERTIFICATES = {
    9: NotSent.CERTIFICATE_NOT_YET_VALID,
    10: NotSent.CERTIFICATE_EXPIRED,
    62: NotSent.CERTIFICATE_OF_ANOTHER,
    64: NotSent.CERTIFICATE_OF_ANOTHER,
}
#: All else comes from looking for the proxy or the CA certificates.
_OF_THE_NET = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)
_PROXY = re.compile(
    r"((https?|socks4a?|socks5h?)://)?([^/\s]*@)?([\w.-]+|\[[0-9a-f:.%]+\])"
    r"(:(?P<port>\d{1,5}))?(/\S*)?",
    re.IGNORECASE,
)

_session_lock = threading.Lock()


@dataclass(frozen=True)
class Reply:
    """What came back.

    :ivar headers: by name, in whatever case
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def exchange(
    method: str,
    url: str,
    *,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    connecting: float = 5.0,
    replying: float = 10.0,
) -> Reply:
    """Send a request, once, and read the reply, whatever its status.

    Time counts from the request's turn to have a connection, and once more from when it is sent.
    Without TLS, no proxy is used: it would see all.

    :param connecting: seconds for each step to a connection
    :param replying: seconds for the reply to begin
    :raises certbot_dns_aliyun.unanswered.NotSentError: if nothing of the request was sent
    :raises certbot_dns_aliyun.unanswered.MaybeDoneError: if it was, or may have been
    """
    is_plain = url.startswith("http://")
    proxy = "" if is_plain else _checked_proxy(url)
    proxies = {"no_proxy": urllib.parse.urlsplit(url).hostname or ""} if is_plain else None
    with JOURNEYS.one(connecting * _CONNECTING) as journey:
        journey.proxy = proxy
        journey.seconds_for_reply = replying + _READING
        try:
            with session().request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=(connecting, replying),
                allow_redirects=False,
                stream=True,
                proxies=proxies,
            ) as response:
                reply = Reply(response.status_code, response.headers, _read(response))
        except MaybeDoneError:
            raise
        except Exception as error:  # whatever it is, the request may be done if it was sent
            causes = list(_causes(error))
            detail = _openssl(causes)
            if journey.is_sent:
                raise MaybeDoneError(_why_lost(journey, causes), proxy, detail) from None
            why = _why_not_sent(journey, url, error, causes)
            at_fault = _bundle() if why is NotSent.WRONG_BUNDLE else proxy
            raise NotSentError(why, at_fault, detail) from None
        if journey.is_cut_off:  # where it was cut may look like its end
            raise MaybeDoneError(Lost.NO_REPLY, proxy)
        if _broke_off(reply):
            raise MaybeDoneError(Lost.CONNECTION_LOST, proxy)
        return reply


def session() -> requests.Session:
    """Give the one session of this process; `certbot renew` handles many lineages in it."""
    with _session_lock:
        return _make_session()


@functools.cache
def _make_session() -> requests.Session:
    # The SDK's loggers write parameters, tokens among them; nothing of theirs is for anyone's log.
    sdk_logger = logging.getLogger("aliyunsdkcore")
    sdk_logger.propagate = False
    sdk_logger.addHandler(logging.NullHandler())

    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter())
    # Any authentication of our own, even none, keeps requests from sending what .netrc holds.
    session.auth = _no_authentication
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return session


def _no_authentication(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Adapter(requests.adapters.HTTPAdapter):
    """TLS 1.2 or newer, the host compared with the certificate's alternative names alone."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=CONNECTIONS, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=_tls(), **kwargs)
        _follow(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return _follow(super().proxy_manager_for(proxy, ssl_context=_tls(), **kwargs))


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    return context


def _follow(manager: Any) -> Any:
    """Have a pool manager's connections, those through SOCKS too, tell how far they are."""
    manager.pool_classes_by_scheme = {
        scheme: _followed(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }
    return manager


@functools.cache
def _followed(pool: Any) -> Any:
    if issubclass(pool.ConnectionCls, _Followed):
        return pool
    connection = type("Connection", (_Followed, pool.ConnectionCls), {})
    return type("Pool", (pool,), {"ConnectionCls": connection})


class _Followed:
    """A connection of urllib3 that notes in the journey under way how far it is."""

    sock: Any
    _tunnel_host: Any

    def _new_conn(self) -> Any:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        JOURNEYS.here.follow(made.fileno())
        JOURNEYS.here.is_through = not self._tunnel_host
        JOURNEYS.here.has_met_proxy = bool(self._tunnel_host)
        return made

    def _tunnel(self, *args: Any) -> None:
        super()._tunnel(*args)  # type: ignore[misc]
        JOURNEYS.here.is_through = True

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        JOURNEYS.here.follow(self.sock.fileno())
        JOURNEYS.here.send()
        super().request(*args, **kwargs)  # type: ignore[misc]


def _read(response: requests.Response) -> bytes:
    body = b""
    while True:
        chunk: bytes = response.raw.read(65536)
        body += chunk
        if not chunk:
            return body
        if len(body) > _BODY_LIMIT:
            raise MaybeDoneError(Lost.NO_REPLY_OF_THIS_KIND)


def _broke_off(reply: Reply) -> bool:
    """Tell whether a reply is not whole, which neither http.client nor an older urllib3 minds."""
    told = reply.headers.get("Content-Length", "")
    if told.isascii() and told.isdigit():
        return len(reply.body) < int(told)
    return not reply.body  # the headers may have broken off as well


def _proxy_for(url: str) -> str | None:
    address: str | None = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    return address


def _checked_proxy(url: str) -> str:
    """Give the environment variable that names the proxy for an URL, or nothing if none does.

    :raises NotSentError: if what the variable says cannot be used
    """
    address = _proxy_for(url)
    if not address:
        return ""
    named = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    variable = next((name for name in named if os.environ.get(name)), "HTTPS_PROXY")
    valid = _PROXY.fullmatch(address)
    if not valid or int(valid["port"] or 0) > 65535:
        raise NotSentError(NotSent.WRONG_PROXY, variable)
    if address.lower().startswith("socks") and not importlib.util.find_spec("socks"):
        raise NotSentError(NotSent.NO_SOCKS, variable)
    return variable


def _bundle() -> str:
    """Give the environment variable that names the CA certificates, and what it says."""
    named = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return next((f"{name}={os.environ[name]}" for name in named if os.environ.get(name)), "")


def _why_lost(journey: Journey, causes: list[BaseException]) -> Lost:
    silent = (TimeoutError, socket.timeout, urllib3.exceptions.ReadTimeoutError)
    if journey.is_cut_off or any(isinstance(cause, silent) for cause in causes):
        return Lost.NO_REPLY
    return Lost.CONNECTION_LOST


def _why_not_sent(
    journey: Journey, url: str, error: Exception, causes: list[BaseException]
) -> NotSent:
    of_tls = [cause for cause in causes if isinstance(cause, ssl.SSLError)]
    reasons = {getattr(cause, "reason", None) for cause in of_tls}
    of_the_net = isinstance(error, _OF_THE_NET) or journey.is_cut_off
    holds_none = bool(reasons.intersection(_NO_CA_CERTIFICATES))
    if _bundle() and (holds_none or not os.access(_bundle().partition("=")[2], os.R_OK)):
        return NotSent.WRONG_BUNDLE
    if not of_the_net or holds_none:
        return NotSent.WRONG_SET_UP
    if journey.proxy and not journey.is_through:
        if any(str(cause).startswith("Tunnel connection failed: 4") for cause in causes):
            return NotSent.PROXY_REFUSED
        takes_none = any(not isinstance(cause, ssl.SSLEOFError) for cause in of_tls)
        if takes_none or (journey.has_met_proxy and _takes_plain_http(url)):
            return NotSent.PROXY_WITHOUT_TLS
        return NotSent.PROXY_FAILED
    for cause in of_tls:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATES.get(getattr(cause, "verify_code", 0), NotSent.CERTIFICATE_REFUSED)
    if reasons.intersection(_NO_COMMON_TLS):
        return NotSent.TLS_REFUSED
    if journey.is_through:
        return NotSent.TLS_FAILED
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return NotSent.NO_ADDRESS
    return NotSent.NO_CONNECTION


def _takes_plain_http(url: str) -> bool:
    """Tell whether an https:// proxy, silent at TLS, answers in the clear; it learns the host."""
    proxy = urllib.parse.urlsplit(_proxy_for(url) or "")
    host = urllib.parse.urlsplit(url).netloc
    question = f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n"
    if proxy.scheme.lower() != "https":
        return False
    try:
        address = (proxy.hostname or "", proxy.port or 443)
        with socket.create_connection(address, _PROBE) as probe:
            probe.sendall(question.encode("ascii"))
            return probe.recv(5) == b"HTTP/"
    except (OSError, ValueError):
        return False


def _openssl(causes: list[BaseException]) -> str:
    """Give OpenSSL's reason: one of its own constant texts."""
    for cause in causes:
        reason = getattr(cause, "reason", None) if isinstance(cause, ssl.SSLError) else None
        if reason:
            return ": ".join(filter(None, [reason, getattr(cause, "verify_message", "")]))
    return ""


def _causes(error: BaseException, depth: int = 8) -> Iterator[BaseException]:
    """Walk through all that requests and urllib3 wrapped into one another."""
    yield error
    if depth:
        inner = [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
        for cause in inner:
            if isinstance(cause, BaseException):
                yield from _causes(cause, depth - 1)
