"""Authoritative name servers, each address with its own lag and its own vices.

dnslib reads and writes the packets and listens; this module says what a zone answers
(RFC 1034, 4.3.2, with wildcards by RFC 4592 and negative answers by RFC 2308).
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dnslib import (
    AAAA,
    CNAME,
    EDNS0,
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
    DNSError,
    DNSRecord,
)
from dnslib.server import BaseResolver, DNSLogger, DNSServer, TCPServer, UDPServer

from . import namespace
from .records import Record, Zone

LONGEST_CNAME_CHAIN = 8
IDLE = 5.0
SO_RCVBUFFORCE = 33
BURST = 4_000_000
BEHAVIOURS = ("ok", "dead", "silent", "refused", "servfail", "lame", "truncating")


@dataclass
class Query:
    """One question as a server saw it, and what it said."""

    server: str
    name: str
    type: str
    transport: str
    port: int
    recursion_desired: bool
    at: float = field(default_factory=time.monotonic)
    rcode: str | None = None
    answers: int = 0


@dataclass(eq=False)
class Server:
    """One address of one name server. The same `name` on several makes them addresses of one
    name server; `machines` are the lags of several machines behind the one address.
    `behaviour` may be changed while it runs, but for "dead", which is bound to nothing.
    `signed`: each answer comes with signatures (RFC 4034), whether or not they were asked for;
    they hold for a reader who does not check them."""

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


class NameServers:
    """All authoritative servers of a world, the parents' among them."""

    def __init__(self) -> None:
        self.queries: list[Query] = []
        self.delegations: dict[str, list[Server]] = {}
        self._listeners: list[Listener] = []
        self._started: list[Server] = []
        self._numbers = itertools.count(1)

    def start(self, server: Server) -> Server:
        if server in self._started:
            return server
        self._started.append(server)
        named = server.name and server.address
        number = 0 if named else next(self._numbers)
        server.name = server.name or f"dns{number}.hichina.com"
        if not server.address:
            server.address = _address(number, server.ipv6)
            if server.ipv6:
                namespace.add_address(server.address)
        if server.behaviour != "dead":
            answerer = Answerer(server, self.queries)
            self._listeners += listeners(answerer, server.address, server.udp, server.tcp)
        return server

    def serve(self, zone: Zone, servers: Iterable[Server]) -> None:
        """Let servers answer for a zone, or for what they hold in its place."""
        for server in servers:
            self.start(server)
            server.zones.append(server.content or zone)

    def asked(self, name: str, type: str = "TXT") -> list[Query]:
        return [each for each in list(self.queries) if (each.name, each.type) == (name, type)]

    def stop(self) -> None:
        stop_all(self._listeners)


class Answerer(BaseResolver):  # type: ignore[misc]
    """What one address says."""

    def __init__(self, server: Server, queries: list[Query]) -> None:
        self._server = server
        self._queries = queries

    def resolve(self, request: DNSRecord, handler: Any) -> DNSRecord:
        server, query = self._server, log_query(request, handler, self._server.address)
        self._queries.append(query)
        time.sleep(server.delay)
        reply = request.reply(ra=0, aa=0)
        if server.behaviour in ("silent", "dead"):
            fall_silent(handler)
        if server.behaviour in ("refused", "servfail"):
            reply.header.rcode = getattr(RCODE, server.behaviour.upper())
        elif server.behaviour == "truncating" and handler.protocol == "udp":
            reply.header.aa, reply.header.tc = 1, 1
        elif server.behaviour != "lame":
            lag = server.lag_for(query.port)
            answer(reply, server.zones, query.name, query.type, lag, server.vanishes)
            if server.signed:
                sign(reply)
        finish(request, reply, handler, query)
        return reply


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
        if view.refer(reply, name):
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

    def refer(self, reply: DNSRecord, name: str) -> bool:
        """Answer with a referral where the name is at or below a delegated child."""
        for cut in ancestors(name, self.zone.apex):
            servers = [record for record in self.at(cut) if record.type == "NS"]
            if servers and cut != self.zone.apex:
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
    kinds = {"A": A, "AAAA": AAAA, "NS": NS, "CNAME": CNAME}
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


def _address(number: int, ipv6: bool) -> str:
    if ipv6:
        return f"fd53::{number:x}"
    return f"127.0.{1 + (number - 1) // 249}.{1 + (number - 1) % 249}"


def question_name(request: DNSRecord) -> str:
    return b".".join(request.q.qname.label).decode("ascii", "replace").lower()


def log_query(request: DNSRecord, handler: Any, address: str) -> Query:
    return Query(
        server=address,
        name=question_name(request),
        type=QTYPE.get(request.q.qtype),
        transport=handler.protocol,
        port=handler.client_address[1],
        recursion_desired=bool(request.header.rd),
    )


def finish(request: DNSRecord, reply: DNSRecord, handler: Any, query: Query) -> None:
    """Keep to the size that the client takes, and note what was said."""
    options = [each for each in request.ar if each.rtype == QTYPE.OPT]
    handler.udplen = max(512, options[0].rclass) if options else 512
    if options:
        reply.add_ar(EDNS0(udp_len=1232))
    query.rcode, query.answers = RCODE.get(reply.header.rcode), len(reply.rr)


def fall_silent(handler: Any) -> None:
    """Leave a question without an answer; over TCP, keep the connection open a while."""
    if handler.protocol == "tcp":
        time.sleep(30)
    raise DNSError("not answered")


class _RoomyTCPServer(TCPServer):  # type: ignore[misc]
    request_queue_size = 128


class _RoomyUDPServer(UDPServer):  # type: ignore[misc]
    """With room for a burst of questions; beyond the system's limit for who is really root."""

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BURST)
        with suppress(PermissionError):
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BURST)
        super().server_bind()


class Listener:
    """dnslib's server on one address and transport, in a thread."""

    def __init__(self, answerer: BaseResolver, address: str, tcp: bool, port: int = 53) -> None:
        quiet = DNSLogger("-request,-reply,-truncated,-error", prefix=False)
        kind = _RoomyTCPServer if tcp else _RoomyUDPServer
        dns = DNSServer(answerer, address=address, port=port, tcp=tcp, logger=quiet, server=kind)
        self._server = dns.server
        self._tcp = tcp
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": IDLE}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        ending = threading.Thread(target=self._server.shutdown)
        ending.start()
        while ending.is_alive():
            self._wake()
            ending.join(0.02)
        self._server.server_close()

    def _wake(self) -> None:
        """The server looks up from its wait only when something arrives."""
        kind = socket.SOCK_STREAM if self._tcp else socket.SOCK_DGRAM
        with socket.socket(self._server.address_family, kind) as poke:
            poke.connect(self._server.server_address)
            if not self._tcp:
                poke.send(b"")


def listeners(
    answerer: BaseResolver, address: str, udp: bool = True, tcp: bool = True, port: int = 53
) -> list[Listener]:
    transports = [over_tcp for over_tcp in (False, True) if (tcp if over_tcp else udp)]
    return [Listener(answerer, address, over_tcp, port) for over_tcp in transports]


def stop_all(running: list[Listener]) -> None:
    stoppers = [threading.Thread(target=each.stop) for each in running]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join()
    running.clear()
