"""A journal on disk of what is in the zones because of us, for the run that comes after a crash.

Before a record is added, a line says so; when it is gone, another does. A run that ends as it
should takes its journal with it. One that is killed leaves it, and the next run, of whichever
lineage, removes what it lists. It holds no secrets: all but the record ids is in public DNS.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

_FOLDER = "dns-aliyun"
_SUFFIX = ".journal"
#: Seconds, a week, after which a doubt about a record is not worth another warning.
_OLD = 7 * 24 * 60 * 60
#: Far more than the lines of the largest order; a larger file is none of ours.
_SIZE_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True)
class Line:
    """A record, as the journal knows it."""

    zone: str
    rr: str
    value: str


class Journal:
    """The journal of one run: a file that is locked as long as the run lives.

    Where it cannot be written, a warning says so, once, and the run goes on without.

    :param path: the file; made when there is something to write
    :ivar is_old: whether nothing was written to it for a week
    :ivar tried: lines about zones that may not exist
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_damaged = False
        self.is_old = False
        self.tried: set[Line] = set()
        self._lock = threading.Lock()
        self._file: int | None = None
        self._writable = True
        self._open: dict[Line, str | None] = {}

    @classmethod
    def of_this_run(cls, work_dir: str) -> Journal:
        """Give a new journal in Certbot's work folder."""
        unique = f"{os.getpid()}-{os.urandom(4).hex()}{_SUFFIX}"
        return cls(Path(work_dir, _FOLDER, unique))

    @classmethod
    def abandoned(cls, work_dir: str) -> Iterator[Journal]:
        """Give the journals of runs that are dead; those of living ones are locked."""
        try:
            paths = sorted(Path(work_dir, _FOLDER).glob("*" + _SUFFIX))
        except OSError:
            return
        for path in paths:
            journal = cls(path)
            if journal._take_over():
                yield journal

    @classmethod
    def of_living_runs(cls, work_dir: str) -> set[Line]:
        """Give what runs that are under way may have in their zones."""
        lines: set[Line] = set()
        with contextlib.suppress(OSError):
            for path in Path(work_dir, _FOLDER).glob("*" + _SUFFIX):
                lines.update(cls(path)._lines_if_locked())
        return lines

    def adding(self, lines: Iterable[Line], zone_is_known: bool = True) -> None:
        """Note records before they are added; returns when that is safely on disk.

        :param zone_is_known: whether public DNS names the zone; else it may not even exist
        """
        with self._lock:
            new = [line for line in lines if line not in self._open]
            self._open.update(dict.fromkeys(new))
            event = "add" if zone_is_known else "try"
            if not zone_is_known:
                self.tried.update(new)
            self._write([{event: _as_list(line)} for line in new], sync=True)

    def added(self, line: Line, record_id: str | None) -> None:
        """Note the id of a record that was added."""
        with self._lock:
            self._open[line] = record_id
            self._write([{"added": _as_list(line), "id": record_id}])

    def gone(self, line: Line) -> None:
        """Note that there is nothing of ours (any more)."""
        with self._lock:
            if line in self._open:
                del self._open[line]
                self._write([{"gone": _as_list(line)}])

    @property
    def open_lines(self) -> dict[Line, str | None]:
        """What may be in the zones, with the record id where it is known."""
        with self._lock:
            return dict(self._open)

    def close(self) -> None:
        """Let go of the file; unless it lists something it goes, or is set aside if damaged."""
        with self._lock:
            self._writable = False
            if self._file is None:
                return
            try:
                if not self._open and self.is_damaged:
                    self.path.replace(self.path.with_suffix(".damaged"))
                elif not self._open:
                    self.path.unlink()
            except OSError as error:
                logger.debug("%s: %s", self.path, error)
            os.close(self._file)
            self._file = None

    def _write(self, entries: list[dict[str, object]], sync: bool = False) -> None:
        if not entries or not self._writable:
            return
        text = "".join(json.dumps(entry) + "\n" for entry in entries)
        try:
            if self._file is None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = self._create()
            if os.write(self._file, text.encode()) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sync:
                os.fsync(self._file)
        except OSError as error:
            self._writable = False
            logger.warning(
                "The journal %s cannot be written (%s): TXT records would be left behind if this "
                "run were killed.",
                self.path,
                error.strerror,
            )

    def _create(self) -> int:
        """Make the file; it gets the name that other runs look for when it is locked."""
        unlocked = self.path.with_suffix(".new")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW
        file = os.open(unlocked, flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unlocked.rename(self.path)
        except OSError:
            os.close(file)
            raise
        return file

    def _lines_if_locked(self) -> set[Line]:
        file = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            for text in os.read(file, _SIZE_LIMIT).split(b"\n"):
                if text:
                    self._replay(text)
        finally:
            os.close(file)
        return set(self._open)

    def _take_over(self) -> bool:
        """Open, lock and read the file of a dead run; False if it lives, or has no such file."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            logger.debug("%s: %s", self.path, error)
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = os.read(file, _SIZE_LIMIT)
            self.is_old = time.time() - os.fstat(file).st_mtime > _OLD
        except OSError:
            os.close(file)
            return False
        self._file = file
        if not content.endswith(b"\n"):
            with contextlib.suppress(OSError):
                os.write(file, b"\n")  # so that a torn line takes no other with it
        for text in content.split(b"\n"):
            if text:
                self._replay(text)
        if self.is_damaged:
            logger.warning(
                "%s is damaged, or not a journal of this plugin; what can be read of it is used, "
                "then it is set aside.",
                self.path,
            )
        return True

    def _replay(self, text: bytes) -> None:
        try:
            entry = json.loads(text)
            ((event, fields),) = ((k, v) for k, v in entry.items() if k != "id")
            record_id = entry.get("id")
            if event not in ("add", "try", "added", "gone") or not isinstance(fields, list):
                raise ValueError
            zone, rr, value = fields
            if not all(_is_name_or_value(field) for field in fields):
                raise ValueError
            if record_id is not None and not (isinstance(record_id, str) and record_id.isdigit()):
                raise ValueError
        except (ValueError, TypeError, AttributeError, RecursionError):
            self.is_damaged = True
            return
        line = Line(zone, rr, value)
        if event == "gone":
            self._open.pop(line, None)
        else:
            self._open[line] = record_id
        if event == "try":
            self.tried.add(line)


def _is_name_or_value(field: object) -> bool:
    return isinstance(field, str) and field.isascii() and field.isprintable() and len(field) < 512


def _as_list(line: Line) -> list[str]:
    return [line.zone, line.rr, line.value]
