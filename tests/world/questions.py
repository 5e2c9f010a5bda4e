"""What a name server is asked, as its log keeps it and as a vice sees it."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from dnslib import QTYPE, DNSRecord

from .wire import Packet

if TYPE_CHECKING:
    from .nameservers import Server


@dataclass
class Query:
    """One question as a server saw it, and what it said (the last, if it said more)."""

    server: str
    name: str
    type: str
    transport: str
    port: int
    recursion_desired: bool
    at: float = field(default_factory=time.monotonic)
    rcode: str | None = None
    answers: int = 0
    source: str = ""


@dataclass(frozen=True)
class Question:
    """One question, for a vice. `number` counts, from 1, those that the vice was asked at this
    server, and `elapsed` the seconds since the server's start."""

    server: Server
    request: DNSRecord
    name: str
    type: str
    transport: str
    port: int
    number: int
    elapsed: float
    honest: Callable[[], DNSRecord]
    """Builds the reply that the server would give."""

    def counted(self, number: int) -> Question:
        return replace(self, number=number)

    @property
    def edns(self) -> bool:
        return has_edns(self.request)

    @property
    def apex(self) -> str:
        """The apex of the zone that the server would answer from."""
        apexes = [zone.apex for zone in self.server.zones]
        fitting = [apex for apex in apexes if f".{self.name}".endswith(f".{apex}" if apex else "")]
        return max(fitting, key=len, default="")


@dataclass(frozen=True)
class Later:
    """To be said some seconds later."""

    seconds: float
    said: Said


# What a server says: one packet, several, or nothing; a future is for who has to find out first.
Said = Optional[Union[DNSRecord, bytes, Later, "Future[Any]", list[Any]]]
Vice = Callable[[Question], Said]


def log_entry(request: DNSRecord, packet: Packet, server: str) -> Query:
    return Query(
        server=server,
        name=b".".join(request.q.qname.label).decode("ascii", "replace").lower(),
        type=QTYPE.get(request.q.qtype),
        transport=packet.transport,
        port=packet.port,
        recursion_desired=bool(request.header.rd),
        source=packet.source,
    )


def has_edns(message: DNSRecord) -> bool:
    return any(each.rtype == QTYPE.OPT for each in message.ar)
