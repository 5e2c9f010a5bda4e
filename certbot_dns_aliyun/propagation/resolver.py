"""Ask the machine's resolvers as its C library does, and bear what gets lost on the way to them.

A question that is not answered is asked again, of the next resolver or over another transport, and
an answer to the earlier one still counts. What all resolvers fail to answer is asked again a few
times: many fail for a moment, while their own questions are under way or their network comes up.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Union

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from certbot_dns_aliyun.propagation.resolv_conf import ResolvConf
from certbot_dns_aliyun.propagation.traffic import TO_RESOLVER_AT_ONCE, Traffic
from certbot_dns_aliyun.propagation.wire import (
    KNOWS_NO_EDNS,
    RoundTrip,
    Way,
    exchange,
    make_query,
)

logger = logging.getLogger(__name__)

#: Seconds for all there is to one question, at least and at most, whatever resolv.conf says.
_SHORTEST_PATIENCE = 5.0
_LONGEST_PATIENCE = 12.0
#: Seconds between rounds in which all resolvers fail; one that has failed so often gets the first.
_PAUSES = (0.5, 1.0, 2.0)
_FAILURES_THAT_LAST = 2
#: Seconds until a question is asked again while there was no answer yet; at least; and at most.
_FIRST_HEAD_START = 1.0
_SHORTEST_HEAD_START = 0.3
_LONGEST_HEAD_START = 2.0
#: Seconds of silence after which nobody is believed to be there: who never answered, who did.
_SILENCE_OF_STRANGERS = 5.0
_SILENCE = 12.0
#: Seconds for a question to one of whom that is believed, and from one such to the next.
_GLANCE = 1.5
_LEFT_ALONE = 5.0

#: The order of ways in which a resolver is asked, by the one that works.
_WAYS = {
    Way.UDP: (Way.UDP, Way.PLAIN, Way.TCP),
    Way.PLAIN: (Way.PLAIN, Way.UDP, Way.TCP),
    Way.TCP: (Way.TCP, Way.UDP, Way.PLAIN),
}
_ANSWERS = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


class _Nothing(Enum):
    """What came of a question in place of an answer."""

    FAILURE = "fails"
    UNREACHABLE = "cannot be reached"
    SILENCE = "does not answer"


_Outcome = Union[dns.message.Message, _Nothing]


@dataclass(eq=False)
class _Server:
    """One resolver, and what its answers have told of it."""

    address: str
    port: int
    ways: tuple[Way, ...] = _WAYS[Way.UDP]
    answered_at: float = 0.0
    has_failed: bool = False  # since its last answer
    round_trip: RoundTrip = field(default_factory=RoundTrip)
    answers_udp: bool = False

    @property
    def head_start(self) -> float:
        """Seconds until a question to it is asked elsewhere, too (RFC 6298, in spirit)."""
        if not self.round_trip.mean:
            return _FIRST_HEAD_START
        usual = self.round_trip.mean + 4 * self.round_trip.deviation
        return min(max(usual, _SHORTEST_HEAD_START), _LONGEST_HEAD_START)

    def answered(self, way: Way, seconds: float) -> None:
        self.round_trip.took(seconds, way)
        self.answered_at, self.has_failed = time.monotonic(), False
        self.answers_udp |= way is not Way.TCP
        if len(self.ways) > 1 and not (way is Way.TCP and self.answers_udp):
            self.ways = _WAYS[way]


@dataclass
class _History:
    """How questions of one type have fared: some resolvers drop or refuse types that are rare.

    :ivar silent_since: when the first one was asked since which nothing was heard; 0 for none
    :ivar given_up_at: when a look-up has last ended without anything heard
    :ivar left_alone_until: monotonic time until which no more are asked
    :ivar failures: how many look-ups in a row have ended in a failure
    """

    has_answered: bool = False
    silent_since: float = 0.0
    given_up_at: float = 0.0
    left_alone_until: float = 0.0
    failures: int = 0

    def is_silent(self) -> bool:
        """Tell whether nobody seems to be there; for who has answered once, that is soon over."""
        now = time.monotonic()
        if not self.silent_since:
            return False
        if not self.has_answered:
            return now - self.silent_since > _SILENCE_OF_STRANGERS
        return now - self.silent_since > _SILENCE and now - self.given_up_at < _SILENCE

    def note(self, is_answered: bool, has_heard: bool) -> None:
        """Note how a look-up ended."""
        if has_heard:
            self.silent_since = self.left_alone_until = 0.0
            self.failures = 0 if is_answered else self.failures + 1
            self.has_answered |= is_answered
            return
        self.given_up_at = time.monotonic()
        if not self.has_answered or self.is_silent():
            self.left_alone_until = self.given_up_at + _LEFT_ALONE


class Resolver:
    """The resolvers of one machine.

    :param servers: address and port of each
    :param traffic: in which the questions are asked
    :param conf: how they are asked
    """

    def __init__(
        self, servers: Iterable[tuple[str, int]], traffic: Traffic, conf: ResolvConf | None = None
    ) -> None:
        conf = conf or ResolvConf()
        self._servers = [_Server(address, port) for address, port in servers]
        if conf.use_vc:
            for server in self._servers:
                server.ways = (Way.TCP,)
        self._traffic = traffic
        #: For one transmission: answers that come late count, too.
        self._timeout = max(conf.timeout, _SHORTEST_PATIENCE)
        whole = conf.timeout * conf.attempts * len(self._servers)
        self._patience = min(max(whole, _SHORTEST_PATIENCE), _LONGEST_PATIENCE)
        self._first = itertools.cycle(range(len(self._servers))) if conf.rotate else None
        self._has_answered = False
        #: Of all types, until the first answer; of each afterwards.
        self._history = _History()
        self._histories: dict[dns.rdatatype.RdataType, _History] = {}

    @property
    def addresses(self) -> list[str]:
        """The resolvers' addresses, each with its port if that is not 53."""
        return [
            each.address if each.port == 53 else f"{each.address} port {each.port}"
            for each in self._servers
        ]

    @property
    def is_silent(self) -> bool:
        """Whether they were asked, and nothing has ever come back."""
        return not self._has_answered and self._history.given_up_at > 0

    async def ask(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType, unchecked: bool = False
    ) -> dns.message.Message | None:
        """Give the response for a name, be it that there is no such name; None if none came.

        :param unchecked: whether it need not pass DNSSEC
        """
        history = self._history_of(kind)
        is_silent = history.is_silent()
        if not self._servers or time.monotonic() < history.left_alone_until:
            return None
        history.silent_since = history.silent_since or time.monotonic()
        look_up = _LookUp(self._in_order(), self._traffic, self._timeout, name, kind, unchecked)
        response = await look_up.run(
            _GLANCE if is_silent else self._patience,
            _PAUSES[:1] if is_silent or history.failures >= _FAILURES_THAT_LAST else _PAUSES,
        )
        self._has_answered |= response is not None
        self._history_of(kind).note(response is not None, look_up.has_heard)
        if response is None:
            logger.debug("No answer of a resolver for %s %s: %s", name, kind.name, look_up)
        return response

    def _history_of(self, kind: dns.rdatatype.RdataType) -> _History:
        return self._histories.setdefault(kind, _History()) if self._has_answered else self._history

    def _in_order(self) -> list[_Server]:
        """Give the one first that answered last, unless it has failed since."""
        first = next(self._first) if self._first else 0
        servers = self._servers[first:] + self._servers[:first]
        if self._first:
            return sorted(servers, key=lambda s: s.has_failed)
        return sorted(servers, key=lambda s: (s.has_failed, -s.answered_at))


@dataclass(eq=False)
class _LookUp:
    """One question, on its way to whoever answers first.

    :ivar has_heard: whether any resolver has said anything
    """

    servers: Sequence[_Server]
    traffic: Traffic
    timeout: float
    name: dns.name.Name
    kind: dns.rdatatype.RdataType
    unchecked: bool = False
    has_heard: bool = False
    _outcomes: dict[str, str] = field(default_factory=dict)
    _unanswered: dict[_Server, int] = field(default_factory=dict)
    _asking: dict[asyncio.Task[_Outcome], _Server] = field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join(f"{server} {outcome}" for server, outcome in self._outcomes.items())

    async def run(self, patience: float, pauses: Iterable[float]) -> dns.message.Message | None:
        """Ask until there is an answer, or none to be hoped for."""
        try:
            return await self._ask_in_turns(patience, iter(pauses))
        finally:
            for task in self._asking:
                task.cancel()

    async def _ask_in_turns(
        self, patience: float, pauses: Iterator[float]
    ) -> dns.message.Message | None:
        end = 0.0
        for turn in itertools.count():
            rounds, index = divmod(turn, len(self.servers))
            server = self.servers[index]
            await self._send(server)
            end = end or time.monotonic() + patience
            lead = min(server.head_start * 2.0**rounds, _LONGEST_HEAD_START)
            heard = await self._listen(min(time.monotonic() + lead, end))
            if isinstance(heard, dns.message.Message):
                return heard
            if heard is None:
                server.has_failed = True
            elif index == len(self.servers) - 1:  # of this round the last, and it failed
                pause = next(pauses, None)
                if pause is None and not self._asking:
                    return None
                pause = _PAUSES[-1] if pause is None else pause
                heard = await self._listen(min(time.monotonic() + pause, end), bears_failure=True)
            if isinstance(heard, dns.message.Message):
                return heard
            if time.monotonic() >= end:
                break
        return None

    async def _send(self, server: _Server) -> None:
        """Let a question to a server be under way, once it is its turn."""
        tries = self._unanswered.get(server, 0)
        self._unanswered[server] = tries + 1
        way = server.ways[tries % len(server.ways)]
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(self._ask(server, way, sent))
        self._asking[task] = server
        under_way: list[asyncio.Future[Any]] = [sent, *self._asking]
        await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)

    async def _listen(self, until: float, bears_failure: bool = False) -> _Outcome | None:
        """Give the first answer until a moment, or a failure; None if there was none by then."""
        while self._asking or bears_failure:
            seconds = max(0.0, until - time.monotonic())
            if not self._asking:
                await asyncio.sleep(seconds)
                return None
            done, _ = await asyncio.wait(
                self._asking, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            outcomes = [self._note(task) for task in done]
            for outcome in outcomes:
                if isinstance(outcome, dns.message.Message):
                    return outcome
            failure = next((o for o in outcomes if o is not _Nothing.SILENCE), None)
            if failure is not None and not bears_failure:
                return failure
            if time.monotonic() >= until:
                return None
        return None

    def _note(self, task: asyncio.Task[_Outcome]) -> _Outcome:
        server, outcome = self._asking.pop(task), task.result()
        if isinstance(outcome, dns.message.Message):
            self.has_heard = True
            return outcome
        server.has_failed = True
        self._outcomes[server.address] = outcome.value
        if outcome is _Nothing.FAILURE:
            self.has_heard = True
            self._unanswered[server] -= 1
        return outcome

    async def _ask(self, server: _Server, way: Way, sent: asyncio.Future[None]) -> _Outcome:
        async with self.traffic.question(server.address, TO_RESOLVER_AT_ONCE):
            sent.set_result(None)
            asked_at = time.monotonic()
            try:
                query = make_query(self.name, self.kind, way, self.unchecked)
                response = await _exchange(server, way, query, self.timeout)
            except dns.exception.Timeout:
                return _Nothing.SILENCE
            except (dns.exception.DNSException, EOFError):
                return _Nothing.FAILURE
            except OSError:
                return _Nothing.UNREACHABLE
        if not _is_answer(response):
            return _Nothing.FAILURE
        server.answered(way, time.monotonic() - asked_at)
        return response


async def _exchange(
    server: _Server, way: Way, query: dns.message.Message, timeout: float
) -> dns.message.Message:
    """Ask once; again over TCP where the answer was cut, or without EDNS where that is unknown."""
    part: dns.message.Message | None = None
    while True:
        try:
            response = await exchange(
                query, server.address, server.port, timeout, way, is_connected=True
            )
        except dns.message.Truncated as error:
            part, way = error.message(), Way.TCP  # type: ignore[no-untyped-call]
            continue
        except (dns.exception.DNSException, EOFError, OSError):
            if part is not None and part.answer:
                return part
            raise
        if query.edns < 0 or response.rcode() not in KNOWS_NO_EDNS:
            return response
        query.use_edns(False)


def _is_answer(response: dns.message.Message) -> bool:
    """Tell an answer from a failure, and from what those say who do not look anything up."""
    if response.rcode() not in _ANSWERS:
        return False
    says_something = response.answer or any(
        rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority
    )
    return bool(says_something or response.flags & (dns.flags.RA | dns.flags.AA))
