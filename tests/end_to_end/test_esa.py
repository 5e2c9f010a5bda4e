"""Zones that moved to Alibaba Cloud ESA: known before anything is added."""

from __future__ import annotations

import pytest

from tests.end_to_end.delegating import TARGET, alias, placed
from tests.end_to_end.helpers import RECORD, MakeWorld, actions, assert_issued, assert_refused
from tests.world import Server, World, Zone

pytestmark = pytest.mark.newest

ESA = ["male1-1.ialicdn.com", "female1-1.ns.atrustdns.com"]


def at_esa(make_world: MakeWorld, *others: str) -> World:
    """The zone is still in the account, and ESA serves what it holds itself."""
    content = Zone("example.com")
    servers = [Server(lag=0.0, name=name, content=content) for name in ESA]
    return make_world({"example.com": servers, **{other: [Server(lag=0.1)] for other in others}})


def test_a_zone_at_esa_is_told_before_anything_is_added(make_world: MakeWorld) -> None:
    world = at_esa(make_world, "example.net")
    outcome = world.issue("example.net", "example.com")
    assert_refused(outcome, "The zone example.com is served by Alibaba Cloud ESA", *ESA, "DNS only")
    assert "AddDomainRecord" not in actions(world)
    assert outcome.seconds < 60


def test_a_cname_at_esa_to_a_zone_at_alidns_helps(make_world: MakeWorld) -> None:
    world = at_esa(make_world, TARGET)
    alias(world, RECORD, f"shop.{TARGET}")
    world.nameservers.delegations["example.com"][0].content.add(  # type: ignore[union-attr]
        "_acme-challenge", f"shop.{TARGET}.", "CNAME", added_at=world.began - 60
    )
    assert_issued(world.issue("example.com"), world, "example.com")
    assert placed(world) == [(TARGET, "shop")]


@pytest.mark.parametrize("way", ["name-servers", "wait-for"])
def test_who_insists_is_let(make_world: MakeWorld, way: str) -> None:
    """The servers' names say ESA, and they serve the zone of the account all the same."""
    world = make_world({"example.com": [Server(lag=0.1, name=name) for name in ESA]})
    addresses = ",".join(s.address for s in world.nameservers.delegations["example.com"])
    options: dict[str, list[str]] = {
        "name-servers": ["--dns-aliyun-name-servers", addresses],
        "wait-for": [
            "--dns-aliyun-wait-for",
            "nothing",
            "--dns-aliyun-propagation-seconds",
            "2",
        ],
    }
    assert_issued(world.issue("example.com", options=options[way]), world, "example.com")


def test_a_cname_of_a_certificate_that_esa_manages(make_world: MakeWorld) -> None:
    world = make_world()
    world.add_zone("dcv.aliyun-esa.com", hosted=False)
    target = "example.com.165565416192216.dcv.aliyun-esa.com"
    alias(world, RECORD, target)
    outcome = world.issue("example.com")
    assert_refused(outcome, f"{RECORD} leads to {target}", "certificate that Alibaba Cloud ESA")
    assert "AddDomainRecord" not in actions(world)
