"""A disk that forgets what it was not told to keep, behind the few calls of ``os`` for journals.

POSIX promises of a power cut: what a file held when it was synced is there, and a name is there
when its folder was synced since. All else may have got to the disk, or not, or in part.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Union

import pytest

from certbot_dns_aliyun.records import folder, journal

CONFIG_DIR = Path("/config")


class Stopped(BaseException):
    """The process ends here, and maybe the machine."""


@dataclass
class File:
    data: bytes = b""
    kept: bytes = b""
    mode: int = stat.S_IFREG | 0o600


@dataclass
class Folder:
    names: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    mode: int = stat.S_IFDIR | 0o700


Node = Union[File, Folder]


class FakeDisk:
    """Stands in for the module ``os`` in the modules that keep the journal.

    :ivar steps: the calls that it still takes until the process stops
    """

    def __init__(self) -> None:
        self.root = Folder()
        self.steps = 1_000_000
        self._open: dict[int, Node] = {}

    def __getattr__(self, name: str) -> Any:
        assert name.startswith("O_") or name in ("geteuid", "urandom", "strerror"), name
        return getattr(os, name)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[FakeDisk]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(folder, "os", self)
            patch.setattr(journal, "os", self)
            patch.setattr(folder, "_lock", lambda file, flag=0: True)
            yield self

    def restart(self) -> None:
        """The process was killed: what it wrote is there."""
        self.steps = 1_000_000
        self._open.clear()

    def power_cut(self, luck: Random) -> None:
        """All that was not synced is there or not, as luck would have it."""
        self._forget(self.root, luck)
        self.restart()

    def _forget(self, node: Node, luck: Random) -> None:
        if isinstance(node, File):
            written = node.data[len(node.kept) :]
            got = written[: luck.randint(0, len(written))]
            node.data = node.kept = node.kept + luck.choice([b"", got, b"\0" * len(got), written])
            return
        for name in {*node.names, *node.kept}:
            now, before = node.names.get(name), node.kept.get(name)
            left = luck.choice([now, before])
            node.names.pop(name, None)
            if left is not None:
                node.names[name] = left
        node.kept = dict(node.names)
        for each in node.names.values():
            self._forget(each, luck)

    def _step(self) -> None:
        if self.steps <= 0:
            raise Stopped
        self.steps -= 1

    def _node(self, path: Any, dir_fd: int | None = None) -> tuple[Folder, str]:
        if dir_fd is not None:
            parent = self._open[dir_fd]
            assert isinstance(parent, Folder)
            return parent, str(path)
        if Path(path) == CONFIG_DIR:
            return Folder({"config": self.root}), "config"
        assert Path(path).parent == CONFIG_DIR
        return self.root, Path(path).name

    def open(self, path: Any, flags: int, mode: int = 0o777, dir_fd: int | None = None) -> int:
        self._step()
        parent, name = self._node(path, dir_fd)
        if flags & os.O_CREAT:
            assert flags & os.O_EXCL
            if name in parent.names:
                raise FileExistsError(errno.EEXIST, "File exists")
            parent.names[name] = File(mode=stat.S_IFREG | mode)
        if name not in parent.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        file = max(self._open, default=2) + 1
        self._open[file] = parent.names[name]
        return file

    def close(self, file: int) -> None:
        self._open.pop(file, None)

    def read(self, file: int, size: int) -> bytes:
        self._step()
        node = self._open[file]
        assert isinstance(node, File)
        return node.data[:size]

    def write(self, file: int, data: bytes) -> int:
        self._step()
        node = self._open[file]
        assert isinstance(node, File)
        node.data += data
        return len(data)

    def fsync(self, file: int) -> None:
        self._step()
        node = self._open[file]
        if isinstance(node, File):
            node.kept = node.data
        else:
            node.kept = dict(node.names)

    def utime(self, file: int, times: tuple[float, float]) -> None:
        """When the disk gets to know that makes no difference to what it keeps."""

    def fstat(self, file: int) -> Any:
        return self._stat(self._open[file])

    def stat(self, path: Any) -> Any:
        parent, name = self._node(path)
        return self._stat(parent.names[name])

    def _stat(self, node: Node) -> Any:
        return SimpleNamespace(st_mode=node.mode, st_uid=os.geteuid(), st_nlink=1, st_mtime=0.0)

    def fchmod(self, file: int, mode: int) -> None:
        self._step()
        node = self._open[file]
        node.mode = stat.S_IFMT(node.mode) | mode

    def mkdir(self, path: Any, mode: int) -> None:
        self._step()
        parent, name = self._node(path)
        if name in parent.names:
            raise FileExistsError(errno.EEXIST, "File exists")
        parent.names[name] = Folder(mode=stat.S_IFDIR | mode)

    def listdir(self, file: int) -> list[str]:
        self._step()
        node = self._open[file]
        assert isinstance(node, Folder)
        return list(node.names)

    def unlink(self, path: Any, dir_fd: int | None = None) -> None:
        self._step()
        parent, name = self._node(path, dir_fd)
        if name not in parent.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        del parent.names[name]

    def replace(self, old: str, new: str, src_dir_fd: int, dst_dir_fd: int) -> None:
        self._step()
        parent, name = self._node(old, src_dir_fd)
        parent.names[new] = parent.names.pop(name)
