"""The one HTTPS session of this process, and what went wrong with it, in words of our own.

Careful by design: TLS 1.2 or newer, the host verified, no redirects, no cookies, nothing of .netrc,
bounded connections, time and length. Proxies and CA certificates are those of the environment.
"""

from __future__ import annotations

import functools
import http.cookiejar
import logging
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import requests
import requests.adapters
import urllib3.exceptions

#: Connections to one host at the most; calls beyond it wait for one to be free.
CONNECTIONS = 10

#: A page of 500 records is some 150 kB.
_BODY_LIMIT = 8 * 1024 * 1024
#: OpenSSL's words for a peer that speaks no TLS, or none that is new enough.
_NO_COMMON_TLS = ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_VERSION_NUMBER")

_session_lock = threading.Lock()


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
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return session


def _no_authentication(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


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


class TooLongError(Exception):
    """A body is longer than any that is worth reading."""


def read_body(response: requests.Response, deadline: float) -> bytes:
    """Read a body as it comes in, so that one that trickles is noticed.

    :param deadline: monotonic time by which it must be there
    :raises TooLongError: if it is of a length that no reply has
    """
    # urllib3 has read1 since 2.1; before, a trickling body is waited for.
    read = getattr(response.raw, "read1", response.raw.read)
    body = b""
    while True:
        chunk: bytes = read(65536)
        body += chunk
        if not chunk:
            return body
        if len(body) > _BODY_LIMIT:
            raise TooLongError
        if time.monotonic() > deadline:
            raise requests.ReadTimeout


def failure_of(error: Exception) -> str:
    """Name what went wrong below the API, as one of the codes of ``alidns/errors.py``."""
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
