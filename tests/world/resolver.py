"""The caching recursive resolver that resolv.conf points to.

It asks the authoritative servers with real packets and remembers what they said, absences
too (RFC 2308): who asks it for a validation name too early makes the CA, which asks the same
cache from another address, fail. What there is, it keeps a moment only, as public CAs do.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dnslib import EDNS0, QTYPE, RCODE, RR, DNSRecord
from dnslib.server import BaseResolver

from .nameservers import (
    Listener,
    NameServers,
    Query,
    address_rr,
    ancestors,
    fall_silent,
    finish,
    listeners,
    log_query,
    stop_all,
)

ADDRESS = "127.0.0.53"
FOR_THE_CA = "127.0.0.54"
BEHAVIOURS = ("ok", "hang", "refuse", "servfail", "missing")
LONGEST_CHAIN = 8
TIMEOUT = 1.0
LONGEST_MEMORY = 0.5


@dataclass
class Found:
    """What is known of a name and type, and until when."""

    rcode: int
    answers: list[RR] = field(default_factory=list)
    authority: list[RR] = field(default_factory=list)
    until: float = 0.0


class Resolver(BaseResolver):  # type: ignore[misc]
    """`behaviour` and `lies` are for those who use resolv.conf, not for the CA; names in
    `hosts` are answered whatever the behaviour, so that the API can be found."""

    def __init__(self, nameservers: NameServers, hosts: Mapping[str, str]) -> None:
        self.hosts = dict(hosts)
        self.behaviour = "ok"
        self.lies: dict[tuple[str, str], list[RR]] = {}
        self.queries: list[Query] = []
        self._nameservers = nameservers
        self._cache: dict[tuple[str, str], Found] = {}
        self._lock = threading.Lock()
        self._public: list[Listener] = []
        self._private: list[Listener] = []

    def start(self) -> None:
        self._private = listeners(_Desk(self, FOR_THE_CA), FOR_THE_CA)
        if self.behaviour != "missing":
            self._public = listeners(_Desk(self, ADDRESS), ADDRESS)

    def open_desk(self, address: str, port: int = 53) -> None:
        """Listen elsewhere, too: a resolver that is in no resolv.conf, and behaves well."""
        self._private += listeners(_Desk(self, address), address, port=port)

    def stop(self) -> None:
        stop_all(self._public)
        stop_all(self._private)

    def behave(self, behaviour: str) -> None:
        """Change at run time; "missing" closes the port."""
        if behaviour not in BEHAVIOURS:
            raise ValueError(f"no such behaviour: {behaviour}")
        self.behaviour = behaviour
        if behaviour == "missing":
            stop_all(self._public)
        elif not self._public:
            self._public = listeners(_Desk(self, ADDRESS), ADDRESS)

    def lie(self, name: str, type: str, *records: RR) -> None:
        """Answer this instead of the truth; without records, that there are none."""
        self.lies[name.lower(), type] = list(records)

    def asked(self, name: str, type: str | None = None, server: str = ADDRESS) -> list[Query]:
        return [
            query
            for query in list(self.queries)
            if query.name == name and query.server == server and type in (None, query.type)
        ]

    def remember_absence(self, name: str, type: str, seconds: float = 3600.0) -> None:
        """Put a negative answer into the cache, as if somebody had asked too early."""
        with self._lock:
            self._cache[name, type] = Found(RCODE.NXDOMAIN, until=time.monotonic() + seconds)

    def forget(self) -> None:
        with self._lock:
            self._cache.clear()

    def look_up(self, name: str, type: str, depth: int = 0) -> Found:
        if name in self.hosts:
            rr = address_rr(name, self.hosts[name])
            return Found(RCODE.NOERROR, [rr] if QTYPE.get(rr.rtype) == type else [])
        known = self._remembered(name, type)
        if known is not None:
            return known
        found = self._ask_around(name, type, self._servers_of(name, type), depth)
        self._follow_alias(found, type, depth)
        with self._lock:
            self._cache[name, type] = found
        return found

    def _remembered(self, name: str, type: str) -> Found | None:
        with self._lock:
            found = self._cache.get((name, type))
        if found is None or found.until <= time.monotonic():
            return None
        left = int(found.until - time.monotonic())
        for rr in found.answers + found.authority:
            rr.ttl = min(rr.ttl, left)
        return found

    def _servers_of(self, name: str, type: str) -> list[str]:
        table = self._nameservers.delegations
        for apex in ancestors(name, ""):
            if apex in table:
                return [server.address for server in table[apex]]
        return []

    def _ask_around(self, name: str, type: str, addresses: list[str], depth: int) -> Found:
        for _ in range(LONGEST_CHAIN):
            reply = _ask_any(addresses, name, type)
            if reply is None or reply.header.rcode not in (RCODE.NOERROR, RCODE.NXDOMAIN):
                return Found(RCODE.SERVFAIL)
            referred = [rr for rr in reply.auth if rr.rtype == QTYPE.NS]
            if reply.rr or reply.header.aa or not referred:
                return _found(reply)
            addresses = self._addresses_of(reply, referred, depth)
        return Found(RCODE.SERVFAIL)

    def _addresses_of(self, reply: DNSRecord, referred: list[RR], depth: int) -> list[str]:
        glue = [str(rr.rdata) for rr in reply.ar if rr.rtype in (QTYPE.A, QTYPE.AAAA)]
        if glue or depth >= LONGEST_CHAIN:
            return glue
        hosts = [str(rr.rdata).rstrip(".").lower() for rr in referred]
        return [
            str(rr.rdata)
            for host in hosts
            for type in ("A", "AAAA")
            for rr in self.look_up(host, type, depth + 1).answers
        ]

    def _follow_alias(self, found: Found, type: str, depth: int) -> None:
        last = found.answers[-1] if found.answers else None
        if last is None or last.rtype != QTYPE.CNAME or type == "CNAME":
            return
        if depth >= LONGEST_CHAIN:
            found.rcode = RCODE.SERVFAIL
            return
        further = self.look_up(str(last.rdata).rstrip(".").lower(), type, depth + 1)
        found.answers += further.answers
        found.authority = further.authority
        found.rcode = further.rcode
        found.until = min(found.until, further.until)


class _Desk(BaseResolver):  # type: ignore[misc]
    """One address at which the resolver is asked."""

    def __init__(self, resolver: Resolver, address: str) -> None:
        self._resolver = resolver
        self._address = address

    def resolve(self, request: DNSRecord, handler: Any) -> DNSRecord:
        resolver, query = self._resolver, log_query(request, handler, self._address)
        resolver.queries.append(query)
        reply = request.reply(ra=1, aa=0)
        public = self._address == ADDRESS and query.name not in resolver.hosts
        if public and resolver.behaviour == "hang":
            fall_silent(handler)
        if public and resolver.behaviour in ("refuse", "servfail"):
            reply.header.rcode = RCODE.REFUSED if resolver.behaviour == "refuse" else 2
        elif public and (query.name, query.type) in resolver.lies:
            reply.add_answer(*resolver.lies[query.name, query.type])
        else:
            found = resolver.look_up(query.name, query.type)
            reply.header.rcode = found.rcode
            reply.add_answer(*found.answers)
            reply.add_auth(*found.authority)
        finish(request, reply, handler, query)
        return reply


def _ask_any(addresses: list[str], name: str, type: str) -> DNSRecord | None:
    for address in random.sample(addresses, len(addresses))[:4]:
        reply = _ask(address, name, type)
        if reply is None or reply.header.rcode not in (RCODE.NOERROR, RCODE.NXDOMAIN):
            continue
        if reply.header.aa or reply.rr or reply.auth:  # else the server is lame
            return reply
    return None


def _ask(address: str, name: str, type: str) -> DNSRecord | None:
    question = DNSRecord.question(name or ".", type)
    question.header.rd = 0
    question.add_ar(EDNS0(udp_len=1232))
    for over_tcp in (False, True):
        try:
            packet = question.send(address, 53, tcp=over_tcp, timeout=TIMEOUT, ipv6=":" in address)
        except OSError:
            return None
        reply = DNSRecord.parse(packet)
        if not reply.header.tc:
            return reply
    return None


def _found(reply: DNSRecord) -> Found:
    soas = [rr for rr in reply.auth if rr.rtype == QTYPE.SOA]
    seconds: float
    if reply.rr:
        seconds = min(LONGEST_MEMORY, *(rr.ttl for rr in reply.rr))
    else:
        seconds = min((min(rr.ttl, rr.rdata.times[4]) for rr in soas), default=0)
    until = time.monotonic() + seconds
    answers = [rr for rr in reply.rr if rr.rtype != QTYPE.RRSIG]
    return Found(reply.header.rcode, answers, [] if answers else soas, until)
