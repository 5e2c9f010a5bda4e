"""Profiles of the aliyun CLI, in ``~/.aliyun/config.json``.

A profile of mode OAuth is good for one refresh token after the other, each used up by the next, so
the file must be written. Alibaba's library writes it readable for everybody at first, finds out
that it cannot when the token is spent, and puts what a command gave into it as well.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from typing import Any, Callable, TextIO

from certbot_dns_aliyun.credentials import library
from certbot_dns_aliyun.credentials.safe_file import ensure_safe
from certbot_dns_aliyun.errors import AlidnsError, NotCalled

logger = logging.getLogger(__name__)

CONFIG_FILE = "~/.aliyun/config.json"

#: Seconds in which others must let go of the file, and between two looks at it.
_LOCK_LIMIT = 10.0
_LOCK_PAUSE = 0.05


def make_provider(name: str | None) -> Any:
    """Make the library's provider of a profile; None is the current one.

    :raises AlidnsError: if there is no home folder, or others can change the file
    :raises OSError: if it cannot be read
    """
    path = os.path.expanduser(CONFIG_FILE)
    if path.startswith("~"):  # a user whom the system does not know, as in some containers
        raise AlidnsError(NotCalled.NO_CREDENTIALS, detail=f"no home folder for {path}")
    ensure_safe(path)
    provider = library.providers().CLIProfileCredentialsProvider(
        profile_file=path, profile_name=name
    )
    make_inner = provider._get_credentials_provider

    def make_careful(config: dict[str, Any], profile_name: str) -> Any:
        inner = make_inner(config, profile_name)
        if hasattr(inner, "_try_refresh_oauth_token"):
            inner._try_refresh_oauth_token = _refreshing_with_care(inner, path)
        return inner

    def write(path: str, config: dict[str, Any]) -> None:
        _rewrite(path, lambda old: json.dumps(config, indent=4, ensure_ascii=False))

    provider._get_credentials_provider = make_careful
    provider._write_configuration_to_file_with_lock = write
    provider._get_external_credential_update_callback = lambda: None
    return provider


def _refreshing_with_care(provider: Any, path: str) -> Callable[[], None]:
    """Give what gets a new refresh token: only when it can be stored, and it is, at once."""
    refresh = provider._try_refresh_oauth_token

    def refresh_with_care() -> None:
        try:
            _rewrite(path, lambda old: old)
        except OSError as error:
            detail = f"{path}: {error.strerror}"
            raise AlidnsError(NotCalled.PROFILE_NOT_WRITABLE, detail=detail) from None
        refresh()
        try:
            provider._token_update_callback(
                provider._refresh_token,
                provider._access_token,
                provider._sts_access_key_id,
                provider._sts_access_key_secret,
                provider._sts_security_token,
                provider._access_token_expire,
                provider._sts_expiration,
            )
        except Exception as error:  # its text may hold anything
            logger.debug("Could not write %s: %s", path, type(error).__name__)
            logger.warning(
                "The next refresh token could not be stored in %s; log in again by "
                "aliyun configure.",
                path,
            )

    return refresh_with_care


def _rewrite(path: str, change: Callable[[str], str]) -> None:
    """Replace a file by a changed one, which nobody else can read at any moment."""
    real = os.path.realpath(path)
    with _locked(real) as old:
        status = os.fstat(old.fileno())
        descriptor, new_path = tempfile.mkstemp(dir=os.path.dirname(real), prefix="config.json.")
        try:
            with open(descriptor, "w", encoding="utf-8") as new:
                new.write(change(old.read()))
                new.flush()
                os.fsync(descriptor)
                mode = stat.S_IMODE(status.st_mode)
                try:
                    os.fchown(descriptor, -1, status.st_gid)
                except PermissionError:
                    mode &= ~stat.S_IRWXG  # its group is another one now
                os.fchmod(descriptor, mode)
            os.replace(new_path, real)
        except BaseException:
            os.unlink(new_path)
            raise


@contextlib.contextmanager
def _locked(path: str) -> Iterator[TextIO]:
    """Open a file that is to be replaced, which nobody else replaces meanwhile.

    :raises OSError: if that cannot be, or others keep it locked
    """
    deadline = time.monotonic() + _LOCK_LIMIT
    while True:
        with open(path, "r+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                is_it = False
            else:  # it may have been replaced before we got the lock
                is_it = os.path.samestat(os.fstat(file.fileno()), os.stat(path))
            if is_it:
                yield file
                return
        if time.monotonic() > deadline:
            raise OSError(errno.EAGAIN, "another program keeps it locked", path)
        time.sleep(_LOCK_PAUSE)
