"""Who answers for a name server: itself, or something in between that answers for everybody."""

from __future__ import annotations

import asyncio

import dns.rdatatype
import pytest

from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.interception import obstacle
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply
from certbot_dns_aliyun.propagation.traffic import Traffic

OWN, ROOT = "example.com", "."
LOST = Reply(Outcome.SILENT)
MINE = Reply(Outcome.AUTHORITATIVE, zone=OWN, has_answer=True)
NOT_MINE = Reply(Outcome.REFUSING)


class Scripted(Contact):
    """Gives the replies of a list to each of the two questions, the last one for good."""

    def __init__(self, own: list[Reply], root: list[Reply]) -> None:
        super().__init__(NameServer("ns1.example.com", "192.0.2.1"), Traffic())
        self.replies = {OWN: iter(own), ROOT: iter(root)}
        self.last = {OWN: own[-1], ROOT: root[-1]}
        self.asked: list[tuple[str, bool]] = []

    async def ask(
        self,
        name: str,
        kind: dns.rdatatype.RdataType = dns.rdatatype.TXT,
        recursive: bool = False,
    ) -> Reply:
        assert kind == dns.rdatatype.SOA
        self.asked.append((name, recursive))
        await asyncio.sleep(0)
        return next(self.replies[name], self.last[name])


async def is_intercepted(contact: Contact, zone: str) -> bool | None:
    """Whether the obstacle is something in between; None where that could not be told."""
    return {None: False, Outcome.INTERCEPTED: True}.get(await obstacle(contact, zone))


def found_out(own: Reply | list[Reply], root: Reply | list[Reply]) -> bool | None:
    contact = Scripted(
        own if isinstance(own, list) else [own], root if isinstance(root, list) else [root]
    )
    return asyncio.run(is_intercepted(contact, OWN))


def resolvers(outcome: Outcome = Outcome.NOT_AUTHORITATIVE, has_answer: bool = True) -> Reply:
    return Reply(outcome, has_answer=has_answer, offers_recursion=True)


@pytest.mark.parametrize(
    "root",
    [
        NOT_MINE,
        Reply(Outcome.FAILING),
        Reply(Outcome.NOT_AUTHORITATIVE),
        Reply(Outcome.REFERRING, zone=""),
        Reply(Outcome.AUTHORITATIVE, zone="", has_answer=True),
    ],
    ids=["refuses", "fails", "says nothing", "refers to the root", "serves the root itself"],
)
def test_the_server_itself(root: Reply) -> None:
    assert found_out(MINE, root) is False


@pytest.mark.parametrize(
    ("own", "root"),
    [
        (resolvers(), resolvers()),
        (resolvers(Outcome.AUTHORITATIVE), resolvers(Outcome.AUTHORITATIVE)),
        (resolvers(Outcome.AUTHORITATIVE), resolvers()),
        (MINE, Reply(Outcome.NOT_AUTHORITATIVE, has_answer=True)),
        (NOT_MINE, resolvers()),
        (resolvers(), NOT_MINE),
        (resolvers(has_answer=False), LOST),
        (LOST, resolvers()),
    ],
)
def test_something_in_between(own: Reply, root: Reply) -> None:
    assert found_out(own, root) is True


def test_a_lame_server_is_no_middlebox() -> None:
    assert found_out(Reply(Outcome.NOT_AUTHORITATIVE), NOT_MINE) is False


def test_a_lost_answer_is_asked_for_again() -> None:
    assert found_out(MINE, [LOST, resolvers()]) is True
    assert found_out([LOST, resolvers()], NOT_MINE) is True


def test_a_server_that_is_silent_about_other_zones() -> None:
    assert found_out(MINE, LOST) is False


def test_nothing_is_known_without_an_answer() -> None:
    assert found_out(LOST, LOST) is None


def test_a_resolver_that_fails_may_be_one_in_between() -> None:
    failing = resolvers(Outcome.FAILING, has_answer=False)
    assert found_out(failing, failing) is None
    assert found_out([failing, resolvers()], [failing, resolvers()]) is None
    assert found_out(MINE, failing) is False


@pytest.fixture
def contact() -> Scripted:
    return Scripted([LOST, MINE], [LOST, NOT_MINE])


def test_all_who_ask_share_the_questions(contact: Scripted) -> None:
    async def ask_at_once(count: int) -> list[bool | None]:
        return list(await asyncio.gather(*(is_intercepted(contact, OWN) for _ in range(count))))

    assert asyncio.run(ask_at_once(20)) == [None] * 20
    assert contact.asked == [(OWN, False), (ROOT, True)]
    assert asyncio.run(ask_at_once(20)) == [False] * 20
    assert asyncio.run(ask_at_once(20)) == [False] * 20
    assert len(contact.asked) == 4


def test_who_gives_up_leaves_the_others_waiting(contact: Scripted) -> None:
    async def give_up() -> bool | None:
        first = asyncio.ensure_future(is_intercepted(contact, OWN))
        second = asyncio.ensure_future(is_intercepted(contact, OWN))
        await asyncio.sleep(0)
        first.cancel()
        await second
        return await is_intercepted(contact, OWN)

    assert asyncio.run(give_up()) is False


def test_the_root_is_not_asked_about_itself(contact: Scripted) -> None:
    assert asyncio.run(is_intercepted(contact, "")) is False
    assert not contact.asked


def test_the_reason_not_to_ask() -> None:
    unreachable = Reply(Outcome.UNREACHABLE)
    assert asyncio.run(obstacle(Scripted([unreachable], [LOST]), OWN)) is Outcome.UNREACHABLE
    assert asyncio.run(obstacle(Scripted([MINE], [NOT_MINE]), OWN)) is None
    caught = Scripted([resolvers()], [resolvers()])
    assert asyncio.run(obstacle(caught, OWN)) is Outcome.INTERCEPTED
    assert asyncio.run(obstacle(caught, OWN)) is Outcome.INTERCEPTED
    assert len(caught.asked) == 2


def test_who_offers_recursion_and_answers_tells_who_it_is() -> None:
    """Some authoritative servers do offer it; only a failure says nothing then."""
    own = Reply(Outcome.AUTHORITATIVE, zone=OWN, has_answer=True, offers_recursion=True)
    contact = Scripted([own, LOST], [LOST, NOT_MINE])
    assert asyncio.run(is_intercepted(contact, OWN)) is False
    assert contact.asked.count((OWN, False)) == 1
