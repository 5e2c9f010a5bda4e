"""What a zone's watch concludes from what is known of each address, at one moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from certbot_dns_aliyun.propagation import watch as module
from certbot_dns_aliyun.propagation.follower import Cap, Follower
from certbot_dns_aliyun.propagation.question import NameServer, Outcome
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch
from tests.unit.fake_time import Clock
from tests.unit.watching import a_watch

pytestmark = pytest.mark.usefixtures("_loop_for_events")

ONE, TWO = (f"_acme-challenge.{each}.example.com" for each in ("one", "two"))
ALIDNS = [NameServer("ns1.alidns.com", f"192.0.2.{n}") for n in (1, 2)]
OTHER = NameServer("ns1.provider.example", "192.0.2.9")
LIMITS = Limits(longest=600.0, blind=30.0, others=60.0)
YES, NO = Outcome.AUTHORITATIVE, Outcome.SILENT


async def nobody(name: str) -> list[NameServer]:
    return []


@pytest.fixture(autouse=True)
def _routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_routable", lambda server: True)


def judged(
    clock: Clock, *servers: NameServer, limits: Limits = LIMITS, **more: Any
) -> tuple[ZoneWatch, list[Follower]]:
    """A watch that has begun, and asks nobody."""
    more.setdefault("second_opinion", nobody)
    wanted = {ONE: frozenset({"1"}), TWO: frozenset({"2"})}
    zone = a_watch(servers, wanted, limits, **more)
    zone.followers = [
        Follower(zone._contact(server), zone.zone, zone._wanted, zone._clock) for server in servers
    ]
    return zone, zone.followers


def know(follower: Follower, outcome: Outcome | None, *missing: str) -> None:
    """Let a follower know an outcome, and what is missing; nothing makes it complete."""
    follower.outcome = outcome
    if outcome is YES:
        follower.authoritative_at = follower._clock.now()
    follower.missing = dict.fromkeys(missing)
    follower.is_complete = not missing and outcome is YES
    follower.complete_at = follower._clock.now()


def test_who_has_heard_nothing_with_authority_is_blind(clock: Clock) -> None:
    zone, (one, two) = judged(clock, *ALIDNS)
    assert zone.is_blind
    know(one, Outcome.REFUSING, ONE, TWO)
    assert zone.is_blind
    know(two, YES, ONE, TWO)
    assert not zone.is_blind


@pytest.mark.parametrize(("longest", "seconds"), [(600.0, 600.0), (3.0, 30.0)])
def test_who_waits_for_its_turn_to_be_asked_is_not_blind(
    clock: Clock, longest: float, seconds: float
) -> None:
    """Other zones at the same address have had answers."""
    zone, (one, two) = judged(clock, *ALIDNS, limits=Limits(longest, 30.0, 60.0))
    assert (zone.is_blind, zone._time_allowed()) == (True, 30.0)
    one.contact._answered_at = clock.now
    assert (zone.is_blind, zone._time_allowed()) == (False, seconds)
    know(one, Outcome.SILENT, ONE, TWO)
    assert (zone.is_blind, zone._time_allowed()) == (True, 30.0)
    know(two, YES, ONE, TWO)
    assert (zone.is_blind, zone._time_allowed()) == (False, longest)


def test_what_no_address_serves_is_unserved(clock: Clock) -> None:
    zone, (one, two) = judged(clock, *ALIDNS)
    assert zone.unserved == {ONE, TWO}
    assert not zone.is_in_vain, "nobody was heard"
    know(one, YES, ONE, TWO)
    know(two, YES, ONE)
    assert zone.unserved == {ONE}
    assert not zone.is_in_vain
    know(two, YES, ONE, TWO)
    assert zone.is_in_vain


def test_who_lacks_something_is_listed_with_what_it_does(clock: Clock) -> None:
    zone, (one, two, three) = judged(clock, *ALIDNS, OTHER)
    know(one, YES)
    know(two, YES, TWO)
    know(three, Outcome.UNREACHABLE, ONE, TWO)
    assert zone.complete == [ALIDNS[0]]
    assert zone.incomplete == {ALIDNS[1]: "does not serve the value yet"}
    know(three, Outcome.REFUSING, ONE, TWO)
    assert zone.lacking == (
        "ns1.alidns.com (192.0.2.2) does not serve the value yet; "
        "ns1.provider.example (192.0.2.9) refuses to answer (REFUSED)"
    )


def test_of_many_who_lack_something_some_are_listed(clock: Clock) -> None:
    many = [NameServer("ns1.alidns.com", f"192.0.2.{n}") for n in range(9)]
    zone, _ = judged(clock, *many)
    assert "192.0.2.7" in zone.lacking
    assert "192.0.2.8" not in zone.lacking
    assert zone.lacking.count("; ") >= 7


@pytest.mark.parametrize(
    ("servers", "opinion", "is_elsewhere"),
    [
        ([OTHER], nobody, True),
        ([ALIDNS[0], OTHER], nobody, False),
        ([], nobody, True),
        ([OTHER], None, False),
    ],
)
def test_servers_of_another_provider_are_elsewhere_unless_somebody_named_them(
    clock: Clock, servers: list[NameServer], opinion: Any, is_elsewhere: bool
) -> None:
    zone, _ = judged(clock, *servers, second_opinion=opinion)
    assert zone.is_elsewhere == is_elsewhere


def test_there_is_no_hope_where_there_is_doubt_and_nobody_serves_it(clock: Clock) -> None:
    zone, (one,) = judged(clock, OTHER)
    assert zone.is_hopeless
    know(one, YES)
    assert not zone.is_hopeless
    zone, (one, _) = judged(clock, *ALIDNS)
    assert not zone.is_hopeless
    zone.added_to = "com"
    assert zone.is_hopeless
    zone.added_to = None
    one._caps[ONE] = Cap(8, {"1"}, clock.now - 60, {"1"})
    assert zone.is_hopeless, "ours come in their turn, and never all"
    one._caps[ONE] = Cap(8, {"1"}, clock.now - 60, set("abcdefgh"))
    assert not zone.is_hopeless, "ours may just be late"


def test_values_of_others_in_turn_show_that_not_all_are_ever_given(clock: Clock) -> None:
    zone, (one, _) = judged(clock, *ALIDNS)
    one._caps[ONE] = Cap(8, {"1"}, clock.now, set("abcdefghi"))
    assert zone.is_hopeless
    del one.missing[ONE]
    assert not zone.is_hopeless, "what it gave at last counts"


def test_caps_are_those_of_who_lacks_a_value(clock: Clock) -> None:
    zone, (one, two) = judged(clock, *ALIDNS)
    one._caps[ONE] = first = Cap(8, {"1"}, clock.now, set("abcdefghi"))
    two._caps[TWO] = second = Cap(9, {"2"}, clock.now, set("abcdefghij"))
    assert zone.caps == {ONE: first, TWO: second}
    know(one, YES)
    assert zone.caps == {TWO: second}


def test_how_long_it_waits(clock: Clock) -> None:
    zone, (one,) = judged(clock, ALIDNS[0])
    assert zone._time_allowed() == 30.0
    know(one, YES, ONE)
    assert zone._time_allowed() == 600.0
    zone.added_to = "com"
    assert zone._time_allowed() == 120.0
    zone, (one,) = judged(clock, OTHER, limits=Limits(100.0, 1.0, 60.0))
    assert zone._time_allowed() == 6.0, "the first answer may take that long"
    know(one, YES, ONE)
    assert zone._time_allowed() == 100.0
    zone, _ = judged(clock, limits=Limits(100.0, 1.0, 60.0))
    assert zone._time_allowed() == 1.0


def test_a_watch_is_about_its_names(clock: Clock) -> None:
    zone, _ = judged(clock, *ALIDNS)
    assert zone.is_about([TWO, "other"])
    assert not zone.is_about(["other"])
    assert not zone.is_about([])


def is_served(clock: Clock, zone: ZoneWatch) -> bool:
    return clock.run(zone._is_served_everywhere())


def test_all_is_served_when_each_address_that_counts_is_complete(clock: Clock) -> None:
    zone, (one, two) = judged(clock, *ALIDNS)
    know(one, YES)
    one.sampled_at = two.sampled_at = clock.now
    assert not is_served(clock, zone)
    know(two, YES, TWO)
    assert not is_served(clock, zone)
    know(two, YES)
    assert is_served(clock, zone)


def test_whoever_is_out_does_not_count_unless_it_serves_everything(clock: Clock) -> None:
    zone, (one, two) = judged(clock, *ALIDNS)
    know(one, YES)
    know(two, Outcome.INTERCEPTED, ONE, TWO)
    one.sampled_at = clock.now
    assert is_served(clock, zone)
    know(one, Outcome.INTERCEPTED, ONE, TWO)
    assert not is_served(clock, zone), "nobody is left"


def test_whoever_was_sampled_long_before_the_others_is_asked_once_more(clock: Clock) -> None:
    zone, followers = judged(clock, *ALIDNS)
    looked = []

    def looking(number: int) -> Any:
        async def look_again() -> None:
            looked.append(number)

        return look_again

    for number, each in enumerate(followers):
        know(each, YES)
        each.look_again = looking(number)  # type: ignore[method-assign]
    clock.sleep(10)
    one, two = followers
    two.sampled_at = two.seen_at = clock.now
    one.sampled_at, one.seen_at = clock.now - 0.2, clock.now - 0.4
    assert is_served(clock, zone)
    assert looked == []
    one.sampled_at = clock.now - 0.21
    assert is_served(clock, zone)
    assert looked == [0]
    looked.clear()
    one.sampled_at = two.sampled_at = one.seen_at = two.seen_at = clock.now
    clock.sleep(0.9)
    assert is_served(clock, zone)
    assert looked == []
    clock.sleep(0.2)
    assert is_served(clock, zone)
    assert looked == [0, 1], "all that is known has become old"


def test_a_value_that_is_gone_at_the_last_look_goes_on_being_waited_for(clock: Clock) -> None:
    zone, (one, two) = judged(clock, *ALIDNS)
    know(one, YES)
    know(two, YES)

    async def look_again() -> None:
        one.is_complete = False

    one.look_again = look_again  # type: ignore[method-assign]
    clock.sleep(10)
    two.sampled_at = two.seen_at = clock.now
    assert not is_served(clock, zone)


@pytest.mark.parametrize(
    ("waited", "of_alidns", "server", "may_be_left_out"),
    [
        (60.0, "complete", OTHER, True),
        (59.9, "complete", OTHER, False),
        (60.0, "complete", ALIDNS[1], False),
        (60.0, "lacking", OTHER, False),
        (60.0, "out", OTHER, False),
        (60.0, "one out", OTHER, True),
    ],
)
def test_another_providers_server_is_waited_for_so_long_after_those_of_alidns(
    clock: Clock, waited: float, of_alidns: str, server: NameServer, may_be_left_out: bool
) -> None:
    zone, (one, two, other) = judged(clock, ALIDNS[0], ALIDNS[0], server)
    know(one, YES)
    know(two, YES)
    if of_alidns == "lacking":
        know(two, YES, ONE)
    elif of_alidns == "one out":
        know(two, Outcome.INTERCEPTED, ONE)
    elif of_alidns == "out":
        know(one, Outcome.INTERCEPTED, ONE)
        know(two, Outcome.INTERCEPTED, ONE)
    know(other, YES, ONE)
    clock.sleep(waited)
    assert zone._may_be_left_out(other) == may_be_left_out


def test_one_address_is_asked_often_that_is_not_asked_so_already(clock: Clock) -> None:
    zone, (one, two) = judged(clock, *ALIDNS)
    one.contact.is_followed = True
    zone._choose_whom_to_ask_often()
    assert (one.is_eager, two.is_eager, two.contact.is_followed) == (False, True, True)
    assert two._stirred.is_set()
    zone._choose_whom_to_ask_often()
    assert not one.is_eager
    know(two, Outcome.INTERCEPTED, ONE)
    one.contact.is_followed = False
    zone._choose_whom_to_ask_often()
    assert one.is_eager


def test_the_least_lag_of_any_address_is_told_to_all_once(clock: Clock) -> None:
    zone, (one, two) = judged(clock, *ALIDNS)
    zone._changed = asyncio.Event()
    zone._something_changed()
    assert (one.zone_lag, two.zone_lag) == (None, None)
    one.contact.lag, two.contact.lag = 2.0, 1.0
    two.zone_lag = 3.0
    zone._changed.clear()
    zone._something_changed()
    assert (one.zone_lag, two.zone_lag) == (1.0, 3.0)
    assert (one._stirred.is_set(), two._stirred.is_set()) == (True, False)
    assert zone._changed.is_set()


@pytest.mark.parametrize(
    ("others", "is_complete", "found"),
    [
        ([OTHER, ALIDNS[0]], False, True),
        ([ALIDNS[0]], False, False),
        ([], False, False),
        ([OTHER], True, False),
    ],
)
def test_the_registry_is_asked_where_nobody_serves_it_and_counts_if_it_names_others(
    clock: Clock, others: list[NameServer], is_complete: bool, found: bool
) -> None:
    asked = []

    async def opinion(name: str) -> list[NameServer]:
        asked.append(name)
        return others

    zone, followers = judged(clock, *ALIDNS, second_opinion=opinion)
    if is_complete:
        know(followers[0], YES)
    assert clock.run(zone._check_servers()) == (others if found else [])
    assert asked == ([] if is_complete else [ONE])
