"""Name servers as tables in memory, asked in the time that tests control."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

import dns.rdatatype
import pytest

from certbot_dns_aliyun.propagation import contact, watch
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply
from certbot_dns_aliyun.propagation.wire import Way
from tests.unit.fake_time import START, Clock

#: Tells whether a machine serves all values, so many seconds after the start.
Serves = Callable[[float], bool]


def after(seconds: float) -> Serves:
    return lambda elapsed: elapsed >= seconds


def between(*spans: tuple[float, float]) -> Serves:
    return lambda elapsed: any(first <= elapsed < last for first, last in spans)


@dataclass
class Server:
    """One address, with one or several machines behind it that are asked in turn, or by chance.

    :ivar outcome: how it answers; gives another one by the seconds since the start
    :ivar seconds: how long an answer takes
    :ivar loss: the chance that a question gets no answer
    :ivar ways: the ways that lead to it
    :ivar rate_limit: how many answers it gives in a second, and no more for that time
    :ivar over_rate: how it answers what is beyond that
    :ivar most_values: how many values of a name it gives at most
    :ivar in_turn: whether those are others each time
    :ivar others: values at each name that are not ours
    :ivar for_records: how it answers when it is asked for a record
    :ivar served_at: the seconds from which it serves a name, whenever that was added
    :ivar machines_for: the machines for some names, where they are others
    :ivar ways_at: the ways by the seconds since the start
    """

    machines: Sequence[Serves] = (after(0),)
    outcome: Callable[[float], Outcome] = lambda elapsed: Outcome.AUTHORITATIVE
    seconds: float = 0.02
    loss: float = 0.0
    ways: Sequence[Way] = tuple(Way)
    rate_limit: int | None = None
    over_rate: Outcome = Outcome.SILENT
    most_values: int = 1000
    in_turn: bool = False
    others: frozenset[str] = frozenset()
    is_behind_a_middlebox: bool = False
    for_records: Outcome = Outcome.AUTHORITATIVE
    served_at: dict[str, float] = field(default_factory=dict)
    machines_for: dict[str, Sequence[Serves]] = field(default_factory=dict)
    ways_at: Callable[[float], Sequence[Way]] | None = None
    by_chance: random.Random | None = None
    #: When each question for a record came.
    times: list[float] = field(default_factory=list)
    all_times: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def is_over_its_rate(self, now: float) -> bool:
        lately = [at for at in self.times if at > now - 1.0]
        return self.rate_limit is not None and len(lately) > self.rate_limit

    @property
    def is_bad(self) -> bool:
        """Whether it may go without an answer for long."""
        return bool(
            self.loss > 0.3 or self.rate_limit or len(self.ways) < 3 or self.seconds > 1
        ) or any(self.outcome(at / 4) is not Outcome.AUTHORITATIVE for at in range(1000))

    def values(self, name: str, ours: frozenset[str], elapsed: float, age: float) -> frozenset[str]:
        machines = self.machines_for.get(name, self.machines)
        machine = machines[len(self.times) % len(machines)]
        if self.by_chance:
            machine = self.by_chance.choice(machines)
        is_served = machine(age) and elapsed >= self.served_at.get(name, 0.0)
        there = sorted(self.others | (ours if is_served else frozenset()))
        first = len(self.times) % max(len(there), 1) if self.in_turn else 0
        return frozenset((there[first:] + there[:first])[: self.most_values])


@dataclass
class Servers:
    """All name servers of a zone, by their addresses."""

    clock: Clock
    values: dict[str, frozenset[str]]
    servers: dict[str, Server]
    without_route: frozenset[str] = frozenset()
    added_at: dict[str, float] = field(default_factory=dict)
    random: random.Random = field(default_factory=lambda: random.Random(1))
    under_way: int = 0
    most_under_way: int = 0

    async def ask(
        self,
        server: NameServer,
        name: str,
        kind: Any = dns.rdatatype.TXT,
        timeout: float = 2.0,
        way: Way = Way.UDP,
        recursive: bool = False,
    ) -> Reply:
        asked = self.servers[server.address]
        asked.all_times.append(self.clock.elapsed)
        if kind == dns.rdatatype.TXT:
            assert not asked.is_behind_a_middlebox, "it would remember that there is nothing"
            asked.times.append(self.clock.elapsed)
            asked.names.append(name)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            outcome = asked.outcome(self.clock.elapsed)
            if outcome is Outcome.AUTHORITATIVE and kind == dns.rdatatype.TXT:
                outcome = asked.for_records
            ways = asked.ways_at(self.clock.elapsed) if asked.ways_at else asked.ways
            if asked.is_over_its_rate(self.clock.elapsed):
                outcome = asked.over_rate
            if way not in ways:
                outcome = Outcome.SILENT
            if self.random.random() < asked.loss or asked.seconds > timeout:
                outcome = Outcome.SILENT
            if outcome is Outcome.SILENT:
                await asyncio.sleep(timeout)
                return Reply(Outcome.SILENT)
            elapsed = self.clock.elapsed
            age = self.clock.now - self.added_at.get(name, START)
            values = asked.values(name, self.values.get(name, frozenset()), elapsed, age)
            await asyncio.sleep(asked.seconds)
        finally:
            self.under_way -= 1
        if asked.is_behind_a_middlebox:
            return Reply(Outcome.NOT_AUTHORITATIVE, has_answer=True, offers_recursion=True)
        if name == ".":
            return Reply(Outcome.REFUSING)
        if outcome is not Outcome.AUTHORITATIVE:
            return Reply(outcome)
        return Reply(outcome, values, has_answer=bool(values))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(contact, "ask", self.ask)
            patch.setattr(
                watch, "_is_routable", lambda server: server.address not in self.without_route
            )
            yield

    @property
    def questions(self) -> int:
        return sum(len(server.all_times) for server in self.servers.values())
