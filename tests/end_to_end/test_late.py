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


def test_a_record_stands_until_a_late_call_can_add_it_no_more(world: World) -> None:
    run = run_with_a_late_add(world, 14)
    outcome = run.wait(90)
    assert outcome.ok, outcome
    until(lambda: all(call.ended for call in world.alidns.calls))
    assert len(world.records.made()) == 1
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


def test_what_a_late_call_could_add_once_more_stands_until_it_cannot(world: World) -> None:
    """The first call gets no reply, the second one makes the record, and the run is killed."""
    run = run_with_a_late_add(world, 18)
    until(world.records.made, 30)
    run.send(signal.SIGKILL)
    run.wait(30)
    assert not all(call.ended for call in world.alidns.calls)
    outcome = world.issue("other.example.com")
    assert outcome.ok, outcome
    assert "a call of a run that was killed may be under way" in outcome.text
    until(lambda: all(call.ended for call in world.alidns.calls))
    assert not world.records.left()
    assert not journals(world)
