"""Public DNS in memory: name servers and a resolver that give real messages, and no packets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from certbot_dns_aliyun.propagation.discovery import Discovery

RESOLVER = "192.0.2.53"
SOA = "ns.test. host.test. 1 1 1 1 60"


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


@dataclass
class Asked:
    """A question on its way. ``honest`` gives what the address would answer, whom it was put to."""

    query: dns.message.Message
    address: str
    name: str
    kind: str
    way: str
    honest: Callable[[], dns.message.Message]

    def respond(self, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
        response = dns.message.make_response(self.query)
        response.set_rcode(rcode)
        return response


#: What becomes of a question: an answer, an error, or nothing (None).
Act = Callable[[Asked], Optional[dns.message.Message]]


def lost(_: Asked) -> None:
    return None


def servfail(asked: Asked) -> dns.message.Message:
    return asked.respond(dns.rcode.SERVFAIL)


def refused(asked: Asked) -> dns.message.Message:
    return asked.respond(dns.rcode.REFUSED)


def unreachable(_: Asked) -> None:
    raise ConnectionRefusedError


def truncated(asked: Asked) -> dns.message.Message:
    """Over UDP alone; nothing but the question is left."""
    if asked.way == "tcp":
        return asked.honest()
    response = asked.respond()
    response.flags |= dns.flags.TC
    return response


def no_edns(asked: Asked) -> dns.message.Message:
    return asked.honest() if asked.query.edns < 0 else asked.respond(dns.rcode.FORMERR)


def refers_to(apex: str, *servers: str) -> Act:
    """Upwards, sideways or to itself: a referral to ``apex``."""

    def act(asked: Asked) -> dns.message.Message:
        response = asked.respond()
        hosts = list(servers) or ["ns.nowhere.test."]
        response.authority.append(dns.rrset.from_text_list(f"{apex}.", 60, "IN", "NS", hosts))
        return response

    return act


def answers_for(apex: str, rcode: dns.rcode.Rcode = dns.rcode.NXDOMAIN) -> Act:
    """With authority, that there is nothing, by the SOA of ``apex``."""

    def act(asked: Asked) -> dns.message.Message:
        response = asked.respond(rcode)
        response.flags |= dns.flags.AA
        response.authority.append(dns.rrset.from_text(f"{apex}.", 60, "IN", "SOA", SOA))
        return response

    return act


@dataclass
class Rule:
    """Let ``act`` answer the first questions (all, if ``first`` is None) of some sort."""

    act: Act
    first: int | None = None
    name: str | None = None
    kind: str | None = None
    way: str | None = None

    def is_for(self, asked: Asked) -> bool:
        if self.first == 0 or self.name not in (None, asked.name):
            return False
        return self.kind in (None, asked.kind) and self.way in (None, asked.way)


class Internet:
    """All zones. ``silent``: addresses that do not answer; ``lame``: those that refuse;
    ``absent``: what the resolver believes not to exist; ``delays``: seconds until an answer of an
    address; ``rules``: what else becomes of questions to an address, of which the first counts that
    is for the question. In all of these the resolver goes by the name "resolver", and further ones
    by their addresses. ``ways``: over what each question came."""

    def __init__(self) -> None:
        self.zones: dict[str, Zone] = {}
        self.silent: set[str] = set()
        self.lame: set[str] = set()
        self.absent: set[tuple[str, str]] = set()
        self.delays: dict[str, float] = {}
        self.rules: dict[str, list[Rule]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.ways: list[tuple[str, str]] = []
        self.resolvers = {RESOLVER: "resolver"}

    def add(self, apex: str, *addresses: str, delegated: bool = True) -> Zone:
        self.zones[apex] = Zone(apex, list(addresses), delegated=delegated)
        return self.zones[apex]

    def treat(self, address: str, act: Act, first: int | None = None, **only: str) -> None:
        """Let an act answer questions to an address: the first ones or all, all or those ``only``
        of a name, a kind or a way ("udp", "tcp")."""
        self.rules.setdefault(address, []).append(Rule(act, first, **only))

    def intercept(self, address: str, authoritative: bool = False) -> None:
        """Let the resolver answer what is asked of an address."""

        def act(asked: Asked) -> dns.message.Message:
            response = self._resolve(asked.query, asked.name, asked.kind)
            if authoritative:
                response.flags |= dns.flags.AA
            return response

        self.treat(address, act)

    def asked_of(self, who: str) -> list[str]:
        return [name for to, name, _ in self.asked if to == who]

    @contextlib.contextmanager
    def in_place(self, resolvers: tuple[str, ...] = (RESOLVER,)) -> Iterator[Discovery]:
        """Puts all of it in the place of sockets. What is lost takes the time that its asker gives
        it, by the loop's time."""

        async def udp(query: dns.message.Message, where: str, **options: Any) -> Any:
            response = await self._exchange(query, where, "udp", **options)
            if response.flags & dns.flags.TC and options.get("raise_on_truncation"):
                raise dns.message.Truncated(message=response)
            return response

        async def tcp(query: dns.message.Message, where: str, **options: Any) -> Any:
            return await self._exchange(query, where, "tcp", **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dns.asyncquery, "udp", udp)
            patch.setattr(dns.asyncquery, "tcp", tcp)
            self.resolvers.update({a: a for a in resolvers if a not in self.resolvers})
            yield Discovery([(address, 53) for address in resolvers])

    async def _exchange(
        self, query: dns.message.Message, where: str, way: str, timeout: float, **_: Any
    ) -> dns.message.Message:
        who = self.resolvers.get(where, where)
        delay = self.delays.get(who, 0.0)
        response = self.answer(query, who, way)
        if response is None or delay >= timeout:
            await asyncio.sleep(timeout)
            raise dns.exception.Timeout
        await asyncio.sleep(delay)
        return response

    def answer(
        self, query: dns.message.Message, who: str, way: str = "udp"
    ) -> dns.message.Message | None:
        question = query.question[0]
        name, kind = _text(question.name), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((who, name, kind))
        self.ways.append((who, way))

        def honest() -> dns.message.Message:
            if who in self.resolvers.values():
                return self._resolve(query, name, kind)
            return self._serve(query, name, kind, who)

        if who in self.silent:
            return None
        asked = Asked(query, who, name, kind, way, honest)
        rule = next((rule for rule in self.rules.get(who, []) if rule.is_for(asked)), None)
        if rule is None:
            return honest()
        if rule.first is not None:
            rule.first -= 1
        return rule.act(asked)

    def _resolve(self, query: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        known = [z for z in self.zones.values() if z.delegated and is_below(name, z.apex)]
        if (name, kind) in self.absent or not known:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in ("A", "AAAA") and name.endswith(".test"):
            if kind == "A":
                address = name[len("ns.") : -len(".test")]
                response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "A", address))
        else:
            _fill(response, max(known, key=lambda z: len(z.apex)), name, kind)
        return response

    def _serve(
        self, query: dns.message.Message, name: str, kind: str, address: str
    ) -> dns.message.Message:
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


def _fill(response: dns.message.Message, zone: Zone, name: str, kind: str) -> None:
    found = zone.found(name)
    for each in [each for each in found if each[0] in (kind, "CNAME", "DNAME")]:
        response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", each[0], each[1]))
    if name == zone.apex and kind == "NS":
        response.answer.append(_name_servers(zone))
    if name == zone.apex and kind == "SOA":
        response.answer.append(dns.rrset.from_text(f"{zone.apex}.", 60, "IN", "SOA", SOA))
    if not response.answer:
        response.authority.append(dns.rrset.from_text(f"{zone.apex}.", 60, "IN", "SOA", SOA))
        if not zone.exists(name) and not found:
            response.set_rcode(dns.rcode.NXDOMAIN)


def _name_servers(zone: Zone) -> dns.rrset.RRset:
    hosts = [f"ns.{address}.test." for address in zone.addresses]
    return dns.rrset.from_text_list(f"{zone.apex}.", 60, "IN", "NS", hosts)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower().strip(".")
