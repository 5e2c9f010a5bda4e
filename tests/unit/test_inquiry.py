"""Whom of a zone's name servers a question is put to, how often, and when that is given up."""

from __future__ import annotations

import asyncio

import dns.rdatatype
import pytest

from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.inquiry import UnreadError, first_useful, over_tcp
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply
from tests.unit.fake_dns import RESOLVER
from tests.unit.fake_time import Clock

ZONE, NAME = "example.com", "_acme-challenge.example.com"
GOOD = Reply(Outcome.AUTHORITATIVE, frozenset({"a"}), has_answer=True)
OTHER = Reply(Outcome.AUTHORITATIVE, alias_of="elsewhere.example", has_answer=True)
SILENT, REFUSING, FAILING = (
    Reply(each) for each in (Outcome.SILENT, Outcome.REFUSING, Outcome.FAILING)
)


class Asked(Contact):
    """Gives one reply to all questions, after some seconds; who is not probed needs no proof."""

    gate: asyncio.Event | None = None

    def __init__(
        self, discovery: Discovery, reply: Reply, seconds: float = 0.0, is_probed: bool = False
    ) -> None:
        number = len(discovery._contacts) + 1
        super().__init__(NameServer(f"ns{number}.{ZONE}", f"10.0.0.{number}"), discovery.traffic)
        discovery._contacts[self.server.address, 53] = self
        self.reply, self.seconds = reply, seconds
        self.intercepted = None if is_probed else reply.outcome is Outcome.INTERCEPTED
        self.times: list[float] = []

    async def ask(
        self,
        name: str,
        kind: dns.rdatatype.RdataType = dns.rdatatype.TXT,
        recursive: bool = False,
    ) -> Reply:
        if kind != dns.rdatatype.SOA:
            self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.seconds)
        if self.gate:
            await self.gate.wait()
        return self.reply

    async def ask_over_tcp(
        self, name: str, kind: dns.rdatatype.RdataType = dns.rdatatype.TXT
    ) -> Reply:
        return await self.ask(name, kind)


@pytest.fixture
def discovery(clock: Clock) -> Discovery:
    return Discovery([(RESOLVER, 53)])


def servers(*contacts: Contact) -> list[NameServer]:
    return [contact.server for contact in contacts]


def given_up(clock: Clock, discovery: Discovery, *contacts: Contact) -> tuple[float, str]:
    """The seconds until nobody is asked any more, and why."""
    with pytest.raises(UnreadError) as caught:
        clock.run(first_useful(discovery, ZONE, servers(*contacts), NAME))
    return clock.elapsed, str(caught.value)


def by_tcp(
    clock: Clock, discovery: Discovery, *contacts: Contact, expected: Reply | None = None
) -> Reply | None:
    return clock.run(over_tcp(discovery, ZONE, servers(*contacts), NAME, expected=expected))


@pytest.mark.parametrize(
    ("outcomes", "seconds"),
    [
        ("FAILING", 20),
        ("REFUSING FAILING", 20),
        ("SILENT", 12),
        ("SILENT UNREACHABLE", 12),
        ("SILENT REFUSING", 12),
        ("SILENT UNREACHABLE REFUSING NOT_AUTHORITATIVE TOO_MUCH INTERCEPTED", 12),
        ("REFUSING NOT_AUTHORITATIVE TOO_MUCH", 6),
        ("REFUSING INTERCEPTED UNREACHABLE", 6),
        ("SILENT INTERCEPTED", 6),
        ("SILENT UNREACHABLE INTERCEPTED", 6),
        ("INTERCEPTED", 0),
        ("INTERCEPTED UNREACHABLE", 0),
    ],
)
def test_how_long_there_is_hope(
    clock: Clock, discovery: Discovery, outcomes: str, seconds: int
) -> None:
    contacts = [Asked(discovery, Reply(Outcome[each])) for each in outcomes.split()]
    taken, why = given_up(clock, discovery, *contacts)
    assert seconds <= taken < seconds + 1
    assert ZONE in why


def test_who_has_answered_before_may_answer_again(clock: Clock, discovery: Discovery) -> None:
    contact = Asked(discovery, SILENT)
    contact._answered_at = clock.now
    assert given_up(clock, discovery, contact)[0] >= 20


def test_nobody_to_ask_is_no_answer(clock: Clock, discovery: Discovery) -> None:
    assert given_up(clock, discovery)[1] == f"none of the name servers of {ZONE} answers"


def test_each_is_asked_again_less_and_less_often(clock: Clock, discovery: Discovery) -> None:
    contact = Asked(discovery, FAILING)
    given_up(clock, discovery, contact)
    pauses = [later - earlier for earlier, later in zip(contact.times, contact.times[1:])]
    assert pauses[:6] == pytest.approx([0.25, 0.5, 1, 2, 2, 2], abs=0.01)


def test_who_is_slow_holds_nobody_up(clock: Clock, discovery: Discovery) -> None:
    slow = [Asked(discovery, GOOD, seconds=15) for _ in range(4)]
    quick = Asked(discovery, GOOD)
    clock.run(first_useful(discovery, ZONE, servers(*slow, quick), NAME))
    assert clock.elapsed < 3


def test_the_end_of_the_budget_is_the_reason(clock: Clock, discovery: Discovery) -> None:
    while not discovery.budget.is_spent:
        discovery.budget.take_question()
    assert given_up(clock, discovery, Asked(discovery, SILENT)) == (
        0,
        f"looking it up takes more than 500 questions, the last to name servers of {ZONE}",
    )


def test_over_tcp_those_are_asked_first_that_are_known_to_answer(
    clock: Clock, discovery: Discovery
) -> None:
    strangers = [Asked(discovery, GOOD) for _ in range(3)]
    known = Asked(discovery, GOOD)
    known._answered_at = clock.now
    assert by_tcp(clock, discovery, *strangers, known) == GOOD
    assert [len(contact.times) for contact in (*strangers, known)] == [0, 0, 0, 1]


def test_over_tcp_who_is_slow_holds_nobody_up(clock: Clock, discovery: Discovery) -> None:
    slow, quick = Asked(discovery, GOOD, seconds=5), Asked(discovery, GOOD)
    assert by_tcp(clock, discovery, slow, quick) == GOOD
    assert clock.elapsed < 1


def test_over_tcp_several_are_heard_before_one_is_contradicted(
    clock: Clock, discovery: Discovery
) -> None:
    contacts = [Asked(discovery, each) for each in (OTHER, FAILING, GOOD)]
    assert by_tcp(clock, discovery, *contacts, expected=GOOD) == GOOD
    assert by_tcp(clock, discovery, *contacts, expected=Reply(Outcome.AUTHORITATIVE)) == GOOD
    assert by_tcp(clock, discovery, contacts[0], contacts[1], expected=GOOD) == OTHER


def test_over_tcp_who_answers_in_a_servers_place_is_not_asked(
    clock: Clock, discovery: Discovery
) -> None:
    contact = Asked(discovery, GOOD)
    contact.intercepted = True
    assert by_tcp(clock, discovery, contact) is None
    assert contact.times == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(Outcome.AUTHORITATIVE, zone="elsewhere.example"),
        Reply(Outcome.REFERRING, zone=NAME),
    ],
)
def test_over_tcp_only_the_answer_of_an_authoritative_server_counts(
    clock: Clock, discovery: Discovery, reply: Reply
) -> None:
    assert by_tcp(clock, discovery, Asked(discovery, reply)) is None
    assert by_tcp(clock, discovery, Asked(discovery, reply), Asked(discovery, GOOD)) == GOOD


def test_over_tcp_what_was_heard_counts_when_the_budget_ends(
    clock: Clock, discovery: Discovery
) -> None:
    contacts = [Asked(discovery, OTHER), Asked(discovery, GOOD)]
    discovery.budget._questions = 1
    assert by_tcp(clock, discovery, *contacts, expected=GOOD) == OTHER
    assert contacts[1].times == []


@pytest.mark.parametrize("place", range(3))  # in which order they are heard is by chance
def test_over_tcp_all_count_that_come_at_one_moment(
    clock: Clock, discovery: Discovery, place: int
) -> None:
    replies = [FAILING, FAILING]
    replies.insert(place, GOOD)
    contacts = [Asked(discovery, each) for each in replies]

    async def answer_at_once() -> Reply | None:
        for contact in contacts:
            contact.gate = asyncio.Event()
            asyncio.get_running_loop().call_later(5, contact.gate.set)
        return await over_tcp(discovery, ZONE, servers(*contacts), NAME)

    for _ in range(3):
        assert clock.run(answer_at_once()) == GOOD


@pytest.mark.parametrize(
    ("count", "who"), [(1, f"ns1.{ZONE}"), (2, f"each of ns1.{ZONE}, ns2.{ZONE}")]
)
def test_why_nobody_is_asked_any_more_names_those_who_did_the_same(
    clock: Clock, discovery: Discovery, count: int, who: str
) -> None:
    contacts = [Asked(discovery, Reply(Outcome.REFUSING)) for _ in range(count)]
    _, why = given_up(clock, discovery, *contacts)
    assert why == f"{who} {Outcome.REFUSING.value}"
