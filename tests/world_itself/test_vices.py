"""Each vice once, over real packets."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from tests.world import Server, World
from tests.world import vices as v
from tests.world.questions import Vice
from tests.world.resolver import ADDRESS, FOR_THE_CA

from .clients import ask, packets, texts

NAME = "_acme-challenge.example.com"
FIRST = "127.0.1.1"
Serve = Callable[..., World]


@pytest.fixture
def serve(make_world: Callable[..., World]) -> Serve:
    """A server with a vice, and texts at NAME."""

    def make(vice: Vice | None, count: int = 1, **more: object) -> World:
        world = make_world({"example.com": [Server(lag=0.0, vice=vice, **more)]})
        for number in range(count):
            world.records.add_stranger("example.com", "_acme-challenge", f"{number:02}")
        return world

    return make


def answers(enough: int = 1, name: str = NAME, **more: object) -> list[dns.message.Message]:
    found = packets(FIRST, name, enough=enough, **more)
    return [dns.message.from_wire(data) for _, data in found]


def rcodes(count: int, **more: object) -> list[str]:
    """Of several questions, one after another; "-" is silence."""
    found = [packets(FIRST, NAME, seconds=0.2, **more) for _ in range(count)]
    return [
        dns.rcode.to_text(dns.message.from_wire(each[0][1]).rcode()) if each else "-"
        for each in found
    ]


def test_losing_the_first(serve: Serve) -> None:
    world = serve(v.lose_first(2))
    assert rcodes(3) == ["-", "-", "NOERROR"]
    assert [query.rcode for query in world.nameservers.asked(NAME)] == [None, None, "NOERROR"]


def test_silence(serve: Serve) -> None:
    serve(v.silent)
    assert rcodes(1) == ["-"]


def test_servfail_at_first(serve: Serve) -> None:
    serve(v.servfail_at_first(1))
    assert rcodes(2) == ["SERVFAIL", "NOERROR"]


def test_another_code_at_first(serve: Serve) -> None:
    serve(v.servfail_at_first(1, "notimp"))
    assert rcodes(2) == ["NOTIMP", "NOERROR"]


def test_servfail_now_and_then(serve: Serve) -> None:
    serve(v.servfail_now_and_then(0.5))
    assert set(rcodes(60)) == {"SERVFAIL", "NOERROR"}


def test_slowness_that_holds_nobody_up(serve: Serve) -> None:
    serve(v.slow(0.3))
    with ThreadPoolExecutor(10) as pool:
        began = time.monotonic()
        found = list(pool.map(lambda _: packets(FIRST, NAME, seconds=5), range(10)))
        took = time.monotonic() - began
    assert 0.3 <= took < 2
    assert all(at >= 0.3 for [(at, _)] in found)


@pytest.mark.parametrize("vice", [v.wrong_id, v.wrong_question, v.no_question, v.question_back])
def test_what_answers_another_question(serve: Serve, vice: Vice) -> None:
    serve(vice)
    question = dns.message.make_query(NAME, "TXT")
    with pytest.raises((dns.query.BadResponse, dns.exception.Timeout)):
        dns.query.udp(question, FIRST, timeout=1)


@pytest.mark.parametrize("vice", [v.garbage, v.cut_off])
def test_what_is_no_message(serve: Serve, vice: Vice) -> None:
    serve(vice)
    [(_, data)] = packets(FIRST, NAME)
    with pytest.raises(dns.exception.DNSException):
        dns.message.from_wire(data)


def test_a_forged_packet_comes_first(serve: Serve) -> None:
    serve(v.first(v.wrong_id))
    forged, honest = answers(2)
    assert forged.id != honest.id


def test_garbage_comes_first(serve: Serve) -> None:
    serve(v.garbage_first)
    (_, garbage), (_, honest) = packets(FIRST, NAME, enough=2)
    assert garbage == b"\x00garbage"
    assert dns.message.from_wire(honest).answer


def test_an_answer_that_comes_twice(serve: Serve) -> None:
    serve(v.twice)
    one, other = answers(2)
    assert one == other


def test_names_in_other_letters(serve: Serve) -> None:
    serve(v.wrong_case_of_name)
    [reply] = answers()
    assert str(reply.question[0].name) == str(reply.answer[0].name) == NAME.upper() + "."


def test_a_referral_upwards(serve: Serve) -> None:
    serve(v.referral_upwards)
    [reply] = answers()
    assert (str(reply.authority[0].name), bool(reply.flags & dns.flags.AA)) == (".", False)


def test_a_referral_to_itself(serve: Serve) -> None:
    serve(v.referral_to_itself)
    [reply] = answers()
    assert str(reply.authority[0].name) == "example.com."
    assert str(reply.additional[0][0]) == FIRST


def test_a_referral_sideways(serve: Serve) -> None:
    serve(v.referral_sideways(Server(name="ns.elsewhere.example", address="127.0.9.9")))
    [reply] = answers()
    assert str(reply.authority[0][0]) == "ns.elsewhere.example."
    assert str(reply.additional[0][0]) == "127.0.9.9"


def test_an_answer_for_the_parent(serve: Serve) -> None:
    serve(v.answers_for_the_parent)
    [reply] = answers()
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert reply.flags & dns.flags.AA
    assert str(reply.authority[0].name) == "com."


def test_the_right_answer_without_authority(serve: Serve) -> None:
    serve(v.not_authoritative)
    [reply] = answers()
    assert reply.answer
    assert not reply.flags & dns.flags.AA


def test_edns_that_does_not_get_through(serve: Serve) -> None:
    serve(v.drops_edns)
    assert rcodes(1) == ["-"]
    assert rcodes(1, use_edns=False) == ["NOERROR"]


def test_edns_that_is_not_understood(serve: Serve) -> None:
    serve(v.formerr_for_edns)
    assert rcodes(1) == ["FORMERR"]
    assert rcodes(1, use_edns=False) == ["NOERROR"]


def test_edns_that_is_not_answered(serve: Serve) -> None:
    serve(v.forgets_edns)
    [reply] = answers()
    assert reply.answer
    assert reply.edns == -1


def test_truncation(serve: Serve) -> None:
    world = serve(v.truncates)
    assert texts(FIRST, NAME) == ["00"]
    assert [query.transport for query in world.nameservers.asked(NAME)] == ["udp", "tcp"]


def test_one_transport_alone(serve: Serve) -> None:
    serve(v.only_over("tcp"))
    assert rcodes(1) == ["-"]
    question = dns.message.make_query(NAME, "TXT")
    assert dns.query.tcp(question, FIRST, timeout=2).answer


def test_no_more_than_some_texts(serve: Serve) -> None:
    serve(v.capped(8), count=12)
    seen = [tuple(texts(FIRST, NAME)) for _ in range(3)]
    assert [len(each) for each in seen] == [8, 8, 8]
    assert len(set(seen)) == 1


def test_texts_in_turn(serve: Serve) -> None:
    serve(v.rotating(8), count=12)
    seen = [texts(FIRST, NAME) for _ in range(3)]
    assert [len(each) for each in seen] == [8, 8, 8]
    assert len({text for each in seen for text in each}) == 12


def test_fewer_texts_than_the_cap(serve: Serve) -> None:
    serve(v.rotating(8), count=3)
    assert [len(texts(FIRST, NAME)) for _ in range(2)] == [3, 3]


def test_a_vice_for_some_names(serve: Serve) -> None:
    serve(v.only_for(lambda name: name.startswith("_acme"), v.lose_first(1)))
    assert answers(name="other.example.com")
    assert rcodes(2) == ["-", "NOERROR"]


def test_a_vice_for_a_type(serve: Serve) -> None:
    serve(v.only_for_type("TXT", v.says("refused")))
    assert rcodes(1) == ["REFUSED"]
    assert answers(name="example.com", type="SOA")[0].answer


def test_a_vice_for_a_time(serve: Serve) -> None:
    serve(v.during(0.0, 1.0, v.says("refused")))
    assert rcodes(1) == ["REFUSED"]
    time.sleep(1.0)
    assert rcodes(1) == ["NOERROR"]


def test_vices_are_not_for_the_ca(serve: Serve) -> None:
    serve(v.silent)
    assert texts(FOR_THE_CA, NAME) == ["00"]


def test_vices_for_all(serve: Serve) -> None:
    serve(v.says("refused"), vice_for_all=True)
    assert ask(FOR_THE_CA, NAME).rcode() == dns.rcode.SERVFAIL


def test_a_vice_of_one_s_own(serve: Serve) -> None:
    seen = []
    world = serve(lambda question: seen.append(question) or question.honest())
    packets(FIRST, NAME.upper())
    [question] = seen
    [query] = world.nameservers.asked(NAME)
    assert (question.name, question.type, question.number) == (NAME, "TXT", 1)
    assert (question.transport, question.port) == ("udp", query.port)
    assert question.edns
    assert question.apex == "example.com"
    assert question.elapsed > 0


def test_a_vice_with_a_mistake_is_noticed(serve: Serve) -> None:
    world = serve(lambda question: 1 / 0)
    assert rcodes(1) == ["-"]
    with pytest.raises(AssertionError, match="division by zero"):
        world.check()
    world.nameservers.wire.broken.clear()


@pytest.mark.parametrize("aa", [False, True])
def test_someone_in_between_answers_for_all(serve: Serve, aa: bool) -> None:
    world = serve(None)
    v.Interceptor(world, aa).everywhere()
    for address in ("127.0.0.201", "127.0.0.202", FIRST):
        reply = ask(address, NAME)
        assert reply.answer
        assert reply.flags & dns.flags.RA
        assert bool(reply.flags & dns.flags.AA) is aa


def test_who_is_in_between_remembers_absences_for_himself(serve: Serve) -> None:
    world = serve(None)
    v.Interceptor(world).everywhere()
    name = "new.example.com"
    assert texts(FIRST, name) == []
    world.records.add_stranger("example.com", "new", "x")
    assert texts(FIRST, name) == []
    assert texts(FOR_THE_CA, name) == ["x"]


def resolver_says(type: str = "SOA") -> str:
    found = packets(ADDRESS, "example.com", type, seconds=0.3)
    return dns.rcode.to_text(dns.message.from_wire(found[0][1]).rcode()) if found else "-"


def test_a_resolver_that_loses_the_first(serve: Serve) -> None:
    serve(None).resolver.vice = v.at_first(1, "silent")
    assert [resolver_says(), resolver_says()] == ["-", "NOERROR"]


def test_a_resolver_that_fails_for_a_while(serve: Serve) -> None:
    world = serve(None)
    world.resolver.vice = v.for_seconds(0.5, "servfail")
    assert resolver_says() == "SERVFAIL"
    time.sleep(0.6)
    assert resolver_says() == "NOERROR"


def test_a_resolver_that_fails_for_a_type(serve: Serve) -> None:
    world = serve(None)
    world.resolver.vice = v.for_types("NS")
    assert [resolver_says(type) for type in ("NS", "SOA")] == ["SERVFAIL", "NOERROR"]


def test_a_slow_resolver_is_slow_for_one_s_own_questions_alone(serve: Serve) -> None:
    world = serve(None)
    world.resolver.slow = 0.5
    began = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda _: ask(ADDRESS, "example.com", "NS"), range(40)))
    assert 0.5 <= time.monotonic() - began < 2
    began = time.monotonic()
    assert ask(FOR_THE_CA, "example.com", "NS").answer
    assert ask(ADDRESS, "alidns.aliyuncs.com", "A").answer
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    ("vice", "least"),
    [
        (v.many_texts(3000), 30_000),
        (v.many_additional(2000), 30_000),
        (v.one_long_text, 60_000),
        (v.takes_long_to_read(4000), 50_000),
    ],
    ids=["texts", "additional", "one text", "names"],
)
def test_answers_of_many_bytes(serve: Serve, vice: Vice, least: int) -> None:
    serve(vice)
    with socket.create_connection((FIRST, 53), 5) as sock:
        question = dns.message.make_query(NAME, "TXT").to_wire()
        sock.sendall(len(question).to_bytes(2, "big") + question)
        with sock.makefile("rb") as stream:
            length = int.from_bytes(stream.read(2), "big")
            assert length >= least
            assert len(stream.read(length)) == length


def test_referrals_to_many(serve: Serve) -> None:
    serve(v.refers_to_nobody(20, "victim.example"))
    first, again = (ask(FIRST, NAME).authority for _ in range(2))
    hosts = {str(record) for rrset in [*first, *again] for record in rrset}
    assert len(hosts) == 40
    assert "ns0.victim.example." in hosts
    assert ask(FIRST, "example.com", "SOA").answer


def test_a_referral_to_any_address(serve: Serve) -> None:
    serve(v.refers_to(["192.0.2.1", "192.0.2.2"]))
    (addresses,) = ask(FIRST, NAME).additional
    assert {str(record) for record in addresses} == {"192.0.2.1", "192.0.2.2"}


def test_cnames_without_end(serve: Serve) -> None:
    serve(v.cnames_without_end)
    targets = {str(ask(FIRST, NAME).answer[0][0]) for _ in range(3)}
    assert len(targets) == 3


def test_a_flood(serve: Serve) -> None:
    serve(v.floods(30))
    assert len(packets(FIRST, NAME, enough=30)) == 30
