"""Access keys that Alibaba's own library gets: from STS, metadata, profiles, a credentials URI.

It is an extra (``pip install certbot-dns-aliyun[credentials]``), imported when a setting asks for
it. What it sends goes through this plugin's own HTTP session, with its proxies and its CA
certificates; what it and that session log about it (signed URLs, replies with keys) goes nowhere.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import sys
import sysconfig
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any, Callable

from certbot import errors

from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.credentials.safe_file import ensure_safe
from certbot_dns_aliyun.errors import (
    PASSING,
    AlidnsError,
    NotCalled,
    Verdict,
    clean_code,
    meaning_of,
)
from certbot_dns_aliyun.https import exchange
from certbot_dns_aliyun.unanswered import NotSent, UnansweredError

logger = logging.getLogger(__name__)

#: The metadata service of ECS, on the link of the instance itself.
#: https://help.aliyun.com/document_detail/108460.html
METADATA_HOST = "100.100.100.200"

#: The share of a key's life, and the most seconds, before its end at which another one is got.
_EARLY_SHARE = 0.2
_EARLY = 300.0
#: Seconds for which a key is kept whose end is known to its provider alone; a provider of the
#: library gets another one 15 minutes before that end.
_UNKNOWN_LIFE = 60.0
#: Seconds between two attempts at a new key while the old one is still good.
_PAUSE = 20.0
#: Seconds between two keys got in place of rejected ones: what is denied may be denied to all.
_RENEWAL_PAUSE = 10.0

#: The library has global state; one thread at a time uses it.
_library_lock = threading.RLock()


class NotInstalledError(errors.PluginError):
    """The library is not there. Its text is the way to get it."""


class LibrarySource(KeySource):
    """Access keys from one provider of the library, got anew before they run out.

    :param make_provider: makes the provider; called again when a key was rejected before its time
    :param origin: what it is, for logs and messages
    :param role_arn: the role whose keys it gives, if it is known; a role is one account's
    """

    def __init__(self, make_provider: Callable[[], Any], origin: str, role_arn: str = "") -> None:
        self.origin = origin
        self._role_arn = role_arn
        self._make_provider = make_provider
        self._provider: Any = None
        self._lock = threading.Lock()
        self._current: AccessKey | None = None
        self._until = 0.0
        self._expires = 0.0
        self._renewed = -_RENEWAL_PAUSE
        self._failure: AlidnsError | None = None
        self._failed_at = 0.0

    @property
    def identity(self) -> str:
        """See :attr:`KeySource.identity`: keys change, and may be another account's tomorrow."""
        return self._role_arn

    def get(self) -> AccessKey:
        """See :meth:`KeySource.get`; one thread gets a key or fails, for all who wait for it."""
        asked_at = time.monotonic()
        with self._lock:
            if self._current is None or time.time() >= self._until:
                if self._failure and asked_at < self._failed_at:
                    raise self._failure.with_()
                try:
                    self._current = self._fetch()
                except AlidnsError as error:
                    if self._current is None or time.time() >= self._expires:
                        self._failure, self._failed_at = error, time.monotonic()
                        raise
                    logger.debug("Keeping the access key of %s for now: %s", self.origin, error)
                    self._until = time.time() + _PAUSE
            return self._current

    def renew(self, rejected: AccessKey) -> bool:
        """See :meth:`KeySource.renew`; once for all threads that hold the rejected key."""
        with self._lock:
            now = time.monotonic()
            if self._current == rejected and now - self._renewed >= _RENEWAL_PAUSE:
                self._renewed = now
                self._provider = None
                self._current = self._fetch()
            return self._current != rejected

    def _fetch(self) -> AccessKey:
        with _library():
            try:
                if self._provider is None:
                    self._provider = self._make_provider()
                try:
                    got = self._provider.get_credentials()
                except Exception:
                    self._provider = None  # what it has read may be used up, by others perhaps
                    raise
            except AlidnsError as error:
                # No record is involved, so none may have been made.
                raise error.with_(origin=self.origin, maybe_done=False) from None
            except errors.PluginError:
                raise
            except OSError as error:
                # A file that is named by no path may be a secret in the wrong place.
                is_path = isinstance(error.filename, str) and os.path.isabs(error.filename)
                detail = f"{error.filename}: {error.strerror}" if is_path else ""
                raise self._no_key(detail) from None
            except Exception as error:  # its text may hold anything
                logger.debug("No access key from %s: %s", self.origin, type(error).__name__)
                raise self._no_key() from None
        key = AccessKey(
            got.get_access_key_id(), got.get_access_key_secret(), got.get_security_token() or ""
        )
        if not key.key_id or not key.secret or not key.is_sound():
            raise self._no_key("what it gave is not an access key")
        now = time.time()
        self._expires = got.get_expiration() or now + _UNKNOWN_LIFE
        self._until = self._expires
        if got.get_expiration():
            self._until -= min(_EARLY, _EARLY_SHARE * max(0.0, self._expires - now))
        if key != self._current:
            logger.info("The access key comes from %s", self.origin)
        return key

    def _no_key(self, detail: str = "") -> AlidnsError:
        return AlidnsError(NotCalled.NO_CREDENTIALS, origin=self.origin, detail=detail)


def providers() -> Any:
    """Give the library's providers.

    :raises errors.PluginError: if the library is not installed; says how to get it
    """
    with _library():
        from alibabacloud_credentials import provider

        return provider


@contextlib.contextmanager
def _library() -> Iterator[None]:
    """Use the library: sending through our session, logging nothing, metadata by IMDSv2 alone."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_library_lock)
        try:
            from alibabacloud_credentials.provider import (
                cli_profile,
                ecs_ram_role,
                oidc,
                profile,
                rsa_key_pair,
            )
            from Tea.core import TeaCore

            # Left to itself, it falls back to IMDSv1, and starts a thread.
            on_ecs = functools.partial(
                ecs_ram_role.EcsRamRoleCredentialsProvider,
                disable_imds_v1=True,
                async_update_enabled=False,
            )
            stack.enter_context(_replaced(TeaCore, "do_action", lambda _: staticmethod(_send)))
            for module in (cli_profile, profile):
                stack.enter_context(_replaced(module, on_ecs.func.__name__, lambda _: on_ecs))
            stack.enter_context(_replaced(oidc, "_get_token", _from_safe_file))
            stack.enter_context(_replaced(rsa_key_pair, "_get_content", _from_safe_file))
        except (ImportError, AttributeError, KeyError):
            raise NotInstalledError(
                "This kind of credentials needs the extra packages of certbot-dns-aliyun; "
                f"install them with: {_install_command()}"
            ) from None
        stack.enter_context(_nothing_logged())
        yield


def _from_safe_file(read: Callable[[str], str]) -> Callable[[str], str]:
    def read_safe_file(path: str) -> str:
        ensure_safe(path)
        return read(path)

    return read_safe_file


@contextlib.contextmanager
def _replaced(owner: Any, name: str, replacement: Callable[[Any], Any]) -> Iterator[None]:
    """Put something else in the place of an attribute, made of what was there.

    :raises KeyError: if there is none of that name
    """
    original = vars(owner)[name]
    setattr(owner, name, replacement(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


def _send(request: Any, options: dict[str, Any] | None = None) -> Any:
    """Send a request of the library, in place of its own way (``Tea.core.TeaCore.do_action``)."""
    from Tea.core import TeaCore
    from Tea.response import TeaResponse

    connecting, reading = (
        (options or {}).get(name, 5000) / 1000 for name in ("connectTimeout", "readTimeout")
    )
    url = TeaCore.compose_url(request)
    port = ":80" if url.startswith("http://") and request.port == 80 else ""
    host = urllib.parse.urlsplit(url).netloc + port
    on_ecs = host == f"{METADATA_HOST}:80"
    started = time.monotonic()

    def log(outcome: str) -> None:
        logger.debug("Asked %s: %s (%.2f s)", host, outcome, time.monotonic() - started)

    try:
        reply = exchange(
            request.method,
            url,
            body=request.body,
            headers=request.headers,
            connecting=connecting,
            replying=reading,
        )
    except UnansweredError as error:
        log(", ".join(filter(None, [error.why.value, error.detail])))
        is_elsewhere = on_ecs and error.why is NotSent.NO_CONNECTION
        code = NotCalled.NOT_ON_ECS if is_elsewhere else error.why
        raise AlidnsError(code, host=host, proxy=error.proxy) from None
    log(f"HTTP {reply.status}")
    if reply.status != 200:
        raise _refusal(request, on_ecs, reply.status, reply.body)
    response = TeaResponse()
    response.status_code = reply.status
    response.headers = {name.lower(): value for name, value in reply.headers.items()}
    response.body = reply.body
    return response


def _refusal(request: Any, on_ecs: bool, status: int, body: bytes) -> AlidnsError:
    try:
        code = clean_code(json.loads(body)["Code"]) or f"HTTP status {status}"
    except (ValueError, KeyError, TypeError, RecursionError):
        code = f"HTTP status {status}"
    verdict = meaning_of(code, status).verdict
    detail = code
    role = str(request.query.get("RoleArn"))
    if verdict is Verdict.DENIED and role.startswith("acs:ram::"):
        detail += f": sts:AssumeRole on {role} is not allowed"
    elif on_ecs and status == 404:
        detail += ": the instance has no such role"
    why = NotCalled.CREDENTIALS_NOT_YET if verdict in PASSING else NotCalled.NO_CREDENTIALS
    if code == "InvalidTimeStamp.Expired":
        why = NotCalled.WRONG_CLOCK
    return AlidnsError(why, detail=detail)


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
    # Where apt installed Certbot, it has no package of these; older ones do not know the option.
    is_apt = os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"))
    option = "--break-system-packages " if is_apt and sys.prefix == sys.base_prefix else ""
    return f"{sys.executable} -m pip install {option}{package}"
