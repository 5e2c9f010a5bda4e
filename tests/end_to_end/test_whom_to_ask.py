"""The options that say which resolvers and name servers are asked, and for whom to wait."""

from __future__ import annotations

import pytest

from tests.end_to_end.delegating import OTHER, SHOP, add_foreign, alias, placed
from tests.end_to_end.helpers import (
    RECORD,
    MakeWorld,
    assert_issued,
    assert_refused,
    ca_asked_at,
    screen,
    seconds_waited,
    served_everywhere_at,
)
from tests.world import Server, World, Zone
from tests.world.resolver import ADDRESS

pytestmark = pytest.mark.newest

WAIT_FOR, RESOLVERS, SERVERS = (
    f"--dns-aliyun-{name}" for name in ("wait-for", "resolvers", "name-servers")
)


@pytest.fixture
def two_providers(make_world: MakeWorld) -> World:
    """In the zone's NS set are Alidns' servers and another's, which will never have the value.
    The CA asks those of Alidns, by luck."""
    others = [Server(name=OTHER, content=Zone("example.com"))]
    own = [Server(lag=0.2), Server(lag=0.6)]
    world = make_world({"example.com": [*own, *others]})
    world.nameservers.delegations["example.com"] = own
    return world


def test_two_providers(two_providers: World) -> None:
    """By default both are waited for, at most to the limit; who lacks the value is said."""
    outcome = two_providers.issue("example.com", options=["--dns-aliyun-wait-limit", 12])
    assert_issued(outcome, two_providers, "example.com")
    assert f"another provider's ({OTHER}) do not" in screen(outcome)
    assert f"{WAIT_FOR} alidns" in screen(outcome)
    assert "Going on although not all name servers of example.com serve" in screen(outcome)
    assert seconds_waited(two_providers) < 25


def test_two_providers_of_which_alidns_counts(two_providers: World) -> None:
    outcome = two_providers.issue("example.com", options=[WAIT_FOR, "alidns"])
    assert_issued(outcome, two_providers, "example.com")
    assert ca_asked_at(two_providers) >= served_everywhere_at(two_providers.records.made(), 0.6)
    assert seconds_waited(two_providers) < 8


def test_two_providers_that_both_get_the_value(make_world: MakeWorld) -> None:
    """The second one copies the zone."""
    world = make_world({"example.com": [Server(lag=0.1), Server(name=OTHER, lag=2.0)]})
    assert_issued(world.issue("example.com"), world, "example.com")
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 2.0)


def test_nobody_is_waited_for(world: World) -> None:
    """The record is added where it belongs all the same, and no name server asked for it."""
    add_foreign(world)
    alias(world, f"_acme-challenge.{SHOP}", "shop.example.com")
    options = [WAIT_FOR, "nothing", "--dns-aliyun-propagation-seconds", 2]
    outcome = world.issue(SHOP, options=options)
    assert_issued(outcome, world, SHOP)
    assert placed(world) == [("example.com", "shop")]
    assert 2 <= seconds_waited(world) < 40
    added = world.records.made()[0].added_at
    ca = ca_asked_at(world, f"_acme-challenge.{SHOP}")
    asked = [q for q in world.nameservers.asked("shop.example.com") if added < q.at < ca]
    assert not asked


def test_who_is_waited_for_is_remembered(two_providers: World) -> None:
    world = two_providers
    assert_issued(world.issue("example.com", options=[WAIT_FOR, "alidns"]), world, "example.com")
    renewal = world.certbot.renewal_file("example.com").read_text()
    assert "dns_aliyun_wait_for = alidns" in renewal
    assert world.certbot.run("renew", "--force-renewal").seconds < 30


def test_resolvers_of_ones_own(make_world: MakeWorld) -> None:
    """The machine's resolver says nothing to strangers."""
    world = make_world(api_in_hosts_file=True)
    world.resolver.behave("refuse")
    world.resolver.open_desk("127.0.0.55", 5353)
    world.resolver.open_desk("127.0.0.56")
    outcome = world.issue("example.com", options=[RESOLVERS, "127.0.0.55:5353, 127.0.0.56"])
    assert_issued(outcome, world, "example.com")
    assert world.resolver.asked("example.com", "SOA", "127.0.0.55")
    assert not world.resolver.asked("example.com", "SOA", ADDRESS)
    assert not world.resolver.asked(RECORD, server="127.0.0.55")
    assert "can be asked from here" not in screen(outcome)


def test_a_resolver_of_ones_own_that_is_gone_gives_way_to_the_next(make_world: MakeWorld) -> None:
    world = make_world()
    world.resolver.open_desk("127.0.0.56")
    outcome = world.issue("example.com", options=[RESOLVERS, "127.0.0.55:5353, 127.0.0.56"])
    assert_issued(outcome, world, "example.com")
    assert "can be asked from here" not in screen(outcome)


def test_name_servers_of_ones_own(make_world: MakeWorld) -> None:
    """The resolver names servers inside; the user names a public one, by address or by name."""
    world = make_world(lags=(0.1, 0.9))
    inside = Server(name="ns.corp.example", lag=0.0)
    world.nameservers.serve(Zone("example.com"), [inside])
    world.hide_behind("example.com", [inside])
    slow = world.nameservers.delegations["example.com"][1]
    outcome = world.issue("example.com", options=[SERVERS, f"dns1.hichina.com,{slow.address}:53"])
    assert_issued(outcome, world, "example.com")
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 0.9)
    assert seconds_waited(world) < 25


@pytest.mark.parametrize(
    ("option", "text"), [(RESOLVERS, "192.0.2.1:dns"), (SERVERS, "nowhere.example")]
)
def test_a_list_that_is_none(world: World, option: str, text: str) -> None:
    outcome = world.issue("example.com", options=[option, text])
    assert_refused(outcome, f"{option}: {text}", "192.0.2.1,192.0.2.2:5353")
    assert not world.alidns.calls
