"""Something between certbot and the name servers answers for everybody, and remembers it."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.end_to_end.delegating import NAME, SHOP, TARGET, add_foreign, alias, placed
from tests.end_to_end.helpers import MakeWorld, assert_issued, screen, seconds_waited
from tests.world import World
from tests.world.vices import Interceptor

pytestmark = pytest.mark.newest


def plain(make_world: MakeWorld) -> tuple[World, str]:
    return make_world(lags=(0.1, 0.1)), "example.com"


def delegated(make_world: MakeWorld) -> tuple[World, str]:
    world = make_world([TARGET], lags=(0.1, 0.1))
    add_foreign(world)
    alias(world, NAME, f"shop.{TARGET}")
    return world, SHOP


@pytest.mark.parametrize(
    ("kind", "aa"),
    [
        pytest.param(plain, True, id="plain, with AA"),
        pytest.param(delegated, False, id="delegated, without AA"),
        pytest.param(plain, False, id="plain, without AA", marks=pytest.mark.nightly),
        pytest.param(delegated, True, id="delegated, with AA", marks=pytest.mark.nightly),
    ],
)
def test_a_middlebox_is_never_asked_for_a_validation_name(
    make_world: MakeWorld, kind: Callable[[MakeWorld], tuple[World, str]], aa: bool
) -> None:
    world, domain = kind(make_world)
    world.asks_for_cnames = True
    Interceptor(world, aa).everywhere()
    outcome = world.issue(domain, options=["--dns-aliyun-propagation-seconds", 4])
    assert_issued(outcome, world, domain)
    assert "Something between this machine and the name servers" in screen(outcome)
    assert 3.9 < seconds_waited(world) < 60
    names = {place[1] + "." + place[0] for place in placed(world)} | {f"_acme-challenge.{domain}"}
    made = min(record.added_at for record in world.records.made())
    end = made + 3.9
    early = [
        query
        for query in world.nameservers.queries
        if query.name in names and query.at < end and query.source not in ("127.0.0.54",)
    ]
    assert not early


def test_one_address_that_is_intercepted_among_others(make_world: MakeWorld) -> None:
    """Nothing is planted there either; the others tell."""
    world, domain = plain(make_world)
    caught = world.nameservers.delegations[domain][0]
    caught.vice = Interceptor(world)
    outcome = world.issue(domain)
    assert_issued(outcome, world, domain)
    asked = world.nameservers.asked(f"_acme-challenge.{domain}")
    assert not [q for q in asked if q.server == caught.address and q.source != "127.0.0.54"]
