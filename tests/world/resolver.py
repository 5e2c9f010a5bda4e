"""The caching recursive resolver that resolv.conf points to.

It asks the authoritative servers with real packets and remembers what they said, absences
too (RFC 2308): who asks it for a validation name too early makes the CA, which asks the same
cache from another address, fail. What there is, it keeps a moment only, as public CAs do.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Callable, Optional

from dnslib import EDNS0, QTYPE, RCODE, RR, DNSError, DNSRecord

from .answers import address_rr, ancestors
from .nameservers import NEAR, NEAR_IPV6, NameServers, read, room, say, with_edns
from .questions import Query, Said, log_entry
from .wire import Listener, Packet

ADDRESS = "127.0.0.53"
FOR_THE_CA = NEAR
BEHAVIOURS = ("ok", "hang", "refuse", "servfail", "missing")
LONGEST_CHAIN = 8
MOST_HOSTS = 16
TIMEOUT = 1.0
LONGEST_MEMORY = 0.5
AT_ONCE = 32
# What may be wrong with one question: "servfail", "refused" or "silent", or None for nothing.
Mood = Callable[[Query], Optional[str]]


@dataclass
class Found:
    """What is known of a name and type, and until when."""

    rcode: int
    answers: list[RR] = field(default_factory=list)
    authority: list[RR] = field(default_factory=list)
    until: float = 0.0


class Resolver:
    """`behaviour`, `lies`, `slow` (seconds for each answer) and `vice` (asked about each question)
    are for those who use resolv.conf, not for the CA; names in `hosts` are answered whatever the
    behaviour, so that the API can be found. `bogus` are zones that do not pass DNSSEC, of which
    nothing is told, to the CA neither, but to who does not want it checked (RFC 4035, 3.2.2)."""

    def __init__(self, nameservers: NameServers, hosts: Mapping[str, str]) -> None:
        self.hosts = dict(hosts)
        self.behaviour = "ok"
        self.slow = 0.0
        self.vice: Mood | None = None
        self.lies: dict[tuple[str, str], list[RR]] = {}
        self.bogus: set[str] = set()
        self.queries: list[Query] = []
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="world-resolver")
        self._nameservers = nameservers
        self._wire = nameservers.wire
        self._cache: dict[tuple[str, str], Found] = {}
        self._lock = threading.Lock()
        self._public: list[Listener] = []

    def start(self) -> None:
        self.open_desk(FOR_THE_CA)
        if self.behaviour != "missing":
            self._open()

    def open_desk(self, address: str, port: int = 53) -> None:
        """Listen elsewhere, too: a resolver that is in no resolv.conf, and behaves well."""
        self._wire.listen(_Desk(self, address).take, address, port=port)

    def stop(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)

    def behave(self, behaviour: str) -> None:
        """Change at run time; "missing" closes the port."""
        if behaviour not in BEHAVIOURS:
            raise ValueError(f"no such behaviour: {behaviour}")
        self.behaviour = behaviour
        if behaviour == "missing":
            self._wire.close(self._public)
            self._public.clear()
        elif not self._public:
            self._open()

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

    def _open(self) -> None:
        self._public.append(self._wire.listen(_Desk(self, ADDRESS).take, ADDRESS))

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

    def is_bogus(self, name: str, type: str) -> bool:
        """Whether an answer fails DNSSEC; a DS record is its parent's."""
        zones = ancestors(name, "")[1 if type == "DS" else 0 :]
        return any(zone in self.bogus for zone in zones)

    def _servers_of(self, name: str, type: str) -> list[str]:
        table = self._nameservers.delegations
        for apex in ancestors(name, "")[1 if type == "DS" else 0 :]:
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
        hosts = [str(rr.rdata).rstrip(".").lower() for rr in referred][:MOST_HOSTS]
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


class _Desk:
    """One address at which the resolver is asked."""

    def __init__(self, resolver: Resolver, address: str) -> None:
        self._resolver = resolver
        self._address = address

    def take(self, packet: Packet) -> None:
        request = read(packet)
        if request is None:
            return
        query = log_entry(request, packet, self._address)
        resolver = self._resolver
        resolver.queries.append(query)
        public = self._address == ADDRESS and query.name not in resolver.hosts
        mood = self._mood(query) if public else None
        if mood != "silent":
            said: Said = resolver.pool.submit(self._reply, request, query, public, mood)
            say(said, packet, query, room(request), resolver.slow if public else 0.0)

    def _mood(self, query: Query) -> str | None:
        resolver = self._resolver
        now = resolver.vice(query) if resolver.vice else None
        always = {"hang": "silent", "refuse": "refused", "servfail": "servfail"}
        return now or always.get(resolver.behaviour)

    def _reply(self, request: DNSRecord, query: Query, public: bool, mood: str | None) -> DNSRecord:
        resolver = self._resolver
        reply = request.reply(ra=1, aa=0)
        if mood:
            reply.header.rcode = getattr(RCODE, mood.upper())
        elif public and (query.name, query.type) in resolver.lies:
            reply.add_answer(*resolver.lies[query.name, query.type])
        elif not request.header.cd and resolver.is_bogus(query.name, query.type):
            reply.header.rcode = RCODE.SERVFAIL
        else:
            found = resolver.look_up(query.name, query.type)
            reply.header.rcode = found.rcode
            reply.add_answer(*found.answers)
            reply.add_auth(*found.authority)
        return with_edns(reply, request)


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
    for exchange in (_over_udp, _over_tcp):
        try:
            reply = DNSRecord.parse(exchange(question.pack(), address))
        except (OSError, DNSError):
            return None
        if not reply.header.tc:
            return reply
    return None


def _over_udp(question: bytes, address: str) -> bytes:
    with _near(address, socket.SOCK_DGRAM) as sock:
        sock.connect((address, 53))
        sock.send(question)
        end = time.monotonic() + TIMEOUT
        reply = b""
        while reply[:2] != question[:2]:
            sock.settimeout(max(0.001, end - time.monotonic()))
            reply = sock.recv(65535)
        return reply


def _over_tcp(question: bytes, address: str) -> bytes:
    with _near(address, socket.SOCK_STREAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect((address, 53))
        sock.sendall(len(question).to_bytes(2, "big") + question)
        with sock.makefile("rb") as stream:
            return stream.read(int.from_bytes(stream.read(2), "big"))


def _near(address: str, kind: socket.SocketKind) -> socket.socket:
    if ":" in address:
        sock = socket.socket(socket.AF_INET6, kind)
        own = NEAR_IPV6
    else:
        sock = socket.socket(socket.AF_INET, kind)
        own = NEAR
    sock.bind((own, 0))
    return sock


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
