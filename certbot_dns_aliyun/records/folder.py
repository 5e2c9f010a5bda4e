"""The folder of the journals: files on disk before they are needed, and nobody else's word taken.

It lies in Certbot's config folder, which outlives a container. What is in it counts only if nobody
else could have written it, and a line only with a mark that takes this folder's secret to make.
Each journal is locked by who writes it: Certbot's own lock keeps other Certbots off the folder, but
not this plugin's commands.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import hmac
import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)

_FOLDER = "dns-aliyun"
_SECRET = "secret"  # noqa: S105, the name of a file
_SECRET_SIZE = 32
_SUFFIX = ".journal"
_SET_ASIDE = ".damaged"
#: What opening gives that is not of the kind that was wanted.
_WRONG_KIND = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENOTDIR})


class UntrustedError(Exception):
    """Somebody else may have written this. Its text says why."""


class Folder:
    """The folder ``dns-aliyun`` in Certbot's config folder.

    :param config_dir: Certbot's config folder
    """

    def __init__(self, config_dir: str) -> None:
        self.path = Path(config_dir, _FOLDER)
        self._secret = b""

    def journals(self) -> list[str]:
        """Give the names of the journals, the oldest first.

        :raises OSError: if the folder cannot be read; there may be none
        :raises UntrustedError: if others may have written to it
        """
        with self._opened() as folder:
            return sorted(name for name in os.listdir(folder) if name.endswith(_SUFFIX))

    def new_name(self) -> str:
        """Give the name of a journal that is to be; names sort by age."""
        return f"{int(time.time() * 1000)}-{os.urandom(4).hex()}{_SUFFIX}"

    def create(self, name: str) -> int:
        """Make a journal, locked, and, where they are missing, the folder and its secret.

        :raises OSError: if that is not possible
        :raises UntrustedError: if others may write to the folder
        """
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.path, 0o700)
        with self._opened() as folder:
            self._secret = _read_secret(folder) or _make_secret(folder)
            while True:
                file = _new_file(name, folder)
                _lock(file)
                if os.fstat(file).st_nlink:
                    return file
                os.close(file)  # somebody took it for one that was left empty, and removed it

    def sync(self) -> None:
        """Return when the names in the folder are on disk, and its own.

        :raises OSError: if they cannot be written
        """
        with self._opened() as folder:
            _sync(folder)
        parent = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _sync(parent)
        finally:
            os.close(parent)

    def open(self, name: str) -> int:
        """Open a journal, to be read and written on.

        :raises OSError: if it cannot be opened
        :raises UntrustedError: if it is no plain file, or others may have written it
        """
        with self._opened() as folder:
            self._secret = _read_secret(folder)
            return _open_trusted(name, os.O_RDWR | os.O_APPEND, folder)

    def take_over(self, file: int) -> bool:
        """Lock an open journal; False if it is that of a run that goes on, or was just removed."""
        return _lock(file, fcntl.LOCK_NB) and os.fstat(file).st_nlink > 0

    def remove(self, name: str) -> None:
        """Remove a journal.

        :raises OSError: if it cannot be removed
        """
        with self._opened() as folder:
            os.unlink(name, dir_fd=folder)

    def set_aside(self, name: str) -> Path:
        """Rename a journal, so that no run reads it again; gives its new path.

        :raises OSError: if it cannot be renamed
        """
        path = self.path / Path(name).with_suffix(_SET_ASIDE)
        with self._opened() as folder:
            os.replace(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        return path

    def mark(self, text: bytes) -> str:
        """Give what proves that whoever wrote a text knew the secret; nothing without a secret."""
        if not self._secret:
            return ""
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:32]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno in _WRONG_KIND:
                raise UntrustedError("it is no folder, or a link to one") from None
            raise
        try:
            mode = stat.S_IMODE(os.fstat(folder).st_mode)
            if mode != 0o700:
                with contextlib.suppress(OSError):
                    os.fchmod(folder, 0o700)
            # Who owns Certbot's folder can have Certbot run anything, and need not forge a journal.
            _check(folder, os.stat(self.path.parent).st_uid)
            if mode & 0o022:
                logger.warning(
                    "Others could write to %s (its mode was %s). It is 0700 again; of what is in "
                    "it, only what can be proved to be of this plugin counts.",
                    self.path,
                    f"{mode:04o}",
                )
            yield folder
        finally:
            os.close(folder)


def _check(file: int, owner: int) -> None:
    """Refuse what others may write to.

    :param owner: who is trusted, besides root and ourselves
    """
    of = os.fstat(file)
    if of.st_uid not in (0, os.geteuid(), owner):
        raise UntrustedError("it belongs to another user")
    if of.st_mode & 0o022:
        raise UntrustedError(f"others may write to it: its mode is {stat.S_IMODE(of.st_mode):04o}")
    if stat.S_ISREG(of.st_mode) and of.st_nlink > 1:
        raise UntrustedError("it has another name, too")


def _open_trusted(name: str, flags: int, folder: int) -> int:
    try:
        file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if error.errno in _WRONG_KIND:
            raise UntrustedError("it is no plain file") from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise UntrustedError("it is no plain file")
        _check(file, os.fstat(folder).st_uid)
    except UntrustedError:
        os.close(file)
        raise
    return file


def _read_secret(folder: int) -> bytes:
    """Give the secret, safely on disk; nothing if there is none that only we can know."""
    try:
        file = _open_trusted(_SECRET, os.O_RDONLY, folder)
    except (OSError, UntrustedError):
        return b""
    try:
        secret = os.read(file, _SECRET_SIZE + 1)
        if len(secret) != _SECRET_SIZE or os.fstat(file).st_mode & 0o077:
            return b""
        os.fsync(file)
        return secret
    finally:
        os.close(file)


def _make_secret(folder: int) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_SECRET, dir_fd=folder)
    secret = os.urandom(_SECRET_SIZE)
    file = _new_file(_SECRET, folder)
    try:
        if os.write(file, secret) < len(secret):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    finally:
        os.close(file)
    return secret


def _new_file(name: str, folder: int) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return os.open(name, flags, 0o600, dir_fd=folder)


def _lock(file: int, flag: int = 0) -> bool:
    """Lock a file until it is closed; False if somebody else has it locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | flag)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        logger.debug("A journal cannot be locked: %s", error.strerror)
    return True


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot do that for folders
            raise
