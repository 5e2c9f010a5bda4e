"""Judge whether the name servers of one zone serve what the CA will look for.

All addresses are followed at once (:mod:`certbot_dns_aliyun.propagation.follower`). When each of
them has been seen to serve everything, or has stayed without an answer for so long that nobody need
wait for it, those that were sampled before are asked some questions more while the last ones are
sampled: a value may have vanished again.
What is asked at the end is the same for one record and for a hundred, and a question that gets lost
is asked again; so the end is no less likely in a large order, or on a bad line.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any, Callable

from certbot_dns_aliyun.propagation.awake import AwakeClock
from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.follower import Cap, Follower, Wanted
from certbot_dns_aliyun.propagation.listing import listed
from certbot_dns_aliyun.propagation.question import NameServer, Outcome

logger = logging.getLogger(__name__)

#: Seconds that name servers get to answer at all, before they count as out of reach.
_FIRST_ANSWER = 6.0
#: Seconds at most for servers that have reason never to serve the value.
_HOPELESS = 120.0
#: Addresses that a sentence lists: those of a name server with more are alike.
_SERVERS_TOLD = 8
#: Seconds after which servers without the value are held against those that the registry names.
_SECOND_OPINION = 15.0
#: Seconds for which a look may be older than the last address is seen to serve everything, and
#: seconds after which it is too old to rely on.
_OLDER = 0.2
_TOO_OLD = 1.0


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


class ZoneWatch:
    """The name servers of one zone, and the values that each must serve.

    :param zone: the zone as public DNS names it
    :param servers: its name servers' addresses; none if they are not known
    :param wanted: for each name what must be served there, in the order of adding
    :param contact: gives what the run knows of an address
    :param clock: by which the limits are measured
    :param second_opinion: finds the name servers of a name without trusting the resolver; None if
        the user has named the servers
    :param sharing: for how many zones each of its addresses is followed, if for several
    :ivar added_to: the zone that the records were added to, where public DNS has a zone below it
    :ivar is_absent: whether the top-level domain's servers say that there is no such zone
    :ivar switched: whether the name servers are those of the second opinion
    :ivar served_since: when all addresses were found to serve everything
    :ivar followers: the addresses, each with what it serves
    """

    def __init__(
        self,
        zone: str,
        servers: Sequence[NameServer],
        wanted: dict[str, Wanted],
        limits: Limits,
        contact: Callable[[NameServer], Contact],
        clock: AwakeClock,
        second_opinion: Callable[[str], Awaitable[list[NameServer]]] | None = None,
        sharing: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.zone = zone
        self.servers = list(servers)
        self.added_to: str | None = None
        self.is_absent = False
        self.switched = False
        self.served_since: datetime | None = None
        self.followers: list[Follower] = []
        self._second_opinion = second_opinion
        self._wanted = wanted
        self._limits = limits
        self._contact = contact
        self._clock = clock
        self._sharing = sharing

    async def run(self) -> None:
        """Watch until all is served or the time is up; what came of it, the properties tell."""
        started = self._clock.now()
        self._changed = asyncio.Event()
        following = self._follow(self.servers)
        checking: asyncio.Future[list[NameServer]] | None = None
        check_at = started + (_SECOND_OPINION if self.servers else 0.0)
        try:
            while self._clock.now() - started < self._time_allowed():
                if await self._is_served_everywhere():
                    self.served_since = datetime.now(timezone.utc)
                    return
                if checking and checking.done():
                    if checking.result():
                        new = self._take(checking.result())
                        if not self.followers:
                            await _end(following)
                            following = []
                        following += self._follow(new)
                    checking, check_at = None, self._clock.now() + _SECOND_OPINION
                if not checking and self._clock.now() >= check_at:
                    checking = asyncio.ensure_future(self._check_servers())
                for follower in following:
                    if follower.done():
                        follower.result()  # which raises what went wrong
                self._changed.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.2)
        finally:
            await _end([*following, *([checking] if checking else [])])

    def _follow(self, servers: Sequence[NameServer]) -> list[asyncio.Future[None]]:
        # What the registry names beside them, other zones will follow, too.
        sharing = max(self._sharing.values(), default=1)
        new = [
            Follower(
                self._contact(server),
                self.zone,
                self._wanted,
                self._clock,
                self._sharing.get(server.address, sharing),
                is_trusted=self._second_opinion is None,
                server=server,
                changed=self._something_changed,
            )
            for server in servers
            if _is_routable(server)
        ]
        self.followers += new
        self._choose_whom_to_ask_often()
        return [asyncio.ensure_future(follower.run()) for follower in new]

    def _choose_whom_to_ask_often(self) -> None:
        """Let one address be asked often that is not asked so for another zone."""
        if any(f.is_eager and not f.is_out() for f in self.followers):
            return
        able = [f for f in self.followers if not f.contact.is_followed and not f.is_out()]
        for follower in able[:1]:
            follower.is_eager = follower.contact.is_followed = True
            follower.stir()

    def _something_changed(self) -> None:
        lags = [f.contact.lag for f in self.followers if f.contact.lag is not None]
        for follower in self.followers:
            if lags and follower.zone_lag is None:
                follower.zone_lag = min(lags)
                follower.stir()
        self._changed.set()

    async def _check_servers(self) -> list[NameServer]:
        """Give the name servers that the registry names, if it names others and ours lack it."""
        if self._second_opinion is None or self.complete:
            return []
        servers = await self._second_opinion(min(self._wanted))
        known = {server.address for server in self.servers}
        return servers if any(server.address not in known for server in servers) else []

    def _take(self, servers: list[NameServer]) -> list[NameServer]:
        """Take what the registry names in place of ours if it names none of them, else beside.

        :returns: those that are new
        """
        known = {server.address for server in self.servers}
        new = [server for server in servers if server.address not in known]
        if len(new) == len(servers):
            self.switched, self.servers, self.followers = bool(self.servers), [], []
        self.servers += new
        return new

    @property
    def is_blind(self) -> bool:
        """Whether no name server of the zone has answered with authority, of those asked."""
        return not self._is_heard and not self._is_unasked

    @property
    def _is_heard(self) -> bool:
        return any(follower.authoritative_at is not None for follower in self.followers)

    @property
    def _is_unasked(self) -> bool:
        return any(follower.is_unasked for follower in self.followers)

    @property
    def is_elsewhere(self) -> bool:
        """Whether no name server looks like one of Alibaba Cloud DNS, and nobody said it is one."""
        return self._second_opinion is not None and not any(s.is_alidns for s in self.servers)

    @property
    def is_hopeless(self) -> bool:
        """Whether nobody serves everything, and there is reason to believe that nobody will.

        Whoever the domain has moved to could else hold a renewal as long as the limit allows.
        """
        doubts = self.added_to or self.is_elsewhere or self._is_surely_capped()
        return bool(doubts) and not self.complete

    @property
    def caps(self) -> dict[str, Cap]:
        """The names of which addresses that lack a value seem never to give all."""
        lacking = [f for f in self.followers if not f.is_complete]
        return {name: cap for f in lacking for name, cap in f.caps.items()}

    @property
    def unserved(self) -> set[str]:
        """The names whose values not one address serves."""
        missing = [set(follower.missing) for follower in self.followers]
        return set(self._wanted).intersection(*missing)

    @property
    def is_in_vain(self) -> bool:
        """Whether name servers have answered, and not one address serves a single value."""
        return not self.is_blind and self.unserved == set(self._wanted)

    @property
    def complete(self) -> list[NameServer]:
        """The addresses that serve all values."""
        return [f.server for f in self.followers if f.is_complete]

    @property
    def incomplete(self) -> dict[NameServer, str]:
        """The addresses that do not serve all values, each with what it does instead."""
        return {
            f.server: f.shortcoming
            for f in self.followers
            if not f.is_complete and f.outcome is not Outcome.UNREACHABLE
        }

    @property
    def lacking(self) -> str:
        """The same, for a person to read; empty if there are none."""
        each = [f"{server} {what}" for server, what in self.incomplete.items()]
        return listed(each, _SERVERS_TOLD, "; ")

    def is_about(self, names: Iterable[str]) -> bool:
        """Tell whether one of the names is watched here."""
        return not self._wanted.keys().isdisjoint(names)

    def _time_allowed(self) -> float:
        if self._is_heard:
            return min(self._limits.longest, _HOPELESS if self.is_hopeless else math.inf)
        until_asked = self._limits.longest if self._is_unasked else 0.0
        return max(self._limits.blind, _FIRST_ANSWER if self.followers else 0.0, until_asked)

    def _is_surely_capped(self) -> bool:
        """Tell whether values are left out that cannot just be late: others come in their turn."""
        caps = [(n, cap) for f in self.followers for n, cap in f.caps.items() if n in f.missing]
        return any(self._wanted[n].values & cap.seen or len(cap.seen) > cap.size for n, cap in caps)

    async def _is_served_everywhere(self) -> bool:
        self._choose_whom_to_ask_often()
        counted = [
            f
            for f in self.followers
            if f.is_complete or not (f.is_out() or self._may_be_left_out(f))
        ]
        complete = [f for f in counted if f.is_complete]
        if not complete or any(f.missing for f in counted):
            return False
        seen_at = max(f.seen_at for f in counted)
        good_from = max(seen_at - _OLDER, time.monotonic() - _TOO_OLD)
        await asyncio.gather(*(f.look_again() for f in complete if f.sampled_at < good_from))
        return all(f.is_complete for f in counted)

    def _may_be_left_out(self, follower: Follower) -> bool:
        """Tell whether a server of another provider has been waited for long enough."""
        own = [f for f in self.followers if f.server.is_alidns]
        now = self._clock.now()
        return (
            not follower.server.is_alidns
            and any(f.is_complete for f in own)
            and all(
                now - f.complete_at >= self._limits.others if f.is_complete else f.is_out()
                for f in own
            )
        )


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
