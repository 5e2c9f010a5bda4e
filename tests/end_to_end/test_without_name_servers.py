"""Where no name server can be asked, the wait takes propagation-seconds, and that is said."""

from __future__ import annotations

import pytest

from tests.end_to_end.helpers import (
    MakeWorld,
    assert_issued,
    assert_refused,
    screen,
    seconds_waited,
)
from tests.world import Outcome, Server, World
from tests.world.nameservers import address_rr

pytestmark = pytest.mark.newest

CLOSED = "No name server of example.com can be asked from here (is port 53 closed?); waiting"


def close_port_53(world: World, firewall: str) -> None:
    """For certbot, the name servers are behind a firewall; the CA, elsewhere, sees the real ones.

    :param firewall: `silent` for one that drops packets, `dead` for one that rejects them
    """
    for server in world.nameservers.delegations["example.com"]:
        wall = world.nameservers.start(Server(behaviour=firewall, name=server.name))
        world.resolver.lie(server.name, "A", address_rr(server.name, wall.address))


def issue(world: World, seconds: int) -> Outcome:
    return world.issue("example.com", options=["--dns-aliyun-propagation-seconds", seconds])


@pytest.mark.parametrize("firewall", ["silent", pytest.param("dead", marks=pytest.mark.nightly)])
def test_port_53_is_closed(make_world: MakeWorld, firewall: str) -> None:
    world = make_world(lags=(0.1, 0.1))
    close_port_53(world, firewall)
    outcome = issue(world, 8)
    assert_issued(outcome, world, "example.com")
    assert f"{CLOSED} 8 seconds instead" in screen(outcome)
    assert 7.9 < seconds_waited(world) < 60


def test_there_is_no_resolver(make_world: MakeWorld) -> None:
    world = make_world(api_in_hosts_file=True)
    world.resolver.behave("missing")
    outcome = issue(world, 2)
    assert_issued(outcome, world, "example.com")
    assert f"{CLOSED} 2 seconds instead" in screen(outcome)
    assert screen(outcome).count("No resolver answers (127.0.0.53, from /etc/resolv.conf)") == 1
    assert 1.9 < seconds_waited(world) < 60


def test_the_wait_was_too_short(make_world: MakeWorld) -> None:
    """The CA says no, and the user reads which option to raise."""
    world = make_world(api_in_hosts_file=True, lags=(30,))
    world.resolver.behave("missing")
    outcome = issue(world, 1)
    assert_refused(outcome, "could be asked from here", "raise --dns-aliyun-propagation-seconds")


def test_one_zone_can_be_asked_and_another_cannot(make_world: MakeWorld) -> None:
    world = make_world(["example.com", "example.net"], lags=(0.1,))
    close_port_53(world, "dead")
    names = ["example.com", "example.net"]
    outcome = world.issue(*names, options=["--dns-aliyun-propagation-seconds", 7])
    assert_issued(outcome, world, *names)
    assert CLOSED in screen(outcome)
    assert "No name server of example.net" not in screen(outcome)
