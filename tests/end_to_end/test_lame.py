"""Name servers that do not serve the zone they are named for hide nothing."""

from __future__ import annotations

import pytest

from tests.end_to_end.delegating import NAME, SHOP, TARGET, add_foreign, alias, placed
from tests.end_to_end.helpers import MakeWorld, assert_issued, assert_refused, screen
from tests.world import Server, World
from tests.world.vices import (
    Vice,
    answers_for_the_parent,
    not_authoritative,
    referral_sideways,
    referral_to_itself,
    referral_upwards,
    says,
)

pytestmark = pytest.mark.newest

ELSEWHERE = Server(name="ns.elsewhere.example", address="192.0.2.7")
VICES = {
    "upwards": referral_upwards,
    "to itself": referral_to_itself,
    "sideways": referral_sideways(ELSEWHERE),
    "for the parent": answers_for_the_parent,
    "refuses": says("refused"),
    "no authority": not_authoritative,
}


def half_lame(make_world: MakeWorld, vice: Vice, lame: int = 3) -> World:
    """A zone elsewhere, of whose four name servers some are lame."""
    world = make_world([TARGET], lags=(0.1,))
    add_foreign(world)
    zone = world.all_zones[-1]
    more = [Server(name=f"ns{number}.provider.example", lag=0.0) for number in (2, 3, 4)]
    world.nameservers.serve(zone, more)
    world._delegate(SHOP, [*world.nameservers.delegations[SHOP], *more])
    zone.ns_names = [server.name for server in world.nameservers.delegations[SHOP]]
    alias(world, NAME, f"shop.{TARGET}")
    for server in world.nameservers.delegations[SHOP][:lame]:
        server.vice = vice
    return world


@pytest.mark.parametrize("vice", VICES)
def test_a_lame_server_hides_no_cname(make_world: MakeWorld, vice: str) -> None:
    world = half_lame(make_world, VICES[vice])
    outcome = world.issue(SHOP)
    assert_issued(outcome, world, SHOP)
    assert placed(world) == [(TARGET, "shop")]


def test_lame_servers_alone_are_told_as_that(make_world: MakeWorld) -> None:
    world = half_lame(make_world, says("refused"), lame=4)
    world.asks_for_cnames = True
    world.resolver.lie(NAME, "CNAME")
    outcome = world.issue(SHOP)
    assert_refused(
        outcome, "refuses to answer (REFUSED)", f"whether a CNAME record stands at {NAME}"
    )
    assert "RAM policy" not in screen(outcome)
    assert not world.records.made()
