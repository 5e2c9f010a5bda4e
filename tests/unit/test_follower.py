"""What is known of one address, and what it is asked for next."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from certbot_dns_aliyun.propagation import follower as module
from certbot_dns_aliyun.propagation.awake import AwakeClock
from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.follower import Cap, Follower, Wanted
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply
from certbot_dns_aliyun.propagation.sample import Sample
from certbot_dns_aliyun.propagation.traffic import Traffic
from tests.unit.fake_time import START, Clock

pytestmark = pytest.mark.usefixtures("_loop_for_events")

SERVER = NameServer("ns1.alidns.com", "192.0.2.1")
A, B, C = (f"_acme-challenge.{each}.example.com" for each in "abc")
YES, NO = Outcome.AUTHORITATIVE, Outcome.SILENT


def follower(clock: Clock, ages: dict[str, float], **more: Any) -> Follower:
    """An address that is to serve records, each added so many seconds ago."""
    wanted = {name: Wanted(frozenset({name[16]}), clock.now - age) for name, age in ages.items()}
    return Follower(Contact(SERVER, Traffic()), "example.com", wanted, AwakeClock(), **more)


def replies(*outcomes: Outcome) -> list[Reply]:
    return [Reply(outcome) for outcome in outcomes]


def test_one_of_the_zones_at_an_address_asks_for_all_until_a_lag_is_known(clock: Clock) -> None:
    first, second = follower(clock, {A: 0.0}), follower(clock, {B: 0.0})
    contact = second.contact = first.contact
    assert first._scouts()
    assert not second._scouts()
    assert first._scouts()
    contact.lag = 1.0
    assert second._scouts(), "nobody need hold back then"
    contact.scout = None
    assert second._scouts()
    assert contact.scout is None, "nor need anybody go ahead"


@pytest.mark.parametrize(
    ("waited", "pause"), [(0.0, 0.1), (2.0, 0.1), (10.0, 0.5), (30.0, 1.5), (60.0, 2.0)]
)
def test_the_longer_the_wait_the_longer_the_pauses(
    clock: Clock, waited: float, pause: float
) -> None:
    some, shared = follower(clock, {A: 0.0}), follower(clock, {A: 0.0}, sharing=3)
    clock.sleep(waited)
    assert some._pause() == pytest.approx(pause)
    assert some._long_pause() == pytest.approx(pause)
    assert shared._long_pause() == pytest.approx(min(3 * pause, 5.0))


def test_of_what_is_known_of_the_lag_its_own_comes_first(clock: Clock) -> None:
    some = follower(clock, {A: 0.0})
    assert some._least_lag() is None
    some.zone_lag = 3.0
    assert some._least_lag() == 3.0
    some.contact.lag = 2.0
    assert some._least_lag() == 2.0
    some._lag = 4.0
    assert some._least_lag() == 4.0


def test_who_follows_no_more_leaves_no_trace_at_the_address(clock: Clock) -> None:
    some = follower(clock, {A: 0.0}, is_trusted=True)
    contact = some.contact

    async def ask(name: str) -> Reply:
        return answer()

    contact.ask = ask  # type: ignore[method-assign,assignment]

    async def follow_for_a_while() -> None:
        some._stirred = asyncio.Event()  # of this loop, as Python 3.9 wants it
        some.is_eager = True
        following = asyncio.ensure_future(some.run())
        await asyncio.sleep(0.5)
        assert contact.followers == [some]
        assert contact.scout is some
        following.cancel()
        await asyncio.wait([following])

    clock.run(follow_for_a_while())
    assert contact.followers == []
    assert contact.scout is None


@pytest.mark.parametrize("more", [{}, {"is_trusted": True}])
def test_who_answers_in_the_place_of_a_server_is_asked_for_no_record(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, more: dict[str, bool]
) -> None:
    """But if the user named it."""
    some = follower(clock, {A: 0.0}, **more)

    async def between(contact: Contact, zone: str) -> Outcome:
        return Outcome.INTERCEPTED

    async def follow() -> None:
        raise Following

    class Following(Exception):
        pass

    monkeypatch.setattr(module, "obstacle", between)
    some._follow = follow  # type: ignore[method-assign]
    with pytest.raises(Following) if more else contextlib.nullcontext():
        clock.run(some.run())
    assert some.is_out() == (not more)


# Which records are asked for


def test_without_a_lag_the_first_record_is_asked_for_often_at_one_address(clock: Clock) -> None:
    some = follower(clock, {A: 0.0, B: 0.0})
    some.is_eager = True
    some._asked_at = some._clock.now()
    assert some._due() == [A]
    del some.missing[A]
    assert some._due() == [B]


@pytest.mark.parametrize(("sharing", "relief"), [(1, 0.3), (2, 5.0)])
def test_without_a_lag_the_others_are_asked_now_and_then(
    clock: Clock, sharing: int, relief: float
) -> None:
    some = follower(clock, {A: 0.0, B: 0.0}, sharing=sharing)
    if sharing == 1:
        assert some._due() == [A], "once at the beginning"
    some._asked_at = some._clock.now()
    assert some._due() == []
    assert some._until_due() == pytest.approx(relief)
    clock.sleep(relief - 0.01)
    assert some._due() == []
    clock.sleep(0.02)
    assert some._due() == [A]


def test_where_zones_share_an_address_the_others_wait_from_the_beginning(clock: Clock) -> None:
    some = follower(clock, {A: 0.0}, sharing=2)
    assert some._due() == []
    clock.sleep(5.01)
    assert some._due() == [A]


def test_what_is_as_old_as_the_lag_is_due(clock: Clock) -> None:
    some = follower(clock, {A: 3.0, B: 2.0, C: 1.95})
    some.contact.lag = 2.0
    assert some._due() == [A, B], "the third will be in a moment"
    del some.missing[A], some.missing[B]
    assert some._due() == []
    assert some._until_due() == pytest.approx(0.05)


def test_as_much_is_asked_at_once_as_the_restraint_allows(clock: Clock) -> None:
    names = {f"_acme-challenge.{number:03d}.example.com": 3.0 for number in range(100)}
    some = follower(clock, names)
    some.contact.lag = 2.0
    for restraint, most in enumerate((100, 16, 4, 1)):
        some._restraint = restraint
        assert some._due() == list(names)[:most]


def test_between_what_is_too_young_and_what_is_due_the_middle_is_tried(clock: Clock) -> None:
    some = follower(clock, {A: 3.0, B: 2.2, C: 1.2})
    some.contact.lag, some.contact.too_young = 4.0, 1.0
    assert some._due() == [B]
    some.contact.too_young = 2.5
    assert some._due() == [A]
    some.contact.too_young = 3.95
    some.contact.youngest_at = some._clock.now() + 1
    assert some._due() == [], "so exactly nobody need know it"


def test_what_is_known_as_exactly_as_it_is_worth_is_not_looked_into(clock: Clock) -> None:
    some = follower(clock, {A: 3.98, C: 1.2})
    some.contact.lag, some.contact.too_young = 4.0, 3.95
    some.contact.youngest_at = some._clock.now() + 1
    assert some._due() == []


def test_the_youngest_is_tried_now_and_then(clock: Clock) -> None:
    """Records may come in batches, however old each of them is."""
    some = follower(clock, {A: 3.0, B: 2.2, C: 1.2})
    some.contact.lag, some.contact.too_young = 4.0, 3.5
    assert some._due() == [C]
    assert some.contact.youngest_at == pytest.approx(some._clock.now() + 0.4)
    assert some._due() == []
    assert some._until_due() == pytest.approx(0.4)
    clock.sleep(0.41)
    assert some._due() == [C]


def test_it_rests_until_the_oldest_is_due_or_the_youngest_is_to_be_tried(clock: Clock) -> None:
    some = follower(clock, {A: 3.0, B: 1.0})
    some.contact.lag = 5.0
    assert some._until_due() == pytest.approx(2.0)
    some.contact.youngest_at = some._clock.now() + 0.5
    assert some._until_due() == pytest.approx(0.5)
    some.contact.youngest_at = some._clock.now() + 9.0
    assert some._until_due() == pytest.approx(2.0)
    del some.missing[A]
    assert some._until_due() == pytest.approx(4.0)


def test_what_is_seen_is_told_at_once_and_only_that(clock: Clock) -> None:
    told: list[float] = []
    some = follower(clock, {A: 3.0}, changed=lambda: told.append(clock.now))

    async def ask(name: str) -> Reply:
        return answer(name[16])

    some.contact.ask = ask  # type: ignore[method-assign,assignment]
    for _ in range(2):
        clock.run(some._ask([A]))
        clock.sleep(1.0)
    assert told == [some.seen_at] == [clock.now - 2.0]


def asked_in_a_second(clock: Clock, some: Follower, reply: Reply) -> list[float]:
    """Follow for a second, with one reply to all questions; gives when those came."""
    times: list[float] = []

    async def ask(name: str) -> Reply:
        times.append(clock.now)
        return reply

    some.contact.ask = ask  # type: ignore[method-assign,assignment]

    async def follow() -> None:
        some._stirred = asyncio.Event()  # of this loop, as Python 3.9 wants it
        some.is_eager = True
        following = asyncio.ensure_future(some.run())
        await asyncio.sleep(1.0)
        following.cancel()
        await asyncio.wait([following])

    clock.run(follow())
    return times


def test_who_cannot_be_reached_is_not_asked_again_and_again_at_once(clock: Clock) -> None:
    some = follower(clock, {A: 3.0}, is_trusted=True)
    assert 5 <= len(asked_in_a_second(clock, some, Reply(Outcome.UNREACHABLE))) <= 11


def test_who_leaves_the_asking_to_another_zone_asks_now_and_then_all_the_same(clock: Clock) -> None:
    """That one may have ended."""
    some = follower(clock, {A: 3.0}, is_trusted=True)
    some.contact.scout = object()
    assert 5 <= len(asked_in_a_second(clock, some, answer())) <= 11


# What answers tell


def test_the_least_lag_counts_and_the_first_one_stirs_all(clock: Clock) -> None:
    some = follower(clock, {A: 3.0, B: 2.0})
    stirred = []
    some.contact.followers.append(SimpleNamespace(stir=lambda: stirred.append("the other zone")))
    some._seen(A, 3.0)
    assert (list(some.missing), some.contact.lag) == ([B], 3.0)
    assert stirred == ["the other zone"]
    some._seen(B, 2.0)
    assert (list(some.missing), some.contact.lag) == ([], 2.0)
    assert stirred == ["the other zone"], "who knows one need not be stirred"
    some._seen(B, 5.0)
    assert some.contact.lag == 2.0


def test_who_is_late_and_is_seen_stirs_the_others_once(clock: Clock) -> None:
    """Zones that are late are often so together."""
    some, stirred = follower(clock, {A: 3.0, B: 3.0}), []
    other = SimpleNamespace(stir=lambda: stirred.append(clock.now), sample=Sample(0.0))
    some.contact.followers.append(other)
    some.contact.lag = 2.0
    some._denied(A, 3.0, True)
    for _ in range(2):
        some._seen(A, 3.1)
        assert len(stirred) == 1


@pytest.mark.parametrize(
    ("sharing", "eager", "lag", "age", "pause"),
    [
        (30, False, 2.0, 2.5, 0.5),
        (30, False, 2.0, 2.05, 0.1),
        (30, False, 2.0, 9.0, 3.0),
        (90, False, 2.0, 9.0, 5.0),
        (2, False, 2.0, 9.0, 0.2),
        (30, True, 2.0, 9.0, 0.1),
        (1, False, 2.0, 9.0, 0.1),
        (30, False, None, 9.0, 3.0),
    ],
)
def test_of_zones_at_an_address_each_that_is_late_waits_as_long_again(
    clock: Clock, sharing: int, eager: bool, lag: float | None, age: float, pause: float
) -> None:
    some = follower(clock, {A: age}, is_trusted=True, sharing=sharing)
    some.contact.lag, some.zone_lag, some._asked_at = lag, 1.0, some._clock.now()
    some.contact.scout = object()
    times: list[float] = []

    async def ask(name: str) -> Reply:
        times.append(clock.now)
        return answer()

    some.contact.ask = ask  # type: ignore[method-assign,assignment]

    async def follow() -> None:
        some._stirred = asyncio.Event()  # of this loop, as Python 3.9 wants it
        some.is_eager = eager
        following = asyncio.ensure_future(some.run())
        await asyncio.sleep(pause + 0.05)
        following.cancel()
        await asyncio.wait([following])

    clock.run(follow())
    assert times[1] - times[0] == pytest.approx(pause, abs=0.02)


def test_what_was_too_young_is_not_if_something_younger_is_seen(clock: Clock) -> None:
    some = follower(clock, {A: 3.0, B: 2.0})
    some._denied(A, 3.0, True)
    assert some.contact.too_young == 3.0
    some._denied(B, 2.0, True)
    assert some.contact.too_young == 3.0
    some._seen(B, 3.0)
    assert some.contact.too_young == 3.0
    some._seen(B, 2.9)
    assert some.contact.too_young == 0.0


def test_who_is_late_has_a_lag_of_its_own(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    some._denied(A, 3.0, True)
    assert some._lag is None, "nobody knows a lag"
    some.contact.lag = 2.0
    some._denied(A, 1.9, True)
    assert some._lag is None, "it was not due"
    some._denied(A, 2.0, True)
    assert some._lag == pytest.approx(2.1)
    some._denied(A, 2.1, True)
    assert some._lag == pytest.approx(2.2)
    some._seen(A, 2.15)
    assert some._lag == pytest.approx(2.15)
    some._seen(A, 2.18)
    assert some._lag == pytest.approx(2.15)


def test_a_value_that_was_seen_and_is_not_there_shows_machines_that_differ(clock: Clock) -> None:
    some = follower(clock, {A: 3.0, B: 3.0, C: 3.0})
    for name in (A, B):
        some._seen(name, 3.0)
    some.is_complete = True
    some._stirred.clear()
    some._denied(C, 3.0, True)
    assert (list(some.missing), some.contact.disagrees) == ([C], False)
    some._denied(A, 3.0, True)
    assert (list(some.missing), some.contact.disagrees) == ([A, C], True)
    assert not some.is_complete
    assert some._stirred.is_set()


@pytest.mark.parametrize(
    ("silent", "others", "was_good", "restraint"),
    [
        (5, 3, True, 1),
        (4, 4, True, 0),
        (8, 0, True, 1),
        (7, 0, True, 0),
        (8, 0, False, 0),
    ],
)
def test_who_leaves_most_of_many_questions_is_asked_less(
    clock: Clock, silent: int, others: int, was_good: bool, restraint: int
) -> None:
    some = follower(clock, {A: 3.0})
    some.authoritative_at = clock.now if was_good else None
    some._note(replies(*[YES] * others, *[NO] * silent))
    assert some._restraint == restraint


def test_the_restraint_has_an_end_on_both_sides(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    some.authoritative_at = clock.now
    for restraint in (1, 2, 3, 3):
        some._note(replies(*[NO] * 8))
        assert some._restraint == restraint
    some._note(replies(YES, NO))
    assert some._restraint == 3
    for restraint in (2, 1, 0, 0):
        some._note(replies(YES))
        assert some._restraint == restraint


def test_of_several_answers_those_with_authority_tell(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    some._note(replies(YES, NO, Outcome.REFUSING))
    assert (some.outcome, some.authoritative_at) == (YES, some._clock.now())
    some._note(replies(NO, Outcome.REFUSING))
    assert some.outcome is Outcome.REFUSING


def test_two_looks_without_an_answer_leave_nobody_out(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    for is_out in (False, False, True):
        some._note(replies(NO))
        clock.sleep(9.0)
        assert some.is_out() is is_out


def test_who_stays_without_an_answer_is_left_out_after_looks_and_seconds(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    assert not some.is_out()
    for _ in range(3):
        some._note(replies(NO))
    assert not some.is_out(), "that was too quick"
    clock.sleep(8.0)
    assert some.is_out()
    some._note(replies(YES))
    assert not some.is_out()
    some._note(replies(NO))
    clock.sleep(60.0)
    some._note(replies(NO))
    assert not some.is_out(), "it was looked at twice"
    some._note(replies(NO))
    assert some.is_out()


@pytest.mark.parametrize(
    ("outcome", "was_good", "is_out"),
    [
        (Outcome.INTERCEPTED, True, True),
        (Outcome.UNREACHABLE, False, True),
        (Outcome.UNREACHABLE, True, False),
        (Outcome.REFUSING, False, False),
    ],
)
def test_who_cannot_answer_is_left_out_at_once(
    clock: Clock, outcome: Outcome, was_good: bool, is_out: bool
) -> None:
    some = follower(clock, {A: 3.0})
    some.authoritative_at = clock.now if was_good else None
    some._note(replies(outcome))
    assert some.is_out() == is_out


def answer(*values: str) -> Reply:
    return Reply(YES, frozenset(values), has_answer=True)


def test_who_gives_many_values_and_not_all_may_never_give_them(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    eight = [str(number) for number in range(8)]
    assert not some._is_served(A, answer(*eight[:7]))
    assert some.caps == {}
    assert not some._is_served(A, answer(*eight))
    assert some.caps == {}, "the others may be late"
    clock.sleep(9.9)
    assert not some._is_served(A, answer(*eight))
    assert some.caps == {}
    clock.sleep(1.0)
    (cap,) = some.caps.values()
    assert (cap.size, cap.known, cap.seen) == (8, {*eight, "a"}, set(eight))
    assert some.shortcoming == "gives only 8 of at least 9 TXT values at one name"
    assert some._is_served(A, answer(*eight, "a"))
    assert some.caps == {}, "nine values are another cap, if they are one"


def test_other_values_each_time_are_a_cap_at_once(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    assert not some._is_served(A, answer(*"01234567"))
    assert not some._is_served(A, answer(*"12345678"))
    (cap,) = some.caps.values()
    assert (cap.size, len(cap.known), len(cap.seen)) == (8, 10, 9)


def test_of_values_that_somebody_makes_up_some_are_kept(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    some._caps[A] = Cap(8, {str(number) for number in range(4999)}, clock.now)
    some._is_served(A, answer(*"abcdefgh"))
    assert len(some._caps[A].known) == 5007
    some._is_served(A, answer(*"ijklmnop"))
    assert len(some._caps[A].known) == 5007


@pytest.mark.parametrize(
    ("outcome", "shortcoming"),
    [
        (None, "does not answer"),
        (YES, "does not serve the value yet"),
        (Outcome.REFUSING, "refuses to answer (REFUSED)"),
    ],
)
def test_what_it_does_instead_has_words(
    clock: Clock, outcome: Outcome | None, shortcoming: str
) -> None:
    some = follower(clock, {A: 3.0})
    if outcome:
        some._note(replies(outcome))
    assert some.shortcoming == shortcoming


# Samples


def sampled(
    clock: Clock, some: Follower, lost: int = 0, denied: int | None = None
) -> tuple[bool, list[int]]:
    """Take a sample, of which the first questions get lost; gives those asked at once each time."""
    bursts: list[int] = []
    number = 0

    async def ask(name: str) -> Reply:
        nonlocal number
        number += 1
        if number <= lost:
            return Reply(NO)
        return answer() if number == denied else answer(name[16])

    asking = some._ask

    async def ask_all(names: Any) -> tuple[bool, int]:
        bursts.append(len(names))
        return await asking(names)

    some.contact.ask = ask  # type: ignore[method-assign,assignment]
    some._ask = ask_all  # type: ignore[method-assign]
    some.missing.clear()
    if some not in some.contact.followers:
        some.contact.followers.append(some)
    return clock.run(some._take_sample()), bursts


@pytest.mark.parametrize(
    ("names", "sharing", "disagrees", "restraint", "bursts"),
    [
        (1, 1, False, 0, [24]),
        (10, 1, False, 0, [24]),
        (1, 4, False, 0, [24]),
        (10, 100, False, 0, [24]),
        (1, 1, True, 0, [8, 16, 32, 16]),
        (1, 1, False, 1, [6]),
        (1, 1, False, 2, [2]),
        (1, 1, False, 3, [1]),
    ],
)
def test_how_many_questions_are_a_sample(
    clock: Clock, names: int, sharing: int, disagrees: bool, restraint: int, bursts: list[int]
) -> None:
    ages = {f"_acme-challenge.{chr(97 + number)}.example.com": 3.0 for number in range(names)}
    some = follower(clock, ages, sharing=sharing)
    some.contact.disagrees, some._restraint = disagrees, restraint
    assert sampled(clock, some) == (False, bursts)
    assert some.is_complete
    assert (some.complete_at, some.sampled_at) == (some._clock.now(), clock.now)


def answering(*served: str) -> Callable[[str], Coroutine[Any, Any, Reply]]:
    """Answers with the value for these names, and without one for others."""

    async def ask(name: str) -> Reply:
        return answer(name[16]) if name in served else answer()

    return ask


def asked_in_a_sample(clock: Clock, some: Follower) -> list[str]:
    """Take a sample that is all good; gives the names that it asks for."""
    some.contact.followers.append(some)
    asked: list[str] = []

    async def ask(name: str) -> Reply:
        asked.append(name)
        return answer(name[16])

    some.contact.ask = ask  # type: ignore[method-assign,assignment]
    some.missing.clear()
    assert not clock.run(some._take_sample())
    return asked


def test_a_sample_is_about_the_record_that_was_added_last(clock: Clock) -> None:
    """Of those that a machine has, which is late, it is the last; or they come in any order."""
    some = follower(clock, {A: 3.1, B: 2.0, C: 2.9})
    asked = asked_in_a_sample(clock, some)
    assert len(asked) == 24
    assert 16 <= asked.count(B) < 24


@pytest.mark.parametrize(("counted", "others"), [(0, 8), (5, 3), (8, 0), (100, 0)])
def test_a_third_of_a_sample_may_be_about_any_record(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, counted: int, others: int
) -> None:
    """A machine may lack the last record alone."""
    monkeypatch.setattr(module.random, "choices", lambda names, k: names[:1] * k)
    some = follower(clock, {A: 3.1, B: 2.0, C: 2.9})
    some._good[False] = counted
    asked = asked_in_a_sample(clock, some)
    assert (asked.count(A), asked.count(B), asked.count(C)) == (others, 16, 0)


def test_the_first_answer_for_a_record_that_is_due_is_a_part_of_a_sample(clock: Clock) -> None:
    """Of those who ask until an answer is good, all have got one."""
    some = follower(clock, {A: 3.1, B: 2.0, C: 2.9})
    some.contact.followers.append(some)
    steps = [(A, [A], (0, 0)), (B, [], (0, 0)), (B, [B], (0, 0)), (B, [B], (0, 1))]
    steps += [(C, [C], (1, 1)), (C, [C], (2, 1)), (A, [A], (3, 1)), (A, [], (0, 0))]
    steps += [(A, [A], (0, 0)), (B, [B], (0, 1))]
    for number, (name, served, good) in enumerate(steps):
        some.contact.lag = 1.95 if number > 0 else None
        some.contact.ask = answering(*served)  # type: ignore[method-assign,assignment]
        clock.run(some._ask([name]))
        assert (some._good[False], some._good[True]) == good, number


@pytest.mark.parametrize("lag", [None, 1.9, 2.0, 2.1])
@pytest.mark.parametrize("silent", [False, True])
def test_a_record_is_due_at_the_age_of_others(
    clock: Clock, lag: float | None, silent: bool
) -> None:
    """What is asked for before is no part of a sample; nor is a question that gets lost."""
    some = follower(clock, {A: 2.0})
    some.contact.lag = lag

    async def lost(name: str) -> Reply:
        return Reply(NO)

    some.contact.ask = lost if silent else answering()  # type: ignore[method-assign,assignment]
    clock.run(some._ask([A]))
    some.contact.lag = 2.0
    some.contact.ask = answering(A)  # type: ignore[method-assign,assignment]
    clock.run(some._ask([A]))
    is_first = silent or lag in (None, 2.1)
    assert some._good == Counter({True: int(is_first)})


def test_all_count_anew_when_the_first_answer_for_a_record_that_is_due_is_bad(
    clock: Clock,
) -> None:
    """But for those that take a sample already, and those that are complete."""
    some, seen, waits, samples = (follower(clock, {name: 3.0}) for name in (A, B, B, B))
    contact = some.contact
    contact.lag, contact.followers = 2.0, [some, seen, waits, samples]
    contact.sample = waits.sample = Sample(0.0)
    samples.sample, samples.is_complete = Sample(0.0, 1), True
    for each in (some, seen, waits, samples):
        each.contact = contact
        each._good[True] = 1
    contact.ask = answering()  # type: ignore[method-assign,assignment]
    for again in range(2):
        clock.run(some._ask([A]))
        counted = [each._good[True] for each in (some, seen, waits, samples)]
        assert counted == [0, again, again, 1]
        for each in (seen, waits):
            each._good[True] = 1
    assert waits.sample is contact.sample
    assert samples.is_complete


def test_what_was_asked_before_all_count_anew_does_not_count(clock: Clock) -> None:
    """Who lacks a value may be nearer than others, and so answer first."""
    some = follower(clock, {A: 3.0})
    some.missing.clear()

    async def ask(name: str) -> Reply:
        await asyncio.sleep(0.1)
        some.start_over()
        await asyncio.sleep(0.1)
        return answer("a")

    some.contact.ask = ask  # type: ignore[method-assign,assignment]
    clock.run(some._ask([A]))
    assert some._good[True] == 0
    some.contact.ask = answering(A)  # type: ignore[method-assign,assignment]
    some.start_over()
    clock.run(some._ask([A]))
    assert some._good[True] == 1


def test_what_was_good_about_a_zone_says_nothing_of_another(clock: Clock) -> None:
    """Zones are copied each by itself."""
    some, other = follower(clock, {A: 3.0}), follower(clock, {B: 3.0})
    other.contact = some.contact
    some.contact.followers += [some, other]
    some.contact.lag, other.is_complete, other.sample = 2.0, True, Sample(0.0, 1)
    assert sampled(clock, some) == (False, [24])


@pytest.mark.parametrize(("zones", "each"), [(1, 24), (2, 12), (5, 5), (24, 1), (30, 1)])
def test_zones_that_are_seen_together_share_a_sample(clock: Clock, zones: int, each: int) -> None:
    names = [f"_acme-challenge.{chr(97 + number)}.example.com" for number in range(zones)]
    some = [follower(clock, {name: 3.0}) for name in names]
    asked: list[str] = []

    async def ask(name: str) -> Reply:
        asked.append(name)
        await asyncio.sleep(0.03)
        return answer(name[16])

    for zone in some:
        zone.contact = some[0].contact
        zone.contact.followers.append(zone)
        zone.missing.clear()
    some[0].contact.ask = ask  # type: ignore[method-assign,assignment]

    async def sample() -> None:
        for zone in some:
            zone._stirred = asyncio.Event()  # of this loop, as Python 3.9 wants it
        await asyncio.gather(*(zone._take_sample() for zone in some))

    began = clock.now
    clock.run(sample())
    assert {name: asked.count(name) for name in names} == dict.fromkeys(names, each)
    assert all(zone.is_complete for zone in some)
    assert {id(zone.sample) for zone in some} == {id(some[0].sample)}
    assert some[0].contact.sample is None
    assert clock.now - began < 0.05, "nobody waits for anybody"


@pytest.mark.parametrize(
    ("zones", "bursts"), [(2, [4, 8, 16, 8]), (8, [1, 2, 4, 2]), (10, [1, 2, 4, 1]), (80, [1])]
)
def test_of_zones_at_machines_that_disagree_few_are_asked_for_at_once(
    clock: Clock, zones: int, bursts: list[int]
) -> None:
    """One answer that lacks a value voids the sample of all."""
    some = follower(clock, {A: 3.0})
    some.contact.disagrees = True
    sample = some.sample = Sample(0.0, zones, [some])

    async def join() -> Sample:
        return sample

    some._join = join  # type: ignore[method-assign]
    assert sampled(clock, some) == (False, bursts)


@pytest.mark.parametrize("is_seen_at", [0.5, 1.5])
def test_a_sample_waits_a_second_for_zones_that_have_not_been_seen(
    clock: Clock, is_seen_at: float
) -> None:
    some, unseen, ended = follower(clock, {A: 3.0}), follower(clock, {B: 2.0}), {}
    unseen.contact = some.contact
    some.contact.followers += [some, unseen]
    times: list[tuple[str, float]] = []

    async def ask(name: str) -> Reply:
        times.append((name, round(clock.now - began, 2)))
        return answer(name[16])

    some.contact.ask = ask  # type: ignore[method-assign,assignment]
    some.missing.clear()

    async def sample(zone: Follower, seconds: float) -> None:
        zone._stirred = asyncio.Event()  # of this loop, as Python 3.9 wants it
        await asyncio.sleep(seconds)
        assert zone is some or zone.missing.popitem()
        assert not await zone._take_sample()
        ended[zone] = round(clock.now - began, 2)

    async def both() -> None:
        await asyncio.gather(sample(some, 0.0), sample(unseen, is_seen_at))

    began = clock.now
    clock.run(both())
    together = is_seen_at < 1.0
    assert times.count((A, min(is_seen_at, 1.0))) == (12 if together else 24)
    assert times.count((B, is_seen_at)) == (12 if together else 24)
    assert ended == {some: min(is_seen_at, 1.0), unseen: is_seen_at}


def test_who_follows_no_more_takes_no_part_in_a_sample(clock: Clock) -> None:
    some, gone = follower(clock, {A: 3.0}), follower(clock, {B: 3.0})
    gone.contact = some.contact
    some.contact.sample = gone.sample = Sample(some._clock.now())
    assert sampled(clock, some) == (False, [24])


class Shared:
    """A sample of two zones at an address; `ask` answers for the second."""

    def __init__(self, clock: Clock, ask: Callable[[], Coroutine[Any, Any, Reply]]) -> None:
        self.one, self.other = (follower(clock, {name: 3.0}, is_trusted=True) for name in (A, B))
        self.other.contact = contact = self.one.contact
        contact.followers += [self.one, self.other]
        self.ended: dict[str, tuple[bool, float]] = {}
        self._clock, self._began = clock, clock.now

        async def asking(name: str) -> Reply:
            await asyncio.sleep(0.1)
            return answer(name[16]) if name == A else await ask()

        contact.ask = asking  # type: ignore[method-assign,assignment]

    async def take(self) -> None:
        """Both take their part; what came of it, and after which seconds, is in `ended`."""
        await asyncio.gather(self._part(A, self.one), self._part(B, self.other))

    async def _part(self, name: str, zone: Follower) -> None:
        zone.missing.clear()
        zone._stirred = asyncio.Event()  # of this loop, as Python 3.9 wants it
        denied = await zone._take_sample()
        self.ended[name] = denied, round(self._clock.now - self._began, 1)


@pytest.mark.parametrize("delay", [0.0, 3.0])
def test_a_sample_is_void_for_all_that_share_it_once_an_answer_lacks_a_value(
    clock: Clock, delay: float
) -> None:
    """The part of one zone is too small to show anything by itself."""

    async def lacking() -> Reply:
        await asyncio.sleep(delay)
        return answer()

    shared = Shared(clock, lacking)
    clock.run(shared.take())
    assert shared.ended == dict.fromkeys([A, B], (True, 0.1 + delay))
    for zone in (shared.one, shared.other):
        assert (zone.is_complete, zone.sample) == (False, None)
    assert (list(shared.one.missing), list(shared.other.missing)) == ([], [B])
    shared.other.contact.ask = answering(A, B)  # type: ignore[method-assign,assignment]
    clock.run(shared.take())
    assert shared.one.is_complete
    assert shared.other.is_complete


def test_a_last_look_that_finds_a_value_gone_voids_the_sample_of_others_too(clock: Clock) -> None:
    async def good() -> Reply:
        return answer("b")

    shared = Shared(clock, good)
    clock.run(shared.take())
    late = follower(clock, {C: 3.0})
    late.contact, late.is_complete, late.sample = shared.one.contact, True, Sample(0.0)
    late.contact.followers.append(late)
    assert shared.one.is_complete
    shared.other.contact.ask = answering()  # type: ignore[method-assign,assignment]
    clock.run(shared.other.look_again())
    assert not shared.one.is_complete
    assert shared.one._stirred.is_set()
    assert late.is_complete, "it has a sample of its own"


def test_nobody_is_complete_before_all_that_share_a_sample_have_their_parts(clock: Clock) -> None:
    async def slow() -> Reply:
        await asyncio.sleep(2.5)
        return answer("b")

    shared = Shared(clock, slow)
    clock.run(shared.take())
    assert shared.ended == dict.fromkeys([A, B], (False, 2.6))
    assert shared.one.sampled_at == pytest.approx(START + 0.1)
    assert shared.other.sampled_at == pytest.approx(START + 2.6)


def test_who_gives_no_answer_for_one_zone_holds_up_the_others_for_some_seconds(
    clock: Clock,
) -> None:
    async def nothing() -> Reply:
        await asyncio.sleep(2.9)
        return Reply(NO)

    shared = Shared(clock, nothing)
    part = shared.take()

    async def for_a_while() -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(part, 60.0)

    clock.run(for_a_while())
    assert shared.one.is_complete
    assert not shared.other.is_complete
    denied, seconds = shared.ended[A]
    assert not denied
    assert 8.0 < seconds < 14.0


def test_who_follows_no_more_holds_up_nobody(clock: Clock) -> None:
    number = itertools.count()

    async def once() -> Reply:
        await asyncio.sleep(1000.0 if next(number) else 0.0)
        return answer("b")

    shared = Shared(clock, once)
    shared.one.contact.lag = 2.0
    shared.one.contact.followers.clear()

    async def follow(zone: Follower) -> None:
        zone._stirred = asyncio.Event()  # of this loop, as Python 3.9 wants it
        await zone.run()

    async def one_ends() -> None:
        one, other = (asyncio.ensure_future(follow(zone)) for zone in (shared.one, shared.other))
        await asyncio.sleep(0.5)
        assert shared.one.sample is shared.other.sample
        assert not shared.one.is_complete
        other.cancel()
        await asyncio.sleep(0.1)
        assert shared.one.is_complete
        one.cancel()

    clock.run(one_ends())


@pytest.mark.parametrize("outcome", [Outcome.REFUSING, Outcome.NOT_AUTHORITATIVE])
@pytest.mark.parametrize("lasts", [2.5, 100.0])
def test_machines_that_have_no_such_zone_get_some_seconds(
    clock: Clock, outcome: Outcome, lasts: float
) -> None:
    some, number = follower(clock, {A: 3.0}), itertools.count()
    some.contact.followers.append(some)
    times: list[float] = []

    async def ask(name: str) -> Reply:
        times.append(clock.now - began)
        is_bad = next(number) % 2 and clock.now - began < lasts
        return Reply(outcome) if is_bad else answer(name[16])

    some.contact.ask = ask  # type: ignore[method-assign,assignment]
    some.missing.clear()
    began = clock.now
    assert not clock.run(some._take_sample())
    assert some.is_complete
    assert clock.now - began == pytest.approx(4.0 if lasts < 3 else 8.0, abs=0.3)
    assert len(times) <= 100


def test_an_address_has_the_name_that_its_zone_gives_it(clock: Clock) -> None:
    plain = NameServer("dns1.hichina.com", SERVER.address)
    assert follower(clock, {A: 3.0}, server=plain).server == plain
    assert follower(clock, {A: 3.0}).server == SERVER


def test_a_sample_ends_with_the_first_answer_that_lacks_a_value(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    assert sampled(clock, some, denied=24) == (True, [24])
    assert not some.is_complete
    assert list(some.missing) == [A]
    assert some.sample is None


@pytest.mark.parametrize(("lost", "bursts"), [(12, [24, 12]), (31, [24, 6, 1, 1, 2, 4, 8, 9])])
def test_how_much_less_and_more_is_asked_at_once(
    clock: Clock, lost: int, bursts: list[int]
) -> None:
    assert sampled(clock, follower(clock, {A: 3.0}), lost=lost) == (False, bursts)


def test_of_a_sample_that_got_lost_less_is_asked_at_once(clock: Clock) -> None:
    some = follower(clock, {A: 3.0})
    began = clock.now
    assert sampled(clock, some, lost=13) == (False, [24, 6, 7])
    assert clock.now - began == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize("answered", [4, 0])
def test_a_last_look_at_who_answers_little_has_an_end_and_pauses(
    clock: Clock, answered: int
) -> None:
    """One machine of several behind the address works, or none does any more."""
    some = follower(clock, {A: 3.0})
    some.is_complete, some.authoritative_at = True, clock.now
    began, number = clock.now, itertools.count(1)

    async def ask(name: str) -> Reply:
        is_good = answered and next(number) % answered == 0
        return answer(name[16]) if is_good else Reply(Outcome.FAILING)

    some.contact.ask = ask  # type: ignore[method-assign,assignment]
    clock.run(some.look_again())
    assert some.is_out() == (not answered)
    assert clock.now - began < 10
    assert next(number) <= 9


@pytest.mark.parametrize(
    ("names", "sharing", "lost", "asked"),
    [(1, 1, 0, 4), (2, 1, 0, 4), (9, 1, 0, 4), (1, 4, 0, 1), (1, 1, 2, 4), (1, 1, 3, 8)],
)
def test_a_last_look_takes_four_questions_of_all_zones_together_and_half_as_many_answers(
    clock: Clock, names: int, sharing: int, lost: int, asked: int
) -> None:
    ages = {f"_acme-challenge.{chr(97 + number)}.example.com": 3.0 for number in range(names)}
    some = follower(clock, ages, sharing=sharing)
    some.is_complete = True
    questions = []

    async def ask(name: str) -> Reply:
        questions.append(name)
        return Reply(NO) if len(questions) <= lost else answer(name[16])

    some.contact.ask = ask  # type: ignore[method-assign,assignment]
    clock.run(some.look_again())
    assert len(questions) == asked
    assert len(set(questions)) == min(asked, names)
    assert some.sampled_at == clock.now
