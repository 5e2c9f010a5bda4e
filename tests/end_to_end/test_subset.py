"""--allow-subset-of-names: a name that cannot be had does not keep the others from renewal."""

from __future__ import annotations

import pytest

from tests.end_to_end.helpers import MakeWorld, actions, assert_refused, screen
from tests.world import Key, Outcome, Server, World, Zone, zone_policy
from tests.world.ram import EVERYTHING

SUBSET = "--allow-subset-of-names"
OTHER = "ns1.elsewhere.example"
ZONES = ("example.com", "example.net", "example.org")


def moves_away(world: World, zone: str) -> None:
    """Another account has it now, and another provider's name servers serve it."""
    gone = world.records.zones.pop(zone)
    for server in world.nameservers.delegations[zone]:
        server.content = Zone(zone)
        server.content.ns_names = gone.ns_names


def assert_subset(outcome: Outcome, world: World, lineage: str, *names: str) -> None:
    assert outcome.ok, outcome
    assert world.certbot.names(lineage) == sorted(names)
    assert not world.records.left()


def test_one_zone_moved_away_and_the_rest_is_issued_and_renewed(make_world: MakeWorld) -> None:
    world = make_world(ZONES, lags=(0.1,))
    options = [SUBSET, "--cert-name", "lineage"]
    moves_away(world, "example.net")
    outcome = world.issue(*ZONES, options=options)
    assert_subset(outcome, world, "lineage", "example.com", "example.org")
    left_out = "Going on without a name, as --allow-subset-of-names has it: The TXT record"
    assert f"{left_out} _acme-challenge.example.net could not be added" in screen(outcome)
    assert "InvalidDomainName.NoExist" in screen(outcome)

    moves_away(world, "example.org")
    outcome = world.certbot.run("renew", "--force-renewal")
    assert_subset(outcome, world, "lineage", "example.com")
    assert f"{left_out} _acme-challenge.example.org could not be added" in screen(outcome)


@pytest.mark.newest
def test_without_the_option_one_zone_that_moved_away_ends_the_run(make_world: MakeWorld) -> None:
    world = make_world(ZONES[:2], lags=(0.1,))
    moves_away(world, "example.net")
    assert_refused(world.issue(*ZONES[:2]), "_acme-challenge.example.net could not be added")


@pytest.mark.newest
def test_where_every_name_would_be_left_out_the_ca_is_asked_for_none(
    make_world: MakeWorld,
) -> None:
    world = make_world(ZONES[:2], lags=(0.1,))
    for zone in ZONES[:2]:
        moves_away(world, zone)
    outcome = world.issue(*ZONES[:2], options=[SUBSET])
    assert_refused(outcome, "could not be added", "InvalidDomainName.NoExist")
    assert "Certificate Authority" not in screen(outcome)


@pytest.mark.newest
def test_a_zone_at_esa_and_one_that_the_key_may_not_change_are_left_out(
    make_world: MakeWorld,
) -> None:
    servers = [Server(lag=0.0, name="male1-1.ialicdn.com", content=Zone("example.net"))]
    world = make_world(
        {"example.com": [Server(lag=0.1)], "example.net": servers, "example.org": []},
        [Key(zone_policy("example.com", "example.net"))],
    )
    outcome = world.issue(*ZONES, options=[SUBSET])
    assert_subset(outcome, world, "example.com", "example.com")
    assert "The zone example.net is served by Alibaba Cloud ESA" in screen(outcome)
    assert "lacks the permission alidns:AddDomainRecord" in screen(outcome)
    added = world.alidns.calls_of("AddDomainRecord")
    assert {call.zone for call in added if call.acted} == {"example.com"}


@pytest.mark.newest
def test_a_name_that_is_never_served_is_left_out_at_the_limit(make_world: MakeWorld) -> None:
    elsewhere = [Server(name=OTHER, content=Zone("example.net"))]
    world = make_world({"example.com": [Server(lag=0.1)], "example.net": elsewhere})
    names = ("example.com", "example.net")
    limit = ["--dns-aliyun-wait-limit", 5]
    outcome = world.issue(*names, options=[SUBSET, *limit])
    assert_subset(outcome, world, "example.com", "example.com")
    assert "no name server of example.net served it within" in screen(outcome)
    assert_refused(
        world.issue("example.net", options=[SUBSET, *limit]), "no name server of example.net"
    )


@pytest.mark.newest
def test_a_key_that_nobody_knows_leaves_no_name_out(make_world: MakeWorld) -> None:
    world = make_world(ZONES[:2], lags=(0.1,))
    stranger = world.credentials_ini(Key(EVERYTHING), "unknown.ini")
    command = world.certonly(*ZONES[:2], ini=stranger)
    outcome = world.certbot.run(*command, SUBSET)
    assert_refused(outcome, "InvalidAccessKeyId.NotFound")
    assert "Going on without" not in screen(outcome)
    assert len(actions(world)) <= 2
