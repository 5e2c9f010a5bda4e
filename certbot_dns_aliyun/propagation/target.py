"""What a name that a CNAME leads to is used for already, and what a TXT record would hide there.

Whoever controls the CNAME chooses the name. A record added at a name that only a wildcard answers
for takes the wildcard's place, there and at each name above that it brings into being (RFC 4592,
2.2.2 and 3.3.1).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.rdatatype

from certbot_dns_aliyun.dns01 import DIGEST, LABEL
from certbot_dns_aliyun.names import LONGEST_NAME, is_within
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.inquiry import UnreadError, first_useful, over_tcp
from certbot_dns_aliyun.propagation.question import NameServer, Reply

#: The types of records that are looked for beside TXT: those that nearly all names in use have, and
#: others, which some servers and firewalls give no answer about.
_COMMON = (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.MX)
_RARE = (dns.rdatatype.SRV, dns.rdatatype.CAA, dns.rdatatype.HTTPS)
#: Seconds for all questions about one name, and for those about rare types.
_PATIENCE = 10.0
_PATIENCE_WITH_RARE = 3.0


@dataclass(frozen=True)
class Use:
    """What a name is used for.

    :ivar kinds: the types of records at it that are not for challenges
    :ivar is_wild: whether a wildcard answers for it, and would not any more
    :ivar hides: the name above it of which that is true, too; empty if there is none
    :ivar unread: why it is not known; empty if it is
    """

    kinds: tuple[str, ...] = ()
    is_wild: bool = False
    hides: str = ""
    unread: str = ""


def is_meant(name: str) -> bool:
    """Tell whether a name says itself that it is for challenges."""
    return name.startswith(LABEL)


async def read_use(
    discovery: Discovery, zone: str, servers: Sequence[NameServer], name: str, reply: Reply
) -> Use:
    """Ask a zone's name servers what a name is used for.

    :param reply: their answer about TXT records at the name
    """
    if not reply.exists:
        return Use()
    asking = _read(_Asker(discovery, zone, servers), name, reply)
    try:
        return await discovery.clock.wait_for(asking, _PATIENCE)
    except UnreadError as error:
        return Use(unread=str(error))
    except asyncio.TimeoutError:
        return Use(unread=f"the name servers of {zone} did not tell within {_PATIENCE:.0f} seconds")


def beside(name: str) -> str:
    """Give a name beside this one that nobody has."""
    above = name.partition(".")[2]
    return f"{secrets.token_hex(8)[: LONGEST_NAME - len(above) - 1]}.{above}"


def listed_use(zone: str, name: str, records: Iterable[tuple[str, str, str]]) -> Use:
    """Tell what a name is used for from all records of its zone: owner, type and value of each."""
    at: dict[str, set[str]] = {}
    for owner, kind, value in records:
        is_ours = kind == "TXT" and DIGEST.fullmatch(value)
        at.setdefault(owner, set()).update(() if is_ours else (kind,))
    if name in at:
        return Use(tuple(sorted(at[name] - ({"SOA", "NS"} if name == zone else set()))))
    encloser, below = name, ""
    while encloser != zone and not any(is_within(owner, encloser) for owner in at):
        encloser, below = encloser.partition(".")[2], encloser
    if not below or f"*.{encloser}" not in at:
        return Use()
    return Use(is_wild=True, hides="" if below == name else below)


class _Asker:
    """A zone's name servers, asked over TCP where that can be had."""

    def __init__(self, discovery: Discovery, zone: str, servers: Sequence[NameServer]) -> None:
        self.zone = zone
        self._discovery = discovery
        self._servers = servers

    async def kinds(self, name: str, reply: Reply) -> frozenset[str]:
        """Give the types of the records at a name; CNAME alone, if one stands there.

        :param reply: the answer about TXT records at the name
        :raises UnreadError: if nobody tells
        """
        if reply.alias_of is not None or not reply.exists:
            return frozenset({"CNAME"} if reply.exists else ())
        kinds = (*_COMMON, *_RARE)
        found = await asyncio.gather(*(self._has(name, kind) for kind in kinds))
        others = {kind.name for kind, is_there in zip(kinds, found) if is_there}
        return frozenset(others | ({"TXT"} if reply.has_answer else set()))

    async def kinds_beside(self, name: str) -> frozenset[str]:
        """Give the types of the records at a name beside this one, which can only be a wildcard's.

        :raises UnreadError: if nobody tells
        """
        sibling = beside(name)
        if not is_within(sibling, self.zone):
            return frozenset()
        return await self.kinds(sibling, await self._ask(sibling, dns.rdatatype.TXT))

    async def _has(self, name: str, kind: dns.rdatatype.RdataType) -> bool:
        if kind in _COMMON:
            return (await self._ask(name, kind)).has_answer
        try:
            asking = self._ask(name, kind)
            return (await asyncio.wait_for(asking, _PATIENCE_WITH_RARE)).has_answer
        except (asyncio.TimeoutError, UnreadError):
            return False

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> Reply:
        asked = (self._discovery, self.zone, self._servers, name, kind)
        return await over_tcp(*asked) or await first_useful(*asked)


async def _read(asker: _Asker, name: str, reply: Reply) -> Use:
    kinds, beside = await asyncio.gather(asker.kinds(name, reply), asker.kinds_beside(name))
    # Who stands there alone has other types than the wildcard, or is in use as much.
    is_wild, hides = bool(beside) and beside == kinds, ""
    if is_wild and is_meant(name):
        above = name.partition(".")[2]
        hides = above if await asker.kinds_beside(above) else ""
    if all(DIGEST.fullmatch(value) for value in reply.values):
        kinds -= {"TXT"}
    return Use(tuple(sorted(kinds)), is_wild, hides)
