"""Which CAA records are about a name, and whether they let a CA issue (RFC 8659, RFC 8657).

They are read as Let's Encrypt's Boulder does (its va/caa.go), which is stricter than the RFCs.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any

import dns.rdatatype

from certbot_dns_aliyun.propagation.discovery import Discovery

#: The RFC has 128 alone; Boulder takes 1 for it, too, as many people do who write such records.
_CRITICAL = 128 | 1
#: Properties that Boulder knows; of others, only the critical ones matter to it.
_KNOWN = ("issue", "issuewild", "iodef", "issuemail")
#: Tag and value of a condition. The RFC would let a tag have hyphens.
_PARAMETER = re.compile(r"[ \t]*([A-Za-z0-9]*)[ \t]*=[ \t]*([!-:<-~]*)[ \t]*")
#: How URIs of accounts began in ACMEv1, and how those of the same accounts begin now.
_BEFORE = "https://acme-v01.api.letsencrypt.org/acme/reg/"
_NOW = "https://acme-v02.api.letsencrypt.org/acme/acct/"
_WITH_DNS_01 = re.compile(r"([A-Za-z0-9-]+,)*dns-01(,.*)?")


@dataclass(frozen=True)
class Property:
    """One CAA record.

    :ivar text: all of it, as a zone file has it: what is not printable is escaped
    :ivar issuer: the CA that the record names; empty if it names none, or is malformed
    :ivar meant: the CA that it would name if it were read leniently
    :ivar parameters: the conditions that it makes, tags and values
    """

    flags: int
    tag: str
    text: str
    issuer: str
    meant: str
    parameters: tuple[tuple[str, str], ...]

    def values(self, tag: str) -> list[str]:
        """Give the values of the conditions that have a tag; Boulder takes no two of one tag."""
        return [value for each, value in self.parameters if each == tag]


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
    """Why CAA records forbid to issue, or may forbid it."""

    CRITICAL = "a critical property that a CA may not know"
    OTHERS = "other CAs alone may issue"
    FORM = "the CA does not read the record that is to name it"
    METHODS = "the CA may not validate by DNS"
    ACCOUNT = "another account of the CA alone may issue"
    SOME_ACCOUNT = "one account of the CA alone may issue, and whether it is this one is not known"


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
    :param account: URI of the account with the CA; empty if that is not known
    """
    critical = [p for p in found.properties if p.flags & _CRITICAL and p.tag not in _KNOWN]
    if critical:
        return Objection(Obstacle.CRITICAL, tuple(critical))
    tags = [p.tag for p in found.properties]
    tag = "issuewild" if wildcard and "issuewild" in tags else "issue"
    about = tuple(p for p in found.properties if p.tag == tag)
    if not about:
        return None
    ours = tuple(p for p in about if p.issuer in identities)
    if not ours:
        meant = tuple(p for p in about if p.meant in identities)
        return Objection(Obstacle.FORM if meant else Obstacle.OTHERS, meant or about, tag)
    by_method = tuple(p for p in ours if _allows_method(p))
    if not by_method:
        return Objection(Obstacle.METHODS, ours, tag)
    uris = [[_now(uri) for uri in p.values("accounturi")] for p in by_method]
    if [] in uris or (account and [_now(account)] in uris):
        return None
    return Objection(Obstacle.ACCOUNT if account else Obstacle.SOME_ACCOUNT, by_method, tag)


def _now(account: str) -> str:
    return account.replace(_BEFORE, _NOW)


def _allows_method(record: Property) -> bool:
    methods = record.values("validationmethods")
    return not methods or (len(methods) == 1 and bool(_WITH_DNS_01.fullmatch(methods[0])))


def _read(record: Any) -> Property:
    tag = record.tag.decode("ascii", "replace").lower()
    issuer, *conditions = record.value.decode("ascii", "replace").split(";")
    if len(conditions) == 1 and not conditions[0].strip(" \t"):
        conditions = []
    read = [_PARAMETER.fullmatch(condition) for condition in conditions]
    issuer = issuer.strip(" \t")
    return Property(
        record.flags,
        tag,
        record.to_text(),
        issuer if all(read) else "",
        issuer.lower().rstrip("."),
        tuple((match[1], match[2]) for match in read if match),
    )
