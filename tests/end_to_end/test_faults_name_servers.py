"""Name servers and resolvers that are worse than slow: none stalls the run beyond its limit."""

from __future__ import annotations

import pytest
from dnslib import QTYPE, RR, SOA

from tests.end_to_end.helpers import (
    RECORD,
    MakeWorld,
    assert_issued,
    assert_refused,
    ca_asked_at,
    screen,
    seconds_waited,
    served_everywhere_at,
)
from tests.world import EVERYTHING, Key, Server, World, zone_policy
from tests.world.nameservers import address_rr
from tests.world.ram import Policy

pytestmark = pytest.mark.newest

BLIND_FOR_A_SECOND = ["--dns-aliyun-propagation-seconds", 1]


def test_all_vices_at_once(make_world: MakeWorld) -> None:
    kinds = ("dead", "silent", "refused", "servfail", "lame")
    vicious = [Server(behaviour=kind) for kind in kinds]
    world = make_world({"example.com": [Server(lag=0.5), Server(behaviour="truncating"), *vicious]})
    world.nameservers.delegations["example.com"] = world.nameservers.delegations["example.com"][:2]
    assert_issued(
        world.issue("example.com", "*.example.com"), world, "example.com", "*.example.com"
    )
    assert seconds_waited(world) < 45


def test_an_address_family_without_a_route(world: World) -> None:
    """Documentation addresses (RFC 3849), to which nothing leads from here."""
    for server in world.nameservers.delegations["example.com"]:
        world.resolver.lie(server.name, "AAAA", address_rr(server.name, "2001:db8::53"))
    assert_issued(world.issue("example.com"), world, "example.com")
    assert seconds_waited(world) < 25


def test_an_absence_with_a_long_life_is_nothing_to_us(make_world: MakeWorld) -> None:
    world = make_world((), keys=[Key(EVERYTHING)])
    world.add_zone("example.com", [Server(lag=1.5), Server(lag=0.1)], negative_ttl=86400)
    assert_issued(world.issue("example.com"), world, "example.com")
    assert seconds_waited(world) < 25


def test_a_value_that_appears_vanishes_and_appears_again(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.1, vanishes=(0.4, 2.0)), Server(lag=1.0)]})
    assert_issued(world.issue("example.com"), world, "example.com")
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 2.0)


def test_machines_that_never_agree_hold_the_run_up_to_its_limit(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(machines=(0.1, 0.1, 0.1, 3600)), Server(lag=0.1)]})
    outcome = world.issue("example.com", options=["--dns-aliyun-wait-limit", 4])
    assert "Going on although not all name servers of example.com" in screen(outcome)
    assert 4 <= seconds_waited(world) < 40


@pytest.mark.parametrize("behaviour", ["hang", "servfail"])
def test_a_resolver_that_gives_no_answers(make_world: MakeWorld, behaviour: str) -> None:
    world = make_world(api_in_hosts_file=True)
    world.resolver.behave(behaviour)
    outcome = world.issue("example.com", "*.example.com", options=BLIND_FOR_A_SECOND)
    assert_issued(outcome, world, "example.com", "*.example.com")
    assert outcome.seconds < 60


def lie_about_the_zone(world: World) -> None:
    """It says that www.example.com is a zone."""
    times = (1, 3600, 1200, 86400, 600)
    soa = RR("www.example.com", QTYPE.SOA, rdata=SOA("ns.lie.net", "x.lie.net", times))
    world.resolver.lie("www.example.com", "SOA", soa)


@pytest.mark.parametrize("policy", [EVERYTHING, zone_policy("example.com")])
def test_a_resolver_that_lies_about_the_zone_meets_an_api_that_knows(
    make_world: MakeWorld, policy: Policy
) -> None:
    world = make_world(keys=[Key(policy)])
    lie_about_the_zone(world)
    outcome = world.issue("www.example.com", options=BLIND_FOR_A_SECOND)
    assert_issued(outcome, world, "www.example.com")
    assert world.records.made()[0].zone == "example.com"


def test_a_resolver_that_gives_false_name_servers(make_world: MakeWorld) -> None:
    """They answer for another zone; asked long enough, the run goes on or says what it saw."""
    world = make_world(lags=(0.1,))
    false = world.nameservers.start(Server(name="ns.lie.net", behaviour="lame"))
    for server in world.nameservers.delegations["example.com"]:
        world.resolver.lie(server.name, "A", address_rr(server.name, false.address))
    outcome = world.issue("example.com", options=BLIND_FOR_A_SECOND)
    assert_issued(outcome, world, "example.com")
    assert "No name server of example.com answers with authority for it" in screen(outcome)


def test_name_servers_without_the_zone_are_told_by_name(make_world: MakeWorld) -> None:
    """The whole wait is over within its limit, too."""
    world = make_world(lags=(3600, 3600, 3600))
    outcome = world.issue("example.com", options=["--dns-aliyun-wait-limit", 0])
    assert_refused(outcome, RECORD, "dns1.hichina.com")
    assert outcome.seconds < 45
