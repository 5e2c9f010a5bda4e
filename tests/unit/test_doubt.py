"""Name servers that may never serve the value: told apart, and how long they are waited for."""

from __future__ import annotations

from typing import Any

import pytest

from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.propagation.watch import Limits
from tests.unit.fake_servers import Server, Servers, after
from tests.unit.fake_time import Clock
from tests.unit.watching import ZoneWatch, a_watch, watching

WANTED = {"_acme-challenge.example.com": frozenset({"value"})}
NEVER = 10_000.0
ALIDNS, OTHER, EXPIRED = "dns1.hichina.com", "ns1.example.org", "expirens3.hichina.com"


async def agree(name: str) -> list[NameServer]:
    """Give no other name servers than the resolver does."""
    return []


def watch(
    clock: Clock, servers: list[tuple[str, float]], added_to: str | None = None, **more: Any
) -> ZoneWatch:
    """Watch servers, each with a name and the seconds after which it serves the value."""
    named = [NameServer(name, f"192.0.2.{i}") for i, (name, _) in enumerate(servers)]
    fakes = {named[i].address: Server([after(lag)]) for i, (_, lag) in enumerate(servers)}
    more.setdefault("second_opinion", agree)
    zone = a_watch(named, WANTED, Limits(600, 30, 60), **more)
    zone.added_to = added_to
    with Servers(clock, WANTED, fakes).in_place():
        clock.run(watching(zone))
    return zone


def test_alidns_is_waited_for_as_long_as_the_option_says(clock: Clock) -> None:
    zone = watch(clock, [(ALIDNS, NEVER), (ALIDNS, NEVER)])
    assert zone.unserved
    assert not zone.is_elsewhere
    assert 600 <= clock.elapsed < 605


@pytest.mark.parametrize("name", [OTHER, EXPIRED])
def test_who_looks_foreign_is_waited_for_two_minutes(clock: Clock, name: str) -> None:
    """Alidns has many names, and serves a record within seconds; others might never do."""
    zone = watch(clock, [(name, NEVER), (name, NEVER)])
    assert zone.unserved
    assert zone.is_elsewhere
    assert 120 <= clock.elapsed < 125


def test_who_is_named_by_the_user_is_waited_for_as_long_as_the_option_says(clock: Clock) -> None:
    watch(clock, [(OTHER, NEVER)], second_opinion=None)
    assert 600 <= clock.elapsed < 605


def test_servers_that_the_user_named_are_beyond_doubt(clock: Clock) -> None:
    assert not watch(clock, [(OTHER, 1.0)], second_opinion=None).is_elsewhere


def test_alidns_under_a_customers_names_may_be_slow(clock: Clock) -> None:
    zone = watch(clock, [("ns1.example.com", 80.0), ("ns2.example.com", 100.0)])
    assert zone.served_since
    assert 100 <= clock.elapsed < 110


def test_once_some_serve_the_value_the_others_may_take_their_time(clock: Clock) -> None:
    zone = watch(clock, [(OTHER, 1.0), (OTHER, 300.0)])
    assert zone.served_since
    assert 300 <= clock.elapsed < 310


def test_a_record_in_the_zone_above_is_waited_for_in_vain(clock: Clock) -> None:
    zone = watch(clock, [(ALIDNS, NEVER)], added_to="com")
    assert zone.unserved
    assert clock.elapsed < 200


def test_a_name_server_that_only_the_resolver_knows_is_no_reason_to_switch(clock: Clock) -> None:
    """The registry often has glue for IPv4 alone."""

    async def glue(name: str) -> list[NameServer]:
        return [NameServer(ALIDNS, "192.0.2.0")]

    zone = watch(clock, [(ALIDNS, 40.0), (ALIDNS, 40.0)], second_opinion=glue)
    assert not zone.switched
    assert len(zone.complete) == 2
