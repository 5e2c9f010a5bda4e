"""Zones elsewhere that lead to Alidns, and what a run asked of DNS about them."""

from __future__ import annotations

import time

from tests.world import Server, World, Zone
from tests.world.resolver import ADDRESS, FOR_THE_CA

#: A zone that the provider of OTHER's servers knows, and Alidns does not.
SHOP = "shop.example"
OTHER = "ns1.provider.example"
#: The zone at Alidns that takes the records.
TARGET = "acme.example.net"
NAME = f"_acme-challenge.{SHOP}"
#: The answer to a challenge of another ACME client.
DIGEST = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"


def long_ago() -> float:
    """A time since when no name server is behind."""
    return time.monotonic() - 60


def add_foreign(world: World, zone: str = SHOP, *, name: str = OTHER, lag: float = 0.0) -> Zone:
    """Add a zone that is hosted by somebody else."""
    return world.add_zone(zone, [Server(name=name, lag=lag)], hosted=False)


def alias(world: World, name: str, target: str) -> None:
    """Let a CNAME record of a stranger be in the zone that a name is in, at every name server."""
    zone = max(
        (zone for zone in world.all_zones if f".{name}".endswith(f".{zone.apex}")),
        key=lambda zone: len(zone.apex),
    )
    zone.add(name[: -len(zone.apex) - 1], f"{target}.", "CNAME", added_at=long_ago())


def move_alias(world: World, name: str, target: str) -> None:
    """Let a CNAME record lead elsewhere, or nowhere if the target is empty."""
    for zone in world.all_zones:
        for record in zone.alive():
            if record.type == "CNAME" and record.owner == name:
                record.removed_at = long_ago()
    if target:
        alias(world, name, target)


def placed(world: World) -> list[tuple[str, str]]:
    """Zone and RR of each record that was ever made, in their order, each once."""
    made = sorted(world.records.made(), key=lambda record: record.added_at)
    return list(dict.fromkeys((record.zone, record.rr) for record in made))


def questions(world: World) -> tuple[int, int]:
    """How often the plugin asked the resolver (the API's host apart), and name servers for TXT."""
    to_resolver = [q for q in world.resolver.queries if q.server == ADDRESS]
    by_ca = min(q.at for q in world.resolver.queries if q.server == FOR_THE_CA)
    others = [q for q in to_resolver if q.name not in world.resolver.hosts]
    directly = [q for q in world.nameservers.queries if q.type == "TXT" and q.at < by_ca]
    return len(others), len(directly)
