"""The zones and their records, shared by the API and the name servers.

Records keep the times at which they came and went, so that a name server that is L seconds
behind answers what the zone held L seconds ago. Zones outside Alidns are the same objects;
the API just does not know them.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import idna

STRANGER = "stranger"

_ids = itertools.count(816015116722002944, 4096)


def ascii_name(name: str) -> str:
    """The name as it stands in DNS packets: A-labels, lower case, no dot at the end."""
    labels = name.rstrip(".").lower().split(".")
    return ".".join(label if label.isascii() else idna.alabel(label).decode() for label in labels)


@dataclass
class Record:
    zone: str
    rr: str
    type: str
    value: str
    ttl: int = 600
    line: str = "default"
    status: str = "ENABLE"
    added_by: str = STRANGER
    id: str = field(default_factory=lambda: str(next(_ids)))
    added_at: float = field(default_factory=time.monotonic)
    removed_at: float | None = None
    created_at: float | None = field(default_factory=time.time)

    @property
    def alive(self) -> bool:
        return self.removed_at is None

    @property
    def owner(self) -> str:
        """The full name in DNS."""
        apex = ascii_name(self.zone)
        if self.rr == "@":
            return apex
        return ascii_name(self.rr) + ("." + apex if apex else "")

    def served(self, now: float, behind: float, vanishes: tuple[float, float] | None) -> bool:
        """Whether a server that is `behind` seconds late serves it; `vanishes` are the seconds
        after its first appearance between which it is gone again."""
        age = now - behind - self.added_at
        if self.status != "ENABLE" or age < 0:
            return False
        if self.removed_at is not None and self.removed_at <= now - behind:
            return False
        return vanishes is None or not vanishes[0] <= age < vanishes[1]


class Zone:
    """One zone's content and its standing at Alidns, which knows it by its U-labels alone, or by
    its `a_labels` alone: the field tells of both."""

    def __init__(
        self,
        name: str,
        account: str = "1",
        min_ttl: int = 600,
        negative_ttl: int = 600,
        quota: int = 90,
        expired: bool = False,
        locked: bool = False,
        a_labels: bool = False,
    ) -> None:
        self.name = name.rstrip(".").lower()
        self.apex = ascii_name(name) if self.name else ""
        self.account = account
        self.min_ttl = min_ttl
        self.negative_ttl = negative_ttl
        self.quota = quota
        self.expired = expired
        self.locked = locked
        self.a_labels = a_labels
        self.ns_names: list[str] = []
        self.glue: dict[str, list[str]] = {}
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._at: dict[str, list[Record]] = defaultdict(list)
        self._below: dict[str, list[Record]] = defaultdict(list)

    def add(self, rr: str, value: str, type: str = "TXT", **more: object) -> Record:
        record = Record(self.name, rr, type, value, **more)  # type: ignore[arg-type]
        with self._lock:
            self._records[record.id] = record
            owner = record.owner
            self._at[owner].append(record)
            while owner != self.apex and "." in owner:
                owner = owner.split(".", 1)[1]
                self._below[owner].append(record)
        return record

    def remove(self, record: Record) -> None:
        with self._lock:
            record.removed_at = time.monotonic()

    def alive(self) -> list[Record]:
        with self._lock:
            return [record for record in self._records.values() if record.alive]

    def timeline(self) -> list[Record]:
        """All records there ever were, in the order in which they came."""
        with self._lock:
            return list(self._records.values())

    def beside(self, rr: str) -> list[Record]:
        """The records at one name, as the API sees them."""
        with self._lock:
            owner = Record(self.name, rr, "", "").owner
            return [record for record in self._at.get(owner, ()) if record.alive]

    def at(
        self, owner: str, behind: float, vanishes: tuple[float, float] | None = None
    ) -> list[Record]:
        """The records at a name, as a server that is `behind` seconds late sees them."""
        now = time.monotonic()
        with self._lock:
            found = self._at.get(owner, ())
            return [record for record in found if record.served(now, behind, vanishes)]

    def exists(
        self, owner: str, behind: float, vanishes: tuple[float, float] | None = None
    ) -> bool:
        """Whether a name has records, or names below it that have (an empty non-terminal)."""
        now = time.monotonic()
        if owner == self.apex or self.at(owner, behind, vanishes):
            return True
        with self._lock:
            found = self._below.get(owner, ())
            return any(record.served(now, behind, vanishes) for record in found)


class Records:
    """All zones that Alidns hosts, of whatever account, by their Unicode names."""

    def __init__(self) -> None:
        self.zones: dict[str, Zone] = {}

    def known_as(self, name: str) -> Zone | None:
        """The zone that the API knows by a name."""
        zones = list(self.zones.values())
        return next((z for z in zones if name == (z.apex if z.a_labels else z.name)), None)

    def host(self, zone: Zone) -> Zone:
        self.zones[zone.name] = zone
        return zone

    def find(self, record_id: str) -> Record | None:
        for zone in list(self.zones.values()):
            record = zone._records.get(record_id)
            if record is not None:
                return record
        return None

    def add_stranger(
        self, zone: str, rr: str, value: str, type: str = "TXT", **more: object
    ) -> Record:
        """A record that somebody else made, and wants to keep."""
        return self.zones[zone].add(rr, value, type, **more)

    def add_strangers(self, zone: str, many: Iterable[tuple[str, str]]) -> list[Record]:
        return [self.add_stranger(zone, rr, value) for rr, value in many]

    def left(self, zone: str | None = None) -> list[Record]:
        """Records made through the API that are still there."""
        return [record for record in self._of(zone) if record.alive and not _strange(record)]

    def made(self, zone: str | None = None) -> list[Record]:
        """Records that were made through the API, whether or not they are still there."""
        return [record for record in self._of(zone) if not _strange(record)]

    def lost(self, zone: str | None = None) -> list[Record]:
        """Strangers' records that somebody removed."""
        return [record for record in self._of(zone) if not record.alive and _strange(record)]

    def _of(self, zone: str | None) -> list[Record]:
        zones = self.zones.values() if zone is None else [self.zones[zone]]
        return [record for each in list(zones) for record in each.timeline()]


def _strange(record: Record) -> bool:
    return record.added_by == STRANGER
