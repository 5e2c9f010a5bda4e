"""Orders of many names: few calls, few connections, and no more time than it takes."""

from __future__ import annotations

import pytest

from tests.end_to_end.helpers import MakeWorld, actions, assert_issued, assert_refused

pytestmark = pytest.mark.newest

HUNDRED = [f"host{number:02d}.example.com" for number in range(100)]


def test_a_hundred_names(make_world: MakeWorld) -> None:
    world = make_world(call_seconds=0.05)
    assert_issued(world.issue(*HUNDRED, options=["--cert-name", HUNDRED[0]]), world, *HUNDRED)
    assert len(actions(world)) <= 201
    assert world.alidns.connections <= 12


def test_a_hundred_names_of_fifty_zones(make_world: MakeWorld) -> None:
    zones = [f"zone{number:02d}.example" for number in range(50)]
    world = make_world(zones, call_seconds=0.05)
    names = [name for zone in zones for name in (zone, f"*.{zone}")]
    assert_issued(world.issue(*names), world, *names)
    assert len(actions(world)) <= 201
    assert world.alidns.connections <= 12


def test_a_zone_that_takes_one_write_at_a_time_is_no_error(make_world: MakeWorld) -> None:
    world = make_world(one_write_at_a_time=True, call_seconds=0.05)
    names = HUNDRED[:20]
    assert_issued(world.issue(*names), world, *names)
    refused = [c for c in world.alidns.calls if c.code == "LastOperationNotFinished"]
    assert len(refused) <= 4, "found out once for the adds and once for the deletes"


def test_zones_that_take_one_write_at_a_time_are_written_side_by_side(
    make_world: MakeWorld,
) -> None:
    zones = [f"zone{number}.example" for number in range(6)]
    world = make_world(zones, one_write_at_a_time=True, call_seconds=0.3)
    names = [f"{host}.{zone}" for zone in zones for host in ("a", "b")]
    assert_issued(world.issue(*names), world, *names)
    adds = world.alidns.calls_of("AddDomainRecord")
    one_after_another = sum((call.ended or 0) - call.started for call in adds)
    took = max(call.ended or 0 for call in adds) - min(call.started for call in adds)
    assert took < one_after_another / 2


def test_when_the_second_of_three_names_fails_the_first_one_is_removed(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    world.alidns.fault("code", "AddDomainRecord", code="DomainRecordConflict", skip=1)
    outcome = world.issue("a.example.com", "b.example.com", "c.example.com")
    assert_refused(outcome, "DomainRecordConflict", "CNAME")
    assert world.records.made(), "the first was added"
    assert not world.records.left()
