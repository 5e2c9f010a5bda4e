"""Resolvers that lose packets, are slow, fail for a moment, or are not there at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from certbot_dns_aliyun.propagation import resolver as module
from certbot_dns_aliyun.propagation.resolv_conf import ResolvConf
from certbot_dns_aliyun.propagation.resolver import Resolver, _History, _Server
from certbot_dns_aliyun.propagation.traffic import Traffic
from certbot_dns_aliyun.propagation.wire import RoundTrip, Way
from tests.unit.fake_dns import (
    RESOLVER,
    Act,
    Asked,
    Internet,
    lost,
    no_edns,
    refers_to,
    refused,
    servfail,
    truncated,
    unreachable,
)
from tests.unit.fake_time import Clock

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
NAME = "www.example.com"


@pytest.fixture
def internet(clock: Clock) -> Iterator[Internet]:
    internet = Internet()
    internet.add("", "10.0.0.1")
    internet.add("example.com", "10.1.0.1")
    with internet.in_place((RESOLVER, ONE, TWO, THREE)):
        yield internet


def resolver(*addresses: str, **conf: object) -> Resolver:
    how = ResolvConf(**conf)  # type: ignore[arg-type]
    return Resolver([(address, 53) for address in addresses], Traffic(), how)


async def ask(
    some: Resolver, name: str = NAME, kind: dns.rdatatype.RdataType = dns.rdatatype.SOA
) -> dns.message.Message | None:
    return await some.ask(dns.name.from_text(name), kind)


def is_answered(clock: Clock, some: Resolver, *given: object) -> bool:
    return clock.run(ask(some, *given)) is not None  # type: ignore[arg-type]


def until(clock: Clock, seconds: float, act: Act) -> Act:
    """The act until then, and the truth afterwards."""
    return lambda asked: act(asked) if clock.elapsed < seconds else asked.honest()


def test_one_question_for_one_answer(clock: Clock, internet: Internet) -> None:
    assert is_answered(clock, resolver(ONE, TWO))
    assert internet.ways == [(ONE, "udp")]


@pytest.mark.parametrize("name", [NAME, "example.com", "no.such.example.com"])
def test_what_there_is_and_that_there_is_nothing(
    clock: Clock, internet: Internet, name: str
) -> None:
    response = clock.run(ask(resolver(ONE), name))
    assert response is not None
    assert [r.name.to_text() for r in response.answer + response.authority] == ["example.com."]


def test_a_lost_packet_costs_a_second_and_less_once_it_is_known_how_far_it_is(
    clock: Clock, internet: Internet
) -> None:
    internet.treat(ONE, lost, 1)
    some = resolver(ONE)
    assert is_answered(clock, some)
    assert 1.0 <= clock.elapsed < 1.1
    internet.treat(ONE, lost, 1)
    assert is_answered(clock, some)
    assert 1.3 <= clock.elapsed < 1.5


def test_what_is_lost_twice_is_asked_over_tcp(clock: Clock, internet: Internet) -> None:
    internet.treat(ONE, lost, way="udp")
    some = resolver(ONE)
    assert is_answered(clock, some)
    assert [way for _, way in internet.ways] == ["udp", "udp", "tcp"]
    assert is_answered(clock, some)
    assert [way for _, way in internet.ways[3:]] == ["tcp"]


def test_a_path_that_bears_no_edns(clock: Clock, internet: Internet) -> None:
    internet.treat(ONE, lambda asked: None if asked.query.edns >= 0 else asked.honest())
    some = resolver(ONE)
    assert is_answered(clock, some)
    assert is_answered(clock, some)
    assert [way for _, way in internet.ways] == ["udp"] * 3


@pytest.mark.parametrize("seconds", [1.3, 3.0, 4.9])
def test_a_slow_answer_counts(clock: Clock, internet: Internet, seconds: float) -> None:
    internet.delays[ONE] = seconds
    assert is_answered(clock, resolver(ONE, timeout=1))
    assert seconds <= clock.elapsed < seconds + 0.1


def test_who_is_always_slow_is_asked_once_each(clock: Clock, internet: Internet) -> None:
    internet.delays[ONE] = 1.3
    some = resolver(ONE)
    assert all(is_answered(clock, some, f"host{number}.example.com") for number in range(10))
    assert len(internet.ways) == 11


@pytest.mark.parametrize("act", [servfail, refused, unreachable, refers_to("")])
def test_who_fails_gives_way_to_the_next_at_once(
    clock: Clock, internet: Internet, act: Act
) -> None:
    internet.treat(ONE, act)
    some = resolver(ONE, TWO)
    assert is_answered(clock, some)
    assert clock.elapsed < 0.1
    assert is_answered(clock, some)
    assert [address for address, _ in internet.ways] == [ONE, TWO, TWO]


def test_who_is_silent_gives_way_to_the_next_after_a_second(
    clock: Clock, internet: Internet
) -> None:
    internet.silent |= {ONE, TWO}
    some = resolver(ONE, TWO, THREE)
    assert is_answered(clock, some)
    assert 2.0 <= clock.elapsed < 2.1
    assert is_answered(clock, some)
    assert [address for address, _ in internet.ways] == [ONE, TWO, THREE, THREE]


def test_who_has_failed_is_asked_later_the_next_time(clock: Clock, internet: Internet) -> None:
    some = resolver(ONE, TWO)
    assert is_answered(clock, some)
    internet.treat(ONE, servfail)
    assert is_answered(clock, some, "example.com")
    assert is_answered(clock, some)
    assert [address for address, _ in internet.ways] == [ONE, ONE, TWO, TWO]


@pytest.mark.parametrize("addresses", [(ONE,), (ONE, TWO)])
@pytest.mark.parametrize("act", [servfail, refused, unreachable, lost])
def test_resolvers_that_fail_for_two_seconds(
    clock: Clock, internet: Internet, addresses: tuple[str, ...], act: Act
) -> None:
    for address in addresses:
        internet.treat(address, until(clock, 2.0, act))
    assert is_answered(clock, resolver(*addresses))
    assert clock.elapsed < 4.0


def test_a_name_that_cannot_be_resolved_is_given_up_in_seconds(
    clock: Clock, internet: Internet
) -> None:
    internet.treat(ONE, servfail)
    assert not is_answered(clock, resolver(ONE))
    assert 3.5 <= clock.elapsed < 4.0
    assert len(internet.ways) == 4


def test_a_resolver_that_refuses_a_type_costs_seconds_once(
    clock: Clock, internet: Internet
) -> None:
    internet.treat(ONE, refused, kind="SOA")
    some = resolver(ONE)
    for _ in range(2):
        assert not is_answered(clock, some)
    before = clock.elapsed
    assert not is_answered(clock, some)
    assert clock.elapsed - before < 1.0
    assert is_answered(clock, some, "example.com", dns.rdatatype.NS)


def test_a_resolver_that_drops_a_type_costs_seconds_once(clock: Clock, internet: Internet) -> None:
    internet.treat(ONE, lost, kind="SOA")
    some = resolver(ONE)
    assert is_answered(clock, some, "example.com", dns.rdatatype.NS)
    assert not any(is_answered(clock, some) for _ in range(20))
    assert clock.elapsed < 11.0
    assert is_answered(clock, some, "www.example.com", dns.rdatatype.NS)


def test_a_failure_beside_a_slow_answer(clock: Clock, internet: Internet) -> None:
    internet.delays[ONE] = 4.0
    internet.treat(TWO, servfail)
    assert is_answered(clock, resolver(ONE, TWO))
    assert clock.elapsed < 4.1


@pytest.mark.parametrize(
    ("conf", "seconds"), [({}, 10.0), ({"timeout": 30}, 12.0), ({"timeout": 1}, 5.0)]
)
def test_nobody_there_costs_what_the_c_library_waits_within_bounds(
    clock: Clock, internet: Internet, conf: dict[str, object], seconds: float
) -> None:
    internet.silent.add(ONE)
    assert not is_answered(clock, resolver(ONE, **conf))
    assert seconds <= clock.elapsed < seconds + 0.1


def test_nobody_there_costs_that_once(clock: Clock, internet: Internet) -> None:
    internet.silent |= {ONE, TWO}
    some = resolver(ONE, TWO)

    async def ask_many() -> list[dns.message.Message | None]:
        names = [f"host{number}.example.com" for number in range(50)]
        at_once = await asyncio.gather(*(ask(some, name) for name in names))
        kinds = (dns.rdatatype.SOA, dns.rdatatype.NS, dns.rdatatype.A, dns.rdatatype.AAAA)
        return [*at_once, *[await ask(some, kind=kind) for kind in kinds * 5]]

    assert not any(clock.run(ask_many()))
    assert clock.elapsed < 13.0


def test_who_comes_back_is_asked_again(clock: Clock, internet: Internet) -> None:
    internet.silent.add(ONE)
    some = resolver(ONE)
    assert not is_answered(clock, some)
    internet.silent.clear()
    assert not is_answered(clock, some)
    clock.sleep(6.0)
    before = clock.elapsed
    assert is_answered(clock, some)
    assert clock.elapsed - before < 0.1


def test_who_has_answered_before_gets_time_again(clock: Clock, internet: Internet) -> None:
    some = resolver(ONE)
    assert is_answered(clock, some)
    internet.silent.add(ONE)
    assert not is_answered(clock, some)
    clock.sleep(60.0)
    internet.silent.clear()
    internet.delays[ONE] = 4.0
    assert is_answered(clock, some)


def test_tcp_alone(clock: Clock, internet: Internet) -> None:
    internet.treat(ONE, lost, 2)
    some = resolver(ONE, use_vc=True)
    assert is_answered(clock, some)
    assert [way for _, way in internet.ways] == ["tcp"] * 3


def test_turns_of_questions(clock: Clock, internet: Internet) -> None:
    some = resolver(ONE, TWO, THREE, rotate=True)
    for number in range(6):
        assert is_answered(clock, some, f"host{number}.example.com")
    assert [address for address, _ in internet.ways] == [ONE, TWO, THREE] * 2


def test_an_answer_that_was_cut_comes_over_tcp(clock: Clock, internet: Internet) -> None:
    internet.treat(ONE, truncated)
    response = clock.run(ask(resolver(ONE), "example.com"))
    assert response is not None
    assert response.answer
    assert [way for _, way in internet.ways] == ["udp", "tcp"]


def test_a_part_is_better_than_nothing(clock: Clock, internet: Internet) -> None:
    def cut(asked: Asked) -> dns.message.Message:
        response = asked.honest()
        response.flags |= dns.flags.TC
        return response

    internet.treat(ONE, cut, way="udp")
    internet.treat(ONE, unreachable, way="tcp")
    response = clock.run(ask(resolver(ONE), "example.com"))
    assert response is not None
    assert response.answer


def test_a_resolver_that_knows_no_edns(clock: Clock, internet: Internet) -> None:
    internet.treat(ONE, no_edns)
    assert is_answered(clock, resolver(ONE))
    assert clock.elapsed < 0.1


def test_nothing_is_under_way_after_the_answer(clock: Clock, internet: Internet) -> None:
    internet.silent |= {ONE, TWO}

    async def ask_and_count() -> int:
        assert await ask(resolver(ONE, TWO, THREE)) is not None
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert clock.run(ask_and_count()) == 1


def test_without_a_resolver_there_is_no_answer(clock: Clock, internet: Internet) -> None:
    assert not is_answered(clock, resolver())


@pytest.mark.parametrize("unchecked", [False, True])
def test_who_does_not_want_dnssec_checked_says_so(
    clock: Clock, internet: Internet, unchecked: bool
) -> None:
    flags = []

    def note(asked: Asked) -> dns.message.Message:
        flags.append(asked.query.flags)
        return asked.honest()

    internet.treat(ONE, note)
    some = resolver(ONE)
    clock.run(some.ask(dns.name.from_text(NAME), dns.rdatatype.SOA, unchecked))
    clock.run(some.ask(dns.name.from_text("other.example.com"), dns.rdatatype.SOA))
    assert [bool(each & dns.flags.CD) for each in flags] == [unchecked, False]
    assert all(each & dns.flags.RD for each in flags)


def test_each_resolver_is_asked_at_its_own_port(
    clock: Clock, internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def exchange(*given: object, **more: object) -> dns.message.Message:
        _, address, port, timeout, way = given
        asked.append((address, port, timeout, way, more))
        raise dns.exception.DNSException

    monkeypatch.setattr(module, "exchange", exchange)
    some = Resolver([(ONE, 5353), (TWO, 53)], Traffic(), ResolvConf(timeout=7))
    assert clock.run(ask(some)) is None
    connected = {"is_connected": True}
    assert asked[:2] == [
        (ONE, 5353, 7, Way.UDP, connected),
        (TWO, 53, 7, Way.UDP, connected),
    ]


@pytest.mark.parametrize(
    ("code", "flags", "says", "is_answer"),
    [
        (dns.rcode.NOERROR, dns.flags.RA, "", True),
        (dns.rcode.NOERROR, dns.flags.AA, "", True),
        (dns.rcode.NOERROR, 0, "", False),
        (dns.rcode.NXDOMAIN, 0, "", False),
        (dns.rcode.NXDOMAIN, 0, "SOA", True),
        (dns.rcode.NOERROR, 0, "NS", False),
        (dns.rcode.NOERROR, 0, "answer", True),
        (dns.rcode.SERVFAIL, dns.flags.RA, "answer", False),
        (dns.rcode.REFUSED, dns.flags.RA, "", False),
    ],
)
def test_who_looks_nothing_up_has_not_answered(
    clock: Clock,
    internet: Internet,
    code: dns.rcode.Rcode,
    flags: dns.flags.Flag,
    says: str,
    is_answer: bool,
) -> None:
    """A forwarder without an upstream sends an empty answer, or a referral to the root."""

    def act(asked: Asked) -> dns.message.Message:
        response = asked.respond(code)
        response.flags = (response.flags & ~dns.flags.RA) | flags
        text = {"SOA": "ns. host. 1 1 1 1 1", "NS": "ns1.example.net.", "answer": "192.0.2.9"}
        if says == "answer":
            response.answer.append(dns.rrset.from_text(asked.name + ".", 60, "IN", "A", text[says]))
        elif says:
            response.authority.append(dns.rrset.from_text("com.", 60, "IN", says, text[says]))
        return response

    internet.treat(ONE, act)
    assert is_answered(clock, resolver(ONE)) == is_answer


def test_what_came_of_a_question_is_in_the_log(
    clock: Clock, internet: Internet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    internet.treat(ONE, servfail)
    internet.treat(TWO, unreachable)
    assert not is_answered(clock, resolver(ONE, TWO))
    (line,) = [record.getMessage() for record in caplog.records if "No answer" in record.msg]
    assert line.endswith(f"for {NAME}. SOA: {ONE} fails, {TWO} cannot be reached")


def test_who_fails_is_asked_again_in_the_same_way(clock: Clock, internet: Internet) -> None:
    """It has answered, if nothing useful: that way works."""
    internet.treat(ONE, servfail, 3)
    assert is_answered(clock, resolver(ONE))
    assert [way for _, way in internet.ways] == ["udp"] * 4


def test_a_failure_is_no_lost_packet(clock: Clock, internet: Internet) -> None:
    internet.treat(ONE, servfail, 1)
    internet.treat(ONE, lost, way="udp")
    assert is_answered(clock, resolver(ONE))
    assert [way for _, way in internet.ways] == ["udp", "udp", "udp", "tcp"]


def test_who_answers_over_tcp_once_is_not_asked_so_for_good(
    clock: Clock, internet: Internet
) -> None:
    some = resolver(ONE)
    assert is_answered(clock, some, "a.example.com")
    internet.treat(ONE, lost, 2, way="udp")
    assert is_answered(clock, some, "b.example.com")
    assert is_answered(clock, some, "c.example.com")
    assert [way for _, way in internet.ways] == ["udp", "udp", "udp", "tcp", "udp"]


def test_only_a_hundred_questions_go_out_at_once(clock: Clock, internet: Internet) -> None:
    some = resolver(ONE)

    async def ask_many() -> None:
        await asyncio.gather(*(ask(some, f"host{n}.example.com") for n in range(110)))

    clock.run(ask_many())
    assert 0.02 < clock.elapsed < 0.2
    assert set(some._traffic._turns) == {ONE}


# What is remembered


def test_silence_is_that_of_strangers_after_five_seconds(clock: Clock) -> None:
    history = _History()
    clock.sleep(60)
    assert not history.is_silent(), "nobody was asked"
    history.silent_since = clock.now
    clock.sleep(5.0)
    assert not history.is_silent()
    clock.sleep(0.1)
    assert history.is_silent()


def test_silence_of_who_has_answered_takes_longer_and_is_soon_over(clock: Clock) -> None:
    history = _History(has_answered=True, silent_since=clock.now)
    clock.sleep(11.9)
    history.given_up_at = clock.now
    assert not history.is_silent()
    clock.sleep(0.2)
    assert history.is_silent()
    clock.sleep(11.7)
    assert history.is_silent()
    clock.sleep(0.2)
    assert not history.is_silent()


def test_what_was_heard_ends_the_silence_and_failures_are_counted(clock: Clock) -> None:
    history = _History(silent_since=clock.now, left_alone_until=clock.now + 5)
    history.note(is_answered=True, has_heard=True)
    assert (history.silent_since, history.left_alone_until, history.failures) == (0.0, 0.0, 0)
    for failures in (1, 2):
        history.note(is_answered=False, has_heard=True)
        assert (history.failures, history.has_answered) == (failures, True)
    history.note(is_answered=True, has_heard=True)
    assert history.failures == 0


@pytest.mark.parametrize(
    ("has_answered", "silent_for", "is_left_alone"),
    [(False, 1.0, True), (True, 1.0, False), (True, 13.0, True)],
)
def test_who_is_not_heard_is_left_alone_for_a_while(
    clock: Clock, has_answered: bool, silent_for: float, is_left_alone: bool
) -> None:
    history = _History(has_answered=has_answered, silent_since=clock.now)
    clock.sleep(silent_for)
    history.note(is_answered=False, has_heard=False)
    assert history.given_up_at == clock.now
    assert history.left_alone_until == (clock.now + 5.0 if is_left_alone else 0.0)


def test_the_way_that_works_is_the_first_but_for_tcp_where_udp_has_worked() -> None:
    server = _Server(ONE, 53)
    server.answered(Way.TCP, 0.3)
    assert server.ways[0] is Way.TCP
    assert server.head_start == _Server(ONE, 53, round_trip=halved(0.3)).head_start
    server.answered(Way.PLAIN, 0.1)
    assert server.ways[0] is Way.PLAIN
    server.answered(Way.TCP, 0.1)
    server.answered(Way.TCP, 0.1)
    assert server.ways[0] is Way.PLAIN
    alone = _Server(ONE, 53, (Way.TCP,))
    alone.answered(Way.TCP, 0.1)
    assert alone.ways == (Way.TCP,)


def halved(seconds: float) -> RoundTrip:
    """What an answer over TCP tells of the way: it took a connection besides."""
    round_trip = RoundTrip()
    round_trip.took(seconds, Way.TCP)
    return round_trip


def asked_at(clock: Clock, internet: Internet, *addresses: str, act: Act = lost) -> list[float]:
    """The times at which questions come to resolvers that act in some way."""
    times: list[float] = []

    def note(asked: Asked) -> dns.message.Message | None:
        times.append(round(clock.elapsed, 1))
        return act(asked)

    for address in addresses:
        internet.treat(address, note)
    return times


def test_the_time_until_it_is_asked_again_doubles(clock: Clock, internet: Internet) -> None:
    some = resolver(ONE, timeout=10)
    for number in range(9):
        assert is_answered(clock, some, f"host{number}.example.com")
    times = asked_at(clock, internet, ONE)
    assert not is_answered(clock, some, "lost.example.com")
    assert times[:5] == [0.0, 0.3, 0.9, 2.1, 4.1]


def test_a_question_that_has_become_too_old_hurries_no_other(
    clock: Clock, internet: Internet
) -> None:
    times = asked_at(clock, internet, ONE, TWO)
    assert not is_answered(clock, resolver(ONE, TWO))
    assert times == [0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0]


def test_who_fails_is_asked_now_and_then_while_another_is_awaited(
    clock: Clock, internet: Internet
) -> None:
    internet.delays[ONE] = 9.5
    times = asked_at(clock, internet, TWO, act=servfail)
    some = resolver(ONE, TWO, timeout=10)
    some._history.failures = 2  # so one pause is thought to be enough
    assert is_answered(clock, some)
    assert clock.elapsed == pytest.approx(9.5, abs=0.01)
    assert times == [1.0, 3.5, 7.5]


def test_who_is_silent_is_asked_later_though_questions_go_by_turns(
    clock: Clock, internet: Internet
) -> None:
    internet.treat(ONE, lost, 1)
    some = resolver(ONE, TWO, rotate=True)
    for number in range(3):
        assert is_answered(clock, some, f"host{number}.example.com")
    assert [address for address, _ in internet.ways] == [ONE, TWO, TWO, TWO]


def test_who_is_believed_not_to_be_there_gets_a_glance_now_and_then(
    clock: Clock, internet: Internet
) -> None:
    internet.silent.add(ONE)
    some, seconds = resolver(ONE), []
    for number in range(4):
        began = clock.elapsed
        assert not is_answered(clock, some, f"host{number}.example.com")
        seconds.append(round(clock.elapsed - began, 1))
        clock.sleep(0.0 if number == 0 else 5.1)
    assert seconds == [10.0, 0.0, 1.5, 1.5]
