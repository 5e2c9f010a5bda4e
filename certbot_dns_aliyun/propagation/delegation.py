"""Where the TXT record for a validation name must stand: there, or where a CNAME leads.

Read from authoritative servers, from the zone that the resolver names downwards; or, where the
resolver names none (a zone delegated minutes ago), from the top-level domain's servers downwards.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dns.rdatatype

from certbot_dns_aliyun.names import is_plain, is_within
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.inquiry import UnreadError, first_useful, over_tcp
from certbot_dns_aliyun.propagation.listing import listed
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply
from certbot_dns_aliyun.propagation.target import Use, beside, read_use

logger = logging.getLogger(__name__)

#: CNAMEs in a row that are followed; CAs follow about as many.
_LONGEST_CHAIN = 8
#: Characters that are shown of a name that is none.
_SHOWN = 60
#: Referrals from the top-level domain to the name; there are not more than labels.
_MOST_REFERRALS = 12
#: How the names end to which a CNAME leads that belongs to a certificate which ESA manages.
_ESA_CERTIFICATES = ".dcv.aliyun-esa.com"


class BadChainError(Exception):
    """CNAMEs that lead in a circle, nowhere soon, or to what is no name at Alibaba Cloud DNS.

    Its text shows the names.

    :ivar chain: the names, in their order
    :ivar why: what is wrong with them
    """

    def __init__(self, chain: list[str], why: str = "lead in a circle, or too far") -> None:
        super().__init__(" -> ".join(chain))
        self.chain = chain
        self.why = why

    @property
    def advice(self) -> str:
        """What a person is told."""
        return f"The CNAME records at {self.chain[0]} {self.why}: {self}; correct them."


@dataclass(frozen=True)
class Place:
    """A name at which the TXT record may be added.

    :ivar name: the name
    :ivar zone: its zone in public DNS; None if that is not known
    :ivar servers: the zone's name servers; none if they are not known
    :ivar chain: the names that CNAMEs led through, from the validation name to this one
    :ivar is_absent: whether the top-level domain's servers say that there is no such zone
    :ivar unread: why it is not known whether a CNAME stands at the name; empty if that is known
    :ivar is_hearsay: whether a CNAME on the way is known from a resolver alone
    :ivar is_unconfirmed: whether no name server has confirmed a CNAME on the way over TCP
    :ivar led_by: the zone of the last CNAME on the way, as far as it is known
    :ivar use: what the name is used for, where a CNAME leads to it; None if that is not known
    """

    name: str
    zone: str | None
    servers: tuple[NameServer, ...]
    chain: tuple[str, ...]
    is_absent: bool = False
    unread: str = ""
    is_hearsay: bool = False
    is_unconfirmed: bool = False
    led_by: str = ""
    use: Use | None = None

    @property
    def is_led(self) -> bool:
        """Whether a CNAME leads to the name."""
        return len(self.chain) > 1

    @property
    def above(self) -> list[str]:
        """The names whose zones, and those above them, hold all that is on the way.

        A resolver may be asked for them, and not for the name itself before the record is there: it
        would remember that there is no such name.
        """
        parents = [link.partition(".")[2] for link in self.chain]
        return [*parents, self.zone] if self.zone else parents

    @property
    def is_elsewhere(self) -> bool:
        """Whether no name server of the zone looks like one of Alibaba Cloud DNS."""
        return bool(self.servers) and not any(server.is_alidns for server in self.servers)

    @property
    def is_at_esa(self) -> bool:
        """Whether Alibaba Cloud ESA alone serves the zone."""
        return bool(self.servers) and all(server.is_esa for server in self.servers)

    @property
    def is_of_esa_certificate(self) -> bool:
        """Whether a CNAME leads to what proves control for a certificate that ESA manages."""
        return len(self.chain) > 1 and self.name.endswith(_ESA_CERTIFICATES)


@dataclass(frozen=True)
class _Reading:
    """What name servers have at a name.

    :ivar zone: the name's zone, as far as it is known
    :ivar reply: their answer; None if there was none, for the reason in ``unread``
    """

    zone: str | None
    servers: list[NameServer]
    reply: Reply | None = None
    unread: str = ""


async def find_places(discovery: Discovery, validation_name: str) -> list[Place]:
    """Find the places for a validation name, the one to try first at the head.

    There are several only where a CNAME seems to come from a wildcard: a TXT record at the name
    itself takes its place then (RFC 4592, 4.3); only if that cannot be, the target is the place.

    :raises BadChainError: if CNAMEs are not to be followed to their end, and no place is on the way
    """
    return await _follow(discovery, [validation_name])


async def place_by_resolver(discovery: Discovery, unread: Place) -> Place | None:
    """Find the place behind one whose name servers could not be asked, by way of the resolver.

    Only for a name at which no record of ours can stand: the resolver may remember for long that
    there is none.

    :returns: None if the resolver knows of no CNAME at the name
    :raises BadChainError: if CNAMEs are not to be followed to their end
    """
    target = await discovery.canonical_name(unread.name)
    if target is None:
        return None
    chain = _longer(unread.chain, target)
    places = await _follow(discovery, chain)
    return replace(places[0], is_hearsay=True)


async def _follow(discovery: Discovery, chain: list[str]) -> list[Place]:
    places: list[Place] = []
    name, led_by, is_unconfirmed = chain[-1], "", False
    while True:
        found = await _locate(discovery, name)
        zone, servers, reply = found.zone, found.servers, found.reply
        place = Place(
            name,
            zone,
            tuple(servers) if zone else (),
            tuple(chain),
            is_unconfirmed=is_unconfirmed,
            led_by=led_by,
        )
        if reply is None:
            return [*places, replace(place, unread=found.unread)]
        confirmed = None
        if reply.alias_of is not None or place.is_led:
            confirmed = await _confirm(discovery, found, name, reply)
            reply = confirmed or reply
        if zone is None and reply.alias_of is None:
            return [*places, replace(place, is_absent=True)]
        if zone and (
            reply.alias_of is None
            or await _is_from_wildcard(discovery, zone, servers, name, reply.alias_of)
        ):
            if place.is_led:
                use = await read_use(discovery, zone, servers, name, reply)
                place = replace(place, use=use)
            places.append(place)
        if reply.alias_of is None:
            return places
        try:
            chain = _longer(chain, reply.alias_of)
        except BadChainError:
            if places:
                return places
            raise
        is_unconfirmed |= confirmed is None
        name, led_by = chain[-1], zone or ""


def _longer(chain: Sequence[str], target: str) -> list[str]:
    """Put the target of a CNAME behind the names that led to it.

    :raises BadChainError: if it is not to be followed
    """
    if not is_plain(target):
        shown = target if len(target) <= _SHOWN else target[:_SHOWN] + "..."
        why = "lead to a name that no zone at Alibaba Cloud DNS can hold"
        raise BadChainError([*chain, shown], why)
    if target in chain or len(chain) > _LONGEST_CHAIN:
        raise BadChainError([*chain, target])
    return [*chain, target]


async def _confirm(discovery: Discovery, found: _Reading, name: str, reply: Reply) -> Reply | None:
    """Ask again over TCP about a name, as a packet of UDP may be anybody's; None for no answer."""
    zone = found.zone or name.rpartition(".")[2]
    confirmed = await over_tcp(discovery, zone, found.servers, name, expected=reply)
    if confirmed and reply.alias_of not in (None, confirmed.alias_of):
        logger.warning(
            "An answer that a CNAME record leads from %s to %s is not believed: over TCP, the name "
            "servers of %s say otherwise. Somebody forges answers, or these servers differ.",
            name,
            reply.alias_of,
            zone,
        )
    return confirmed


async def public_zone(discovery: Discovery, name: str) -> tuple[str | None, list[NameServer]]:
    """Find a name's zone and its name servers, from the top-level domain's servers downwards.

    :returns: None and no servers if nobody answers
    """
    found = await _descend_from_top(discovery, name)
    return found.zone, found.servers if found.zone else []


async def _locate(discovery: Discovery, name: str) -> _Reading:
    """Find zone and name servers of a name, and what they have there."""
    zone = await discovery.zone_of(name)
    servers = await discovery.name_servers(zone) if zone else []
    if zone and servers:
        found = await _descend(discovery, zone, servers, name)
    else:
        found = await _descend_from_top(discovery, name)
        if not found.zone and not found.reply:
            return replace(found, zone=zone, servers=[])
    return replace(found, servers=await discovery.beside_glue(found.servers))


async def _descend_from_top(discovery: Discovery, name: str) -> _Reading:
    """Go from the top-level domain's servers down; its own zone counts as none, as in the API."""
    top = name.rpartition(".")[2]
    found = await _descend(discovery, top, await discovery.name_servers(top), name)
    return replace(found, zone=None) if found.zone == top else found


async def _descend(
    discovery: Discovery, zone: str, servers: list[NameServer], name: str
) -> _Reading:
    """Go from a zone's servers down to those of the zone that a name is in."""
    for _ in range(_MOST_REFERRALS):
        if discovery.budget.is_spent:
            return _Reading(zone, servers, unread=str(discovery.budget))
        if not servers:
            return _Reading(zone, [], unread=f"the resolver tells no name server of {zone}")
        try:
            reply = telling = await first_useful(discovery, zone, servers, name)
            if reply.values:
                # Nothing in it names the zone then, which may be below the one that we know of.
                telling = await first_useful(discovery, zone, servers, name, dns.rdatatype.SOA)
        except UnreadError as error:
            return _Reading(zone, servers, unread=str(error))
        if telling.zone in (None, zone):
            return _Reading(zone, servers, reply)
        zone = str(telling.zone)
        if telling.outcome is Outcome.AUTHORITATIVE:
            # The same servers have the zone below, too; others may as well.
            return _Reading(zone, await discovery.name_servers(zone) or servers, reply)
        servers = await discovery.addresses(zone, telling.servers)
        if not servers:
            none = f"no name server of {zone} has an address that the resolver tells"
            return _Reading(zone, [], unread=f"{none} ({listed(sorted(telling.servers))})")
    return _Reading(zone, servers, unread=f"too many referrals lead to {name}")


async def _is_from_wildcard(
    discovery: Discovery, zone: str, servers: list[NameServer], name: str, target: str
) -> bool:
    """Tell whether a CNAME answers for a name beside this one that cannot exist (RFC 4592, 2.2)."""
    sibling = beside(name)
    if not is_within(sibling, zone):
        return False
    try:
        reply = await first_useful(discovery, zone, servers, sibling)
    except UnreadError:
        return False
    return reply.alias_of == target
