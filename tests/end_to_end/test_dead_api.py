"""A dead API ends the run within about two minutes, and what it leaves is named.

These tests take as long as that; so they stand at the beginning of the alphabet.
"""

from __future__ import annotations

import pytest

from tests.end_to_end.helpers import assert_issued, assert_refused, screen
from tests.world import World, until

pytestmark = pytest.mark.newest


def test_a_dead_api_ends_the_run_in_two_minutes(world: World) -> None:
    world.alidns.black_hole()
    outcome = world.issue("a.example.com", "b.example.com")
    assert_refused(outcome, "alidns.aliyuncs.com", "_acme-challenge.")
    assert 90 < outcome.seconds < 240


@pytest.mark.nightly
def test_an_api_that_dies_before_the_clean_up_costs_no_certificate(world: World) -> None:
    run = world.certbot.start(*world.certonly("a.example.com", "b.example.com"))
    until(lambda: len(world.records.made()) == 2)
    world.alidns.refuse_connections()
    outcome = run.wait(240)
    assert outcome.ok, str(outcome)
    assert 90 < outcome.seconds < 240
    for record in world.records.left():
        assert f"DeleteDomainRecord --RecordId {record.id}" in screen(outcome), str(outcome)

    world.alidns.listen()
    again = world.issue("c.example.com")
    assert again.ok, str(again)
    assert not world.records.left()


def test_an_api_that_recovers_within_two_minutes_costs_no_certificate(world: World) -> None:
    world.alidns.refuse_connections()
    run = world.certbot.start(*world.certonly("example.com"))
    with pytest.raises(AssertionError):
        until(lambda: not run.running(), 20)
    world.alidns.listen()
    outcome = run.wait(60)
    assert_issued(outcome, world, "example.com")
    assert screen(outcome).count("Calls are being repeated since ") == 1
    assert ": alidns.aliyuncs.com cannot be reached on port 443" in screen(outcome)
