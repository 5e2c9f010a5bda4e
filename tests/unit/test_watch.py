"""Waiting for name servers: not a moment too short, and not much too long."""

from __future__ import annotations

import asyncio
import errno
import socket
from datetime import timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certbot_dns_aliyun.propagation import watch as module
from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.question import NameServer, Outcome
from certbot_dns_aliyun.propagation.traffic import Traffic
from certbot_dns_aliyun.propagation.watch import Limits
from certbot_dns_aliyun.propagation.wire import Way
from certbot_dns_aliyun.propagation.words import hint
from tests.unit.fake_servers import Server, Servers, after, between
from tests.unit.fake_time import Clock
from tests.unit.watching import ZoneWatch, a_watch, nothing_else, watching

NAME = "_acme-challenge.example.com"
LIMITS = Limits(longest=600, blind=30, others=60)
SILENT = Server(outcome=lambda elapsed: Outcome.SILENT)
REFUSING = Server(outcome=lambda elapsed: Outcome.REFUSING)
LAME = Server(outcome=lambda elapsed: Outcome.NOT_AUTHORITATIVE)
UNREACHABLE = Server(outcome=lambda elapsed: Outcome.UNREACHABLE)


def watch(
    clock: Clock,
    *servers: Server,
    names: int = 1,
    limits: Limits = LIMITS,
    without_route: int = 0,
    other_provider: int = 0,
    **more: Any,
) -> tuple[ZoneWatch, Servers]:
    """Watches name servers until the watch ends, in no time.

    :param without_route: how many of the servers, the last ones, there is no route to
    :param other_provider: how many of them, the last ones, are not of Alibaba Cloud DNS
    """
    wanted = {
        (f"{NAME[:15]}.host{i}{NAME[15:]}" if i else NAME): frozenset({f"value-{i}", f"wild-{i}"})
        for i in range(names)
    }
    addresses = [f"192.0.2.{i + 1}" for i in range(len(servers))]
    fake = Servers(
        clock,
        wanted,
        dict(zip(addresses, servers)),
        frozenset(addresses[len(addresses) - without_route :]),
    )
    first_other = len(servers) - other_provider
    named = [
        NameServer(f"ns{i}.alidns.com" if i < first_other else f"ns{i}.other.example", address)
        for i, address in enumerate(addresses)
    ]
    zone = a_watch(named, wanted, limits, **more)
    with fake.in_place():
        clock.run(watching(zone))
    return zone, fake


def test_what_is_served_everywhere_takes_two_round_trips(clock: Clock) -> None:
    zone, _ = watch(clock, Server(), Server(), Server(), Server())
    assert clock.elapsed < 0.3
    assert zone.served_since
    assert len(zone.complete) == 4
    assert not zone.incomplete
    assert not zone.unserved


@pytest.mark.parametrize("lag", [0.3, 1.0, 2.0, 8.0, 30.0, 75.0, 300.0])
def test_the_slowest_server_decides_and_little_is_added_to_it(clock: Clock, lag: float) -> None:
    zone, _ = watch(clock, Server([after(lag)]), Server([after(lag / 2)]), Server())
    assert zone.served_since
    assert lag <= clock.elapsed < lag + min(max(0.1 * lag, 0.5), 3.0)


@pytest.mark.parametrize("machines", [2, 4, 8])
def test_one_address_is_as_slow_as_the_slowest_machine_behind_it(
    clock: Clock, machines: int
) -> None:
    lags = [after(10.0 if i == 0 else 1.0) for i in range(machines)]
    watch(clock, Server(lags), Server())
    assert 10 <= clock.elapsed < 14


def test_a_value_that_vanishes_again_is_waited_for_again(clock: Clock) -> None:
    watch(clock, Server([between((0, 3), (8, 600))]), Server([after(5)]))
    assert 8 <= clock.elapsed < 10


def test_a_flapping_server_is_believed_when_it_stays(clock: Clock) -> None:
    # Long enough for a first answer, too short for its confirmation.
    spans = [(i / 10, i / 10 + 0.04) for i in range(200)]
    watch(clock, Server([between(*spans, (20, 600))], seconds=0.05))
    assert 19.9 <= clock.elapsed < 23


@pytest.mark.parametrize("other", [SILENT, REFUSING, LAME], ids=["silent", "refusing", "lame"])
def test_a_server_that_never_answers_holds_up_the_rest_some_seconds_only(
    clock: Clock, other: Server
) -> None:
    zone, _ = watch(clock, Server([after(1)]), other)
    assert zone.served_since
    assert clock.elapsed < 13
    assert [server.address for server in zone.incomplete] == ["192.0.2.2"]


def test_a_run_that_stands_still_takes_nobody_for_silent(clock: Clock) -> None:
    """Ctrl-Z, or a machine that is put to sleep: nobody asked, so nobody failed to answer."""
    stops = [5.0]

    def stand_still(elapsed: float) -> Outcome:
        if stops and elapsed > stops[0]:
            stops.pop()
            clock.sleep(20.0)
        return Outcome.AUTHORITATIVE

    asleep = Server([after(40.0)], outcome=stand_still)
    zone, _ = watch(clock, Server(), asleep)
    assert not stops
    assert zone.served_since
    assert not zone.incomplete
    assert clock.elapsed >= 40.0


def test_a_server_that_limits_its_rate_is_asked_less_until_it_answers(clock: Clock) -> None:
    zone, _ = watch(clock, Server([after(3.0)], rate_limit=5), Server([after(1.0)], rate_limit=5))
    assert zone.served_since
    assert not zone.incomplete
    assert 3.0 <= clock.elapsed < 30.0


def test_a_server_that_cannot_be_reached_holds_up_nothing(clock: Clock) -> None:
    zone, _ = watch(clock, Server([after(1)]), UNREACHABLE)
    assert clock.elapsed < 2
    assert not zone.incomplete, "an address family without a route is nobody's concern"


def test_an_address_without_a_route_is_not_asked(clock: Clock) -> None:
    zone, fake = watch(clock, Server(), Server(), without_route=1)
    assert clock.elapsed < 1
    assert fake.servers["192.0.2.2"].times == []
    assert zone.served_since


def test_a_server_that_wakes_up_late_is_waited_for_once_it_answers(clock: Clock) -> None:
    late = Server(
        [after(25)],
        outcome=lambda elapsed: Outcome.AUTHORITATIVE if elapsed > 5 else Outcome.SILENT,
    )
    watch(clock, Server(), late)
    assert 25 <= clock.elapsed < 28


def test_a_server_that_answers_over_tcp_alone_is_asked_over_tcp(clock: Clock) -> None:
    zone, _ = watch(clock, Server([after(1)], ways=[Way.TCP]))
    assert zone.served_since
    assert clock.elapsed < 8


@pytest.mark.parametrize("server", [SILENT, REFUSING, LAME], ids=["silent", "refusing", "lame"])
def test_blind_it_waits_the_seconds_of_the_option(clock: Clock, server: Server) -> None:
    zone, _ = watch(clock, server, server)
    assert zone.is_blind
    assert 30 <= clock.elapsed < 33
    assert "could be asked" in hint(zone)


@pytest.mark.parametrize("without_route", [1, 0])
def test_without_any_address_it_waits_exactly_the_seconds_of_the_option(
    clock: Clock, without_route: int
) -> None:
    servers = [Server()] * without_route
    zone, _ = watch(clock, *servers, without_route=without_route)
    assert zone.is_blind
    assert 30 <= clock.elapsed < 31


def test_zero_seconds_blind_are_none_where_there_is_no_server(clock: Clock) -> None:
    zone, _ = watch(clock, limits=Limits(longest=600, blind=0, others=60))
    assert clock.elapsed == 0
    assert zone.is_blind


def test_zero_seconds_blind_still_give_servers_a_chance_to_answer(clock: Clock) -> None:
    zone, _ = watch(clock, SILENT, limits=Limits(600, 0, 60))
    assert zone.is_blind
    assert 6 <= clock.elapsed < 9


def test_at_the_limit_it_ends_and_tells_who_lacks_what(clock: Clock) -> None:
    zone, _ = watch(clock, Server([after(9999)]), Server([after(3)]))
    assert 600 <= clock.elapsed < 603
    assert not zone.served_since
    assert not zone.unserved, "one of them serves it"
    assert list(zone.incomplete.values()) == ["does not serve the value yet"]
    assert "served the TXT records: ns1.alidns.com (192.0.2.2); but" in hint(zone)


def test_a_value_that_nobody_serves_is_told(clock: Clock) -> None:
    zone, _ = watch(clock, Server([after(9999)]), Server([after(9999)]))
    assert zone.unserved == {NAME}


def test_a_limit_of_zero_ends_at_once(clock: Clock) -> None:
    watch(clock, Server([after(9999)]), limits=Limits(0, 0, 0))
    assert clock.elapsed < 7


@pytest.mark.parametrize("names", [1, 3, 30, 100])
def test_many_names_are_watched_together(clock: Clock, names: int) -> None:
    zone, fake = watch(clock, *(Server([after(2)]) for _ in range(4)), names=names)
    assert zone.served_since
    assert 2 <= clock.elapsed < 4
    assert fake.most_under_way <= 64


def test_a_long_wait_asks_ever_less_often(clock: Clock) -> None:
    _, fake = watch(clock, Server([after(300)]), Server([after(300)]))
    assert fake.questions < 700
    times = fake.servers["192.0.2.1"].times
    assert len([at for at in times if 200 <= at < 260]) <= 35


def test_nothing_goes_on_after_the_end(clock: Clock) -> None:
    _, fake = watch(clock, Server([after(1)]), SILENT)
    assert fake.under_way == 0


def test_another_providers_servers_are_given_a_minute(clock: Clock) -> None:
    zone, _ = watch(clock, Server([after(5)]), Server([after(9999)]), other_provider=1)
    assert 65 <= clock.elapsed < 70
    assert zone.served_since or zone.incomplete


def test_another_providers_servers_do_not_count_if_told_so(clock: Clock) -> None:
    watch(
        clock,
        Server([after(5)]),
        Server([after(9999)]),
        other_provider=1,
        limits=Limits(600, 30, 0),
    )
    assert 5 <= clock.elapsed < 7


def test_the_second_opinion_is_asked_only_where_nobody_serves_the_value(clock: Clock) -> None:
    asked: list[str] = []

    async def registry(name: str) -> list[NameServer]:
        asked.append(name)
        return [NameServer("ns9.alidns.com", "192.0.2.2")]

    zone, _ = watch(clock, Server([after(20)]), Server(), second_opinion=registry)
    assert not asked, "one of them served it all the time"
    assert not zone.switched


def test_where_the_resolver_names_old_servers_those_of_the_registry_are_asked(
    clock: Clock,
) -> None:
    async def registry(name: str) -> list[NameServer]:
        return [NameServer("new.alidns.com", "192.0.2.9")]

    wanted = {NAME: frozenset({"value"})}
    fake = Servers(
        clock, wanted, {"192.0.2.1": Server([after(9999)]), "192.0.2.9": Server([after(1)])}
    )
    old = [NameServer("old.alidns.com", "192.0.2.1")]
    zone = a_watch(old, wanted, LIMITS, second_opinion=registry)
    with fake.in_place():
        clock.run(watching(zone))
    assert zone.switched
    assert zone.served_since
    assert clock.elapsed < 20


@pytest.mark.parametrize(("seconds", "looks"), [(14.0, 0), (40.0, 2)])
def test_the_registry_is_looked_up_every_fifteen_seconds(
    clock: Clock, seconds: float, looks: int
) -> None:
    asked: list[str] = []

    async def registry(name: str) -> list[NameServer]:
        asked.append(name)
        return []

    zone, _ = watch(clock, Server([after(seconds)]), second_opinion=registry)
    assert zone.served_since
    assert zone.served_since.tzinfo is timezone.utc
    assert asked == [NAME] * looks


def test_a_look_at_the_registry_ends_with_the_wait(clock: Clock) -> None:
    ended: list[str] = []

    async def registry(name: str) -> list[NameServer]:
        try:
            await asyncio.sleep(9999)
        finally:
            ended.append(name)
        return []

    wanted = {NAME: frozenset({"value"})}
    fake = Servers(clock, wanted, {"192.0.2.1": Server([after(20)])})
    zone = a_watch(
        [NameServer("ns1.alidns.com", "192.0.2.1")], wanted, LIMITS, second_opinion=registry
    )

    async def to_the_end() -> None:
        await watching(zone)
        assert ended == [NAME]

    with fake.in_place():
        clock.run(to_the_end())


def test_who_knows_no_name_server_looks_at_the_registry_at_once(clock: Clock) -> None:
    async def registry(name: str) -> list[NameServer]:
        return [NameServer("ns1.alidns.com", "192.0.2.1")]

    wanted = {NAME: frozenset({"value"})}
    fake = Servers(clock, wanted, {"192.0.2.1": Server([after(1)])})
    zone = a_watch([], wanted, LIMITS, second_opinion=registry)
    with fake.in_place():
        clock.run(watching(zone))
    assert zone.served_since
    assert not zone.switched, "nobody named others"
    assert clock.elapsed < 3


def test_what_the_registry_names_beside_known_addresses_is_asked_beside_them(clock: Clock) -> None:
    """Its glue may lack an address that serves the zone, and have one that does no more."""

    async def registry(name: str) -> list[NameServer]:
        return [NameServer("ns1.alidns.com", f"192.0.2.{number}") for number in (1, 9)]

    wanted = {NAME: frozenset({"value"})}
    servers = [Server([after(20)]), Server([after(40)]), Server(outcome=lambda _: Outcome.SILENT)]
    fake = Servers(clock, wanted, dict(zip(("192.0.2.1", "192.0.2.2", "192.0.2.9"), servers)))
    known = [NameServer("ns1.alidns.com", f"192.0.2.{number}") for number in (1, 2)]
    zone = a_watch(known, wanted, LIMITS, second_opinion=registry)
    with fake.in_place():
        clock.run(watching(zone))
    assert not zone.switched
    assert [server.address for server in zone.complete] == ["192.0.2.1", "192.0.2.2"]
    assert 40 <= clock.elapsed < 45


def test_what_is_known_of_an_address_stays_when_the_registry_names_more(clock: Clock) -> None:
    """Who is out need not prove it once more."""

    async def registry(name: str) -> list[NameServer]:
        return [NameServer("ns1.alidns.com", f"192.0.2.{number}") for number in (1, 2, 9)]

    wanted = {NAME: frozenset({"value"})}
    refusing = [Server(outcome=lambda _: Outcome.REFUSING) for _ in range(2)]
    fake = Servers(
        clock, wanted, dict(zip(("192.0.2.1", "192.0.2.2", "192.0.2.9"), [*refusing, Server()]))
    )
    known = [NameServer("ns1.alidns.com", f"192.0.2.{number}") for number in (1, 2)]
    zone = a_watch(known, wanted, LIMITS, second_opinion=registry)

    async def to_the_end() -> None:
        await watching(zone)
        assert not any(follower.contact.followers for follower in zone.followers), "all have ended"

    with fake.in_place():
        clock.run(to_the_end())
    assert [server.address for server in zone.complete] == ["192.0.2.9"]
    for each in (zone.servers, [follower.server for follower in zone.followers]):
        assert [server.address[-1] for server in each] == ["1", "2", "9"]
    assert 15 <= clock.elapsed < 17


def test_what_the_registry_names_is_shared_by_as_many_zones_as_the_others(clock: Clock) -> None:
    known = NameServer("ns1.alidns.com", "192.0.2.1")
    new = NameServer("ns1.alidns.com", "192.0.2.9")
    wanted = {NAME: frozenset({"value"})}

    async def sharing_of_both(**sharing: Any) -> list[int]:
        zone = a_watch([known], wanted, LIMITS, **sharing)
        zone._changed = asyncio.Event()
        tasks = zone._follow([known]) + zone._follow([new])
        for task in tasks:
            task.cancel()
        return [follower._sharing for follower in zone.followers]

    fake = Servers(clock, wanted, {})
    with fake.in_place():
        assert clock.run(sharing_of_both()) == [1, 1]
        zones = {known.address: 7, "192.0.2.8": 9}
        assert clock.run(sharing_of_both(sharing=zones)) == [7, 9]


@pytest.mark.parametrize("first_looked_up", ["dns1.hichina.com", "ns1.vanity.example"])
def test_an_address_goes_by_the_name_that_the_zone_gives_it(
    clock: Clock, first_looked_up: str
) -> None:
    """Another zone of the order may have it by a name that is not Alibaba Cloud's."""
    wanted = {NAME: frozenset({"value"})}
    plain = [NameServer(f"dns{number}.hichina.com", f"192.0.2.{number}") for number in (1, 2)]
    contact = Contact(NameServer(first_looked_up, "192.0.2.1"), Traffic())
    slow, fast = Server([after(20)]), Server([after(1)])
    fake = Servers(clock, wanted, {"192.0.2.1": slow, "192.0.2.2": fast})
    contacts, alidns_alone = {"192.0.2.1": contact}, Limits(600, 30, 0)
    zone = a_watch(plain, wanted, alidns_alone, contacts=contacts, second_opinion=nothing_else)
    with fake.in_place():
        clock.run(watching(zone))
    assert zone.complete == plain
    assert 20 <= clock.elapsed < 25


@settings(max_examples=settings.default.max_examples // 2)
@given(
    lags=st.lists(st.lists(st.floats(0, 60), min_size=1, max_size=3), min_size=1, max_size=4),
    names=st.integers(1, 5),
)
def test_it_never_ends_before_every_machine_serves_everything(
    lags: list[list[float]], names: int
) -> None:
    clock = Clock()
    with clock.in_place():
        servers = [Server([after(lag) for lag in machines]) for machines in lags]
        zone, _ = watch(clock, *servers, names=names)
        slowest = max(lag for machines in lags for lag in machines)
        assert zone.served_since
        assert slowest <= clock.elapsed + 1e-3
        assert clock.elapsed < slowest + 6


def test_the_hint_names_servers_and_time(clock: Clock) -> None:
    zone, _ = watch(clock, Server(), Server())
    assert "ns0.alidns.com (192.0.2.1), ns1.alidns.com (192.0.2.2)" in hint(zone)
    assert "UTC" in hint(zone)
    assert zone.is_about([NAME])
    assert not zone.is_about(["_acme-challenge.example.org"])


class Probe:
    """A socket that notes where it is connected to, or has no route to there."""

    def __init__(self, connected: list[Any], has_route: bool) -> None:
        self.connected, self.has_route = connected, has_route

    def __call__(self, family: int, kind: int) -> Probe:
        self.connected.append((family, kind))
        return self

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None: ...

    def connect(self, address: tuple[str, int]) -> None:
        self.connected.append(address)
        if not self.has_route:
            raise OSError(errno.ENETUNREACH, "unreachable")


@pytest.mark.parametrize("has_route", [True, False])
@pytest.mark.parametrize(
    ("address", "family"), [("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6)]
)
def test_whether_there_is_a_route_is_seen_without_a_packet(
    monkeypatch: pytest.MonkeyPatch, address: str, family: int, has_route: bool
) -> None:
    connected: list[Any] = []
    monkeypatch.setattr(module.socket, "socket", Probe(connected, has_route))
    server = NameServer("ns1.alidns.com", address, 5353)
    assert module._is_routable(server) == has_route
    assert connected == [(family, socket.SOCK_DGRAM), (address, 5353)]
