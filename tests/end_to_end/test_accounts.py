"""Zones of several Alibaba Cloud accounts in one certificate, by sections of the INI."""

from __future__ import annotations

import pytest

from tests.end_to_end.helpers import MakeWorld, assert_issued, assert_refused, screen
from tests.end_to_end.kinds import a_key, a_role, an_instance, ini, key_of, prepared_for
from tests.world import Key, World, zone_policy
from tests.world.cloud import Cloud

pytestmark = pytest.mark.newest

NAMES = ["example.com", "*.example.com", "www.example.org"]


@pytest.fixture
def two(make_world: MakeWorld) -> World:
    """example.com in account 1, example.org in account 2; each key may write its own zone."""
    world = make_world(keys=[Key(zone_policy("example.com"))])
    world.add_zone("example.org", account="2")
    world.add_key(Key(zone_policy("example.org"), account="2"))
    return world


def keys(world: World) -> list[Key]:
    return list(world.alidns.keys.values())


def used_for(world: World, zone: str) -> set[str]:
    return {call.key_id for call in world.alidns.calls if call.zone == zone}


def test_each_zone_gets_the_key_of_its_section(two: World) -> None:
    one, other = keys(two)
    path = ini(two, key_of(one), "example.org", key_of(other))
    assert_issued(two.certbot.run(*two.certonly(*NAMES, ini=path)), two, *NAMES)
    assert used_for(two, "example.com") == {one.id}
    assert used_for(two, "example.org") == {other.id}
    assert {call.code for call in two.alidns.calls} == {"OK"}
    assert two.certbot.run("renew", "--force-renewal").ok


def test_two_kinds_in_one_certificate(two: World) -> None:
    """An instance's role for one zone, a role of the other account for the other."""
    cloud = Cloud(two)
    instance = prepared_for(cloud, an_instance)
    partner = cloud.role(zone_policy("example.org"), account="2", name="partner")
    settings = {**key_of(cloud.user(partner)), "role_arn": partner.arn}
    path = ini(two, instance.settings, "example.org", settings)
    assert_issued(two.certbot.run(*two.certonly(*NAMES, ini=path)), two, *NAMES)
    assert used_for(two, "example.com") == set(instance.key_ids)
    assert used_for(two, "example.org") == {session.id for session in partner.sessions}
    assert two.certbot.run("renew", "--force-renewal").ok


def test_sections_may_be_all_there_is(two: World) -> None:
    one, other = keys(two)
    path = ini(two, "example.com", key_of(one), "example.org", key_of(other))
    assert_issued(two.certbot.run(*two.certonly(*NAMES, ini=path)), two, *NAMES)


def test_a_zone_without_credentials_is_named(two: World) -> None:
    path = ini(two, "example.com", key_of(keys(two)[0]))
    outcome = two.certbot.run(*two.certonly(*NAMES, ini=path))
    assert_refused(
        outcome, "no credentials for the zone example.org", "add a section [example.org]"
    )
    assert not two.records.left()


def test_a_section_whose_key_may_not_write_is_named_with_its_zone(two: World) -> None:
    one, _ = keys(two)
    weak = two.add_key(Key(zone_policy("example.net"), account="2"))
    path = ini(two, key_of(one), "example.org", key_of(weak))
    outcome = two.certbot.run(*two.certonly(*NAMES, ini=path))
    assert_refused(
        outcome,
        f"section [example.org] of {path}",
        "alidns:AddDomainRecord on acs:alidns:*:*:domain/example.org",
    )
    assert not two.records.left(), "the other zone's record is removed"


def test_a_section_with_a_wrong_secret_is_named(two: World) -> None:
    one, other = keys(two)
    wrong = {**key_of(other), "access_key_secret": Key().secret}
    path = ini(two, key_of(one), "example.org", wrong)
    outcome = two.certbot.run(*two.certonly(*NAMES, ini=path))
    assert_refused(outcome, "section [example.org]", "SignatureDoesNotMatch")
    assert not two.records.left()


def test_a_section_for_a_zone_that_is_no_part_of_it_costs_nothing(world: World) -> None:
    cloud = Cloud(world)
    unused = prepared_for(cloud, a_role)
    path = ini(world, key_of(world.key), "example.net", unused.settings)
    outcome = world.certbot.run(*world.certonly("example.com", ini=path))
    assert_issued(outcome, world, "example.com")
    assert not cloud.sts.asked


def test_the_longest_match_wins(make_world: MakeWorld) -> None:
    """shop.example.com is a zone of its own, in another account than example.com."""
    world = make_world(keys=[Key(zone_policy("example.com"))])
    world.add_zone("shop.example.com", account="2")
    shop = world.add_key(Key(zone_policy("shop.example.com"), account="2"))
    path = ini(world, "shop.example.com", key_of(shop), "example.com", key_of(world.key))
    names = ["a.example.com", "a.shop.example.com"]
    assert_issued(world.certbot.run(*world.certonly(*names, ini=path)), world, *names)
    assert used_for(world, "shop.example.com") == {shop.id}


def test_a_section_may_be_named_in_unicode(make_world: MakeWorld) -> None:
    """And in other ways: tests/unit/test_accounts.py."""
    world = make_world(["例子.com"], keys=[Key(zone_policy("例子.com"))])
    path = ini(world, "例子.com", key_of(world.key))
    outcome = world.certbot.run(*world.certonly("xn--fsqu00a.com", ini=path))
    assert_issued(outcome, world, "xn--fsqu00a.com")


def test_a_section_that_is_no_domain_is_an_error_with_its_line(world: World) -> None:
    prepared = prepared_for(Cloud(world), a_key)
    path = ini(world, prepared.settings, "production", prepared.settings)
    outcome = world.certbot.run(*world.certonly("example.com", ini=path))
    assert_refused(outcome, "Line 3", "aliyun.ini", "not named by a domain")
    assert not world.alidns.calls


def test_sections_of_other_plugins_are_left_alone(world: World) -> None:
    path = ini(world, key_of(world.key))
    path.write_text(path.read_text() + "[certbot]\ndns_cloudflare_api_token = abcdefgh\n")
    outcome = world.certbot.run(*world.certonly("example.com", ini=path))
    assert_issued(outcome, world, "example.com")
    assert "certbot]" not in screen(outcome)
