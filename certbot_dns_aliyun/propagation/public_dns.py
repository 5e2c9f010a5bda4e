"""Public DNS as one run sees it: zones and name servers, each looked up once, all at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import Future

from certbot_dns_aliyun.propagation.discovery import (
    NameServer,
    make_resolver,
    name_servers,
    zone_of,
)
from certbot_dns_aliyun.propagation.loop import Loop
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch

#: Seconds for finding the zone of a name.
_ZONE_TIMEOUT = 6.0


class PublicDns:
    """What public DNS says about the names of one run. Its methods may be called from any thread.

    It holds a thread until it is closed.
    """

    def __init__(self) -> None:
        self._loop = Loop()
        self._resolver = make_resolver()
        self._lock = threading.Lock()
        self._zones: dict[str, Future[str | None]] = {}
        self._servers: dict[str, asyncio.Future[list[NameServer]]] = {}

    def close(self) -> None:
        """End all look-ups and the thread."""
        self._loop.close()

    def look_up(self, validation_names: Iterable[str]) -> None:
        """Start finding the zones of names, and their name servers."""
        for name in validation_names:
            self._zone(name)

    def zone_of(self, validation_name: str) -> str | None:
        """Give the zone that a name is in, waiting for it some seconds; None if it is not known."""
        return self._zone(validation_name).result()

    def watch(
        self, records: Iterable[tuple[str, str, str]], limits: Limits
    ) -> tuple[list[ZoneWatch], Future[None]]:
        """Watch for records, until all name servers serve them or the time is up.

        :param records: name, value, and the zone to assume where DNS does not tell
        :returns: a watch for each zone, filling as it goes, and the end of all of them
        """
        wanted: dict[str, dict[str, set[str]]] = {}
        for name, value, zone in records:
            names = wanted.setdefault(self.zone_of(name) or zone, {})
            names.setdefault(name, set()).add(value)
        watches = [
            ZoneWatch(
                zone,
                self._loop.start(self._servers_of(zone)).result(),
                {name: frozenset(values) for name, values in names.items()},
                limits,
            )
            for zone, names in wanted.items()
        ]
        return watches, self._loop.start(_run_all(watches))

    def _zone(self, name: str) -> Future[str | None]:
        with self._lock:
            if name not in self._zones:
                self._zones[name] = self._loop.start(self._discover(name))
            return self._zones[name]

    async def _discover(self, name: str) -> str | None:
        try:
            zone = await asyncio.wait_for(zone_of(self._resolver, name), _ZONE_TIMEOUT)
        except asyncio.TimeoutError:
            return None
        if zone:
            self._start_servers_of(zone)
        return zone

    async def _servers_of(self, zone: str) -> list[NameServer]:
        return await self._start_servers_of(zone)

    def _start_servers_of(self, zone: str) -> asyncio.Future[list[NameServer]]:
        if zone not in self._servers:
            self._servers[zone] = asyncio.ensure_future(name_servers(self._resolver, zone))
        return self._servers[zone]


async def _run_all(watches: list[ZoneWatch]) -> None:
    await asyncio.gather(*(watch.run() for watch in watches))
