"""Ask a zone's name servers about a name until one gives a useful answer, with patience.

One is asked; the next as well when that fails or lets its head start pass. Each is asked again
while there is hope: a packet may get lost, and a server may fail for a moment. An answer of a
server that does not serve the zone (a lame one) counts for nothing.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Mapping, Sequence

import dns.rdatatype

from certbot_dns_aliyun.names import is_within
from certbot_dns_aliyun.propagation.budget import Budget
from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.interception import obstacle
from certbot_dns_aliyun.propagation.listing import listed
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply

#: Seconds in all: where servers fail, which may pass; where none can be heard at all; and where all
#: have said that they do not serve the zone, which they hardly take back.
_PATIENCE = 20.0
_PATIENCE_WITH_SILENCE = 12.0
_PATIENCE_WITH_REFUSALS = 6.0
#: Seconds until the next server is asked, too, unless one has failed: about two round trips.
_SHORTEST_HEAD_START = 0.2
_LONGEST_HEAD_START = 0.5
#: Seconds between two questions to one server: after the first one, and at most.
_PAUSE = 0.25
_LONGEST_PAUSE = 2.0
#: Name servers of a zone that are asked over TCP.
_ASKED_OVER_TCP = 3

_SILENCE = frozenset({Outcome.SILENT, Outcome.UNREACHABLE})
_REFUSALS = frozenset(
    {
        Outcome.REFUSING,
        Outcome.NOT_AUTHORITATIVE,
        Outcome.TOO_MUCH,
        Outcome.INTERCEPTED,
    }
)


class UnreadError(Exception):
    """No name server of a zone gave a useful answer; the text says how each took the question."""


async def first_useful(
    discovery: Discovery,
    zone: str,
    servers: Sequence[NameServer],
    name: str,
    kind: dns.rdatatype.RdataType = dns.rdatatype.TXT,
) -> Reply:
    """Give the first useful answer of a zone's name servers about a name.

    It has the authority of the zone, or of one between it and the name, or leads to such a one.

    :raises UnreadError: if there is none in time
    """
    replies: asyncio.Queue[tuple[NameServer, Reply]] = asyncio.Queue()
    budget = discovery.budget
    budget.zone = zone
    waiting = random.sample(servers, len(servers))
    heard: dict[Contact, Outcome] = {}
    clock, tasks = discovery.clock, []
    started = clock.now()
    try:
        head_start = _LONGEST_HEAD_START
        while clock.now() - started < _patience(heard, len(servers)):
            if budget.is_spent:
                raise UnreadError(str(budget))
            if waiting:
                contact = discovery.contact(waiting.pop())
                head_start = min(max(contact.timeout, _SHORTEST_HEAD_START), _LONGEST_HEAD_START)
                asking = _keep_asking(contact, zone, name, kind, budget, replies)
                tasks.append(asyncio.ensure_future(asking))
            try:
                server, reply = await asyncio.wait_for(replies.get(), head_start)
            except asyncio.TimeoutError:
                continue
            if _is_useful(reply, zone, name):
                return reply
            is_lame = reply.outcome in (Outcome.AUTHORITATIVE, Outcome.REFERRING)
            heard[discovery.contact(server)] = (
                Outcome.NOT_AUTHORITATIVE if is_lame else reply.outcome
            )
    finally:
        for task in tasks:
            task.cancel()
    raise UnreadError(_why(zone, {contact.server: outcome for contact, outcome in heard.items()}))


async def over_tcp(
    discovery: Discovery,
    zone: str,
    servers: Sequence[NameServer],
    name: str,
    kind: dns.rdatatype.RdataType = dns.rdatatype.TXT,
    expected: Reply | None = None,
) -> Reply | None:
    """Give what a zone's name servers answer over TCP, where a forged packet does not suffice.

    They may differ for a while, so several are asked before an expected answer counts as none of
    theirs.

    :returns: the answer that agrees with the expected one about the name and its CNAME, or else the
        first one; None if there is none over TCP
    """
    contacts = sorted(map(discovery.contact, servers), key=lambda each: not each.has_answered)
    waiting = contacts[:_ASKED_OVER_TCP]
    first: Reply | None = None
    asking: set[asyncio.Future[Reply]] = set()
    try:
        while waiting or asking:
            if waiting:
                if not discovery.budget.take_question():
                    break
                asking.add(asyncio.ensure_future(_ask_over_tcp(waiting.pop(0), zone, name, kind)))
            head_start = _LONGEST_HEAD_START if waiting else None
            done, asking = await asyncio.wait(
                asking, timeout=head_start, return_when=asyncio.FIRST_COMPLETED
            )
            for reply in [task.result() for task in done]:
                if reply.outcome is not Outcome.AUTHORITATIVE or not _is_useful(reply, zone, name):
                    continue
                if expected is None or _agree(reply, expected):
                    return reply
                first = first or reply
    finally:
        for task in asking:
            task.cancel()
    return first


async def _ask_over_tcp(
    contact: Contact, zone: str, name: str, kind: dns.rdatatype.RdataType
) -> Reply:
    outcome = await obstacle(contact, zone)
    return Reply(outcome) if outcome else await contact.ask_over_tcp(name, kind)


def _agree(one: Reply, other: Reply) -> bool:
    return (one.alias_of, one.exists) == (other.alias_of, other.exists)


async def _keep_asking(
    contact: Contact,
    zone: str,
    name: str,
    kind: dns.rdatatype.RdataType,
    budget: Budget,
    replies: asyncio.Queue[tuple[NameServer, Reply]],
) -> None:
    pause = _PAUSE
    while budget.take_question():
        asked_at = time.monotonic()
        outcome = await obstacle(contact, zone)
        reply = Reply(outcome) if outcome else await contact.ask(name, kind)
        replies.put_nowait((contact.server, reply))
        if reply.outcome is Outcome.INTERCEPTED:
            return
        await asyncio.sleep(asked_at + pause - time.monotonic())
        pause = min(2 * pause, _LONGEST_PAUSE)


def _is_useful(reply: Reply, zone: str, name: str) -> bool:
    if reply.outcome is Outcome.AUTHORITATIVE:
        # Only where there is no such record does the answer name its zone.
        return reply.zone is None or (is_within(reply.zone, zone) and is_within(name, reply.zone))
    return (
        reply.outcome is Outcome.REFERRING
        and reply.zone not in (None, zone)
        and is_within(str(reply.zone), zone)
        and is_within(name, str(reply.zone))
    )


def _patience(heard: Mapping[Contact, Outcome], count: int) -> float:
    """Give the seconds that are worth waiting, by what was heard of how many servers so far."""
    kinds = set(heard.values())
    if kinds <= _SILENCE:
        was_reached = any(contact.has_answered for contact in heard)
        return _PATIENCE if was_reached else _PATIENCE_WITH_SILENCE
    if len(heard) < count or not kinds <= _REFUSALS | _SILENCE:
        return _PATIENCE
    if Outcome.SILENT not in kinds:
        is_certain = kinds <= {Outcome.INTERCEPTED, Outcome.UNREACHABLE}
        return 0.0 if is_certain else _PATIENCE_WITH_REFUSALS
    is_close = kinds <= {Outcome.INTERCEPTED, *_SILENCE}
    return _PATIENCE_WITH_REFUSALS if is_close else _PATIENCE_WITH_SILENCE


def _why(zone: str, heard: Mapping[NameServer, Outcome]) -> str:
    if Outcome.INTERCEPTED in heard.values():
        return f"something between here and the name servers of {zone} answers in their place"
    if not heard:
        return f"none of the name servers of {zone} answers"
    by_outcome: dict[Outcome, set[str]] = {}
    for server, outcome in heard.items():
        by_outcome.setdefault(outcome, set()).add(server.name)
    return ", and ".join(f"{_each(names)} {kind.value}" for kind, names in by_outcome.items())


def _each(names: Iterable[str]) -> str:
    several = sorted(names)
    return f"each of {listed(several)}" if len(several) > 1 else several[0]
