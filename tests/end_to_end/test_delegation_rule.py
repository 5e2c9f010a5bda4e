"""Whoever controls a CNAME chooses where it leads, and no name of yours that is in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.delegating import NAME, SHOP, TARGET, add_foreign, alias, placed
from tests.end_to_end.helpers import (
    MakeWorld,
    actions,
    assert_issued,
    assert_refused,
    screen,
)
from tests.end_to_end.kinds import ini, key_of
from tests.world import Key, Outcome, World, zone_policy
from tests.world.vices import forges_alias, silent

pytestmark = pytest.mark.newest

CORP = "corp.example"
LOGIN = f"login.{CORP}"
LISTED = "dns_aliyun_delegation_targets"


@pytest.fixture
def corp(make_world: MakeWorld) -> World:
    """*.corp.example serves; shop.example is a customer's, hosted elsewhere."""
    world = make_world([CORP], lags=(0.1, 0.2))
    world.records.add_stranger(CORP, "*", "192.0.2.7", "A", added_at=world.began - 60)
    add_foreign(world)
    return world


def with_line(world: World, *lines: str) -> Path:
    return world.credentials_ini(delegation_targets=", ".join(lines))


def issue(world: World, path: Path, *names: str) -> Outcome:
    options = ["--dns-aliyun-propagation-seconds", 2]
    return world.certbot.run(*world.certonly(*names, ini=path), *options)


def test_a_customers_cname_does_not_hide_a_wildcard_unless_the_user_lists_it(corp: World) -> None:
    alias(corp, NAME, LOGIN)
    outcome = corp.issue(CORP, SHOP)
    assert_refused(
        outcome,
        f"The CNAME record at {NAME} leads to {LOGIN} ({NAME} -> {LOGIN}), which would hide the",
        f"who controls {SHOP} must not choose",
        f"`{LISTED} = {LOGIN}` to {corp.credentials_ini()}",
    )
    assert not actions(corp), "nothing was added, for no name"
    assert_issued(issue(corp, with_line(corp, "other.corp.example", LOGIN), SHOP), corp, SHOP)
    assert placed(corp) == [(CORP, "login")]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (f"www.{CORP}", "where other records stand (A, TXT)"),
        (f"_acme-challenge.{LOGIN}", f"would hide the wildcard record that answers for {LOGIN}"),
    ],
)
def test_nor_does_it_choose_a_name_in_use(corp: World, target: str, why: str) -> None:
    """A record below a name that only the wildcard answers for hides that one, too (RFC 4592)."""
    began = corp.began - 60
    corp.records.add_stranger(CORP, "www", "192.0.2.8", "A", added_at=began)
    corp.records.add_stranger(CORP, "www", "v=spf1 -all", added_at=began)
    alias(corp, NAME, target)
    assert_refused(corp.issue(SHOP), why, f"`{LISTED} = {target}`")
    assert not actions(corp)


def test_a_name_that_is_meant_for_it_needs_no_line(corp: World) -> None:
    """And the run says what it writes where, and why."""
    target = f"_acme-challenge.{CORP}"
    alias(corp, NAME, f"hop.{SHOP}")
    alias(corp, f"hop.{SHOP}", target)
    outcome = corp.issue(SHOP, f"*.{SHOP}")
    assert_issued(outcome, corp, SHOP, f"*.{SHOP}")
    said = (
        f"Because of a CNAME record ({NAME} -> hop.{SHOP} -> {target}), the TXT record for {NAME}"
    )
    assert screen(outcome).count(f"{said} is added as {target} in the zone {CORP}") == 1


@pytest.fixture
def two(make_world: MakeWorld) -> tuple[World, Path, list[str]]:
    """Two customers, a section each; the one's CNAME leads into the other's zone."""
    world = make_world([SHOP], [Key(zone_policy(SHOP))], lags=(0.1, 0.2))
    world.add_zone(CORP, account="2")
    other = world.add_key(Key(zone_policy(CORP), account="2"))
    alias(world, NAME, f"a.free.{CORP}")
    return world, ini(world, SHOP, key_of(world.key), CORP, key_of(other)), [other.id]


def test_the_key_of_another_section_is_not_used_unless_that_one_lists_the_name(
    two: tuple[World, Path, list[str]],
) -> None:
    world, path, others = two
    outcome = issue(world, path, SHOP)
    assert_refused(
        outcome,
        f"leads to a.free.{CORP} ({NAME} -> a.free.{CORP}), in a zone of [{CORP}]",
        f"`{LISTED} = a.free.{CORP}` to section [{CORP}] of {path}",
    )
    assert not world.alidns.calls
    path.write_text(path.read_text() + f"{LISTED} = *.free.{CORP}\n")
    assert_issued(issue(world, path, SHOP), world, SHOP)
    assert placed(world) == [(CORP, "a.free")]
    assert {call.key_id for call in world.alidns.calls} == set(others)


def test_a_cname_that_is_forged_over_udp_is_not_followed(corp: World) -> None:
    """The zone's own servers say over TCP that there is none."""
    name, target = f"_acme-challenge.a.{CORP}", f"_acme-challenge.{CORP}"
    forged = forges_alias(name, target)
    for server in corp.nameservers.delegations[CORP]:
        # Who forges for good keeps the certificate away, and can do no more.
        server.vice = lambda asked: asked.honest() if corp.records.made() else forged(asked)
    outcome = corp.issue(f"a.{CORP}")
    assert_issued(outcome, corp, f"a.{CORP}")
    assert placed(corp) == [(CORP, "_acme-challenge.a")]
    said = f"over TCP, the name servers of {CORP} say otherwise"
    assert said in screen(outcome)


def test_where_tcp_is_closed_an_honest_cname_is_followed_and_the_doubt_is_told(
    make_world: MakeWorld,
) -> None:
    world = make_world([TARGET], lags=(0.1, 0.2))
    add_foreign(world)
    alias(world, NAME, f"shop.{TARGET}")
    for server in world.nameservers.started:
        server.vice = lambda question: question.honest() if question.transport == "udp" else None
    outcome = world.issue(SHOP)
    assert_issued(outcome, world, SHOP)
    assert "which no name server has confirmed over TCP" in screen(outcome)


@pytest.mark.nightly  # the look-ups of a closed port take their time
def test_what_only_a_resolver_says_chooses_no_name_in_use(corp: World) -> None:
    """With port 53 closed, the API tells what its zone holds."""
    alias(corp, NAME, LOGIN)
    corp.asks_for_cnames = True
    for server in corp.nameservers.started:
        server.vice = silent
    outcome = issue(corp, corp.credentials_ini(), SHOP)
    assert_refused(outcome, LOGIN, "the resolver of this machine says", "hide the wildcard record")
    assert not corp.records.made()
