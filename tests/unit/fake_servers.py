"""Name servers as tables in memory, asked in the time that tests control."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Callable

import pytest

from certbot_dns_aliyun.propagation import watch
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply
from tests.unit.fake_time import Clock

#: Tells whether a machine serves all values, so many seconds after the start.
Serves = Callable[[float], bool]


def after(seconds: float) -> Serves:
    return lambda elapsed: elapsed >= seconds


def between(*spans: tuple[float, float]) -> Serves:
    return lambda elapsed: any(first <= elapsed < last for first, last in spans)


@dataclass
class Server:
    """One address, with one or several machines behind it that are asked in turn.

    :ivar outcome: how it answers; gives another one by the seconds since the start
    :ivar rate_limit: how many answers it gives in a second, and no more for that time
    """

    machines: Sequence[Serves] = (after(0),)
    outcome: Callable[[float], Outcome] = lambda elapsed: Outcome.AUTHORITATIVE
    seconds: float = 0.02
    over_tcp_alone: bool = False
    rate_limit: int | None = None
    times: list[float] = field(default_factory=list)

    def is_over_its_rate(self, now: float) -> bool:
        lately = [at for at in self.times if at > now - 1.0]
        return self.rate_limit is not None and len(lately) > self.rate_limit


@dataclass
class Servers:
    """All name servers of a zone, by their addresses."""

    clock: Clock
    values: dict[str, frozenset[str]]
    servers: dict[str, Server]
    without_route: frozenset[str] = frozenset()
    under_way: int = 0
    most_under_way: int = 0

    async def ask(
        self, server: NameServer, name: str, timeout: float = 2.0, tcp: bool = False
    ) -> Reply:
        asked = self.servers[server.address]
        asked.times.append(self.clock.elapsed)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            outcome = asked.outcome(self.clock.elapsed)
            if asked.is_over_its_rate(self.clock.elapsed):
                outcome = Outcome.SILENT
            if outcome is Outcome.SILENT or (asked.over_tcp_alone and not tcp):
                await asyncio.sleep(timeout)
                return Reply(Outcome.SILENT)
            machine = asked.machines[len(asked.times) % len(asked.machines)]
            await asyncio.sleep(asked.seconds)
        finally:
            self.under_way -= 1
        if outcome is not Outcome.AUTHORITATIVE:
            return Reply(outcome)
        return Reply(outcome, self.values[name] if machine(self.clock.elapsed) else frozenset())

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(watch, "ask", self.ask)
            patch.setattr(
                watch, "_is_routable", lambda server: server.address not in self.without_route
            )
            yield

    @property
    def questions(self) -> int:
        return sum(len(server.times) for server in self.servers.values())
