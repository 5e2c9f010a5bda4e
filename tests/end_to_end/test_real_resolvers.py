"""Certificates behind the resolvers that people really have."""

from __future__ import annotations

import os

import pytest

from tests.end_to_end.delegating import SHOP, TARGET, add_foreign, alias
from tests.end_to_end.helpers import MakeWorld, assert_issued
from tests.world import World, name_server
from tests.world.real_resolvers import BEHIND_DNSMASQ, KINDS, find, replace_resolver
from tests.world.resolver import ADDRESS

pytestmark = pytest.mark.newest

RARE = [pytest.param(name, marks=pytest.mark.nightly) for name in KINDS if name != "unbound"]


def need(name: str) -> None:
    program = KINDS[name][0]
    if find(program):
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is missing")
    pytest.skip(f"{program} is missing (make installs it)")


def asked_too_early(world: World) -> list[str]:
    """The TXT records of validation names that the resolver was asked for, and may remember the
    absence of."""
    return [
        query.name
        for query in world.nameservers.queries + world.resolver.queries
        if (query.source == ADDRESS or query.server == BEHIND_DNSMASQ)
        and query.name.startswith("_acme-challenge.")
        and query.type == "TXT"
    ]


@pytest.mark.parametrize("name", ["unbound", *RARE])
def test_one_certificate_behind(make_world: MakeWorld, name: str) -> None:
    need(name)
    zones = {
        "example.com": name_server("dns1.hichina.com", 2, lag=0.3, rtt=0.03),
        "sub.example.com": name_server("dns9.hichina.com", 2, lag=0.6, rtt=0.03),
        TARGET: name_server("ns1.alidns.com", 2, lag=0.6, rtt=0.03),
    }
    world = make_world(zones)
    add_foreign(world)
    alias(world, f"_acme-challenge.{SHOP}", f"_acme-challenge.{TARGET}")
    replace_resolver(world, name)
    names = ("example.com", "www.sub.example.com", SHOP)
    assert_issued(world.issue(*names), world, *names)
    assert {record.zone for record in world.records.made()} == set(zones)
    if name == "dnsmasq":
        assert world.resolver.asked("example.com", server=BEHIND_DNSMASQ)
    else:
        assert any(query.source == ADDRESS for query in world.nameservers.queries)
    assert not asked_too_early(world)
