"""Where the TXT record for a validation name must stand: there, or where a CNAME leads.

Read from authoritative servers, from the zone that the resolver names downwards; or, where the
resolver names none (a zone delegated minutes ago), from the top-level domain's servers downwards.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass, replace

import dns.rdatatype

from certbot_dns_aliyun.names import LONGEST_NAME, is_within
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply, ask

#: CNAMEs in a row that are followed; CAs follow about as many.
_LONGEST_CHAIN = 8
#: Referrals from the top-level domain to the name; there are not more than labels.
_MOST_REFERRALS = 12
#: Name servers that are asked, one after the other; the first useful answer counts.
_MOST_ASKED = 6
#: Seconds until the next one is asked, too, unless one has failed; and those that each has.
_HEAD_START = 0.2
_TIMEOUT = 1.5


class BadChainError(Exception):
    """CNAMEs that lead in a circle, or nowhere soon.

    :ivar chain: the names, in their order
    """

    def __init__(self, chain: list[str]) -> None:
        super().__init__(" → ".join(chain))
        self.chain = chain


@dataclass(frozen=True)
class Place:
    """A name at which the TXT record may be added.

    :ivar name: the name
    :ivar zone: its zone in public DNS; None if that is not known
    :ivar servers: the zone's name servers; none if they are not known
    :ivar chain: the names that CNAMEs led through, from the validation name to this one
    :ivar is_absent: whether the top-level domain's servers say that there is no such zone
    """

    name: str
    zone: str | None
    servers: tuple[NameServer, ...]
    chain: tuple[str, ...]
    is_absent: bool = False

    @property
    def is_foreign(self) -> bool:
        """Whether no name server of the zone looks like one of Alibaba Cloud DNS."""
        return bool(self.servers) and not any(server.is_alidns for server in self.servers)


async def find_places(discovery: Discovery, validation_name: str) -> list[Place]:
    """Find the places for a validation name, the one to try first at the head.

    There are several only where a CNAME seems to come from a wildcard: a TXT record at the name
    itself takes its place then (RFC 4592, 4.3); only if that cannot be, the target is the place.

    :raises BadChainError: if CNAMEs lead in a circle, or there are too many, and no place is on
        the way
    """
    places: list[Place] = []
    name, chain = validation_name, [validation_name]
    while True:
        zone, servers, reply = await _locate(discovery, name)
        place = Place(name, zone, tuple(servers) if zone else (), tuple(chain))
        if reply is None or reply.alias_of is None:
            return [*places, replace(place, is_absent=zone is None and reply is not None)]
        if await _is_from_wildcard(discovery, servers, name, reply.alias_of):
            places.append(place)
        name = reply.alias_of
        if name in chain or len(chain) > _LONGEST_CHAIN:
            if places:
                return places
            raise BadChainError([*chain, name])
        chain.append(name)


async def public_zone(discovery: Discovery, name: str) -> tuple[str | None, list[NameServer]]:
    """Find a name's zone and its name servers, from the top-level domain's servers downwards.

    :returns: None and no servers if nobody answers
    """
    zone, servers, _ = await _descend_from_top(discovery, name)
    return zone, servers if zone else []


async def _locate(
    discovery: Discovery, name: str
) -> tuple[str | None, list[NameServer], Reply | None]:
    """Find zone and name servers of a name, and what they have there; None if nobody answers."""
    zone = await discovery.zone_of(name)
    servers = await discovery.name_servers(zone) if zone else []
    if zone and servers:
        return await _descend(discovery, zone, servers, name)
    found = await _descend_from_top(discovery, name)
    return found if found[0] or found[2] else (zone, [], None)


async def _descend_from_top(
    discovery: Discovery, name: str
) -> tuple[str | None, list[NameServer], Reply | None]:
    """Go from the top-level domain's servers down; its own zone counts as none, as in the API."""
    top = name.rpartition(".")[2]
    zone, servers, reply = await _descend(discovery, top, await discovery.name_servers(top), name)
    return (zone if zone != top else None), servers, reply


async def _descend(
    discovery: Discovery, zone: str, servers: list[NameServer], name: str
) -> tuple[str, list[NameServer], Reply | None]:
    """Go from a zone's servers down to those of the zone that a name is in."""
    for _ in range(_MOST_REFERRALS):
        reply = await _first_useful(discovery, servers, name)
        if reply and reply.values:
            # Then nothing in the reply names the zone, which may be below the one that we know of.
            reply = await _first_useful(discovery, servers, name, dns.rdatatype.SOA)
        if reply is None or reply.zone is None or reply.zone == zone:
            return zone, servers, reply
        if not (is_within(reply.zone, zone) and is_within(name, reply.zone)):
            return zone, servers, None
        zone = reply.zone
        if reply.outcome is Outcome.AUTHORITATIVE:
            # The same servers have the zone below, too; others may as well.
            return zone, await discovery.name_servers(zone) or servers, reply
        servers = await discovery.addresses(dict(reply.servers))
    return zone, servers, None


async def _first_useful(
    discovery: Discovery,
    servers: list[NameServer],
    name: str,
    kind: dns.rdatatype.RdataType = dns.rdatatype.TXT,
) -> Reply | None:
    waiting = random.sample(servers, min(len(servers), _MOST_ASKED))
    asked: set[asyncio.Future[Reply]] = set()
    try:
        while waiting or asked:
            if waiting:
                asked.add(asyncio.ensure_future(_ask(discovery, waiting.pop(), name, kind)))
            done, asked = await asyncio.wait(
                asked,
                timeout=_HEAD_START if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for each in done:
                reply = each.result()
                if reply.outcome in (Outcome.AUTHORITATIVE, Outcome.REFERRING):
                    return reply
    finally:
        for each in asked:
            each.cancel()
    return None


async def _ask(
    discovery: Discovery, server: NameServer, name: str, kind: dns.rdatatype.RdataType
) -> Reply:
    async with discovery.traffic:
        return await ask(server, name, kind, timeout=_TIMEOUT)


async def _is_from_wildcard(
    discovery: Discovery, servers: list[NameServer], name: str, target: str
) -> bool:
    """Tell whether a CNAME answers for a name beside this one that cannot exist (RFC 4592, 2.2)."""
    above = name.partition(".")[2]
    label = secrets.token_hex(8)[: LONGEST_NAME - len(above) - 1]
    reply = await _first_useful(discovery, servers, f"{label}.{above}")
    return reply is not None and reply.alias_of == target
