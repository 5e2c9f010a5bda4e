"""Send one signed call to the API, once, and turn whatever comes back into a reply or an error.

The SDK builds and signs the request; its own way of sending is not used: it defaults to plain HTTP,
sends no SNI on newer Pythons, puts the signature into the URL, and logs what must stay secret.
Everything goes into the body of a POST instead (https://help.aliyun.com/document_detail/29744.html).
"""

from __future__ import annotations

import email.utils
import functools
import json
import logging
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import requests
import requests.adapters
import urllib3.exceptions

from certbot_dns_aliyun.alidns.errors import AlidnsError, clean_code, clean_request_id
from certbot_dns_aliyun.credentials.access_key import AccessKey

logger = logging.getLogger(__name__)

_session_lock = threading.Lock()

#: Connections to the API at the most; calls beyond it wait for one to be free.
CONNECTIONS = 10

_CONNECT_SECONDS = 5.0
_REPLY_SECONDS = 10.0
#: A page of 500 records is some 150 kB.
_BODY_LIMIT = 8 * 1024 * 1024
#: OpenSSL's words for a peer that speaks no TLS, or none that is new enough.
_NO_COMMON_TLS = ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_VERSION_NUMBER")
#: Alidns is one service for the whole world; the region is part of the form only.
_REGION = "cn-hangzhou"


def send(request: Any, key: AccessKey, host: str) -> dict[str, Any]:
    """Sign and send a request, once.

    :param request: a fresh request object of the SDK
    :param host: the API's host, with a port if it is not 443
    :returns: the reply, a JSON object
    :raises AlidnsError: for everything else
    """
    action: str = request.get_action_name()
    zone: str = request.get_query_params().get("DomainName", "")
    request.set_accept_format("JSON")
    if key.security_token:
        request.add_query_param("SecurityToken", key.security_token)
    signed: str = request.get_url(_REGION, key.key_id, key.secret).split("?", 1)[1]

    fail = functools.partial(AlidnsError, action=action, host=host, zone=zone)
    started = time.monotonic()
    try:
        with session().post(
            f"https://{host}/",
            data=signed.encode("ascii"),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=(_CONNECT_SECONDS, _REPLY_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = read_body(response, started + _CONNECT_SECONDS + _REPLY_SECONDS)
            status, headers = response.status_code, response.headers
    except _TooMuch:
        raise fail("not from Alidns") from None
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        raise fail(failure_of(error)) from None

    reply = _json_object(body)
    request_id = clean_request_id(reply.get("RequestId"))
    is_done = 200 <= status < 300 and "Code" not in reply
    code = "" if is_done else clean_code(reply.get("Code"))
    logger.debug(
        "Alidns %s %s: %s (HTTP %d, request id %s, %.2f s)",
        action,
        zone,
        "done" if is_done else code or "no reply of Alidns",
        status,
        request_id or "none",
        time.monotonic() - started,
    )
    if not reply or not (is_done or code):
        raise fail("not from Alidns", status=status, retry_after=_retry_after(headers))
    if code:
        raise fail(
            code,
            status=status,
            request_id=request_id,
            retry_after=_retry_after(headers),
            clock_offset=_clock_offset(headers),
        )
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
    session.mount("https://", _Adapter())
    # Any authentication of our own, even none, keeps requests from sending what .netrc holds.
    session.auth = _no_authentication
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
    session.cookies.set_policy(_NoCookies())
    return session


def _no_authentication(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _NoCookies(requests.cookies.cookielib.DefaultCookiePolicy):  # type: ignore[name-defined,misc]
    def set_ok(self, cookie: object, request: object) -> bool:
        return False


class _Adapter(requests.adapters.HTTPAdapter):
    """TLS 1.2 or newer, the host compared with the certificate's alternative names alone."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=CONNECTIONS, pool_block=True, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=_tls(), **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=_tls(), **kwargs)


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    return context


class _TooMuch(Exception):
    """A body of a length that no reply of the API has."""


def read_body(response: requests.Response, deadline: float) -> bytes:
    """Read a body as it comes in, so that one that trickles is noticed."""
    # urllib3 has read1 since 2.1; before, a trickling body is waited for.
    read = getattr(response.raw, "read1", response.raw.read)
    body = b""
    while True:
        chunk: bytes = read(65536)
        body += chunk
        if not chunk:
            return body
        if len(body) > _BODY_LIMIT:
            raise _TooMuch
        if time.monotonic() > deadline:
            raise requests.ReadTimeout


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return reply if isinstance(reply, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Give the seconds that the server asks to wait (RFC 9110, 10.2.3, or Alibaba's own header)."""
    for name, scale in (("x-acs-retry-after", 0.001), ("Retry-After", 1.0)):
        text = headers.get(name, "")
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text) * scale
    when = _time(headers.get("Retry-After", ""))
    return None if when is None else max(0.0, when - time.time())


def _clock_offset(headers: Mapping[str, str]) -> float | None:
    """Give the seconds by which this machine's clock is ahead of the server's."""
    when = _time(headers.get("Date", ""))
    return None if when is None else time.time() - when


def _time(text: str) -> float | None:
    """Give the time that a header names, in seconds since the epoch (RFC 9110, 5.6.7)."""
    try:
        when = email.utils.parsedate_tz(text)
        return email.utils.mktime_tz(when) if when else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def failure_of(error: Exception) -> str:
    """Name what went wrong below the API, as one of the codes of :mod:`.errors`."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return "certificate refused"
    if isinstance(error, requests.exceptions.ProxyError):
        refused = any("Tunnel connection failed: 4" in str(cause) for cause in causes)
        return "proxy refused" if refused else "proxy failed"
    if isinstance(error, requests.exceptions.SSLError):
        reasons = {getattr(cause, "reason", None) for cause in causes}
        return "TLS refused" if any(r in _NO_COMMON_TLS for r in reasons) else "TLS failed"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection"
    if isinstance(error, requests.exceptions.Timeout):
        return "no reply"
    if isinstance(error, requests.exceptions.ConnectionError):
        if any(type(cause).__name__ in ("gaierror", "NameResolutionError") for cause in causes):
            return "no address"
        if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
            return "no connection"
        return "connection lost"
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError)):
        return "connection lost"
    return "wrong set-up"


def _causes(error: BaseException, depth: int = 8) -> Iterator[BaseException]:
    """Walk through all that requests and urllib3 wrapped into one another."""
    yield error
    if depth:
        inner = [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
        for cause in inner:
            if isinstance(cause, BaseException):
                yield from _causes(cause, depth - 1)
