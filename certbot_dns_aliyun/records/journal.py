"""A journal on disk of what is in the zones because of us, for the run that comes after a crash.

Before a record is added, a line says so; when it is gone, another does. A run that ends as it
should takes its journal with it. One that is killed leaves it, and the next run, of whichever
lineage, removes what it lists. Each line bears the mark of this folder's secret, so that nobody
else can have records removed. A journal holds no secrets: all but the record ids is in public DNS.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from certbot_dns_aliyun.dns01 import DIGEST
from certbot_dns_aliyun.records.folder import Folder, UntrustedError

logger = logging.getLogger(__name__)

#: Seconds after which a call that was under way has surely ended, one way or the other.
UNDER_WAY = 20.0
#: More journals than runs that were killed and not seen to since; the others wait for their turn.
_MOST = 100
#: Far more than the lines of the largest order; a larger file is none of ours.
_SIZE_LIMIT = 4 * 1024 * 1024
_RECORD_ID = re.compile(r"[0-9]{1,32}", re.ASCII)
_EVENTS = frozenset({"add", "try", "added", "gone", "told"})


@dataclass(frozen=True)
class RecordKey:
    """A record, as the journal knows it."""

    zone: str
    rr: str
    value: str


@dataclass
class Known:
    """What the journal knows of a record.

    :ivar owner: tells the account that was asked to add it from others; see :meth:`Journal.is_of`
    :ivar zone_is_known: whether public DNS named the zone, or the record was added; else there may
        be no such zone
    :ivar record_id: the record's id, if it was told
    :ivar is_on_disk: whether the file lists it
    :ivar may_come_again: whether a call may be under way that adds it, or adds it once more
    :ivar tellings: how often the user was told that it may be left
    """

    owner: str = ""
    zone_is_known: bool = True
    record_id: str | None = None
    is_on_disk: bool = False
    may_come_again: bool = True
    tellings: int = 0


class Journal:
    """The journal of one run.

    Where it cannot be written, a warning says so, once, and the run goes on without.

    :param folder: where it lies
    :param name: the name of the file; made when there is something to write
    :ivar age: seconds since the last line, or call that adds a record, of an earlier run
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self.path = folder.path / name
        self.age = self._settled_at = 0.0
        self._folder = folder
        self._is_damaged = False
        self._read_at: float | None = None
        self._lock = threading.Lock()
        self._file: int | None = None
        self._writable = True
        self._open: dict[RecordKey, Known] = {}

    @classmethod
    def of_this_run(cls, folder: Folder) -> Journal:
        """Give a new journal."""
        return cls(folder, folder.new_name())

    @classmethod
    def abandoned(cls, folder: Folder) -> Iterator[Journal]:
        """Give the journals of runs that have ended and left something, the oldest first."""
        try:
            names = folder.journals()
        except (OSError, UntrustedError) as error:
            logger.debug("%s: %s", folder.path, error)
            return
        for name in names[:_MOST]:
            journal = cls(folder, name)
            if journal._take_over():
                yield journal

    @classmethod
    def listed(cls, config_dir: str) -> set[RecordKey]:
        """Give what journals list, of runs that go on or have ended; touches none of them."""
        folder = Folder(config_dir)
        keys: set[RecordKey] = set()
        with contextlib.suppress(OSError, UntrustedError):
            for name in folder.journals():
                journal = cls(folder, name)
                with contextlib.suppress(OSError, UntrustedError):
                    file = folder.open(name)
                    try:
                        journal._read(file)
                    finally:
                        os.close(file)
                keys.update(journal._open)
        return keys

    def adding(self, keys: Mapping[RecordKey, str], zone_is_known: bool = True) -> None:
        """Note records before they are added; returns when that is safely on disk.

        :param keys: each with what tells the account of its access key from others
        :param zone_is_known: whether public DNS names the zone; else it may not even exist
        """
        with self._lock:
            new = [key for key in keys if key not in self._open]
            self._open.update((key, Known(keys[key], zone_is_known)) for key in new)
            self._write("add" if zone_is_known else "try", new, sync=True)
            for key in new:
                self._open[key].is_on_disk = self._writable

    def calling(self) -> None:
        """Note the time, now that a call is made that adds a record."""
        with self._lock:
            self._stamp()

    def added(self, key: RecordKey, record_id: str | None, may_come_again: bool = False) -> None:
        """Note the id of a record that was added.

        :param may_come_again: whether a call that got no reply may add it once more
        """
        with self._lock:
            known = self._open.setdefault(key, Known())
            known.record_id, known.zone_is_known = record_id, True
            known.may_come_again = may_come_again or record_id is None
            self._write("added", [key])

    def gone(self, key: RecordKey) -> None:
        """Note that there is nothing of ours (any more)."""
        with self._lock:
            if key in self._open:
                self._write("gone", [key])
                del self._open[key]

    def lists(self, key: RecordKey) -> bool:
        """Tell whether the next run will find a record in it."""
        with self._lock:
            return key in self._open and self._open[key].is_on_disk

    def told(self, key: RecordKey) -> None:
        """Note that the user was told that a record may be left."""
        with self._lock:
            self._open[key].tellings += 1
            self._write("told", [key])

    def is_of(self, known: Known, owner: str) -> bool:
        """Tell whether it was surely this account that was to add a record of an earlier run."""
        return bool(owner) and known.owner == self._folder.mark(owner.encode())

    def until_settled(self, known: Known) -> float:
        """Give the seconds in which a call of an earlier run may still add a record (once more)."""
        return self._settled_at - time.monotonic() if known.may_come_again else 0.0

    @property
    def open_records(self) -> dict[RecordKey, Known]:
        """What may be in the zones."""
        with self._lock:
            return dict(self._open)

    def close(self) -> None:
        """Let go of the file; unless it lists something it goes, or is set aside if damaged."""
        with self._lock:
            self._writable = False
            if self._file is None:
                return
            if not self._open:
                self._put_away()
            os.close(self._file)  # and with that it is not locked any more
            self._file = None

    def _put_away(self) -> None:
        if self._is_damaged:
            aside = self._set_aside()
            logger.warning(
                "The journal %s is damaged, or not all of it was written by this plugin on "
                "this machine: what was counts, and it is set aside as %s.",
                self.path,
                aside,
            )
            return
        try:
            self._folder.remove(self.path.name)
        except (OSError, UntrustedError) as error:
            logger.debug("%s: %s", self.path, error)

    def _write(self, event: str, keys: list[RecordKey], sync: bool = False) -> None:
        if not keys or not self._writable:
            return
        try:
            is_new = self._file is None
            if self._file is None:
                self._file = self._folder.create(self.path.name)
            text = b"".join(self._marked(event, key) for key in keys)
            if os.write(self._file, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._stamp()
            if sync:
                os.fsync(self._file)
            if is_new:
                self._folder.sync()
        except OSError as error:
            self._writable = False
            logger.warning(
                "The journal %s cannot be written (%s): TXT records would be left behind if this "
                "run were killed.",
                self.path,
                error.strerror,
            )
        except UntrustedError as error:
            self._writable = False
            logger.warning(
                "No journal is kept in %s, as %s: TXT records would be left behind if this run "
                "were killed. Remove it, or give it to the user who runs Certbot, mode 0700.",
                self._folder.path,
                error,
            )

    def _stamp(self) -> None:
        """Set the file's time by this machine's clock, as a file server may have another."""
        if self._file is not None and self._writable:
            now = time.time()
            if self._read_at is not None:  # by now, an earlier run makes no calls
                now = max(self._read_at, now - UNDER_WAY)
            with contextlib.suppress(OSError):
                os.utime(self._file, (now, now))

    def _marked(self, event: str, key: RecordKey) -> bytes:
        known = self._open[key]
        entry: dict[str, object] = {event: [key.zone, key.rr, key.value]}
        if event in ("add", "try"):
            entry["owner"] = self._folder.mark(known.owner.encode()) if known.owner else ""
        elif event == "added":
            entry["id"] = known.record_id
            entry["again"] = known.may_come_again
        text = json.dumps(entry).encode()
        return text + b" " + self._folder.mark(text).encode() + b"\n"

    def _take_over(self) -> bool:
        """Open and read the file of an earlier run; False if it is not to be read."""
        try:
            self._file = self._folder.open(self.path.name)
        except UntrustedError as error:
            aside = self._set_aside()
            logger.warning(
                "The journal %s is set aside unread as %s, because %s; TXT records of a run that "
                "was killed may be left.",
                self.path,
                aside,
                error,
            )
            return False
        except OSError as error:
            logger.debug("%s: %s", self.path, error)
            return False
        try:
            content = self._read(self._file) if self._folder.take_over(self._file) else None
        except OSError as error:
            logger.debug("%s: %s", self.path, error)
            content = None
        if content is None:
            os.close(self._file)
            self._file = None
            return False
        if content and not content.endswith(b"\n"):
            with contextlib.suppress(OSError):
                os.write(self._file, b"\n")  # so that a torn line takes no other with it
                self._stamp()
        return True

    def _read(self, file: int) -> bytes:
        self._read_at = os.fstat(file).st_mtime
        self.age = time.time() - self._read_at
        self._settled_at = time.monotonic() + UNDER_WAY - abs(self.age)
        content = os.read(file, _SIZE_LIMIT)
        for text in content.split(b"\n"):
            if text:
                self._replay(text)
        return content

    def _replay(self, text: bytes) -> None:
        said, _, mark = text.rpartition(b" ")
        proof = self._folder.mark(said).encode()
        try:
            if not proof or not hmac.compare_digest(mark, proof):
                raise ValueError
            entry = json.loads(said)
            ((event, fields),) = ((k, v) for k, v in entry.items() if k in _EVENTS)
            zone, rr, value = fields
            record_id, owner = entry.get("id"), entry.get("owner", "")
            if not all(_is_name(name) for name in (zone, rr, owner)):
                raise ValueError
            if not DIGEST.fullmatch(value) or not _RECORD_ID.fullmatch(record_id or "0"):
                raise ValueError
        except (ValueError, TypeError, AttributeError, RecursionError):
            self._is_damaged = True
            return
        key = RecordKey(zone, rr, value)
        if event == "gone":
            self._open.pop(key, None)
            return
        known = self._open.setdefault(key, Known())
        if event in ("add", "try"):
            known.owner, known.zone_is_known = owner, event == "add"
        elif event == "added":
            known.record_id, known.zone_is_known = record_id, True
            known.may_come_again = entry.get("again") is not False
        else:
            known.tellings += 1

    def _set_aside(self) -> str:
        try:
            return self._folder.set_aside(self.path.name).name
        except (OSError, UntrustedError) as error:
            logger.debug("%s: %s", self.path, error)
            return self.path.name


def _is_name(field: object) -> bool:
    return isinstance(field, str) and field.isascii() and field.isprintable() and len(field) < 512
