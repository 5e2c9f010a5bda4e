"""Public DNS in memory: name servers and a resolver that give real messages, and no packets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from certbot_dns_aliyun.propagation.discovery import Discovery


def is_below(name: str, apex: str) -> bool:
    return not apex or name == apex or name.endswith("." + apex)


@dataclass
class Zone:
    """A zone on some addresses; the names of its servers are ``ns.<address>.test``."""

    apex: str
    addresses: list[str]
    records: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    delegated: bool = True

    def add(self, name: str, kind: str, value: str) -> Zone:
        self.records.setdefault(name, []).append((kind, value))
        return self

    def exists(self, name: str) -> bool:
        return name == self.apex or any(is_below(each, name) for each in self.records)

    def found(self, name: str) -> list[tuple[str, str]]:
        """The records at a name, or those of the wildcard that answers for it (RFC 4592)."""
        if self.exists(name):
            return self.records.get(name, [])
        encloser = name
        while not self.exists(encloser):
            encloser = encloser.partition(".")[2]
        return self.records.get(f"*.{encloser}", [])


class Internet:
    """All zones. ``silent``: addresses that do not answer; ``lame``: those that refuse;
    ``absent``: what the resolver believes not to exist."""

    def __init__(self) -> None:
        self.zones: dict[str, Zone] = {}
        self.silent: set[str] = set()
        self.lame: set[str] = set()
        self.absent: set[tuple[str, str]] = set()
        self.asked: list[tuple[str, str, str]] = []

    def add(self, apex: str, *addresses: str, delegated: bool = True) -> Zone:
        self.zones[apex] = Zone(apex, list(addresses), delegated=delegated)
        return self.zones[apex]

    def asked_of(self, who: str) -> list[str]:
        return [name for to, name, _ in self.asked if to == who]

    @contextlib.contextmanager
    def in_place(self) -> Iterator[Discovery]:
        """Puts all of it in the place of sockets."""

        async def ask(query: dns.message.Message, address: str, **_: Any) -> Any:
            return self.answer(query, address), False

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dns.asyncquery, "udp_with_fallback", ask)
            discovery = Discovery([("192.0.2.53", 53)])
            patch.setattr(discovery, "_resolver", self)
            yield discovery

    @property
    def nameservers(self) -> list[str]:
        return ["192.0.2.53"]

    async def resolve(self, name: dns.name.Name, kind: Any, **_: Any) -> Any:
        """Stands in for :meth:`dns.asyncresolver.Resolver.resolve`."""
        text, query = _text(name), dns.message.make_query(name, kind)
        self.asked.append(("resolver", text, kind.name))
        known = [z for z in self.zones.values() if z.delegated and is_below(text, z.apex)]
        if (text, kind.name) in self.absent or not known:
            raise dns.resolver.NXDOMAIN(
                qnames=[name], responses={name: dns.message.make_response(query)}
            )
        if kind.name in ("A", "AAAA"):
            response = dns.message.make_response(query)
            if kind.name == "A":
                address = text[len("ns.") : -len(".test")]
                response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", address))
            return _Answer(response)
        zone = max(known, key=lambda z: len(z.apex))
        response = dns.message.make_response(query)
        _fill(response, zone, text, kind.name)
        return _Answer(response)

    def answer(self, query: dns.message.Message, address: str) -> dns.message.Message:
        question = query.question[0]
        name, kind = _text(question.name), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((address, name, kind))
        if address in self.silent:
            raise dns.exception.Timeout
        response = dns.message.make_response(query)
        held = [z for z in self.zones.values() if address in z.addresses]
        zone = max(
            (z for z in held if is_below(name, z.apex)), key=lambda z: len(z.apex), default=None
        )
        if zone is None or address in self.lame:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        below = [
            z
            for z in self.zones.values()
            if z.delegated and z.apex != zone.apex and is_below(z.apex, zone.apex)
            if is_below(name, z.apex)
        ]
        if below:
            cut = min(below, key=lambda z: len(z.apex))
            response.authority.append(_name_servers(cut))
            return response
        response.flags |= dns.flags.AA
        _fill(response, zone, name, kind)
        return response


@dataclass
class _Answer:
    response: dns.message.Message
    nameserver: str = "192.0.2.53"


def _fill(response: dns.message.Message, zone: Zone, name: str, kind: str) -> None:
    found = zone.found(name)
    for each in [each for each in found if each[0] in (kind, "CNAME", "DNAME")]:
        response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", each[0], each[1]))
    if name == zone.apex and kind == "NS":
        response.answer.append(_name_servers(zone))
    soa = "ns.test. host.test. 1 1 1 1 60"
    if name == zone.apex and kind == "SOA":
        response.answer.append(dns.rrset.from_text(f"{zone.apex}.", 60, "IN", "SOA", soa))
    if not response.answer:
        response.authority.append(dns.rrset.from_text(f"{zone.apex}.", 60, "IN", "SOA", soa))
        if not zone.exists(name):
            response.set_rcode(dns.rcode.NXDOMAIN)


def _name_servers(zone: Zone) -> dns.rrset.RRset:
    hosts = [f"ns.{address}.test." for address in zone.addresses]
    return dns.rrset.from_text_list(f"{zone.apex}.", 60, "IN", "NS", hosts)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
