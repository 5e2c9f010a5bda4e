"""What a zone answers (RFC 1034, 4.3.2, with wildcards by RFC 4592 and negative answers by
RFC 2308), as far behind as one server is."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dns.name
from dnslib import (
    AAAA,
    CAA,
    CNAME,
    DNSKEY,
    DS,
    MX,
    NS,
    NSEC,
    QTYPE,
    RCODE,
    RR,
    RRSIG,
    SOA,
    TXT,
    A,
    DNSLabel,
    DNSRecord,
)

from .records import Record, Zone

LONGEST_CNAME_CHAIN = 8


def answer(
    reply: DNSRecord,
    zones: Sequence[Zone],
    name: str,
    type: str,
    behind: float = 0.0,
    vanishes: tuple[float, float] | None = None,
) -> None:
    """Fill in an authoritative answer."""
    for _ in range(LONGEST_CNAME_CHAIN):
        zone = enclosing(zones, name)
        if zone is None:
            if not reply.rr:
                reply.header.rcode = RCODE.REFUSED
            return
        view = View(zone, behind, vanishes)
        if view.refer(reply, name, type):
            return
        reply.header.aa = 1
        target = view.answer(reply, name, type)
        if target is None:
            return
        name = target


def sign(reply: DNSRecord) -> None:
    """Put signatures beside all that was answered, and a denial beside what was not."""
    for section, add in ((reply.rr, reply.add_answer), (reply.auth, reply.add_auth)):
        kinds = {(str(rr.rname).rstrip("."), rr.rtype, rr.ttl) for rr in section}
        for owner, kind, ttl in kinds:
            if kind == QTYPE.SOA and section is reply.auth:
                denial = NSEC("\\000." + owner, ["RRSIG", "NSEC"])
                add(RR(owner, QTYPE.NSEC, rdata=denial, ttl=ttl))
            labels, now = len(owner.split(".")), int(time.time())
            dates = (now + 86400, now - 3600)
            data = RRSIG(kind, 13, labels, ttl, *dates, 12345, owner, b"signature" * 7)
            add(RR(owner, QTYPE.RRSIG, rdata=data, ttl=ttl))


def enclosing(zones: Iterable[Zone], name: str) -> Zone | None:
    """The zone with the longest apex that the name is in or below."""
    fitting = [zone for zone in zones if is_below(name, zone.apex)]
    return max(fitting, key=lambda zone: len(zone.apex), default=None)


def is_below(name: str, apex: str) -> bool:
    return not apex or name == apex or name.endswith("." + apex)


@dataclass
class View:
    """A zone as one server sees it now."""

    zone: Zone
    behind: float
    vanishes: tuple[float, float] | None

    def at(self, name: str) -> list[Record]:
        return self.zone.at(name, self.behind, self.vanishes)

    def refer(self, reply: DNSRecord, name: str, type: str) -> bool:
        """Answer with a referral where the name is at or below a delegated child; of a DS record
        the parent itself tells (RFC 4035, 3.1.4.1)."""
        for cut in ancestors(name, self.zone.apex):
            servers = [record for record in self.at(cut) if record.type == "NS"]
            if servers and cut != self.zone.apex and (cut, type) != (name, "DS"):
                reply.add_auth(*(_rr(cut, record) for record in servers))
                for record in servers:
                    reply.add_ar(*_addresses(record.value, self.zone.glue))
                return True
        return False

    def answer(self, reply: DNSRecord, name: str, type: str) -> str | None:
        """Add what there is; gives the target where a CNAME leads on."""
        found = self.at(name)
        exists = bool(found) or self.zone.exists(name, self.behind, self.vanishes)
        if not exists:
            found = self._wildcard(name)
        fitting = [_rr(name, each) for each in found if type in (each.type, "ANY")]
        fitting += self._of_apex(name, type)
        aliases = [each for each in found if each.type == "CNAME" and type != "CNAME"]
        if aliases and not fitting:
            reply.add_answer(_rr(name, aliases[0]))
            return aliases[0].value.rstrip(".").lower()
        reply.add_answer(*fitting)
        if not fitting and not (type in ("A", "AAAA") and self._host(reply, name, type)):
            reply.add_auth(soa(self.zone))
            known = exists or found or name in self.zone.glue
            reply.header.rcode = RCODE.NOERROR if known or reply.rr else RCODE.NXDOMAIN
        return None

    def _wildcard(self, name: str) -> list[Record]:
        for encloser in ancestors(name, self.zone.apex)[1:]:
            if self.zone.exists(encloser, self.behind, self.vanishes):
                return self.at("*." + encloser if encloser else "*")
        return []

    def _of_apex(self, name: str, type: str) -> list[RR]:
        if name != self.zone.apex:
            return []
        made = []
        if type in ("NS", "ANY"):
            made += [RR(name, QTYPE.NS, rdata=NS(each), ttl=86400) for each in self.zone.ns_names]
        if type in ("SOA", "ANY"):
            made.append(soa(self.zone))
        return made

    def _host(self, reply: DNSRecord, name: str, type: str) -> bool:
        """The addresses of name servers, which every parent here knows."""
        wanted = getattr(QTYPE, type)
        found = [rr for rr in _addresses(name, self.zone.glue) if rr.rtype == wanted]
        reply.add_answer(*found)
        return bool(found)


def ancestors(name: str, apex: str) -> list[str]:
    """The name and the names above it, down to the apex: the longest first."""
    found = [name]
    while name != apex and name:
        name = name.partition(".")[2]
        found.append(name)
    return found


def _rr(owner: str, record: Record) -> RR:
    return RR(owner, getattr(QTYPE, record.type), rdata=_rdata(record), ttl=record.ttl)


def _rdata(record: Record) -> Any:
    value = record.value
    if record.type == "TXT":
        data = value.encode()
        return TXT([data[at : at + 255] for at in range(0, len(data), 255)] or [b""])
    if record.type == "MX":
        return MX(value, 10)
    if record.type == "CAA":
        flags, tag, text = value.split(" ", 2)
        return CAA(int(flags), tag, text.strip('"'))
    if record.type == "DS":
        tag, algorithm, digest_type, digest = value.split()
        return DS(int(tag), int(algorithm), int(digest_type), bytes.fromhex(digest))
    if record.type == "DNSKEY":
        flags, protocol, algorithm, key = value.split()
        return DNSKEY(int(flags), int(protocol), int(algorithm), base64.b64decode(key))
    kinds = {"A": A, "AAAA": AAAA, "NS": NS, "CNAME": CNAME}
    if "\\" in value:
        value = DNSLabel(dns.name.from_text(value).labels[:-1])
    return kinds[record.type](value)


def soa(zone: Zone) -> RR:
    primary = zone.ns_names[0] if zone.ns_names else "ns." + zone.apex
    times = (int(time.time()), 3600, 1200, 86400, zone.negative_ttl)
    data = SOA(primary, "hostmaster.hichina.com", times)
    return RR(zone.apex, QTYPE.SOA, rdata=data, ttl=zone.negative_ttl)


def _addresses(host: str, glue: dict[str, list[str]]) -> list[RR]:
    return [address_rr(host, address) for address in glue.get(host.rstrip(".").lower(), ())]


def address_rr(host: str, address: str, ttl: int = 3600) -> RR:
    if ":" in address:
        return RR(host, QTYPE.AAAA, rdata=AAAA(address), ttl=ttl)
    return RR(host, QTYPE.A, rdata=A(address), ttl=ttl)
