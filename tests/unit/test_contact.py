"""How long an address is waited for, and which way leads to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import dns.rdatatype
import pytest

from certbot_dns_aliyun.propagation import contact as contact_module
from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply
from certbot_dns_aliyun.propagation.traffic import Traffic
from certbot_dns_aliyun.propagation.wire import Way
from tests.unit.fake_time import Clock

NAME = "_acme-challenge.example.com"
SERVER = NameServer("ns1.alidns.com", "192.0.2.1")
UDP, TCP, PLAIN = Way.UDP, Way.TCP, Way.PLAIN
GOOD = Reply(Outcome.AUTHORITATIVE, frozenset({"a"}), has_answer=True)
CUT = Reply(Outcome.CUT, frozenset({"part"}))


class Network:
    """Answers come after some seconds, on each way; on those not named, none comes."""

    def __init__(self) -> None:
        self.seconds: dict[Way, float] = {}
        self.replies: dict[Way, Reply] = {}
        self.asked: list[tuple[Any, ...]] = []

    async def ask(
        self,
        server: NameServer,
        name: str,
        kind: dns.rdatatype.RdataType,
        timeout: float,
        way: Way,
        recursive: bool = False,
    ) -> Reply:
        self.asked.append((server, name, kind, way, recursive))
        seconds = self.seconds.get(way, timeout)
        await asyncio.sleep(min(seconds, timeout))
        return self.replies.get(way, GOOD) if seconds < timeout else Reply(Outcome.SILENT)


@pytest.fixture
def network(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    network = Network()
    monkeypatch.setattr(contact_module, "ask", network.ask)
    return network


@pytest.fixture
def contact(network: Network) -> Contact:
    return Contact(SERVER, Traffic())


async def take(clock: Clock, contact: Contact) -> tuple[Way, float]:
    """Asks once; gives the way, and the seconds until there was an answer or none any more."""
    way, began = contact.way, clock.now
    await contact.ask(NAME)
    return way, round(clock.now - began, 1)


def taken(clock: Clock, contact: Contact, questions: int) -> list[tuple[Way, float]]:
    async def all_of_them() -> list[tuple[Way, float]]:
        return [await take(clock, contact) for _ in range(questions)]

    return clock.run(all_of_them())


def test_who_never_answers_is_asked_on_all_ways_and_waited_for_longer_and_longer(
    clock: Clock, contact: Contact
) -> None:
    first = [(UDP, 1.0), (UDP, 2.0), (TCP, 2.0), (PLAIN, 1.0)]
    second = [(UDP, 2.0), (UDP, 3.0), (TCP, 3.0), (PLAIN, 2.0)]
    third = [(UDP, 3.0), (UDP, 3.0), (TCP, 3.0), (PLAIN, 3.0)]
    assert taken(clock, contact, 12) == first + second + third
    assert not contact.has_answered


def test_a_way_that_worked_is_given_up_less_soon(
    clock: Clock, network: Network, contact: Contact
) -> None:
    network.seconds = dict.fromkeys(Way, 0.2)
    assert taken(clock, contact, 1) == [(UDP, 0.2)]
    assert contact.has_answered
    network.seconds = {}
    ways = [way for way, _ in taken(clock, contact, 11)]
    assert ways == [UDP] * 4 + [TCP] * 2 + [PLAIN] * 4 + [UDP]


def test_an_answer_ends_the_patience_that_its_loss_had_asked_for(
    clock: Clock, network: Network, contact: Contact
) -> None:
    taken(clock, contact, 4)
    assert contact.timeout == 2.0, "the second round of all ways"
    network.seconds = {UDP: 1.5}
    taken(clock, contact, 1)
    network.seconds = {UDP: 0.4}
    taken(clock, contact, 60)
    assert contact.timeout == pytest.approx(0.6, abs=0.01)


def test_the_time_for_an_answer_follows_from_those_before(
    clock: Clock, network: Network, contact: Contact
) -> None:
    assert contact.timeout == 1.0
    network.seconds = {UDP: 0.2}
    taken(clock, contact, 1)
    assert contact.timeout == pytest.approx(0.6, abs=0.001), "one says little of the others"
    taken(clock, contact, 40)
    assert contact.timeout == pytest.approx(0.3, abs=0.001), "half a round trip more"
    network.seconds = {UDP: 0.06}
    taken(clock, contact, 80)
    assert contact.timeout == pytest.approx(0.11, abs=0.001), "but 50 ms at least"
    network.seconds = {UDP: 0.01}
    taken(clock, contact, 80)
    assert contact.timeout == 0.1, "and this in any case"


def test_over_tcp_there_is_a_round_trip_more(
    clock: Clock, network: Network, contact: Contact
) -> None:
    network.seconds = {TCP: 0.4}
    taken(clock, contact, 3)
    assert contact.way is TCP
    taken(clock, contact, 60)
    assert contact.timeout == pytest.approx(0.6, abs=0.001)


def test_questions_that_are_lost_at_one_moment_count_once(
    clock: Clock, network: Network, contact: Contact
) -> None:
    async def many() -> None:
        await asyncio.gather(*(contact.ask(NAME) for _ in range(10)))

    clock.run(many())
    assert (contact.way, contact.timeout) == (UDP, 2.0)


def test_a_loss_beside_an_answer_does_not_count(
    clock: Clock, network: Network, contact: Contact
) -> None:
    """The answer also shows soon that the other question is late."""

    async def two() -> float:
        lost = asyncio.ensure_future(contact.ask(NAME))
        await asyncio.sleep(0.01)
        network.seconds = {UDP: 0.02}
        await contact.ask(NAME)
        assert (await lost).outcome is Outcome.SILENT
        return clock.elapsed

    assert clock.run(two()) < 0.25
    assert contact.timeout == 0.1


def test_the_question_is_passed_on(clock: Clock, network: Network, contact: Contact) -> None:
    network.seconds, network.replies = {UDP: 0.1, TCP: 0.1}, {UDP: CUT}
    clock.run(contact.ask(NAME))
    clock.run(contact.ask(NAME, dns.rdatatype.SOA, recursive=True))
    clock.run(contact.ask_over_tcp(NAME, dns.rdatatype.MX))
    assert network.asked == [
        (SERVER, NAME, dns.rdatatype.TXT, UDP, False),
        (SERVER, NAME, dns.rdatatype.TXT, TCP, False),
        (SERVER, NAME, dns.rdatatype.SOA, UDP, True),
        (SERVER, NAME, dns.rdatatype.SOA, TCP, True),
        (SERVER, NAME, dns.rdatatype.MX, TCP, False),
    ]
    assert set(contact._traffic._turns) == {SERVER.address}, "each of them in its turn"


@pytest.mark.parametrize(
    ("seconds", "reply"), [({UDP: 0.1, TCP: 0.1}, GOOD), ({UDP: 0.1}, CUT)], ids=["comes", "fails"]
)
def test_what_was_cut_is_asked_for_over_tcp(
    clock: Clock, network: Network, contact: Contact, seconds: dict[Way, float], reply: Reply
) -> None:
    network.seconds, network.replies = seconds, {UDP: CUT}
    assert clock.run(contact.ask(NAME)) == reply
    assert contact.way is UDP


def test_who_does_not_answer_over_tcp_is_not_asked_so_again(
    clock: Clock, network: Network, contact: Contact
) -> None:
    network.seconds = {TCP: 1.9}
    assert clock.run(contact.ask_over_tcp(NAME)) == GOOD
    assert not contact.lacks_tcp
    network.seconds = {}
    began = clock.now
    assert clock.run(contact.ask_over_tcp(NAME)).outcome is Outcome.SILENT
    assert clock.now - began == pytest.approx(2, abs=0.01)
    assert contact.lacks_tcp
    assert clock.run(contact.ask_over_tcp(NAME)).outcome is Outcome.SILENT
    assert len(network.asked) == 2


def test_that_tcp_is_rejected_says_nothing_of_the_address(
    clock: Clock, network: Network, contact: Contact
) -> None:
    """A firewall in between may let UDP pass."""
    network.seconds = {TCP: 0.1}
    network.replies = {TCP: Reply(Outcome.UNREACHABLE)}
    outcomes = {clock.run(contact.ask(NAME)).outcome for _ in range(4)}
    assert TCP in {way for _, _, _, way, _ in network.asked}
    assert outcomes == {Outcome.SILENT}
    network.seconds, network.replies = {UDP: 0.1}, {UDP: Reply(Outcome.UNREACHABLE)}
    contact.way = UDP
    assert clock.run(contact.ask(NAME)).outcome is Outcome.UNREACHABLE


def test_at_first_nothing_is_known(contact: Contact) -> None:
    assert (contact.lag, contact.intercepted, contact.probe) == (None, None, None)
    assert (contact.too_young, contact.youngest_at) == (0.0, 0.0)
    assert not any([contact.disagrees, contact.is_followed, contact.lacks_tcp])
    assert contact.way is UDP
