"""Adds that the API carries out after whoever asked for them has given them up, or is dead."""

from __future__ import annotations

import signal
import time

import pytest

from tests.end_to_end.moments import journals
from tests.world import World, until
from tests.world.certbot import Run

pytestmark = [pytest.mark.newest, pytest.mark.nightly]


def run_with_a_late_add(world: World, seconds: float) -> Run:
    world.alidns.call_seconds = seconds
    run = world.certbot.start(*world.certonly("example.com"))
    until(lambda: world.alidns.calls_of("AddDomainRecord"))
    time.sleep(0.3)  # it has looked at how long it is to take
    world.alidns.call_seconds = 0.0
    return run


def test_what_comes_after_the_record_is_gone_is_removed_too(world: World) -> None:
    run = run_with_a_late_add(world, 14)
    outcome = run.wait(90)
    assert outcome.ok, outcome
    until(lambda: all(call.ended for call in world.alidns.calls))
    assert len(world.records.made()) == 2
    assert not world.records.left()
    assert not journals(world)


def test_what_comes_after_a_kill_is_found_by_a_run_that_starts_at_once(world: World) -> None:
    run = run_with_a_late_add(world, 8)
    run.send(signal.SIGKILL)
    run.wait(30)
    outcome = world.issue("other.example.com")
    assert outcome.ok, outcome
    assert len(world.records.made()) == 2
    assert not world.records.left()
    assert not journals(world)
