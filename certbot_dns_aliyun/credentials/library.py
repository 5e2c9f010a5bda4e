"""Access keys that Alibaba's own library gets: from STS, metadata, profiles, a credentials URI.

It is an extra (``pip install certbot-dns-aliyun[credentials]``), imported when a setting asks for
it. What it sends goes through this plugin's own HTTP session, with its proxies and its CA
certificates; what it and that session log about it (signed URLs, replies with keys) goes nowhere.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

from certbot import errors

from certbot_dns_aliyun.alidns.call import failure_of, session
from certbot_dns_aliyun.alidns.errors import PASSING, AlidnsError, clean_code, meaning_of
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource

logger = logging.getLogger(__name__)

#: The metadata service of ECS, on the link of the instance itself.
#: https://help.aliyun.com/document_detail/108460.html
METADATA_HOST = "100.100.100.200"

#: The share of a key's life, and the most seconds, before its end at which another one is got.
_EARLY_SHARE = 0.2
_EARLY = 300.0

#: The library has global state; one thread at a time uses it.
_library_lock = threading.RLock()


class LibrarySource(KeySource):
    """Access keys from one provider of the library, got anew before they run out.

    :param make_provider: makes the provider; called again when a key was rejected before its time
    :param origin: what it is, for logs and messages
    """

    def __init__(self, make_provider: Callable[[], Any], origin: str) -> None:
        self.origin = origin
        self._make_provider = make_provider
        self._provider: Any = None
        self._lock = threading.Lock()
        self._current: AccessKey | None = None
        self._until = 0.0

    def get(self) -> AccessKey:
        """See :meth:`KeySource.get`; one thread gets a key, the others wait for it."""
        with self._lock:
            if self._current is None or time.time() >= self._until:
                self._current = self._fetch()
            return self._current

    def renew(self, rejected: AccessKey) -> bool:
        """See :meth:`KeySource.renew`; once for all threads that hold the rejected key."""
        with self._lock:
            if self._current == rejected:
                self._provider = None
                self._current = self._fetch()
            return self._current != rejected

    def _fetch(self) -> AccessKey:
        with _library():
            try:
                if self._provider is None:
                    self._provider = self._make_provider()
                got = self._provider.get_credentials()
            except AlidnsError as error:
                error.origin = self.origin
                raise error from None
            except errors.PluginError:
                raise
            except Exception as error:  # its text may hold anything
                logger.debug("No access key from %s: %s", self.origin, type(error).__name__)
                raise AlidnsError("no credentials", origin=self.origin) from None
        if not got.get_access_key_id() or not got.get_access_key_secret():
            raise AlidnsError("no credentials", origin=self.origin)
        expiration = got.get_expiration() or 0
        # A provider that does not tell when its keys end keeps track of that by itself.
        left = max(0.0, expiration - time.time())
        self._until = expiration - min(_EARLY, _EARLY_SHARE * left)
        key = AccessKey(
            got.get_access_key_id(), got.get_access_key_secret(), got.get_security_token() or ""
        )
        if key != self._current:
            logger.info("The access key comes from %s", self.origin)
        return key


def providers() -> Any:
    """Give the library's providers.

    :raises errors.PluginError: if the library is not installed; says how to get it
    """
    with _library():
        from alibabacloud_credentials import provider

        return provider


@contextlib.contextmanager
def _library() -> Iterator[None]:
    """Use the library: sending through our session, and logging nothing."""
    try:
        from alibabacloud_credentials import provider  # noqa: F401, its loggers are made here
        from Tea.core import TeaCore
    except ImportError:
        raise errors.PluginError(
            "This kind of credentials needs the extra packages of certbot-dns-aliyun; "
            f"install them with: {_install_command()}"
        ) from None
    with _library_lock, _nothing_logged():
        send = TeaCore.do_action
        TeaCore.do_action = staticmethod(_send)
        try:
            yield
        finally:
            TeaCore.do_action = staticmethod(send)


def _send(request: Any, options: dict[str, Any] | None = None) -> Any:
    """Send a request of the library, in place of its own way (``Tea.core.TeaCore.do_action``)."""
    from Tea.core import TeaCore
    from Tea.response import TeaResponse

    host = str(request.headers.get("host", ""))
    seconds = [(options or {}).get(name, 5000) / 1000 for name in ("connectTimeout", "readTimeout")]
    try:
        reply = session().request(
            request.method,
            TeaCore.compose_url(request),
            data=request.body,
            headers=request.headers,
            timeout=(seconds[0], seconds[1]),
            allow_redirects=False,
            # The metadata service is reached directly or not at all.
            proxies={"no_proxy": METADATA_HOST} if host == METADATA_HOST else None,
        )
    except (OSError, ValueError) as error:
        code = failure_of(error)
        if host == METADATA_HOST and code == "no connection":
            code = "not on ECS"
        raise AlidnsError(code, host=host) from None
    if reply.status_code != 200:
        raise _refusal(reply.status_code, reply.content)
    response = TeaResponse()
    response.status_code = reply.status_code
    response.headers = {name.lower(): value for name, value in reply.headers.items()}
    response.body = reply.content
    return response


def _refusal(status: int, body: bytes) -> AlidnsError:
    try:
        code = clean_code(json.loads(body)["Code"])
    except (ValueError, KeyError, TypeError, RecursionError):
        code = f"HTTP status {status}"
    passes = meaning_of(code, status).verdict in PASSING
    return AlidnsError("credentials not yet" if passes else "no credentials", detail=code)


@contextlib.contextmanager
def _nothing_logged() -> Iterator[None]:
    """Keep what this thread does for the library out of every log."""
    for name in ("credentials", "alibabacloud-tea", "apscheduler", "tzlocal"):
        of_the_library = logging.getLogger(name)
        of_the_library.propagate = False
        of_the_library.handlers = [logging.NullHandler()]
    this_thread = threading.get_ident()

    def is_of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != this_thread

    of_the_session = logging.getLogger("urllib3.connectionpool")
    of_the_session.addFilter(is_of_another_thread)
    try:
        yield
    finally:
        of_the_session.removeFilter(is_of_another_thread)


def _install_command() -> str:
    """Give the command that installs the extra where this Certbot was installed."""
    package = "'certbot-dns-aliyun[credentials]'"
    if sys.prefix.startswith("/snap/"):
        return (
            f"python3 -m venv /opt/certbot && /opt/certbot/bin/pip install certbot {package} "
            "(Certbot's snap takes no packages)"
        )
    if sys.prefix == "/usr":
        return f"{sys.executable} -m pip install --break-system-packages {package}"
    return f"{sys.executable} -m pip install {package}"
