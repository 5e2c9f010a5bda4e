"""Runs of the product within this process that can be killed, and a stranger beside them."""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Callable, ClassVar

from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.credentials.settings import Account, Settings
from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.records import journal
from certbot_dns_aliyun.records.folder import Folder
from certbot_dns_aliyun.retrying import RetryBudget
from certbot_dns_aliyun.run import Challenge, Run
from tests.unit.parts import kill
from tests.world import Key, Record, Zone

IN_DNS = {
    "_acme-challenge.example.com": "example.com",
    "_acme-challenge.xn--fsqu00a.com": "xn--fsqu00a.com",
    "_acme-challenge.elsewhere.org": "elsewhere.org",
}
#: It is "killed", there is a "power cut", it is "interrupted" or just "late"; at the "start" of
#: adding the n-th record, or "before" or "after" the n-th call.
Fate = tuple[str, str, int]
#: What works for a run; the watch over all calls of the process rests a quarter of a second later.
THREADS = re.compile("dns-aliyun-[0-9]+")


class Killed(BaseException):
    """The process ends at this moment."""


class NoDns:
    """Stands in for PublicDns: knows the zones of some names, and of none its servers."""

    @classmethod
    def of_lists(cls, *_: str, **__: str) -> NoDns:
        return cls()

    def look_up(self, names: Iterable[str]) -> None:
        pass

    def places(self, name: str) -> list[Place]:
        return [Place(name, IN_DNS.get(name), (), (name,))]

    def is_public_zone(self, zone: str, name: str) -> bool:
        return True

    def place_by_resolver(self, unread: Place) -> Place | None:
        return None

    def close(self) -> None:
        pass


class Process:
    """One run of Certbot as the plugin sees it: perform and cleanup of one order.

    :param keys: the access key for each zone that has a section, and, for "", for all others
    :ivar fates: what befalls it at one call or another
    :ivar has_added: whether its records stand
    :ivar is_hindered: whether its key lacked a permission at some time
    """

    #: The one that is going on; one at a time.
    active: ClassVar[Process]
    #: Seconds without success after which calls are given up.
    patience: ClassVar[float] = 20.0

    def __init__(
        self,
        keys: dict[str, Key],
        config_dir: Path,
        wanted: list[Challenge],
        fates: list[Fate],
    ) -> None:
        accounts = [
            Account(zone, KeySource(AccessKey(key.id, key.secret), "aliyun.ini"))
            for zone, key in keys.items()
        ]
        self.run = Run(Settings(accounts), "", "", str(config_dir))
        self.wanted = wanted
        self.values = {value for _, _, value in wanted}
        self.fates = fates
        self.has_added = False
        self.is_hindered = False
        self.is_dead = False
        self.is_interrupted = False
        self.has_ended = False
        self._records, self._calls = itertools.count(1), itertools.count(1)
        self._journals: list[journal.Journal] = []

    def add(self) -> None:
        self.run.prepare(self.wanted)
        for some in self.run.rounds(self.wanted):
            self.run.concurrently(self._add, some)

    def _add(self, _: str, name: str, value: str) -> None:
        self._meet_fate("start", next(self._records))
        self.run.add(name, value)

    def clean_up(self) -> None:
        self.has_added = False
        self.run.begin_cleanup()
        self.run.concurrently(lambda _, name, value: self.run.remove(name, value), self.wanted)
        self.run.close()
        self.has_ended = True

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Lets it do something, until all its threads have ended, of themselves or with it."""
        Process.active = self
        with contextlib.suppress(Killed):
            yield
        for thread in threading.enumerate():
            if THREADS.fullmatch(thread.name):
                thread.join(30)
                assert not thread.is_alive(), f"{thread.name} goes on"

    def die(self, power_fails: bool = False) -> None:
        """Nothing more is written; without power, nor is what was not yet safely on disk."""
        self.is_dead = True
        for each in self._journals:
            with each._lock:
                is_open = each._file is not None
                kill(each)
            if is_open and power_fails:
                _lose_what_was_not_synced(each.path)

    class Journal(journal.Journal):
        """A journal that dies with the process that holds it."""

        def __init__(self, folder: Folder, name: str) -> None:
            super().__init__(folder, name)
            Process.active._journals.append(self)

    @staticmethod
    def budget(*_: object) -> RetryBudget:
        return RetryBudget(Process.patience)

    @classmethod
    def sending(cls, send: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps what makes a call, so that the process may die before and after it."""

        def sending(*arguments: Any) -> Any:
            process = cls.active
            number = next(process._calls)
            process._meet_fate("before", number)
            try:
                return send(*arguments)
            finally:
                process._meet_fate("after", number)

        return sending

    def _meet_fate(self, moment: str, number: int) -> None:
        for kind in [kind for kind, *when in self.fates if when == [moment, number]]:
            if kind == "late":
                time.sleep(0.1)
            elif kind == "interrupted":
                self.is_interrupted = True
                self.run._budget.call_off()
            elif not self.is_dead:
                self.die(power_fails=kind == "power cut")
        if self.is_dead:
            raise Killed


def _lose_what_was_not_synced(path: Path) -> None:
    """Leaves a journal's lines up to the last that was synced, and half of the next."""
    lines = path.read_bytes().splitlines(keepends=True)
    torn = b""
    while lines and not lines[-1].startswith((b'{"add"', b'{"try"')):
        torn = lines.pop()
    path.write_bytes(b"".join(lines) + torn[: len(torn) // 2])


class Stranger(threading.Thread):
    """Adds values much like ours at our names, and removes them again, without a pause.

    :ivar latest: the newest value of ours
    :ivar robbed: records that somebody else removed
    """

    def __init__(self, zones: list[Zone], rrs: tuple[str, ...]) -> None:
        super().__init__(name="stranger", daemon=True)
        self.latest = "ours"
        self.robbed: list[Record] = []
        self._places = [(zone, rr) for zone in zones for rr in rrs]
        self._over = threading.Event()
        self._own: list[tuple[Zone, Record]] = []

    def __enter__(self) -> Stranger:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def value(self, number: int) -> str:
        """Values that a search for ours finds, too."""
        like = (self.latest.upper(), f"{self.latest} ", f"x{self.latest}", f"{self.latest}-x")
        return like[number % len(like)]

    def run(self) -> None:
        for number in itertools.count():
            if self._over.wait(0.002):
                return
            zone, rr = self._places[number % len(self._places)]
            self._own.append((zone, zone.add(rr, self.value(number), added_by="somebody")))
            if len(self._own) > 10:
                self._remove(*self._own.pop(0))

    def end(self) -> list[Record]:
        """Stops, removes what is left, and tells what somebody else removed."""
        self._over.set()
        self.join()
        while self._own:
            self._remove(*self._own.pop())
        return self.robbed

    def _remove(self, zone: Zone, record: Record) -> None:
        if not record.alive:
            self.robbed.append(record)
        zone.remove(record)
