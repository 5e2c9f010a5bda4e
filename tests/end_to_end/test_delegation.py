"""A CNAME at the validation name leads the record to another zone, and the run follows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.end_to_end.delegating import (
    DIGEST,
    NAME,
    SHOP,
    TARGET,
    add_foreign,
    alias,
    move_alias,
    placed,
    questions,
)
from tests.end_to_end.helpers import (
    MakeWorld,
    actions,
    assert_issued,
    assert_refused,
    ca_asked_at,
    screen,
    served_everywhere_at,
)
from tests.world import Key, Server, World, until, zone_policy

pytestmark = pytest.mark.newest


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    """shop.example is hosted elsewhere; the key is for acme.example.net alone, at Alidns."""
    world = make_world([TARGET], lags=(0.1, 0.5))
    add_foreign(world)
    return world


def test_apex_and_wildcard_of_a_zone_elsewhere(
    shop: World, record_property: Callable[[str, object], None]
) -> None:
    alias(shop, NAME, f"shop.{TARGET}")
    stranger = shop.records.add_stranger(TARGET, "shop", DIGEST)
    outcome = shop.issue(SHOP, f"*.{SHOP}")
    assert_issued(outcome, shop, SHOP, f"*.{SHOP}")
    made = shop.records.made()
    assert len(made) == 2
    assert placed(shop) == [(TARGET, "shop")]
    assert stranger.alive
    assert ca_asked_at(shop, NAME) >= served_everywhere_at(made, 0.5)
    assert f"Waiting until the name servers of {TARGET} serve" in screen(outcome)
    calls, (to_resolver, to_servers) = len(actions(shop)), questions(shop)
    assert calls <= 5
    assert to_resolver <= 20
    record_property(
        "figure",
        f"A delegated apex and its wildcard: {calls} API calls, {to_resolver} questions to the "
        f"resolver, {to_servers} to name servers",
    )


def test_a_chain_through_three_zones(make_world: MakeWorld) -> None:
    """Elsewhere, at Alidns, elsewhere again, and at Alidns in the end."""
    world = make_world(["example.com", TARGET])
    add_foreign(world)
    add_foreign(world, "between.example", name="ns1.between.example")
    alias(world, NAME, "one.example.com")
    alias(world, "one.example.com", "two.between.example")
    alias(world, "two.between.example", f"a.b.c.{TARGET}")
    assert_issued(world.issue(f"*.{SHOP}"), world, f"*.{SHOP}")
    assert placed(world) == [(TARGET, "a.b.c")]
    assert len(actions(world)) == 2


def test_into_the_same_zone_and_into_another_one_of_the_account(make_world: MakeWorld) -> None:
    world = make_world(["example.com", TARGET])
    alias(world, "_acme-challenge.www.example.com", "_acme-challenge.example.com")
    alias(world, "_acme-challenge.mail.example.com", f"mail.{TARGET}")
    names = ["example.com", "www.example.com", "mail.example.com"]
    assert_issued(world.issue(*names), world, *names)
    made = sorted((record.zone, record.rr) for record in world.records.made())
    assert made == [
        (TARGET, "mail"),
        ("example.com", "_acme-challenge"),
        ("example.com", "_acme-challenge"),
    ]


def test_one_target_of_many_names(shop: World) -> None:
    """The values stand side by side, and each is removed by its own id."""
    names = [f"{host}.{SHOP}" for host in "abcdef"]
    for name in names:
        alias(shop, f"_acme-challenge.{name}", f"all.{TARGET}")
    assert_issued(shop.issue(*names), shop, *names)
    made = shop.records.made()
    assert placed(shop) == [(TARGET, "all")]
    assert len({record.value for record in made}) == len(names)
    last_added = max(record.added_at for record in made)
    assert all(record.removed_at and record.removed_at > last_added for record in made)
    assert len(actions(shop)) == 2 * len(names)


def test_the_target_is_the_apex_of_a_zone_beside_its_parent(make_world: MakeWorld) -> None:
    """The same servers have both, and values at the apex that hide the zone's SOA record."""
    servers = [Server(lag=0.1), Server(lag=0.1)]
    world = make_world({"example.net": servers, TARGET: servers}, keys=[Key(zone_policy(TARGET))])
    add_foreign(world)
    alias(world, NAME, TARGET)
    world.records.add_stranger(TARGET, "@", DIGEST)
    assert_issued(world.issue(SHOP), world, SHOP)
    assert placed(world) == [(TARGET, "@")]


def test_a_cname_that_moved_is_read_anew_at_renewal(make_world: MakeWorld) -> None:
    world = make_world([TARGET, "example.com"])
    add_foreign(world)
    alias(world, NAME, f"old.{TARGET}")
    assert_issued(world.issue(SHOP), world, SHOP)
    move_alias(world, NAME, "new.example.com")
    assert world.certbot.run("renew", "--force-renewal").ok
    assert placed(world) == [(TARGET, "old"), ("example.com", "new")]
    move_alias(world, NAME, "")
    outcome = world.certbot.run("renew", "--force-renewal")
    assert_refused(outcome, f"{NAME} could not be added")
    assert not world.records.left()


def test_the_section_of_the_targets_zone_counts(make_world: MakeWorld) -> None:
    world = make_world()
    other = world.add_key(Key(zone_policy(TARGET), account="2"))
    world.add_zone(TARGET, account="2")
    alias(world, "_acme-challenge.www.example.com", f"www.{TARGET}")
    ini = world.credentials_ini()
    section = [
        f"[{TARGET}]",
        f"dns_aliyun_access_key = {other.id}",
        f"dns_aliyun_access_key_secret = {other.secret}",
    ]
    ini = world.write_ini(ini.read_bytes() + "\n".join(section).encode())
    names = ["example.com", "www.example.com"]
    outcome = world.certbot.run(*world.certonly(*names, ini=ini))
    assert_issued(outcome, world, *names)
    by_zone = {call.zone: call.key_id for call in world.alidns.calls_of("AddDomainRecord")}
    assert by_zone == {"example.com": world.key.id, TARGET: other.id}


def test_a_circle_is_shown(shop: World) -> None:
    alias(shop, NAME, f"one.{SHOP}")
    alias(shop, f"one.{SHOP}", f"two.{TARGET}")
    alias(shop, f"two.{TARGET}", NAME)
    outcome = shop.issue(SHOP)
    assert_refused(outcome, f"{NAME} -> one.{SHOP} -> two.{TARGET} -> {NAME}")
    assert not shop.records.made()


def test_a_chain_without_end_is_shown(shop: World) -> None:
    links = [NAME, *(f"link{number}.{SHOP}" for number in range(12))]
    for name, target in zip(links, links[1:]):
        alias(shop, name, target)
    outcome = shop.issue(SHOP)
    assert_refused(outcome, " -> ".join(links[:9]))
    assert not shop.records.made()


def test_a_chain_of_eight_is_followed(shop: World) -> None:
    links = [NAME, *(f"link{number}.{SHOP}" for number in range(7)), f"end.{TARGET}"]
    for name, target in zip(links, links[1:]):
        alias(shop, name, target)
    assert_issued(shop.issue(SHOP), shop, SHOP)
    assert placed(shop) == [(TARGET, "end")]


@pytest.mark.parametrize("target", ["shop.elsewhere.example", "shop.nowhere.example"])
def test_a_target_that_cannot_be_written_to(make_world: MakeWorld, target: str) -> None:
    """Somebody else's zone, or none at all. Nothing is added, for no name."""
    world = make_world()
    add_foreign(world, "elsewhere.example")
    alias(world, "_acme-challenge.www.example.com", target)
    outcome = world.issue("example.com", "www.example.com")
    assert_refused(outcome, f"_acme-challenge.www.example.com -> {target}", "CNAME")
    assert not world.records.made()


def test_what_a_killed_run_left_at_the_target_is_removed(shop: World) -> None:
    alias(shop, NAME, f"shop.{TARGET}")
    for server in shop.nameservers.delegations[TARGET]:
        server.lag = 600.0
    run = shop.certbot.start(*shop.certonly(SHOP))
    until(shop.records.made)
    until(lambda: "Waiting until" in run.screen())
    run.kill()
    assert len(shop.records.left()) == 1
    for server in shop.nameservers.delegations[TARGET]:
        server.lag = 0.1
    move_alias(shop, NAME, f"elsewhere.{TARGET}")
    assert_issued(shop.issue(SHOP), shop, SHOP)
    assert placed(shop) == [(TARGET, "shop"), (TARGET, "elsewhere")]
