"""An API that throttles or hangs: a certificate in bounded time and without a storm of calls."""

from __future__ import annotations

import time

import pytest

from tests.end_to_end.helpers import MakeWorld, assert_issued
from tests.world import World, until

pytestmark = pytest.mark.newest

TWENTY = [f"n{number:02}.example.com" for number in range(20)]


def test_five_calls_a_second_are_enough_for_twenty_names(make_world: MakeWorld) -> None:
    world = make_world(calls_per_second=5)
    outcome = world.issue(*TWENTY)
    assert_issued(outcome, world, *TWENTY)
    refused = [call for call in world.alidns.calls if call.code == "Throttling.User"]
    print(f"{len(refused)} of {len(world.alidns.calls)} calls refused, {outcome.seconds:.0f} s")
    assert len(refused) <= 0.3 * len(world.alidns.calls)
    assert outcome.seconds < 150


def test_a_rate_that_was_throttled_for_a_while_recovers(world: World) -> None:
    world.alidns.fault("code", times=None, code="Throttling.User")
    names = [f"n{number:02}.example.com" for number in range(40)]
    run = world.certbot.start(*world.certonly(*names))
    until(lambda: world.alidns.calls)
    time.sleep(5)
    world.alidns.faults.clear()
    freed = time.monotonic()
    outcome = run.wait()
    assert_issued(outcome, world, *names)
    made = world.records.made()
    print(f"added after {max(r.added_at for r in made) - freed:.1f} s, {outcome.seconds:.0f} s")
    assert max(record.added_at for record in made) - freed < 15
    assert world.alidns.calls[-1].started - min(r.removed_at or 0 for r in made) < 5


def test_retry_after_is_waited_for(world: World) -> None:
    later = {"Retry-After": "3"}
    world.alidns.fault("code", "AddDomainRecord", code="Throttling.User", headers=later)
    assert_issued(world.issue("example.com"), world, "example.com")
    first, second = world.alidns.calls_of("AddDomainRecord")
    assert first.ended is not None
    assert 3.0 <= second.started - first.ended < 30.0


def test_a_call_that_hangs_costs_seconds(world: World) -> None:
    world.alidns.fault("hang", "AddDomainRecord", seconds=120)
    outcome = world.issue("a.example.com", "b.example.com")
    assert_issued(outcome, world, "a.example.com", "b.example.com")
    assert outcome.seconds < 100


def test_a_reply_that_never_ends_costs_seconds(world: World) -> None:
    world.alidns.fault("slow", "AddDomainRecord", moment="after", seconds=120)
    outcome = world.issue("example.com")
    assert_issued(outcome, world, "example.com")
    assert len(world.records.made()) == 1
    assert outcome.seconds < 100
