"""Public DNS as one run sees it: places and name servers, each looked up once, all at once."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Callable, TypeVar

from certbot import errors

from certbot_dns_aliyun.names import is_within
from certbot_dns_aliyun.propagation.budget import Budget
from certbot_dns_aliyun.propagation.delegation import (
    Place,
    find_places,
    place_by_resolver,
    public_zone,
)
from certbot_dns_aliyun.propagation.discovery import Discovery, parse_servers
from certbot_dns_aliyun.propagation.follower import Wanted
from certbot_dns_aliyun.propagation.loop import Loop
from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds for finding the places of a name, of those that its budget has in all; and for each
#: question whose zone or whose name servers something is.
_PLACES_TIMEOUT = 45.0
_ZONE_TIMEOUT = 20.0
#: The same, where those of the zone may be dead, and who told of them is to be heard all the same.
_REGISTRY_TIMEOUT = 40.0


@dataclass(frozen=True)
class Served:
    """A record that name servers are to serve: its value, at its place, in the API's zone.

    :param added_at: monotonic time of its adding
    """

    place: Place
    value: str
    zone: str
    added_at: float = 0.0


class PublicDns:
    """What public DNS says about the names of one run. Its methods may be called from any thread.

    It holds a thread until it is closed.

    :param resolvers: addresses and ports of the resolvers to ask; none for the machine's own
    :param name_servers: the servers to ask for the records, in place of those found; none for those
    """

    def __init__(
        self,
        resolvers: Sequence[tuple[str, int]] = (),
        name_servers: Sequence[NameServer] = (),
    ) -> None:
        self._loop = Loop()
        self._discovery = Discovery(resolvers)
        self._loop.start(self._discovery.clock.tick())
        self._named_resolvers = bool(resolvers)
        self._name_servers = name_servers
        self._lock = threading.Lock()
        self._places: dict[str, Future[list[Place]]] = {}
        self._budgets: dict[str, Budget] = {}
        self._has_told_of_silence = False
        self._public_zones: dict[str, Future[str | None]] = {}

    @classmethod
    def of_lists(cls, resolvers: str, name_servers: str, options: str = "") -> PublicDns:
        """Make it for servers as a person lists them.

        :param resolvers: empty for the machine's own
        :param name_servers: empty for those found
        :param options: what the names of the two options begin with
        :raises certbot.errors.PluginError: if a list holds something else
        """
        of_resolvers = _servers(f"{options}resolvers", resolvers)
        named = _servers(f"{options}name-servers", name_servers)
        return cls(of_resolvers, [NameServer(host, host, port) for host, port in named])

    def close(self) -> None:
        """End all look-ups and the thread."""
        self._loop.close()

    def look_up(self, validation_names: Iterable[str]) -> None:
        """Start finding the places of names."""
        for name in validation_names:
            self._future_places(name)

    def places(self, validation_name: str) -> list[Place]:
        """Give the places for a validation name, waiting some seconds for them.

        :raises certbot_dns_aliyun.propagation.delegation.BadChainError: if CNAMEs lead in a circle
        """
        return self._future_places(validation_name).result()

    def place_by_resolver(self, unread: Place) -> Place | None:
        """Give the place that the resolver knows to lie behind one that was not read.

        To be asked for once the API has refused every zone, as then no record of ours stands at the
        name that the resolver could be too early for.

        :raises certbot_dns_aliyun.propagation.delegation.BadChainError: if CNAMEs lead in a circle
        """
        return self._loop.start(self._find_behind(unread)).result()

    def is_public_zone(self, zone: str, name: str) -> bool:
        """Tell whether the zone of a name is that for the world, too, or for this machine alone.

        Where the top-level domain's servers do not tell, it is taken to be.
        """
        with self._lock:
            if name not in self._public_zones:
                self._public_zones[name] = self._loop.start(self._public_zone(name))
        return self._public_zones[name].result() in (None, zone)

    def by_registry(self, name: str) -> tuple[str | None, list[NameServer]]:
        """Give a name's zone and its name servers as a CA finds them: without the resolver.

        :returns: None and no servers if those of the top-level domain do not tell
        """
        finding = self._public_zone_and_servers(name, _REGISTRY_TIMEOUT)
        return self._loop.start(finding).result()

    def inquire(self, look: Callable[[Discovery], Coroutine[Any, Any, T]], seconds: float) -> T:
        """Have something else looked up, and wait for it.

        :param look: makes the look-up
        :raises TimeoutError: if it takes longer than some seconds
        """
        future = self._loop.start(self._bounded(look, seconds))
        try:
            return future.result()
        except asyncio.TimeoutError:
            raise TimeoutError from None

    def watch(
        self, records: Iterable[Served], limits: Limits
    ) -> tuple[list[ZoneWatch], Future[None]]:
        """Watch for records, until all name servers serve them or the time is up.

        :returns: a watch for each zone, filling as it goes, and the end of all of them
        """
        by_zone: dict[str, list[Served]] = {}
        for record in records:
            by_zone.setdefault(record.place.zone or record.zone, []).append(record)
        servers = {zone: self._servers(zone, some) for zone, some in by_zone.items()}
        zones_at = Counter(
            address for some in servers.values() for address in {each.address for each in some}
        )
        watches = [
            self._watch(zone, some, servers[zone], limits, zones_at)
            for zone, some in by_zone.items()
        ]
        return watches, self._loop.start(_run_all(watches))

    def _servers(self, zone: str, records: list[Served]) -> Sequence[NameServer]:
        servers = self._name_servers or records[0].place.servers
        if servers or zone in (record.place.name for record in records):
            return servers
        return self._loop.start(self._name_servers_of(zone)).result()

    def _watch(
        self,
        zone: str,
        records: list[Served],
        servers: Sequence[NameServer],
        limits: Limits,
        sharing: Mapping[str, int],
    ) -> ZoneWatch:
        wanted: dict[str, Wanted] = {}
        for record in sorted(records, key=lambda each: each.added_at):
            before = wanted.pop(record.place.name, Wanted(frozenset(), 0.0))
            wanted[record.place.name] = Wanted(before.values | {record.value}, record.added_at)
        watch = ZoneWatch(
            zone,
            servers,
            wanted,
            limits,
            self._discovery.contact,
            self._discovery.clock,
            second_opinion=None if self._name_servers else self._public_servers,
            sharing=sharing,
        )
        watch.added_to = next(
            (r.zone for r in records if zone != r.zone and is_within(zone, r.zone)), None
        )
        watch.is_absent = any(record.place.is_absent for record in records)
        return watch

    def _future_places(self, name: str) -> Future[list[Place]]:
        with self._lock:
            if name not in self._places:
                self._places[name] = self._loop.start(self._find(name))
            return self._places[name]

    async def _bounded(
        self, look: Callable[[Discovery], Coroutine[Any, Any, T]], seconds: float
    ) -> T:
        budget = Budget()
        return await self._in_time(look(self._discovery.within(budget)), budget, seconds)

    async def _find(self, name: str) -> list[Place]:
        try:
            return await self._find_in_time(name)
        finally:
            self._tell_of_silent_resolvers()

    def _tell_of_silent_resolvers(self) -> None:
        if self._has_told_of_silence or not self._discovery.is_resolver_silent:
            return
        self._has_told_of_silence = True
        source = "--dns-aliyun-resolvers" if self._named_resolvers else "/etc/resolv.conf"
        addresses = ", ".join(self._discovery.resolvers)
        logger.warning(
            "No resolver answers (%s, from %s), so name servers cannot be found; correct that, or "
            "name a resolver that works with --dns-aliyun-resolvers.",
            addresses,
            source,
        )

    async def _find_in_time(self, name: str) -> list[Place]:
        budget = self._budget_of(name)
        try:
            finding = find_places(self._discovery.within(budget), name)
            return await self._in_time(finding, budget, _PLACES_TIMEOUT)
        except asyncio.TimeoutError:
            whose = f"the name servers of {budget.zone}" if budget.zone else "the resolver"
            late = f"{whose} did not tell within {_PLACES_TIMEOUT:.0f} seconds"
            logger.warning(
                "Where %s is in public DNS cannot be found out, as %s; if a CNAME record stands "
                "there, it is not followed.",
                name,
                late,
            )
            return [Place(name, None, (), (name,), unread=late)]

    async def _find_behind(self, unread: Place) -> Place | None:
        budget = self._budget_of(unread.chain[0])
        try:
            finding = place_by_resolver(self._discovery.within(budget), unread)
            return await self._in_time(finding, budget, _PLACES_TIMEOUT)
        except asyncio.TimeoutError:
            return None

    async def _public_zone(self, name: str) -> str | None:
        zone, _ = await self._public_zone_and_servers(name)
        return zone

    async def _public_servers(self, name: str) -> list[NameServer]:
        _, servers = await self._public_zone_and_servers(name)
        return servers

    async def _public_zone_and_servers(
        self, name: str, seconds: float = _ZONE_TIMEOUT
    ) -> tuple[str | None, list[NameServer]]:
        budget = Budget()
        finding = public_zone(self._discovery.within(budget), name)
        try:
            return await self._in_time(finding, budget, seconds)
        except asyncio.TimeoutError:
            return None, []

    async def _name_servers_of(self, zone: str) -> list[NameServer]:
        budget = Budget()
        finding = self._discovery.within(budget).name_servers(zone)
        try:
            return await self._in_time(finding, budget, _ZONE_TIMEOUT)
        except asyncio.TimeoutError:
            return []

    def _budget_of(self, name: str) -> Budget:
        return self._budgets.setdefault(name, Budget())

    async def _in_time(self, work: Coroutine[Any, Any, T], budget: Budget, seconds: float) -> T:
        """Do work within some seconds, and within those that are left for its name.

        :raises asyncio.TimeoutError: if it takes longer
        """
        clock = self._discovery.clock
        began = clock.now()
        try:
            return await clock.wait_for(work, min(seconds, max(budget.seconds, 0.0)))
        finally:
            budget.seconds -= clock.now() - began


async def _run_all(watches: list[ZoneWatch]) -> None:
    await asyncio.gather(*(watch.run() for watch in watches))


def _servers(option: str, text: str) -> list[tuple[str, int]]:
    try:
        return parse_servers(text) if text else []
    except ValueError as error:
        raise errors.PluginError(
            f"--{option}: {error} is not an address or a name that has one; list them as in "
            "192.0.2.1,192.0.2.2:5353."
        ) from None
