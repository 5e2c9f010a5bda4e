"""Others write to the same zone, and calls are lost among theirs."""

from __future__ import annotations

import threading
import time

import pytest

from tests.end_to_end.helpers import RECORD, MakeWorld, assert_issued, assert_refused, screen
from tests.world import Key, World, resolver, until, zone_policy

pytestmark = pytest.mark.newest

ADD_ALONE = ("AddDomainRecord", "DeleteDomainRecord")
NO_DELETE = ("AddDomainRecord", "DescribeDomainRecords")


def test_an_add_whose_reply_was_lost_is_one_record(world: World) -> None:
    world.alidns.fault("reset", "AddDomainRecord", moment="after", times=3)
    assert_issued(
        world.issue("example.com", "*.example.com"), world, "example.com", "*.example.com"
    )
    assert len(world.records.made()) == 2


def test_without_list_permission_the_lost_id_is_told(make_world: MakeWorld) -> None:
    world = make_world(keys=[Key(zone_policy("example.com", actions=ADD_ALONE))])
    world.leaves_records = True
    world.alidns.fault("reset", "AddDomainRecord", moment="after", rr="_acme-challenge.a")
    outcome = world.issue("a.example.com", "b.example.com")
    assert outcome.ok, str(outcome)
    (left,) = world.records.left()
    for word in ("zone example.com", "RR _acme-challenge.a", left.value, "console"):
        assert word in screen(outcome), str(outcome)
    assert len(world.records.made()) == 2


def test_a_permission_revoked_meanwhile_is_told_and_stops_no_other_removal(
    make_world: MakeWorld,
) -> None:
    world = make_world(["example.com", "example.net"])
    run = world.certbot.start(*world.certonly("example.com", "example.net"))
    until(lambda: len(world.records.made()) == 2)
    statements = [
        *zone_policy("example.com", actions=NO_DELETE)["Statement"],
        *zone_policy("example.net")["Statement"],
    ]
    world.key.policy = {"Version": "1", "Statement": statements}
    outcome = run.wait()

    assert outcome.ok, str(outcome)
    (left,) = world.records.left()
    assert left.zone == "example.com"
    for word in (RECORD, left.value, left.id, "alidns:DeleteDomainRecord", "zone example.com"):
        assert word in screen(outcome), str(outcome)

    world.key.policy = zone_policy("example.com", "example.net")
    assert_issued(world.issue("again.example.net"), world, "again.example.net")


def test_two_hosts_validate_the_same_names_at_once(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CA looks itself; if it kept the answer of the other host's question, it could not help
    missing ours."""
    monkeypatch.setattr(resolver, "LONGEST_MEMORY", 0.0)
    names = ("example.com", "*.example.com", "www.example.com")
    world = make_world(one_write_at_a_time=True, call_seconds=0.1)
    hosts = [world.new_certbot(f"host{number}") for number in range(2)]
    runs = [host.start(*world.certonly(*names)) for host in hosts]
    for run in runs:
        outcome = run.wait()
        assert outcome.ok, str(outcome)
    assert len(world.records.made()) == 6
    assert not world.records.left()


def test_somebody_edits_the_zone_without_a_pause(make_world: MakeWorld) -> None:
    """The API takes one write at a time, and is busy with theirs now and then."""
    world = make_world()
    busy = {"code": "LastOperationNotFinished", "times": 2}
    for skip in (0, 3):
        world.alidns.fault("code", "AddDomainRecord", skip=skip, **busy)
        world.alidns.fault("code", "DeleteDomainRecord", skip=skip, **busy)
    over = threading.Event()

    def edit() -> None:
        zone = world.records.zones["example.com"]
        while not over.wait(0.01):
            zone.remove(zone.add("www", f"value-{time.monotonic()}", added_by="somebody"))

    editor = threading.Thread(target=edit, daemon=True)
    editor.start()
    outcome = world.issue(*(f"n{number}.example.com" for number in range(5)))
    over.set()
    editor.join()
    assert outcome.ok, str(outcome)
    ours = [record for record in world.records.made() if record.added_by == world.key.id]
    assert len(ours) == 5


def test_our_record_is_gone_before_we_remove_it(world: World) -> None:
    run = world.certbot.start(*world.certonly("example.com"))
    until(lambda: world.resolver.asked(RECORD, server="127.0.0.54"))
    for record in world.records.left():
        world.records.zones["example.com"].remove(record)
    outcome = run.wait()
    assert outcome.ok, str(outcome)
    assert "could not be removed" not in outcome.text


def test_our_record_is_removed_by_somebody_while_we_wait(make_world: MakeWorld) -> None:
    world = make_world(lags=(2.0,))
    run = world.certbot.start(*world.certonly("example.com"), "--dns-aliyun-wait-limit", 5)
    world.records.zones["example.com"].remove(until(world.records.left)[0])
    outcome = run.wait()
    assert_refused(outcome, RECORD, "wait-limit")
    assert "could not be removed" not in outcome.text
