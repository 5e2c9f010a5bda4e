"""A zone's watch with what it needs around it, in the time that tests control."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from certbot_dns_aliyun.propagation.awake import AwakeClock
from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.follower import Wanted
from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.propagation.traffic import Traffic
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch
from tests.unit.fake_time import START

__all__ = ["ZoneWatch", "a_watch", "nothing_else", "watching"]


def a_watch(
    servers: Sequence[NameServer],
    wanted: dict[str, frozenset[str]],
    limits: Limits,
    added_at: dict[str, float] | None = None,
    now: float = START,
    contacts: dict[str, Contact] | None = None,
    **more: Any,
) -> ZoneWatch:
    """Makes a watch for records that were added just now, or when a test says."""
    clock, traffic = AwakeClock(), Traffic()
    known = {} if contacts is None else contacts

    def contact(server: NameServer) -> Contact:
        return known.setdefault(server.address, Contact(server, traffic))

    records = {
        name: Wanted(values, (added_at or {}).get(name, now)) for name, values in wanted.items()
    }
    return ZoneWatch("example.com", servers, records, limits, contact, clock, **more)


async def nothing_else(name: str) -> list[NameServer]:
    """The registry names no other servers."""
    return []


async def watching(*zones: ZoneWatch) -> None:
    """Runs watches to their end, while the clock ticks as it does in a run."""
    ticking = [asyncio.ensure_future(zone._clock.tick()) for zone in zones]
    await asyncio.gather(*(zone.run() for zone in zones))
    for each in ticking:
        each.cancel()
    await asyncio.gather(*ticking, return_exceptions=True)
