"""Zones that the CA looks for elsewhere: the user learns it within seconds, with the names."""

from __future__ import annotations

import time

import pytest

from tests.end_to_end.delegating import OTHER, SHOP, add_foreign, alias, placed
from tests.end_to_end.helpers import (
    MakeWorld,
    assert_issued,
    assert_refused,
    screen,
    seconds_waited,
)
from tests.world import Key, Server, World, Zone, until, zone_policy
from tests.world.certbot import Run
from tests.world.nameservers import soa

pytestmark = pytest.mark.newest


def seconds_until_said(world: World, run: Run, words: str) -> float:
    """How long after the record was added the user read something."""
    until(lambda: words in " ".join(run.screen().split()) or not run.running())
    read = time.monotonic()
    assert words in " ".join(run.screen().split()), run.wait()
    return read - min(record.added_at for record in world.records.made())


def start(world: World, *names: str) -> Run:
    limits = ["--dns-aliyun-wait-limit", 15, "--dns-aliyun-propagation-seconds", 1]
    return world.certbot.start(*world.certonly(*names), *limits)


def test_a_zone_that_moved_to_another_provider(make_world: MakeWorld) -> None:
    """The account still holds it. Names found and names expected are said in seconds."""
    world = make_world({"example.com": [Server(name=OTHER, content=Zone("example.com"))]})
    run = start(world, "example.com", "*.example.com")
    said = f"None of the name servers of example.com ({OTHER}) looks like one of Alibaba Cloud DNS"
    assert seconds_until_said(world, run, said) < 12
    assert_refused(
        run.wait(), "dns1.hichina.com or ns1.alidns.com", "no name server of example.com"
    )
    assert not world.records.left()


def test_an_expired_domain_is_at_alibabas_servers_for_expired_domains(
    make_world: MakeWorld,
) -> None:
    expired = Server(name="expirens3.hichina.com", content=Zone("example.com"))
    world = make_world({"example.com": [expired]})
    run = start(world, "example.com")
    said = "None of the name servers of example.com (expirens3.hichina.com)"
    assert seconds_until_said(world, run, said) < 12
    run.wait()


def test_own_names_for_the_name_servers_are_no_error(make_world: MakeWorld) -> None:
    """Served by Alidns under a customer's names: the doubt is spared if the value comes soon."""
    world = make_world({"example.com": [Server(name="ns1.example.com", lag=0.5)]})
    outcome = world.issue("example.com")
    assert_issued(outcome, world, "example.com")
    assert "None of the name servers" not in screen(outcome)


def test_a_zone_that_is_not_activated(make_world: MakeWorld) -> None:
    """It is in the account, and in no registry."""
    world = make_world([], keys=[Key(zone_policy("example.com"))])
    world.add_zone("example.com", delegate=False)
    run = start(world, "example.com")
    assert seconds_until_said(world, run, "Public DNS knows no zone example.com") < 12
    assert_refused(run.wait())


def test_the_validation_name_is_delegated_to_somebody_else(make_world: MakeWorld) -> None:
    """By NS records in a zone at Alidns, which refuses others beside them."""
    world = make_world()
    add_foreign(world, "_acme-challenge.example.com")
    world.records.add_stranger("example.com", "_acme-challenge", f"{OTHER}.", "NS")
    outcome = world.issue("example.com")
    assert_refused(outcome, "zone _acme-challenge.example.com", OTHER)
    assert outcome.seconds < 45
    assert not world.records.made()


def test_a_zone_in_between_is_delegated_to_somebody_else(make_world: MakeWorld) -> None:
    """Alidns takes the record into the zone above, where nobody looks for it."""
    world = make_world(keys=[Key(zone_policy("*"))])
    add_foreign(world, "dev.example.com")
    run = start(world, "www.dev.example.com")
    said = f"Public DNS has a zone dev.example.com of its own (at {OTHER})"
    assert seconds_until_said(world, run, said) < 12
    assert_refused(run.wait(), "the TXT record stands in example.com")


def test_the_resolver_remembers_that_there_was_no_zone(make_world: MakeWorld) -> None:
    """The domain was registered a minute ago."""
    world = make_world(["example.com.cn"])
    for kind in ("SOA", "NS", "A"):
        world.resolver.remember_absence("example.com.cn", kind)
        world.resolver.remember_absence("www.example.com.cn", kind)
    assert_issued(world.issue("www.example.com.cn"), world, "www.example.com.cn")
    assert placed(world) == [("example.com.cn", "_acme-challenge.www")]
    assert len(world.alidns.calls) == 2


def test_the_resolver_remembers_that_the_zone_had_no_name_servers(make_world: MakeWorld) -> None:
    world = make_world()
    world.resolver.remember_absence("example.com", "NS")
    outcome = world.issue("example.com")
    assert_issued(outcome, world, "example.com")
    assert "can be asked from here" not in screen(outcome)


def test_the_resolver_remembers_that_there_was_no_sub_zone(make_world: MakeWorld) -> None:
    """It was delegated a minute ago; the walk begins at the zone above it."""
    world = make_world(["example.com", "dev.example.com"])
    for kind in ("SOA", "NS"):
        world.resolver.remember_absence("dev.example.com", kind)
    assert_issued(world.issue("dev.example.com"), world, "dev.example.com")
    assert placed(world) == [("dev.example.com", "_acme-challenge")]


def test_split_horizon(make_world: MakeWorld) -> None:
    """The machine's resolver names servers inside, which never serve what the CA looks for."""
    world = make_world()
    inside = Server(name="ns.corp.example", lag=0.0)
    world.nameservers.serve(Zone("example.com"), [inside])
    world.hide_behind("example.com", [inside])
    outcome = world.issue("example.com", "*.example.com")
    assert_issued(outcome, world, "example.com", "*.example.com")
    said = "The resolver of this machine names other name servers of example.com than the domain's"
    assert said in screen(outcome)
    assert "asking those of the registry (dns1.hichina.com, dns2.hichina.com)" in screen(outcome)
    assert seconds_waited(world) < 30


def test_a_zone_of_that_name_inside_alone(make_world: MakeWorld) -> None:
    """For the public, its names are in the zone above, and so for the key's policy."""
    world = make_world()
    zone = Zone("corp.example.com")
    inside = Server(name="ns.corp.example", lag=0.0)
    world.nameservers.serve(zone, [inside])
    world.hide_behind("corp.example.com", [inside])
    world.resolver.lie("corp.example.com", "SOA", soa(zone))
    name = "www.corp.example.com"
    world.resolver.lie(name, "SOA")
    outcome = world.issue(name)
    assert_issued(outcome, world, name)
    assert placed(world) == [("example.com", "_acme-challenge.www.corp")]
    assert seconds_waited(world) < 30


def test_signed_zones(make_world: MakeWorld) -> None:
    """Signatures and denials stand in every answer, asked for or not."""
    signed = [Server(lag=0.2, signed=True), Server(lag=0.4, signed=True)]
    world = make_world({"example.com": signed})
    world.add_zone(SHOP, [Server(name=OTHER, signed=True)], hosted=False)
    alias(world, f"_acme-challenge.{SHOP}", "_acme-challenge-shop.example.com")
    alias(world, "*.example.com", "edge.cdn.example")
    names = ["example.com", "*.example.com", "www.example.com", SHOP]
    outcome = world.issue(*names)
    assert_issued(outcome, world, *names)
    shop = "_acme-challenge-shop"
    assert {rr for _, rr in placed(world)} == {"_acme-challenge", "_acme-challenge.www", shop}
