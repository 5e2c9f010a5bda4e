"""Watch the name servers of one zone until every one of them serves what the CA will look for.

An address may stand for many machines (anycast, a load balancer), each with a copy of the zone of
its own age. So a first good answer is followed by several questions at once, each from a fresh
source port and so perhaps to another machine; and when all addresses have passed, all are asked
once more at the same moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable

from certbot_dns_aliyun.propagation.question import NameServer, Outcome, ask
from certbot_dns_aliyun.propagation.traffic import Traffic

logger = logging.getLogger(__name__)

#: Questions to one address about all names together, when the first answer was good.
_PROBES = 48
#: The most and the fewest of them for one name; the fewest are enough where there are many names.
_MOST_PROBES_A_NAME = 32
_FEWEST_PROBES_A_NAME = 2
#: How many times as many they are once machines behind the address were found to disagree.
_DISAGREEMENT = 3

#: Seconds between two looks at an address that lacks a value, and their share of the time waited.
_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_PAUSE_SHARE = 0.05

#: Seconds between two looks at an address that answered once and then no more, as name servers do
#: that limit their rate; longer with each step of restraint.
_RESTRAINED_PAUSES = (0.0, 1.0, 2.0, 4.0)

#: Seconds that name servers get to answer at all, before they count as out of reach.
_FIRST_ANSWER = 6.0
#: Seconds for which questions to an address must have stayed without an authoritative answer, until
#: it holds up the others no longer. (A run that is stopped meanwhile, by Ctrl-Z, asks nothing.)
_GRACE = 8.0
#: Seconds at most for servers that have reason never to serve the value.
_HOPELESS = 120.0
#: Seconds after which servers without the value are held against those that the registry names.
_SECOND_OPINION = 15.0
#: Seconds after which the last full look at an address is too old to rely on.
_FRESH = 0.2


@dataclass(frozen=True)
class Limits:
    """How long a wait may take, in seconds.

    :param longest: for name servers that answer and lack a value
    :param blind: if no name server can be asked
    :param others: for another provider's name servers, once all of Alibaba Cloud DNS are done
    """

    longest: float
    blind: float
    others: float


@dataclass
class _Address:
    """What is known of one address of a name server.

    :ivar missing: the names that it has not yet been found to serve, however it is asked
    :ivar seen: the names whose values were in all of its answers of late, be they few
    :ivar restraint: how far it is asked less, as it seems to limit its rate
    """

    server: NameServer
    missing: set[str]
    watched_since: float
    authoritative_at: float | None = None
    unanswered_since: float | None = None
    outcome: Outcome | None = None
    complete_at: float = 0.0
    machines_disagree: bool = False
    over_tcp: bool = False
    restraint: int = 0
    seen: set[str] = field(default_factory=set)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def complete(self) -> bool:
        return not self.missing

    def is_out(self, now: float) -> bool:
        """Tell whether there has been no authoritative answer for too long to wait for one."""
        if self.outcome is Outcome.UNREACHABLE and self.authoritative_at is None:
            return True
        return self.unanswered_since is not None and now - self.unanswered_since >= _GRACE


class ZoneWatch:
    """The name servers of one zone, and the values that each must serve.

    :param zone: the zone as public DNS names it
    :param servers: its name servers' addresses; none if they are not known
    :param wanted: for each name the values that must be served there, all of them
    :param second_opinion: finds the name servers of a name without trusting the resolver
    :param traffic: in which the questions are asked; one for all watches of a run
    :param names_at_once: how many names the busiest of its servers is asked for, all zones together
    :ivar added_to: the zone that the records were added to, where public DNS has a zone below it
    :ivar is_absent: whether the top-level domain's servers say that there is no such zone
    :ivar switched: whether the name servers are those of the second opinion
    """

    def __init__(
        self,
        zone: str,
        servers: Sequence[NameServer],
        wanted: dict[str, frozenset[str]],
        limits: Limits,
        second_opinion: Callable[[str], Awaitable[list[NameServer]]] | None = None,
        traffic: Traffic | None = None,
        names_at_once: int = 0,
    ) -> None:
        self.zone = zone
        self.servers = list(servers)
        self.added_to: str | None = None
        self.is_absent = False
        self.switched = False
        self._second_opinion = second_opinion
        self.served_since: datetime | None = None
        self._wanted = wanted
        self._limits = limits
        self._addresses: list[_Address] = []
        self._traffic = traffic or Traffic()
        self._probes_a_name = min(
            max(_PROBES // max(names_at_once, len(wanted)), _FEWEST_PROBES_A_NAME),
            _MOST_PROBES_A_NAME,
        )

    async def run(self) -> None:
        """Watch until all is served or the time is up; what came of it, the properties tell."""
        started = time.monotonic()
        self._changed = asyncio.Event()
        followers = self._follow_all()
        checking: asyncio.Future[list[NameServer]] | None = None
        check_at = started + (_SECOND_OPINION if self.servers else 0.0)
        try:
            while time.monotonic() - started < self._time_allowed():
                if await self._is_served_everywhere():
                    self.served_since = datetime.now(timezone.utc)
                    return
                if checking and checking.done():
                    if checking.result():
                        self.switched, self.servers = bool(self.servers), checking.result()
                        await _end(followers)
                        followers = self._follow_all()
                    checking, check_at = None, time.monotonic() + _SECOND_OPINION
                if not checking and time.monotonic() >= check_at:
                    checking = asyncio.ensure_future(self._check_servers())
                self._changed.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.2)
        finally:
            await _end([*followers, *([checking] if checking else [])])

    def _follow_all(self) -> list[asyncio.Future[None]]:
        now = time.monotonic()
        self._addresses = [
            _Address(server, set(self._wanted), now)
            for server in self.servers
            if _is_routable(server)
        ]
        return [asyncio.ensure_future(self._follow(address)) for address in self._addresses]

    async def _check_servers(self) -> list[NameServer]:
        """Give the name servers that the registry names, if they are others and ours lack it."""
        if self._second_opinion is None or self.complete:
            return []
        servers = await self._second_opinion(min(self._wanted))
        known = {server.address for server in self.servers}
        return servers if any(server.address not in known for server in servers) else []

    @property
    def is_blind(self) -> bool:
        """Whether no name server of the zone has answered with authority so far."""
        return all(address.authoritative_at is None for address in self._addresses)

    @property
    def is_foreign(self) -> bool:
        """Whether no name server looks like one of Alibaba Cloud DNS, and nobody said it is one."""
        return self._second_opinion is not None and not any(s.is_alidns for s in self.servers)

    @property
    def unserved(self) -> set[str]:
        """The names whose values not one address serves."""
        missing = [address.missing - address.seen for address in self._addresses]
        return set(self._wanted).intersection(*missing)

    @property
    def complete(self) -> list[NameServer]:
        """The addresses that serve all values."""
        return [a.server for a in self._addresses if a.complete]

    @property
    def incomplete(self) -> dict[NameServer, str]:
        """The addresses that do not serve all values, each with what it does instead."""
        return {
            a.server: _SHORTCOMINGS[a.outcome]
            for a in self._addresses
            if not a.complete and a.outcome is not Outcome.UNREACHABLE
        }

    @property
    def lacking(self) -> str:
        """The same, for a person to read; empty if there are none."""
        return "; ".join(f"{server} {what}" for server, what in self.incomplete.items())

    def is_about(self, names: Iterable[str]) -> bool:
        """Tell whether one of the names is watched here."""
        return not self._wanted.keys().isdisjoint(names)

    def hint(self) -> str:
        """Say what was seen, for somebody who wonders why the CA saw something else."""
        where = f"the name servers of {self.zone}"
        if self.is_blind:
            return (
                f"None of {where} could be asked from here, so the TXT records may not have been "
                "visible yet; raise --dns-aliyun-propagation-seconds."
            )
        complete = ", ".join(str(server) for server in self.complete)
        if self.served_since is None or self.lacking:
            return (
                f"Of {where} these served the TXT records: {complete}; but these did not, and the "
                f"CA may have asked one of them: {self.lacking}."
            )
        return (
            f"All of {where} that can be reached have served the TXT records since "
            f"{self.served_since:%Y-%m-%d %H:%M:%S} UTC ({complete}); if the CA says otherwise, "
            "check that the domain's registry delegates it to these servers."
        )

    def _time_allowed(self) -> float:
        if not self.is_blind:
            is_hopeless = self.added_to and not self.complete
            return min(self._limits.longest, _HOPELESS if is_hopeless else math.inf)
        return max(self._limits.blind, _FIRST_ANSWER if self._addresses else 0.0)

    async def _is_served_everywhere(self) -> bool:
        now = time.monotonic()
        complete = [a for a in self._addresses if a.complete]
        rest = [a for a in self._addresses if not a.complete and not a.is_out(now)]
        if not complete or not all(self._may_be_left_out(a, now) for a in rest):
            return False
        aged = [a for a in complete if now - a.complete_at > _FRESH]
        await asyncio.gather(*(self._look(a, sorted(self._wanted), probes=1) for a in aged))
        return all(a.complete for a in complete)

    def _may_be_left_out(self, address: _Address, now: float) -> bool:
        """Tell whether a server of another provider has been waited for long enough."""
        own = [a for a in self._addresses if a.server.is_alidns]
        return (
            not address.server.is_alidns
            and any(a.complete for a in own)
            and all(
                now - a.complete_at >= self._limits.others if a.complete else a.is_out(now)
                for a in own
            )
        )

    async def _follow(self, address: _Address) -> None:
        """Keep asking one address for what it lacks."""
        while True:
            if address.complete:
                address.wake.clear()
                await address.wake.wait()
            # The one added last: when that is served, the others most likely are.
            first = next(name for name in reversed(self._wanted) if name in address.missing)
            await self._look(address, [first], probes=1)
            if address.outcome is Outcome.SILENT and address.authoritative_at is None:
                address.over_tcp = not address.over_tcp
            if first not in address.missing:
                address.missing.add(first)
                await self._confirm(address, first)
            if address.complete:
                address.complete_at = time.monotonic()
                self._changed.set()
            else:
                waited = time.monotonic() - address.watched_since
                pause = min(max(_PAUSE_SHARE * waited, _SHORTEST_PAUSE), _LONGEST_PAUSE)
                await asyncio.sleep(max(pause, _RESTRAINED_PAUSES[address.restraint]))

    async def _confirm(self, address: _Address, served: str) -> None:
        """Ask many times at once an address that has just served one name."""
        probes = self._probes_a_name * (_DISAGREEMENT if address.machines_disagree else 1)
        probes = max(1, probes >> 2 * address.restraint)
        without = await self._look(address, sorted(address.missing), probes)
        if served in without:
            address.machines_disagree = True

    async def _look(self, address: _Address, names: Sequence[str], probes: int) -> set[str]:
        """Ask an address for names, several times each, and note which of them it serves.

        Of several questions one may get lost; but none may be answered without the value. Where
        many get lost, the address may be limiting its rate, and is asked less from then on.

        :returns: the names that were answered without the value
        """
        replies = await asyncio.gather(
            *(self._question(address, name) for name in names for _ in range(probes))
        )
        without = set()
        for i, name in enumerate(names):
            said = [r for r in replies[i * probes : (i + 1) * probes] if r is not None]
            if not all(said):
                without.add(name)
                address.seen.discard(name)
            elif said:
                address.seen.add(name)
            if said and all(said) and 2 * len(said) >= probes:
                address.missing.discard(name)
            else:
                address.missing.add(name)
                address.wake.set()
        if 2 * replies.count(None) > len(replies) and address.authoritative_at is not None:
            address.restraint = min(address.restraint + 1, len(_RESTRAINED_PAUSES) - 1)
        return without

    async def _question(self, address: _Address, name: str) -> bool | None:
        """Ask an address for a name: whether it serves all values; None if that is not known."""
        async with self._traffic:
            reply = await ask(address.server, name, tcp=address.over_tcp)
        if reply.outcome is not address.outcome:
            logger.debug("Name server %s %s", address.server, reply.outcome.value)
        address.outcome = reply.outcome
        if reply.outcome is not Outcome.AUTHORITATIVE:
            address.unanswered_since = address.unanswered_since or time.monotonic()
            return None
        address.unanswered_since = None
        address.authoritative_at = time.monotonic()
        return self._wanted[name] <= reply.values


_SHORTCOMINGS: dict[Outcome | None, str] = {
    **{outcome: outcome.value for outcome in Outcome},
    None: Outcome.SILENT.value,
    Outcome.AUTHORITATIVE: "does not serve the value yet",
}


async def _end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _is_routable(server: NameServer) -> bool:
    """Tell whether this machine has a route to a name server; nothing is sent."""
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((server.address, server.port))
    except OSError:
        logger.debug("No route to the name server %s", server)
        return False
    return True
