"""A run that is interrupted at any moment leaves nothing behind, or the next one sees to it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.end_to_end.helpers import MakeWorld
from tests.world import World, until
from tests.world.certbot import Run

from .moments import MOMENTS, NAMES, clean_up_by_the_next_run, journals, while_adding, while_waiting

ONLY_NEWEST = [pytest.mark.newest]


AT_MOMENTS = pytest.mark.parametrize(
    "moment",
    [
        pytest.param(each, id=each.__name__, marks=[] if each is while_adding else ONLY_NEWEST)
        for each in MOMENTS
    ],
)


@AT_MOMENTS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_who_is_asked_to_stop_cleans_up_first(
    world: World, number: signal.Signals, moment: Callable[[World], Run]
) -> None:
    world.records.add_stranger("example.com", "_acme-challenge.n1", "a stranger's value")
    run = moment(world)

    run.send(number)
    outcome = run.wait(30)

    assert not outcome.ok, str(outcome)
    assert not world.records.left(), str(outcome)
    assert "Traceback" not in outcome.text, str(outcome)
    assert not journals(world), str(outcome)


@pytest.mark.newest
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_who_is_asked_to_stop_waits_for_no_resolver(world: World, number: signal.Signals) -> None:
    world.resolver.behave("hang")
    run = world.certbot.start(*world.certonly(*NAMES))
    until(lambda: any(query.type == "SOA" for query in world.resolver.queries))
    time.sleep(2)
    assert not world.alidns.calls

    run.send(number)
    outcome = run.wait(10)

    assert not outcome.ok, str(outcome)
    assert not world.alidns.calls, str(outcome)
    assert "Traceback" not in outcome.text, str(outcome)
    assert "name server" not in outcome.text, str(outcome)
    assert not journals(world), str(outcome)


@pytest.mark.newest
def test_two_interrupts_lose_nothing(world: World) -> None:
    run = while_waiting(world)
    world.alidns.call_seconds, world.alidns.one_write_at_a_time = 0.4, True
    run.send(signal.SIGINT)
    for number in (1, 2):
        until(lambda at=number: len(world.alidns.calls_of("DeleteDomainRecord")) >= at)
        run.send(signal.SIGINT)
    outcome = run.wait(30)

    for record in world.records.left():
        assert record.value in outcome.text, f"{record} is not named:\n{outcome}"
    clean_up_by_the_next_run(world)


@AT_MOMENTS
def test_what_a_killed_run_left_is_removed_by_the_next(
    world: World, moment: Callable[[World], Run]
) -> None:
    world.records.add_stranger("example.com", "_acme-challenge.n1", "a stranger's value")
    run = moment(world)

    run.send(signal.SIGKILL)
    run.wait(30)
    until(lambda: all(call.ended for call in world.alidns.calls))

    assert len(world.records.left()) >= (1 if moment in (while_adding, while_waiting) else 0)
    clean_up_by_the_next_run(world)


@pytest.mark.newest
def test_only_what_the_journal_lists_is_removed(make_world: MakeWorld) -> None:
    """Records like ours, that somebody else made while the run was dead, stay."""
    world = make_world(lags=(0.2,))
    run = while_waiting(world)
    run.send(signal.SIGKILL)
    run.wait(30)
    left = world.records.left()
    for record in left:
        world.records.add_stranger("example.com", record.rr, record.value[::-1])
        world.records.add_stranger("example.com", record.rr + "x", record.value)
    assert len(left) == len(NAMES)
    clean_up_by_the_next_run(world)


@pytest.mark.newest
def test_a_run_that_lives_keeps_its_records(make_world: MakeWorld) -> None:
    """A second Certbot with the same config folder, which Certbot locks, takes no living run's
    journal."""
    world = make_world(lags=(0.2,))
    slow = while_waiting(world)
    alive = world.records.left()
    second = world.new_certbot("second")
    for server in world.nameservers.delegations["example.com"]:
        server.behaviour = "ok"
    options = ("--config-dir", world.certbot.config_dir)
    outcome = second.run(*world.certonly("other.example.com"), *options)
    assert len(alive) == len(NAMES)
    assert "Another instance of Certbot" in outcome.text, str(outcome)
    assert slow.wait(60).ok
