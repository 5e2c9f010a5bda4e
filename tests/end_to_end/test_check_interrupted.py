"""Whatever ends a check, nothing of it is left in the zone, or the next run sees to it."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.end_to_end.checking import check
from tests.end_to_end.helpers import MakeWorld, screen
from tests.end_to_end.moments import NAMES, clean_up_by_the_next_run, journals
from tests.world import World, until
from tests.world.certbot import Run

pytestmark = pytest.mark.newest


def start(world: World) -> Run:
    folders = ["--config-dir", world.certbot.config_dir]
    names = ["-d", ",".join(NAMES)]
    return world.certbot.start_plugin(
        "check", "--credentials", world.credentials_ini(), *folders, *names
    )


def while_looking(world: World) -> Run:
    world.resolver.behave("hang")
    run = start(world)
    until(lambda: any(query.type == "SOA" for query in world.resolver.queries))
    world.resolver.behave("ok")
    return run


def while_adding(world: World) -> Run:
    world.alidns.call_seconds = 0.7
    run = start(world)
    until(lambda: len(world.records.made()) >= 2)
    return run


def while_waiting(world: World) -> Run:
    for server in world.nameservers.delegations["example.com"]:
        server.lag = 60
    run = start(world)
    until(lambda: len(world.records.made()) == len(NAMES))
    return run


def while_removing(world: World) -> Run:
    run = start(world)
    until(lambda: len(world.records.made()) == len(NAMES))
    world.alidns.call_seconds, world.alidns.one_write_at_a_time = 0.4, True
    until(lambda: world.alidns.calls_of("DeleteDomainRecord"))
    return run


MOMENTS = [while_looking, while_adding, while_waiting, while_removing]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        signal.SIGTERM,
        pytest.param(signal.SIGHUP, marks=pytest.mark.nightly),
    ],
    ids=lambda number: signal.Signals(number).name,
)
def test_who_is_asked_to_stop_cleans_up_first(
    make_world: MakeWorld, number: signal.Signals, moment: Callable[[World], Run]
) -> None:
    world = make_world(lags=(0.1,))
    world.records.add_stranger("example.com", "_acme-challenge.n1", "a stranger's value")
    run = moment(world)
    run.send(number)
    outcome = run.wait(30)
    assert outcome.returncode == 130, outcome
    assert "Traceback" not in screen(outcome), outcome
    assert "problem" not in outcome.stdout, "it failed because it was to end"
    assert not world.records.left(), outcome
    assert not journals(world)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_second_signal_waits_for_the_removal(
    make_world: MakeWorld, second: signal.Signals
) -> None:
    world = make_world(lags=(0.1,))
    run = while_waiting(world)
    world.alidns.call_seconds, world.alidns.one_write_at_a_time = 0.3, True
    run.send(signal.SIGTERM)
    until(lambda: world.alidns.calls_of("DeleteDomainRecord"))
    run.send(second)
    outcome = run.wait(30)
    assert outcome.returncode == 130, outcome
    assert not world.records.left(), outcome


@pytest.mark.parametrize(
    "moment",
    [while_adding, while_waiting, pytest.param(while_removing, marks=pytest.mark.nightly)],
    ids=lambda moment: moment.__name__,
)
@pytest.mark.parametrize("next_is_check", [True, False], ids=["check", "certbot"])
def test_what_a_killed_check_left_is_removed_by_the_next_run(
    make_world: MakeWorld, moment: Callable[[World], Run], next_is_check: bool
) -> None:
    world = make_world(lags=(0.1,))
    run = moment(world)
    run.send(signal.SIGKILL)
    run.wait(30)
    until(lambda: all(call.ended for call in world.alidns.calls))
    assert world.records.left()
    for server in world.nameservers.delegations["example.com"]:
        server.lag = 0.1
    if next_is_check:
        world.alidns.call_seconds, world.alidns.one_write_at_a_time = 0.0, False
        outcome = check(world, "-d", "other.example.com")
        assert outcome.ok, outcome
        assert not world.records.left(), outcome
        assert not journals(world)
    else:
        clean_up_by_the_next_run(world)


def test_a_check_and_a_run_of_certbot_leave_each_other_alone(make_world: MakeWorld) -> None:
    """A check takes no lock of Certbot's, and no living run's journal is taken for a dead one's."""
    world = make_world(lags=(0.1,))
    for server in world.nameservers.delegations["example.com"]:
        server.lag = 60
    checking = start(world)
    until(lambda: len(world.records.made()) == len(NAMES))
    running = world.certbot.start(*world.certonly("www.example.com"))
    until(lambda: len(world.records.made()) == len(NAMES) + 1)
    second = check(world, "-d", "other.example.com", "--wait-for", "nothing")
    assert second.ok, second
    assert len(world.records.left()) == len(NAMES) + 1
    for server in world.nameservers.delegations["example.com"]:
        server.lag = 0.1
    assert checking.wait(60).ok
    assert running.wait(60).ok
    assert not world.records.left()
