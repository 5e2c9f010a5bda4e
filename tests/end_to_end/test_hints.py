"""When the CA says no, the user reads what the name servers were serving, and since when."""

from __future__ import annotations

import re

import pytest
from dnslib import NS, QTYPE, RR

from tests.end_to_end.helpers import RECORD, MakeWorld, assert_refused, screen
from tests.world import Server, Zone
from tests.world.nameservers import address_rr

pytestmark = pytest.mark.newest  # old Certbots have no hints of plugins

SINCE = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def test_the_registry_delegates_the_domain_elsewhere(make_world: MakeWorld) -> None:
    """Certbot's resolver still knows the old name servers; the CA asks the new ones."""
    world = make_world(lags=(0.1, 0.1))
    old = world.nameservers.delegations["example.com"]
    new = Server(lag=0, name="ns.elsewhere.example", content=Zone("example.com"))
    world.nameservers.serve(Zone("example.com"), [new])
    world.nameservers.delegations["example.com"] = [new]
    world.resolver.lie("example.com", "NS", *_ns_of(old))
    for server in old:
        world.resolver.lie(server.name, "A", address_rr(server.name, server.address))
    outcome = world.issue("example.com")
    assert_refused(
        outcome,
        "All of the name servers of example.com that can be reached",
        "have served the TXT records since",
        "dns1.hichina.com",
        "dns2.hichina.com",
        "registry delegates",
    )
    assert re.search(SINCE, screen(outcome)), outcome
    assert not world.records.left()


def test_the_hint_is_about_the_zone_that_failed(make_world: MakeWorld) -> None:
    world = make_world(["example.com", "example.net"], lags=(0.1,))
    new = Server(lag=0, name="ns.elsewhere.example", content=Zone("example.net"))
    world.nameservers.serve(Zone("example.net"), [new])
    old = world.nameservers.delegations["example.net"]
    world.nameservers.delegations["example.net"] = [new]
    world.resolver.lie("example.net", "NS", *_ns_of(old, "example.net"))
    for server in old:
        world.resolver.lie(server.name, "A", address_rr(server.name, server.address))
    outcome = world.issue("example.com", "example.net")
    assert_refused(outcome, "All of the name servers of example.net that can be reached")
    assert "All of the name servers of example.com" not in screen(outcome)


def test_the_hint_names_the_servers_that_lagged(make_world: MakeWorld) -> None:
    """One name server is late at the limit, and that one the CA asks."""
    late = Server(lag=60, name="dns99.hichina.com")
    world = make_world({"example.com": [Server(lag=0.1), late]})
    old = world.nameservers.delegations["example.com"]
    world.nameservers.delegations["example.com"] = [late]
    world.resolver.lie("example.com", "NS", *_ns_of(old))
    outcome = world.issue("example.com", options=["--dns-aliyun-wait-limit", 3])
    assert_refused(outcome, "these served the TXT records: dns1.hichina.com", "dns99.hichina.com")


def test_an_absence_that_the_ca_remembers(make_world: MakeWorld) -> None:
    """Somebody else asked too early; nothing that we can see is wrong."""
    world = make_world(lags=(0.1,))
    world.resolver.remember_absence(RECORD, "TXT")
    outcome = world.issue("example.com")
    assert_refused(outcome, "have served the TXT records since")


def _ns_of(servers: list[Server], zone: str = "example.com") -> list[RR]:
    return [RR(zone, QTYPE.NS, rdata=NS(server.name), ttl=60) for server in servers]
