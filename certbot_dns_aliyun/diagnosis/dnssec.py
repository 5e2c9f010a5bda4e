"""Whether the DNSSEC of the zones that a name is in is broken, so that no CA takes their answers.

A resolver that validates says SERVFAIL then, unless it is asked not to check (RFC 4035, 3.2.2). One
that does not validate still tells the DS record at the registry and the zone's keys.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import dns.dnssec
import dns.message
import dns.rdatatype

from certbot_dns_aliyun.dns01 import LABEL
from certbot_dns_aliyun.propagation.discovery import Discovery


class Flaw(Enum):
    """What is wrong with a signed zone."""

    NO_KEYS = "it has no keys"
    OTHER_KEYS = "it has other keys"
    EXPIRED = "its signatures have expired"
    REFUSED = "its answers do not pass"
    UNKNOWN = "nobody tells whether it has any"


@dataclass(frozen=True)
class Broken:
    """A zone that does not pass DNSSEC.

    :ivar tags: the key tags of the DS records at its registry, or in the zone above
    :ivar keys: the key tags of the zone's own keys
    :ivar expired_at: when its last signature expired, in seconds since 1970, if that is the flaw
    """

    zone: str
    flaw: Flaw
    tags: tuple[int, ...]
    keys: tuple[int, ...] = ()
    expired_at: int = 0


async def find_broken(discovery: Discovery, name: str) -> Broken | None:
    """Find the zone at or above a name whose DNSSEC is broken, the topmost; None if there is none.

    :raises asyncio.TimeoutError: if none is found and the resolver does not tell of each
    """
    labels = name.split(".")
    cuts = [".".join(labels[at:]) for at in reversed(range(len(labels) - 1)) if labels[at] != LABEL]
    found = await asyncio.gather(*(_look_at(discovery, cut) for cut in cuts))
    broken = next((each for each in found if each and each.flaw is not Flaw.UNKNOWN), None)
    if broken is None and any(found):
        raise asyncio.TimeoutError
    return broken


async def _look_at(discovery: Discovery, zone: str) -> Broken | None:
    signed = await discovery.look_up(zone, dns.rdatatype.DS, unchecked=True)
    if signed is None:
        return Broken(zone, Flaw.UNKNOWN, ())
    delegations = _records(signed, dns.rdatatype.DS)
    if not delegations:
        return None
    tags = tuple(sorted({record.key_tag for record in delegations}))
    keys, soa, passing = await asyncio.gather(
        discovery.look_up(zone, dns.rdatatype.DNSKEY, unchecked=True),
        discovery.look_up(zone, dns.rdatatype.SOA, unchecked=True),
        discovery.look_up(zone, dns.rdatatype.SOA),
    )
    if keys is None or soa is None:
        return Broken(zone, Flaw.UNKNOWN, tags)
    its_keys = tuple(sorted(dns.dnssec.key_id(k) for k in _records(keys, dns.rdatatype.DNSKEY)))
    if not its_keys:
        return Broken(zone, Flaw.NO_KEYS, tags)
    if not set(tags) & set(its_keys):
        return Broken(zone, Flaw.OTHER_KEYS, tags, its_keys)
    for response in (keys, soa):
        expired_at = max((s.expiration for s in _records(response, dns.rdatatype.RRSIG)), default=0)
        if 0 < expired_at < time.time():
            return Broken(zone, Flaw.EXPIRED, tags, its_keys, expired_at)
    return Broken(zone, Flaw.REFUSED, tags, its_keys) if passing is None else None


def _records(response: dns.message.Message, kind: dns.rdatatype.RdataType) -> Iterable[Any]:
    return [record for rrset in response.answer if rrset.rdtype == kind for record in rrset]
