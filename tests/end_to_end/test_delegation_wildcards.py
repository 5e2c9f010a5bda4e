"""A wildcard CNAME answers for the validation name, too; a TXT record there takes its place."""

from __future__ import annotations

import pytest

from tests.end_to_end.delegating import NAME, SHOP, TARGET, add_foreign, alias, placed
from tests.end_to_end.helpers import MakeWorld, actions, assert_issued, assert_refused, screen
from tests.world import World

pytestmark = pytest.mark.newest

CDN = "edge.cdn.example"


@pytest.fixture
def wild(make_world: MakeWorld) -> World:
    """*.example.com leads to a CDN, whose zone is none of ours."""
    world = make_world(["example.com", TARGET], lags=(0.1, 0.3))
    add_foreign(world, "cdn.example").add("edge", "192.0.2.1", "A")
    alias(world, "*.example.com", CDN)
    return world


def test_the_record_is_added_below_the_wildcard(wild: World) -> None:
    names = ["www.example.com", "*.www.example.com"]
    assert_issued(wild.issue(*names), wild, *names)
    assert placed(wild) == [("example.com", "_acme-challenge.www")]
    assert len(actions(wild)) == 4


def test_a_wildcard_and_a_real_delegation_in_one_certificate(wild: World) -> None:
    alias(wild, "_acme-challenge.shop.example.com", f"shop.{TARGET}")
    names = ["example.com", "www.example.com", "shop.example.com", "*.shop.example.com"]
    assert_issued(wild.issue(*names), wild, *names)
    assert set(placed(wild)) == {
        ("example.com", "_acme-challenge"),
        ("example.com", "_acme-challenge.www"),
        (TARGET, "shop"),
    }
    assert len(actions(wild)) == 8


def test_a_real_delegation_that_says_the_same_as_the_wildcard(make_world: MakeWorld) -> None:
    """DNS cannot tell them apart; Alidns does, when it refuses a record beside a CNAME."""
    world = make_world(["example.com", TARGET])
    alias(world, "*.example.com", f"all.{TARGET}")
    alias(world, "_acme-challenge.www.example.com", f"all.{TARGET}")
    names = ["www.example.com", "mail.example.com"]
    assert_issued(world.issue(*names), world, *names)
    made = {(record.zone, record.rr) for record in world.records.made()}
    assert made == {(TARGET, "all"), ("example.com", "_acme-challenge.mail")}


def test_the_same_where_the_target_is_none_of_ours(wild: World) -> None:
    alias(wild, "_acme-challenge.www.example.com", CDN)
    outcome = wild.issue("www.example.com")
    assert_refused(outcome, f"_acme-challenge.www.example.com -> {CDN}", "CNAME")
    assert not wild.records.made()


def test_a_wildcard_of_a_zone_elsewhere_is_followed(make_world: MakeWorld) -> None:
    """Nothing can be added there, so it is meant as delegation, or does no harm."""
    world = make_world([TARGET])
    add_foreign(world)
    alias(world, f"*.{SHOP}", f"all.{TARGET}")
    names = [SHOP, f"www.{SHOP}"]
    assert_issued(world.issue(*names), world, *names)
    assert placed(world) == [(TARGET, "all")]


def test_a_wildcard_of_a_zone_elsewhere_that_leads_to_no_zone_of_ours(
    make_world: MakeWorld,
) -> None:
    """The name itself is what somebody must do something about."""
    world = make_world()
    add_foreign(world)
    add_foreign(world, "cdn.example")
    alias(world, f"*.{SHOP}", CDN)
    assert_refused(world.issue(f"www.{SHOP}"), f"_acme-challenge.www.{SHOP} could not be added")


def test_a_name_below_one_that_exists_is_not_the_wildcards(wild: World) -> None:
    """RFC 4592, 4.4.2: www.example.com exists, so *.example.com says nothing of what is below."""
    wild.records.add_stranger("example.com", "www", "192.0.2.2", "A")
    assert_issued(wild.issue("www.example.com"), wild, "www.example.com")
    assert placed(wild) == [("example.com", "_acme-challenge.www")]


def test_a_wildcard_right_above_the_validation_name(wild: World) -> None:
    alias(wild, "*.www.example.com", CDN)
    assert_issued(wild.issue("www.example.com"), wild, "www.example.com")
    assert placed(wild) == [("example.com", "_acme-challenge.www")]


def test_a_wildcard_that_leads_to_itself(make_world: MakeWorld) -> None:
    """A circle for all other names, and no matter for the one that gets a record."""
    world = make_world()
    alias(world, "*.example.com", "nothing.example.com")
    assert_issued(world.issue("www.example.com"), world, "www.example.com")


def test_the_longest_name_there_is(wild: World) -> None:
    """There is no longer one beside it that could be asked for."""
    labels = ["a" * 63, "b" * 63, "c" * 63]
    rest = 253 - len("_acme-challenge..example.com") - len(".".join(labels)) - 1
    name = ".".join([*labels, "d" * rest, "example.com"])
    assert len(f"_acme-challenge.{name}") == 253
    outcome = wild.issue(name, options=["--cert-name", "long"])
    assert outcome.ok, outcome
    assert wild.certbot.names("long") == [name]


def test_a_delegated_name_whose_target_a_wildcard_answers_for(wild: World) -> None:
    """The target's zone has a wildcard of its own; a name that is meant takes its place there."""
    alias(wild, f"*.{TARGET}", CDN)
    add_foreign(wild)
    alias(wild, NAME, f"_acme-challenge-shop.{TARGET}")
    outcome = wild.issue(SHOP)
    assert_issued(outcome, wild, SHOP)
    assert placed(wild) == [(TARGET, "_acme-challenge-shop")]
    assert "cdn.example" not in screen(outcome)
