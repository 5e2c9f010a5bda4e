"""Authoritative name servers, each address with its own lag, its own way there and its own vices.

What their zones answer is in answers.py, what carries their packets in wire.py.
"""

from __future__ import annotations

import itertools
import random
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Callable

from dnslib import EDNS0, QTYPE, RCODE, DNSError, DNSRecord

from . import namespace
from .answers import address_rr as address_rr
from .answers import answer, sign
from .answers import enclosing as enclosing
from .answers import soa as soa
from .questions import Later, Query, Question, Said, Vice, has_edns, log_entry
from .records import Zone
from .wire import Listener, Packet, Wire

BEHAVIOURS = ("ok", "dead", "silent", "refused", "servfail", "lame", "truncating")
# Who asks from here is somewhere else than certbot: the CA's resolver, which is near to everything.
NEAR = "127.0.0.54"
NEAR_IPV6 = "fd54::54"
TCP_RETRANSMISSION = 1.0


@dataclass(eq=False)
class Server:
    """One address of one name server. The same `name` on several makes them addresses of one
    name server; `machines` are the lags of several machines behind the one address.
    `behaviour` may be changed while it runs, but for "dead", which is bound to nothing.
    `signed`: each answer comes with signatures (RFC 4034), whether or not they were asked for;
    they hold for a reader who does not check them.
    `rtt`, `jitter` (added to it, drawn for each answer) and `loss` (the chance that a question
    gets no answer; over TCP, that it costs a second more) say what the way to it is like, and
    all that it says goes through `vice` (see vices.py); neither is for those who are NEAR,
    unless there is `vice_for_all`."""

    lag: float = 0.2
    name: str = ""
    behaviour: str = "ok"
    machines: Sequence[float] = ()
    vanishes: tuple[float, float] | None = None
    delay: float = 0.0
    udp: bool = True
    tcp: bool = True
    ipv6: bool = False
    signed: bool = False
    address: str = ""
    content: Zone | None = None
    rtt: float = 0.0
    loss: float = 0.0
    jitter: Callable[[], float] | None = None
    vice: Vice | None = None
    vice_for_all: bool = False
    zones: list[Zone] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.behaviour not in BEHAVIOURS:
            raise ValueError(f"no such behaviour: {self.behaviour}")

    def lag_for(self, port: int) -> float:
        if not self.machines:
            return self.lag
        return self.machines[zlib.crc32(str(port).encode()) % len(self.machines)]

    @property
    def slowest(self) -> float:
        return max(self.machines) if self.machines else self.lag


def name_server(name: str, count: int = 8, **same: Any) -> list[Server]:
    """The addresses of one name server, each as `same` says."""
    return [Server(name=name, **same) for _ in range(count)]


class NameServers:
    """All authoritative servers of a world, the parents' among them."""

    def __init__(self) -> None:
        self.queries: list[Query] = []
        self.delegations: dict[str, list[Server]] = {}
        self.wire = Wire()
        self.started: list[Server] = []
        self._listeners: dict[Server, Listener] = {}
        self._numbers = itertools.count(1)

    def start(self, server: Server) -> Server:
        if server in self.started:
            return server
        self.started.append(server)
        named = server.name and server.address
        number = 0 if named else next(self._numbers)
        server.name = server.name or f"dns{number}.hichina.com"
        if not server.address:
            server.address = _address(number, server.ipv6)
            if server.ipv6:
                namespace.add_address(server.address)
                namespace.add_address(NEAR_IPV6)
        if server.behaviour != "dead":
            take = Answerer(server, self.queries).take
            self._listeners[server] = self.wire.listen(take, server.address, server.udp, server.tcp)
        return server

    def serve(self, zone: Zone, servers: Iterable[Server]) -> None:
        """Let servers answer for a zone, or for what they hold in its place."""
        for server in servers:
            self.start(server)
            server.zones.append(server.content or zone)

    def asked(self, name: str, type: str = "TXT") -> list[Query]:
        return [each for each in list(self.queries) if (each.name, each.type) == (name, type)]

    def stop(self) -> None:
        self.wire.stop()


class Answerer:
    """What one address says."""

    def __init__(self, server: Server, queries: list[Query]) -> None:
        self._server = server
        self._queries = queries
        self._started = time.monotonic()
        self._numbers = itertools.count(1)

    def take(self, packet: Packet) -> None:
        server = self._server
        request = read(packet)
        if request is None:
            return
        query = log_entry(request, packet, server.address)
        self._queries.append(query)
        near = packet.source in (NEAR, NEAR_IPV6)
        after = 0.0 if near else self._travels(packet)
        if after is None:
            return
        said: Said = None
        if server.vice is not None and (server.vice_for_all or not near):
            said = server.vice(self._question(request, query))
        elif server.behaviour != "silent":
            said = self._honest(request, query)
        say(said, packet, query, room(request), after + server.delay)

    def _travels(self, packet: Packet) -> float | None:
        """How long the question and its answer are on their way; None if one gets lost."""
        server = self._server
        seconds = server.rtt + (server.jitter() if server.jitter else 0.0)
        lost = server.loss > 0 and random.random() < server.loss
        if packet.transport == "udp":
            return None if lost else seconds
        return seconds * (2 if packet.first else 1) + (TCP_RETRANSMISSION if lost else 0)

    def _question(self, request: DNSRecord, query: Query) -> Question:
        return Question(
            server=self._server,
            request=request,
            name=query.name,
            type=query.type,
            transport=query.transport,
            port=query.port,
            number=next(self._numbers),
            elapsed=time.monotonic() - self._started,
            honest=lambda: self._honest(request, query),
        )

    def _honest(self, request: DNSRecord, query: Query) -> DNSRecord:
        server = self._server
        reply = request.reply(ra=0, aa=0)
        if server.behaviour in ("refused", "servfail"):
            reply.header.rcode = getattr(RCODE, server.behaviour.upper())
        elif server.behaviour == "truncating" and query.transport == "udp":
            reply.header.aa, reply.header.tc = 1, 1
        elif server.behaviour != "lame":
            lag = server.lag_for(query.port)
            answer(reply, server.zones, query.name, query.type, lag, server.vanishes)
            if server.signed:
                sign(reply)
        return with_edns(reply, request)


def read(packet: Packet) -> DNSRecord | None:
    """The request; None for what is none."""
    with suppress(DNSError):
        request = DNSRecord.parse(packet.data)
        if request.questions and not request.header.qr:
            return request
    return None


def with_edns(reply: DNSRecord, request: DNSRecord) -> DNSRecord:
    if has_edns(request):
        reply.add_ar(EDNS0(udp_len=1232))
    return reply


def room(request: DNSRecord) -> int:
    """How long an answer over UDP may be."""
    options = [each for each in request.ar if each.rtype == QTYPE.OPT]
    return max(512, options[0].rclass) if options else 512


def say(said: Said, packet: Packet, query: Query, room: int, after: float = 0.0) -> None:
    """Send it, and note it; for the thread of the wire."""
    if isinstance(said, list):
        for each in said:
            say(each, packet, query, room, after)
    elif isinstance(said, Later):
        say(said.said, packet, query, room, after + said.seconds)
    elif isinstance(said, Future):
        said.add_done_callback(
            lambda found: packet.wire.soon(_say_found, found, packet, query, room, after)
        )
    elif isinstance(said, bytes):
        packet.reply(said, after)
    elif said is not None:
        query.rcode, query.answers = RCODE.get(said.header.rcode), len(said.rr)
        data = said.pack()
        if packet.transport == "udp" and len(data) > room:
            data = _truncated(said).pack()
        packet.reply(data, after)


def _truncated(reply: DNSRecord) -> DNSRecord:
    short: DNSRecord = reply.truncate()
    short.add_question(*reply.questions)
    short.add_ar(*(each for each in reply.ar if each.rtype == QTYPE.OPT))
    return short


def _say_found(found: Future[Any], packet: Packet, query: Query, room: int, after: float) -> None:
    if found.cancelled():
        return
    error = found.exception()
    if isinstance(error, Exception):
        packet.wire.broken.append(error)
    else:
        say(found.result(), packet, query, room, after)


def _address(number: int, ipv6: bool) -> str:
    if ipv6:
        return f"fd53::{number:x}"
    return f"127.0.{1 + (number - 1) // 249}.{1 + (number - 1) % 249}"
