"""`certbot-dns-aliyun stale` lists what was left long ago, and removes that alone."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest

from tests.end_to_end.helpers import MakeWorld, screen
from tests.world import Key, Outcome, Record, World, until, zone_policy

pytestmark = pytest.mark.newest

LONG_AGO = time.time() - 30 * 86400
_numbers = itertools.count()


def digest() -> str:
    return f"{next(_numbers):a>43d}"


def left(world: World, rr: str, zone: str = "example.com", **more: Any) -> Record:
    """A record that somebody left, long ago unless it is said otherwise."""
    record = {"value": digest(), "created_at": LONG_AGO, **more}
    return world.records.add_stranger(zone, rr, **record)


def stale(world: World, *arguments: str) -> Outcome:
    ini = world.credentials_ini()
    folders = ["--config-dir", world.certbot.config_dir]
    return world.certbot.plugin("stale", "--credentials", ini, *folders, *arguments)


def lost(world: World) -> list[Record]:
    """The strangers' records that were removed; they are none of the world's business then."""
    removed = world.records.lost()
    for record in removed:
        record.added_by = "a run of long ago"
    return removed


def test_only_the_stale_ones_go(world: World) -> None:
    gone = [
        left(world, "_acme-challenge"),
        left(world, "_acme-challenge"),
        left(world, "_acme-challenge.www"),
        left(world, "_Acme-Challenge.Shop"),
        left(world, "www._acme-challenge"),
    ]
    left(world, "_acme-challenge", created_at=time.time() - 6 * 86400)
    left(world, "_acme-challenge", created_at=None)
    left(world, "_acme-challenge.www", value="v=spf1 -all")
    left(world, "_acme-challenge.www", value="x" * 42)
    left(world, "_acme-challenge.www", value="x" * 44)
    left(world, "_acme-challenge.www", value="+" * 43)
    left(world, "my_acme-challenge")
    left(world, "_acme-challenges")
    left(world, "@")
    left(world, "_acme-challenge.a", type="CNAME", value=f"{digest()}.example.net")
    outcome = stale(world, "--zone", "example.com")
    assert outcome.returncode == 1, outcome
    for record in gone:
        assert f"example.com  {record.rr}  {record.value}  30 days old" in outcome.stdout
    assert outcome.stdout.count("days old") == len(gone)
    assert outcome.stdout.count("of unknown age, not removed") == 1
    assert "5 stale TXT records are left; --remove removes them." in outcome.stdout
    assert not lost(world)
    outcome = stale(world, "--zone", "example.com", "--remove", "--yes")
    assert outcome.ok, outcome
    assert lost(world) == gone
    assert stale(world, "--zone", "example.com").stdout.endswith("No stale TXT record was found.\n")


def test_nobody_is_there_to_be_asked(world: World) -> None:
    left(world, "_acme-challenge")
    outcome = stale(world, "--zone", "example.com", "--remove")
    assert outcome.returncode == 2
    assert "--remove needs --yes" in screen(outcome)


def test_a_name_leads_to_its_zone(make_world: MakeWorld) -> None:
    world = make_world(["example.com", "example.org"])
    record = left(world, "_acme-challenge.www")
    left(world, "_acme-challenge", "example.org")
    outcome = stale(world, "-d", "*.www.example.com", "--older-than", "29.5", "--json")
    assert outcome.returncode == 1
    (told,) = json.loads(outcome.stdout)["records"]
    assert (told["zone"], told["rr"], told["value"]) == (record.zone, record.rr, record.value)
    assert (told["record_id"], told["removed"]) == (record.id, False)
    assert stale(world, "-d", "www.example.com", "--older-than", "31").ok


def test_what_a_living_run_has_in_hand_stays(world: World) -> None:
    """Even of those that ask for all: the record of a run that goes on right now is none left."""
    other = left(world, "_acme-challenge")
    world.nameservers.delegations["example.com"][0].behaviour = "silent"
    run = world.certbot.start(*world.certonly("example.com"))
    until(lambda: "Waiting until" in run.screen())
    (in_hand,) = world.records.left()
    in_hand.created_at = other.created_at
    outcome = stale(world, "--zone", "example.com", "--older-than", "0", "--remove", "--yes")
    assert outcome.ok, outcome
    assert lost(world) == [other]
    assert in_hand.alive
    run.kill()
    assert stale(world, "--zone", "example.com", "--older-than", "0", "--remove", "--yes").ok
    assert in_hand.alive, "the next run removes it"
    world.leaves_records = True


def test_what_changes_meanwhile_stays(world: World) -> None:
    """Between the listing and the removal somebody takes one record away and changes another."""
    zone = world.records.zones["example.com"]
    removed, changed = left(world, "_acme-challenge.a"), left(world, "_acme-challenge.b")

    act = world.alidns.actions.act

    def act_and_meddle(*what: Any) -> Any:
        body = act(*what)
        if removed.alive:
            zone.remove(removed)
            removed.added_by = "somebody"
            changed.value = digest()
        return body

    world.alidns.actions.act = act_and_meddle  # type: ignore[method-assign]
    outcome = stale(world, "--zone", "example.com", "--remove", "--yes")
    assert outcome.ok, outcome
    assert not lost(world)
    assert changed.alive


def test_thousands(world: World) -> None:
    made = [left(world, f"_acme-challenge.h{number % 400}") for number in range(1200)]
    outcome = stale(world, "--zone", "example.com", "--json")
    assert len(json.loads(outcome.stdout)["records"]) == len(made)


def test_a_key_that_may_not(make_world: MakeWorld) -> None:
    actions = ["AddDomainRecord", "DescribeDomainRecords"]
    world = make_world(keys=[Key(zone_policy("example.com", actions=actions))])
    left(world, "_acme-challenge")
    outcome = stale(world, "--zone", "example.com", "--remove", "--yes")
    assert outcome.returncode == 1
    assert "alidns:DeleteDomainRecord on acs:alidns:*:*:domain/example.com" in screen(outcome)
    outcome = stale(world, "--zone", "example.org")
    assert outcome.returncode == 1
    assert "The records of example.org could not be listed: " in screen(outcome)
