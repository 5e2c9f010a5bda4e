"""What name servers, and what sits before them, do wrong: each vice a few lines.

A vice gets the question and says what the server says (see questions.Said). Those with arguments
are made (`Server(vice=capped(8))`), the others are the vice itself (`Server(vice=twice)`).
"""

from __future__ import annotations

import itertools
import random
import secrets
import struct
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable

from dnslib import CNAME, NS, QTYPE, RCODE, RR, TXT, DNSLabel, DNSRecord

from .answers import address_rr, soa
from .nameservers import Server, with_edns
from .questions import Later, Query, Question, Said, Vice
from .records import Zone
from .resolver import Mood, Resolver

if TYPE_CHECKING:
    from .world import World

# Losing and refusing


def silent(question: Question) -> Said:
    return None


def lose_first(count: int) -> Vice:
    return lambda question: None if question.number <= count else question.honest()


def says(rcode: str) -> Vice:
    return lambda question: _with(question, rcode=getattr(RCODE, rcode.upper()))


def servfail_at_first(count: int, rcode: str = "servfail") -> Vice:
    refuse = says(rcode)
    return lambda question: refuse(question) if question.number <= count else question.honest()


def servfail_now_and_then(chance: float) -> Vice:
    refuse = says("servfail")
    return lambda question: refuse(question) if random.random() < chance else question.honest()


def slow(seconds: float) -> Vice:
    return lambda question: Later(seconds, question.honest())


# Packets that are not the answer


def wrong_id(question: Question) -> Said:
    reply = question.honest()
    reply.header.id = (reply.header.id + 1) % 65536
    return reply


def wrong_question(question: Question) -> Said:
    reply = question.honest()
    reply.questions = [_same_but(question, "elsewhere.example")]
    return reply


def no_question(question: Question) -> Said:
    reply = question.honest()
    reply.questions = []
    return reply


def question_back(question: Question) -> Said:
    """What was asked, as it was asked: no answer (QR is not set)."""
    return bytes(question.request.pack())


def garbage(question: Question) -> Said:
    return b"\x00garbage"


def cut_off(question: Question) -> Said:
    """The right answer, but for its last byte, and no TC."""
    return bytes(question.honest().pack())[:-1]


def first(forged: Vice) -> Vice:
    """Someone forges a packet, which comes before the honest one."""
    return lambda question: [forged(question), question.honest()]


garbage_first = first(garbage)


def twice(question: Question) -> Said:
    return [question.honest(), question.honest()]


def wrong_case_of_name(question: Question) -> Said:
    """The names in other letters than were asked for, which is no mistake (RFC 4343)."""
    reply = question.honest()
    name = question.name.upper()
    reply.questions = [_same_but(question, name)]
    for rr in reply.rr:
        if str(rr.rname).rstrip(".").lower() == question.name:
            rr.rname = DNSLabel(name)
    return reply


# Leading astray


def referral_upwards(question: Question) -> Said:
    return _referral(question, "", "a.root-servers.net")


def referral_to_itself(question: Question) -> Said:
    server = question.server
    return _referral(question, question.apex, server.name, server.address)


def referral_sideways(other: Server) -> Vice:
    """The zone is said to be at another server."""
    return lambda question: _referral(question, question.apex, other.name, other.address)


def forges_alias(name: str, target: str, transport: str = "udp") -> Vice:
    """Someone on the way says that a CNAME stands at a name, in packets of one kind."""

    def vice(question: Question) -> Said:
        if question.name != name or question.transport != transport:
            return question.honest()
        reply = _with(question, aa=1)
        reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(target), ttl=600))
        return reply

    return vice


def answers_for_the_parent(question: Question) -> Said:
    """As if it held the parent's zone, in which there is no such name."""
    parent = Zone(question.apex.partition(".")[2])
    parent.ns_names = [question.server.name]
    reply = _with(question, rcode=RCODE.NXDOMAIN, aa=1)
    reply.add_auth(soa(parent))
    return reply


def not_authoritative(question: Question) -> Said:
    """The right answer, from memory so to say."""
    reply = question.honest()
    reply.header.aa = 0
    return reply


# EDNS and length


def drops_edns(question: Question) -> Said:
    """A firewall knows no EDNS and lets none through."""
    return None if question.edns else question.honest()


def forgets_edns(question: Question) -> Said:
    reply = question.honest()
    reply.ar = [rr for rr in reply.ar if rr.rtype != QTYPE.OPT]
    return reply


def formerr_for_edns(question: Question) -> Said:
    """A server from before RFC 2671 says that it cannot read this."""
    if not question.edns:
        return question.honest()
    reply = question.request.reply(ra=0, aa=0)
    reply.header.rcode = RCODE.FORMERR
    return reply


def truncates(question: Question) -> Said:
    """Has everything asked again over TCP."""
    if question.transport == "tcp":
        return question.honest()
    reply = _with(question, aa=1)
    reply.header.tc = 1
    return reply


def only_over(transport: str) -> Vice:
    return lambda question: question.honest() if question.transport == transport else None


# Hostile: what costs those who ask, or others


def refers_to_nobody(count: int, domain: str) -> Vice:
    """So many name servers of a domain of others, for whom one has to ask there; new ones each
    time (NXNSAttack)."""
    numbers = itertools.count()

    def vice(question: Question) -> Said:
        if question.name == question.apex:
            return question.honest()
        reply = _with(question)
        for _ in range(count):
            server = NS(f"ns{next(numbers)}.{domain}")
            reply.add_auth(RR(question.name, QTYPE.NS, rdata=server, ttl=86400))
        return reply

    return vice


def refers_to(addresses: Sequence[str]) -> Vice:
    """A zone of its own for each name, at one name server with these addresses."""

    def vice(question: Question) -> Said:
        if question.name == question.apex:
            return question.honest()
        host = f"ns.{question.apex}"
        reply = _referral(question, question.name, host)
        reply.add_ar(*(address_rr(host, address) for address in addresses))
        return reply

    return vice


def cnames_without_end(question: Question) -> Said:
    """Each name is an alias of another one, which nobody has asked for before."""
    if question.name == question.apex:
        return question.honest()
    reply = _with(question, aa=1)
    target = CNAME(f"{secrets.token_hex(8)}.{question.apex}")
    reply.add_answer(RR(question.name, QTYPE.CNAME, rdata=target, ttl=0))
    return reply


def many_texts(count: int) -> Vice:
    def vice(question: Question) -> Said:
        reply = _with(question, aa=1)
        for number in range(count):
            data = TXT(f"{number:08}")
            reply.add_answer(RR(question.name, QTYPE.TXT, rdata=data, ttl=60))
        return reply

    return vice


def many_additional(count: int) -> Vice:
    def vice(question: Question) -> Said:
        reply = question.honest()
        for number in range(count):
            host = f"host{number}.{question.apex}"
            reply.add_ar(address_rr(host, f"10.0.{number // 250}.{1 + number % 250}"))
        return reply

    return vice


def one_long_text(question: Question) -> Said:
    """Sixty kilobytes in one record."""
    reply = _with(question, aa=1)
    data = TXT([b"x" * 255] * 235)
    reply.add_answer(RR(question.name, QTYPE.TXT, rdata=data, ttl=60))
    return reply


def takes_long_to_read(count: int) -> Vice:
    """Names of 126 labels each, which compression makes of two bytes (RFC 1035, 4.1.4)."""

    def vice(question: Question) -> Said:
        if question.transport == "udp":
            return truncates(question)
        reply = _with(question, aa=1)
        reply.ar = []
        head = bytearray(reply.pack())
        long = len(head) + 12
        padding = b"\x01a" * 126 + b"\0"
        records = b"\0" + struct.pack("!HHIH", 10, 1, 0, len(padding) + 1) + b"\0" + padding
        pointer = struct.pack("!H", 0xC000 | long)
        records += (pointer + struct.pack("!HHIH", 5, 1, 0, 2) + pointer) * count
        head[6:8] = struct.pack("!H", 1 + count)
        return bytes(head) + records

    return vice


def floods(count: int) -> Vice:
    """So many packets for one question, none of which answers it."""
    return lambda question: [wrong_id(question)] * count


# Texts


def capped(count: int) -> Vice:
    """No more than so many texts, always the same."""

    def vice(question: Question) -> Said:
        reply = question.honest()
        _keep(reply, _texts(reply)[:count])
        return reply

    return vice


def rotating(count: int) -> Vice:
    """No more than so many texts, in turn."""

    def vice(question: Question) -> Said:
        reply = question.honest()
        texts = _texts(reply)
        start = (question.number - 1) * count % len(texts) if texts else 0
        _keep(reply, (texts + texts)[start : start + min(count, len(texts))])
        return reply

    return vice


# When and for whom


def only_for(fits: Callable[[str], bool], vice: Vice) -> Vice:
    """The vice for some names alone; `number` counts those."""
    counts: Counter[Server] = Counter()

    def chosen(question: Question) -> Said:
        if not fits(question.name):
            return question.honest()
        counts[question.server] += 1
        return vice(question.counted(counts[question.server]))

    return chosen


def only_for_type(type: str, vice: Vice) -> Vice:
    return lambda question: vice(question) if question.type == type else question.honest()


def during(begin: float, end: float, vice: Vice) -> Vice:
    """The vice between two moments, in seconds since the server's start."""
    return lambda question: vice(question) if begin <= question.elapsed < end else question.honest()


# In between


class Interceptor:
    """A middlebox that answers in a name server's place. It asks around itself, and remembers,
    absences too; `everywhere` puts it before all servers that there are."""

    def __init__(self, world: World, aa: bool = False) -> None:
        self._aa = aa
        self._servers = world.nameservers.started
        self._resolver = Resolver(world.nameservers, {})
        world.at_the_end.append(self._resolver.stop)

    def everywhere(self) -> None:
        for server in self._servers:
            server.vice = self

    def __call__(self, question: Question) -> Said:
        return self._resolver.pool.submit(self._reply, question)

    def _reply(self, question: Question) -> DNSRecord:
        found = self._resolver.look_up(question.name, question.type)
        reply = question.request.reply(ra=1, aa=int(self._aa))
        reply.header.rcode = found.rcode
        reply.add_answer(*found.answers)
        reply.add_auth(*found.authority)
        return with_edns(reply, question.request)


# Of resolvers (Resolver.vice)


def at_first(count: int, mood: str) -> Mood:
    """So many questions fare badly: "servfail", "refused" or "silent"."""
    seen: list[Query] = []

    def vice(query: Query) -> str | None:
        seen.append(query)
        return mood if len(seen) <= count else None

    return vice


def for_seconds(seconds: float, mood: str) -> Mood:
    """From the first question on."""
    began: list[float] = []

    def vice(query: Query) -> str | None:
        began.append(time.monotonic())
        return mood if began[-1] < began[0] + seconds else None

    return vice


def for_types(*types: str, mood: str = "servfail") -> Mood:
    return lambda query: mood if query.type in types else None


def _with(question: Question, rcode: int = 0, aa: int = 0) -> DNSRecord:
    reply = question.request.reply(ra=0, aa=aa)
    reply.header.rcode = rcode
    return with_edns(reply, question.request)


def _same_but(question: Question, name: str) -> Any:
    asked = question.request.q
    return type(asked)(name, asked.qtype, asked.qclass)


def _referral(question: Question, apex: str, host: str, address: str = "") -> DNSRecord:
    reply = _with(question)
    reply.add_auth(RR(apex, QTYPE.NS, rdata=NS(host), ttl=86400))
    if address:
        reply.add_ar(address_rr(host, address))
    return reply


def _texts(reply: DNSRecord) -> list[RR]:
    return [rr for rr in reply.rr if rr.rtype == QTYPE.TXT]


def _keep(reply: DNSRecord, texts: list[RR]) -> None:
    reply.rr = [rr for rr in reply.rr if rr.rtype != QTYPE.TXT] + texts
