"""The run goes on when every name server serves the values, and not long after."""

from __future__ import annotations

import pytest

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
from tests.world import Server
from tests.world.resolver import ADDRESS

pytestmark = pytest.mark.newest

OTHER_BEHAVIOURS = ("dead", "refused", "servfail")


def test_the_slowest_name_server_decides(make_world: MakeWorld) -> None:
    world = make_world(lags=(0.1, 0.5, 2.5))
    outcome = world.issue("example.com", "*.example.com")
    assert_issued(outcome, world, "example.com", "*.example.com")
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 2.5)
    assert seconds_waited(world) < 25


@pytest.mark.parametrize(("names", "zones"), [(1, 1), (30, 1), (24, 24)])
def test_one_machine_of_several_that_is_late_is_waited_for_in_large_orders_too(
    make_world: MakeWorld, names: int, zones: int
) -> None:
    servers = [Server(machines=(0.2, 0.2, 0.2, 5.0)) for _ in range(2)]
    apexes = [f"zone{number:02d}.example" for number in range(zones)]
    world = make_world(dict.fromkeys(apexes, servers))
    wanted = apexes if zones > 1 else [f"host{number}.{apexes[0]}" for number in range(names)]
    outcome = world.issue(*wanted)
    assert_issued(outcome, world, *wanted)
    first_asked = min(ca_asked_at(world, f"_acme-challenge.{name}") for name in wanted)
    assert first_asked >= served_everywhere_at(world.records.made(), 5.0)


def test_every_address_of_every_name_server_is_asked(make_world: MakeWorld) -> None:
    """Two names with two addresses each, one of them IPv6."""
    servers = [
        Server(lag=0.1, name="ns1.example.net"),
        Server(lag=0.1, name="ns1.example.net", ipv6=True),
        Server(lag=0.1, name="ns2.example.net"),
        Server(lag=1.2, name="ns2.example.net", ipv6=True),
    ]
    world = make_world({"example.com": servers})
    assert_issued(world.issue("example.com"), world, "example.com")
    assert {query.server for query in world.nameservers.asked(RECORD)} == {
        server.address for server in servers
    }
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 1.2)


@pytest.mark.parametrize("machines", [(0.1, 1.5), (0.1, 0.1, 0.1, 1.5)])
def test_an_address_of_several_machines_must_serve_from_all(
    make_world: MakeWorld, machines: tuple[float, ...]
) -> None:
    world = make_world({"example.com": [Server(machines=machines), Server(lag=0.1)]})
    assert_issued(world.issue("example.com"), world, "example.com")
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 1.5)


@pytest.mark.parametrize(
    "behaviour",
    ["silent", "lame", *(pytest.param(b, marks=pytest.mark.nightly) for b in OTHER_BEHAVIOURS)],
)
def test_a_name_server_that_never_answers_holds_up_the_rest_for_seconds(
    make_world: MakeWorld, behaviour: str
) -> None:
    world = make_world({"example.com": [Server(lag=0.3), Server(behaviour=behaviour)]})
    assert_issued(world.issue("example.com"), world, "example.com")
    assert seconds_waited(world) < 20


def test_an_answer_too_large_for_udp_comes_over_tcp(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(behaviour="truncating")]})
    assert_issued(world.issue("example.com"), world, "example.com")
    assert any(query.transport == "tcp" for query in world.nameservers.asked(RECORD))


def test_name_servers_that_only_tcp_reaches(make_world: MakeWorld) -> None:
    """The CA is somewhere else, and not behind the same firewall."""
    world = make_world({"example.com": [Server(lag=0.1, udp=False), Server(lag=0.1)]})
    assert_issued(world.issue("example.com"), world, "example.com")


def test_questions_to_name_servers_are_not_recursive(make_world: MakeWorld) -> None:
    world = make_world()
    assert_issued(world.issue("example.com"), world, "example.com")
    assert not any(query.recursion_desired for query in world.nameservers.asked(RECORD))
    assert not world.resolver.asked(RECORD, server=ADDRESS)


def test_at_the_limit_with_the_value_nowhere_the_run_fails(make_world: MakeWorld) -> None:
    world = make_world(lags=(60, 60))
    outcome = world.issue("example.com", options=["--dns-aliyun-wait-limit", 2])
    assert_refused(outcome, RECORD, "dns1.hichina.com", "dns2.hichina.com", "wait-limit")
    assert not world.records.left()


def test_at_the_limit_with_the_value_on_some_the_run_goes_on(make_world: MakeWorld) -> None:
    """The CA asks the name server that is up to date."""
    world = make_world({"example.com": [Server(lag=0.1), Server(lag=60, name="dns99.hichina.com")]})
    world.nameservers.delegations["example.com"] = world.nameservers.delegations["example.com"][:1]
    outcome = world.issue("example.com", options=["--dns-aliyun-wait-limit", 3])
    assert_issued(outcome, world, "example.com")
    assert "Going on although" in screen(outcome)
    assert "dns99.hichina.com" in screen(outcome)
    assert seconds_waited(world) < 25


def test_one_zone_of_two_is_not_served_at_the_limit(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.1)], "example.net": [Server(lag=60)]})
    names = ["example.com", "www.example.net"]
    outcome = world.issue(*names, options=["--dns-aliyun-wait-limit", 2])
    assert_refused(outcome, "_acme-challenge.www.example.net")
    assert f"{RECORD} was added" not in screen(outcome)


def test_a_person_who_waits_is_told_how_far_it_is(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.1), Server(lag=33, name="dns99.hichina.com")]})
    outcome = world.issue("example.com")
    assert_issued(outcome, world, "example.com")
    assert "Waiting until the name servers of example.com serve" in screen(outcome)
    assert "After 30 seconds, 1 of 2 name server addresses" in screen(outcome)
    assert "dns99.hichina.com" in screen(outcome)
