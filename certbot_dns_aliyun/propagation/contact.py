"""One address of a name server as this run knows it: how far away it is, and which way works.

A question without an answer says nothing about records. It counts as lost after a time that follows
from the round trips seen (RFC 6298), and whoever asks then asks again, the same server: over UDP,
over TCP, over UDP without EDNS, whichever answered last, and the next when that fails.
"""

from __future__ import annotations

import asyncio
import logging
import time

import dns.rdatatype

from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply, ask
from certbot_dns_aliyun.propagation.sample import Following, Sample
from certbot_dns_aliyun.propagation.traffic import Traffic
from certbot_dns_aliyun.propagation.wire import RoundTrip, Way

logger = logging.getLogger(__name__)

#: Seconds for the first answer, and at least and at most for any (RFC 6298 has 1, 1 and 60).
_FIRST_TIMEOUT = 1.0
_SHORTEST_TIMEOUT = 0.1
_LONGEST_TIMEOUT = 3.0
#: Seconds between two looks whether that has changed.
_GLANCE = 0.1
#: Seconds for an answer that has to come over TCP: time for one packet that is lost.
_TCP_TIMEOUT = 2.0
#: The next way after each, and the questions in a row that one fails before: few where there was no
#: answer yet, more where the loss of some is the likelier reason.
_NEXT = {Way.UDP: Way.TCP, Way.TCP: Way.PLAIN, Way.PLAIN: Way.UDP}
_TRIES_AT_FIRST = {Way.UDP: 2, Way.TCP: 1, Way.PLAIN: 1}
_TRIES = {Way.UDP: 4, Way.TCP: 2, Way.PLAIN: 4}


class Contact:
    """An address, with what its answers have told about the path to it.

    :param traffic: in which the questions are asked; one for all of a run
    :ivar way: the way of the next question
    :ivar lag: the least seconds after its adding at which a record was seen here; None before
    :ivar disagrees: whether answers show that machines behind the address differ
    :ivar followers: those who follow it, for a zone each
    :ivar sample: the sample of it that zones may join yet
    :ivar too_young: the most seconds after its adding at which one was not
    :ivar youngest_at: when to ask for a record that is younger than all that
    :ivar scout: who asks it in short intervals as long as no record was seen here
    :ivar is_followed: whether somebody asks it often already
    :ivar intercepted: whether something in between answers in its place; None if that is not known
    :ivar probe: the finding out of that, while it is under way
    :ivar lacks_tcp: whether it did not answer over TCP when it had to
    """

    def __init__(self, server: NameServer, traffic: Traffic) -> None:
        self.server = server
        self.way = Way.UDP
        self.lag: float | None = None
        self.disagrees = False
        self.followers: list[Following] = []
        self.sample: Sample | None = None
        self.too_young = 0.0
        self.youngest_at = 0.0
        self.scout: object | None = None
        self.is_followed = False
        self.intercepted: bool | None = None
        self.probe: asyncio.Task[Outcome | None] | None = None
        self.lacks_tcp = False
        self._traffic = traffic
        self._round_trip = RoundTrip()
        self._failed = 0
        self._rounds = 0
        self._failed_at = 0.0
        self._answered_at = 0.0

    @property
    def has_answered(self) -> bool:
        """Whether anything ever came back from it."""
        return self._answered_at > 0

    @property
    def timeout(self) -> float:
        """Seconds until a question over the present way counts as lost."""
        return self._timeout(self.way)

    def _timeout(self, way: Way) -> float:
        usual = _FIRST_TIMEOUT
        mean = self._round_trip.mean
        if mean:
            # Half a round trip at least above the mean: who is late is asked twice.
            usual = mean + max(4 * self._round_trip.deviation, mean / 2, 0.05)
        patience = 2.0 ** (self._failed + self._rounds)
        legs = 2 if way is Way.TCP else 1  # the connection takes a round trip more
        return min(max(legs * usual, _SHORTEST_TIMEOUT) * patience, _LONGEST_TIMEOUT)

    async def ask(
        self,
        name: str,
        kind: dns.rdatatype.RdataType = dns.rdatatype.TXT,
        recursive: bool = False,
    ) -> Reply:
        """Ask once, in its turn; the reply is SILENT if none came in time.

        An answer too large for UDP is asked for again over TCP; where that fails, the part counts
        for what it holds.
        """
        reply = await self._question(name, kind, self.way, recursive)
        if reply.outcome is Outcome.CUT:
            whole = await self._question(name, kind, Way.TCP, recursive)
            return whole if whole.is_answer else reply
        return reply

    async def ask_over_tcp(
        self, name: str, kind: dns.rdatatype.RdataType = dns.rdatatype.TXT
    ) -> Reply:
        """Ask once over TCP, unless that did not work before."""
        if self.lacks_tcp:
            return Reply(Outcome.SILENT)
        async with self._traffic.question(self.server.address):
            reply = await ask(self.server, name, kind, _TCP_TIMEOUT, Way.TCP)
        self.lacks_tcp = not reply.is_answer
        return reply

    async def _question(
        self, name: str, kind: dns.rdatatype.RdataType, way: Way, recursive: bool
    ) -> Reply:
        async with self._traffic.question(self.server.address):
            asked_at = time.monotonic()
            asking = asyncio.ensure_future(
                ask(self.server, name, kind, _LONGEST_TIMEOUT, way, recursive)
            )
            try:
                # Answers to other questions may show meanwhile that this one is late.
                while not asking.done() and time.monotonic() - asked_at < self._timeout(way):
                    left = asked_at + self._timeout(way) - time.monotonic()
                    await asyncio.wait({asking}, timeout=min(max(left, 0.001), _GLANCE))
                reply = asking.result() if asking.done() else Reply(Outcome.SILENT)
            finally:
                asking.cancel()
        if way is Way.TCP and reply.outcome is Outcome.UNREACHABLE:
            reply = Reply(Outcome.SILENT)  # a firewall's word about TCP, not about the address
        if reply.is_answer:
            self._answered(way, time.monotonic() - asked_at)
        elif way is self.way and asked_at >= max(self._failed_at, self._answered_at):
            # Of many questions at one moment the loss of all counts once, and that of some not.
            self._lost(way)
        return reply

    def _answered(self, way: Way, seconds: float) -> None:
        self._round_trip.took(seconds, way)
        self._answered_at, self._rounds = time.monotonic(), 0
        if way is self.way:
            self._failed = 0

    def _lost(self, way: Way) -> None:
        self._failed += 1
        self._failed_at = time.monotonic()
        tries = _TRIES if self._answered_at else _TRIES_AT_FIRST
        if self._failed >= tries[way]:
            self.way, self._failed = _NEXT[way], 0
            # When all ways have failed, the answers may just be slow.
            self._rounds += self.way is Way.UDP
            logger.debug(
                "Name server %s does not answer over %s; asking over %s",
                self.server,
                way.value,
                self.way.value,
            )
