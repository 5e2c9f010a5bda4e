"""What name servers and the resolver do badly for a while costs time, and no certificate."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.end_to_end.delegating import NAME, SHOP, TARGET, add_foreign, alias, placed
from tests.end_to_end.helpers import RECORD, MakeWorld, assert_issued, assert_refused, screen
from tests.world import Key, Outcome, World
from tests.world.ram import zone_policy
from tests.world.vices import (
    at_first,
    for_seconds,
    lose_first,
    only_for_type,
    only_over,
    servfail_at_first,
    silent,
    slow,
)

pytestmark = pytest.mark.newest

LAGS = (0.1, 0.1)
#: Words about things that are in order, in all of these worlds.
MISLEADING = ("RAM", "permission", "account", "emove the CNAME", "emove it")


def plain(make_world: MakeWorld) -> tuple[World, str, tuple[str, str]]:
    world = make_world(lags=LAGS)
    return world, "example.com", ("example.com", "_acme-challenge")


def delegated(make_world: MakeWorld) -> tuple[World, str, tuple[str, str]]:
    """From a zone elsewhere, with a key that may do nothing else."""
    world = make_world([TARGET], [Key(zone_policy(TARGET))], lags=LAGS)
    add_foreign(world)
    alias(world, NAME, f"shop.{TARGET}")
    return world, SHOP, (TARGET, "shop")


def both_in_the_account(make_world: MakeWorld) -> tuple[World, str, tuple[str, str]]:
    world = make_world(["example.com", TARGET], lags=LAGS)
    alias(world, RECORD, f"shop.{TARGET}")
    return world, "example.com", (TARGET, "shop")


Fault = Callable[[World], None]


def all_servers(vice: Callable[..., object]) -> Fault:
    def fault(world: World) -> None:
        for server in world.nameservers.started:
            server.vice = vice  # type: ignore[assignment]

    return fault


def resolver_fails_for_two_seconds(world: World) -> None:
    world.resolver.vice = for_seconds(2.0, "servfail")


def resolver_loses_the_first_questions(world: World) -> None:
    world.resolver.vice = at_first(2, "silent")


def resolver_is_slow(world: World) -> None:
    world.resolver.slow = 1.3


def resolver_tells_no_zones(world: World) -> None:
    """As some routers do, which pass on nothing but addresses."""
    names = ["com", "example", "net", SHOP, "example.com", "example.net", TARGET, f"shop.{TARGET}"]
    for name in names:
        world.resolver.lie(name, "SOA")
        world.resolver.lie(name, "NS")


FAULTS: dict[str, Fault] = {
    "first packet lost": all_servers(lose_first(1)),
    "SERVFAIL at first": all_servers(servfail_at_first(6)),
    "SERVFAIL for the first names": all_servers(only_for_type("TXT", servfail_at_first(8))),
    "slow": all_servers(slow(1.8)),
    "resolver fails": resolver_fails_for_two_seconds,
    "resolver loses": resolver_loses_the_first_questions,
    "resolver is slow": resolver_is_slow,
    "resolver without SOA and NS": resolver_tells_no_zones,
    "port 53 closed": all_servers(silent),
    "UDP closed": all_servers(only_over("tcp")),
}


def issue(world: World, *names: str) -> Outcome:
    return world.issue(*names, options=["--dns-aliyun-propagation-seconds", 3])


#: With the others, nothing is at stake that is not with one of these.
TELLING = [
    *((delegated, fault) for fault in FAULTS if fault != "SERVFAIL at first"),
    (plain, "SERVFAIL at first"),
    (both_in_the_account, "resolver without SOA and NS"),
]
CASES = [
    pytest.param(
        kind,
        fault,
        marks=() if (kind, fault) in TELLING else pytest.mark.nightly,
        id=f"{fault}-{kind.__name__}",
    )
    for fault in FAULTS
    for kind in (plain, delegated, both_in_the_account)
]


@pytest.mark.parametrize(("kind", "fault"), CASES)
def test_a_fault_that_passes_costs_time_alone(
    make_world: MakeWorld,
    kind: Callable[[MakeWorld], tuple[World, str, tuple[str, str]]],
    fault: str,
) -> None:
    world, domain, place = kind(make_world)
    world.asks_for_cnames = fault in ("port 53 closed", "resolver without SOA and NS")
    FAULTS[fault](world)
    outcome = issue(world, domain)
    assert_issued(outcome, world, domain)
    assert placed(world) == [place]
    if fault != "port 53 closed" and not world.asks_for_cnames:
        assert "can be asked from here" not in screen(outcome)


@pytest.mark.parametrize(
    "kind", [delegated, pytest.param(both_in_the_account, marks=pytest.mark.nightly)]
)
def test_a_place_that_was_never_read_is_told_as_that(
    make_world: MakeWorld, kind: Callable[[MakeWorld], tuple[World, str, tuple[str, str]]]
) -> None:
    """Neither name servers nor the resolver tell where the CNAME leads."""
    world, domain, _ = kind(make_world)
    world.asks_for_cnames = True
    all_servers(silent)(world)
    world.resolver.lie(f"_acme-challenge.{domain}", "CNAME")
    outcome = issue(world, domain)
    assert_refused(outcome, f"whether a CNAME record stands at _acme-challenge.{domain} is not")
    assert "does not answer" in screen(outcome)
    assert "request id" in screen(outcome)
    assert not [word for word in MISLEADING if word in screen(outcome).replace("Forbidden.RAM", "")]
    assert not world.records.made()


def test_servers_that_fail_for_the_name_for_good_are_told_as_that(make_world: MakeWorld) -> None:
    world, domain, _ = delegated(make_world)
    world.asks_for_cnames = True
    for server in world.nameservers.delegations[SHOP]:
        server.vice = only_for_type("TXT", servfail_at_first(10_000))
    world.resolver.lie(NAME, "CNAME")
    outcome = issue(world, domain)
    assert_refused(outcome, "fails to answer (SERVFAIL)")
    assert not [word for word in MISLEADING if word in screen(outcome).replace("Forbidden.RAM", "")]
