"""Which CAA records are about a name, and whether they let a CA issue (RFC 8659, RFC 8657)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any

import dns.rdatatype

from certbot_dns_aliyun.propagation.discovery import Discovery

_METHOD = "dns-01"
_CRITICAL = 128
#: Properties that CAs know; of others, only the critical ones matter to them.
_KNOWN = ("issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone")


@dataclass(frozen=True)
class Property:
    """One CAA record.

    :ivar text: all of it, as a zone file has it: what is not printable is escaped
    """

    flags: int
    tag: str
    value: str
    text: str

    @property
    def issuer(self) -> str:
        """The CA that the record names; empty if it names none."""
        return self.value.partition(";")[0].strip(" \t").lower().rstrip(".")

    @property
    def parameters(self) -> dict[str, str]:
        """The conditions that it makes."""
        pairs = [each.partition("=") for each in self.value.split(";")[1:]]
        return {tag.strip(" \t").lower(): value.strip(" \t") for tag, _, value in pairs}


@dataclass(frozen=True)
class CaaSet:
    """The CAA records that count for a name: those of the closest name, itself or above, with any.

    :ivar owner: where they stand; empty if there are none
    :ivar zone: the zone of that name, if it is known
    :ivar unanswered: the name for which there was no answer; empty if there was one for each
    """

    properties: tuple[Property, ...] = ()
    owner: str = ""
    zone: str = ""
    unanswered: str = ""


class Obstacle(Enum):
    """Why CAA records forbid to issue."""

    CRITICAL = "a critical property that a CA may not know"
    OTHERS = "other CAs alone may issue"
    METHODS = "the CA may not validate by DNS"
    ACCOUNT = "another account of the CA alone may issue"


@dataclass(frozen=True)
class Objection:
    """What CAA records have against a name.

    :ivar properties: the records that say so
    :ivar tag: the property that has to be changed or added, "issue" or "issuewild"
    """

    obstacle: Obstacle
    properties: tuple[Property, ...]
    tag: str = "issue"


async def relevant(discovery: Discovery, domain: str) -> CaaSet:
    """Climb the tree from a name up to the top-level domain, until there are CAA records.

    :param domain: a name of a certificate, without ``*.``
    """
    name = domain
    while name:
        response = await discovery.look_up(name, dns.rdatatype.CAA)
        if response is None:
            return CaaSet(unanswered=name)
        found = [rrset for rrset in response.answer if rrset.rdtype == dns.rdatatype.CAA]
        if found:
            # Behind a CNAME they stand at its end.
            owner = found[0].name.to_text(omit_final_dot=True).lower()
            zone = await discovery.zone_of(f"_.{owner}")
            properties = [_read(record) for rrset in found for record in rrset]
            return CaaSet(tuple(sorted(properties, key=lambda p: p.text)), owner, zone or "")
        name = name.partition(".")[2]
    return CaaSet()


def objection(
    found: CaaSet, identities: Collection[str], wildcard: bool, account: str = ""
) -> Objection | None:
    """Give what a set of CAA records has against a CA's issuing by dns-01; None for nothing.

    :param identities: the names by which CAA records know the CA; none if those are not known
    :param wildcard: whether it is for ``*.`` before the name
    :param account: URI of the account with the CA; empty if that is not known, and then any will do
    """
    critical = [p for p in found.properties if p.flags & _CRITICAL and p.tag not in _KNOWN]
    if critical:
        return Objection(Obstacle.CRITICAL, tuple(critical))
    tags = [p.tag for p in found.properties]
    tag = "issuewild" if wildcard and "issuewild" in tags else "issue"
    about = tuple(p for p in found.properties if p.tag == tag)
    if not about:
        return None
    ours = tuple(p for p in about if p.issuer and p.issuer in identities)
    if not ours:
        return Objection(Obstacle.OTHERS, about, tag)
    by_method = tuple(p for p in ours if _allows_method(p))
    if not by_method:
        return Objection(Obstacle.METHODS, ours, tag)
    uris = [p.parameters.get("accounturi") for p in by_method]
    if account and all(uri not in (None, account) for uri in uris):
        return Objection(Obstacle.ACCOUNT, by_method, tag)
    return None


def names_an_account(found: CaaSet) -> tuple[Property, ...]:
    """Give the records that let one account of a CA alone issue."""
    return tuple(p for p in found.properties if "accounturi" in p.parameters)


def _allows_method(record: Property) -> bool:
    methods = record.parameters.get("validationmethods")
    return methods is None or _METHOD in [each.strip() for each in methods.lower().split(",")]


def _read(record: Any) -> Property:
    tag = record.tag.decode("ascii", "replace").lower()
    value = record.value.decode("ascii", "replace")
    return Property(record.flags, tag, value, record.to_text())
