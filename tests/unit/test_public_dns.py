"""One run's view of public DNS: each name once, within its time, and a watch for each zone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

import pytest

from certbot_dns_aliyun.propagation import budget as budget_module
from certbot_dns_aliyun.propagation import public_dns as module
from certbot_dns_aliyun.propagation import resolv_conf
from certbot_dns_aliyun.propagation.delegation import BadChainError, Place
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.follower import Wanted
from certbot_dns_aliyun.propagation.public_dns import PublicDns, Served
from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.propagation.watch import Limits
from tests.unit.fake_dns import RESOLVER, Internet

NAME = "_acme-challenge.www.example.com"
OTHER = "_acme-challenge.example.net"
SERVER = "10.1.0.1"
LIMITS = Limits(600.0, 30.0, 60.0)
#: Seconds that a look-up may take at most in a test of what happens then.
SHORT = 0.6


@pytest.fixture
def internet() -> Iterator[Internet]:
    internet = Internet()
    for apex, address in (("", "10.0.0.1"), ("com", "10.0.1.1"), ("net", "10.0.2.1")):
        internet.add(apex, address)
    internet.add("example.com", SERVER, "10.1.0.2")
    internet.add("example.net", "10.2.0.1")
    with internet.in_place():
        yield internet


@pytest.fixture
def public(internet: Internet) -> Iterator[PublicDns]:
    public = PublicDns([(RESOLVER, 53)])
    yield public
    public.close()


# Places


def test_a_name_is_looked_up_once_and_begun_when_the_run_begins(
    internet: Internet, public: PublicDns
) -> None:
    public.look_up([NAME, OTHER])
    (place,) = public.places(NAME)
    assert (place.name, place.zone) == (NAME, "example.com")
    assert public.places(OTHER)[0].zone == "example.net"
    asked = list(internet.asked)
    assert public.places(NAME) == [place]
    assert internet.asked == asked


def test_a_circle_is_told_each_time(internet: Internet, public: PublicDns) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", f"{NAME}.")
    for _ in range(2):
        with pytest.raises(BadChainError):
            public.places(NAME)


def test_what_is_closed_looks_nothing_up(internet: Internet, public: PublicDns) -> None:
    public.close()
    with pytest.raises(CancelledError):
        public.places(NAME)
    assert internet.asked == []


def test_what_is_closed_ends_what_is_under_way(internet: Internet, public: PublicDns) -> None:
    internet.silent = {SERVER, "10.1.0.2"}
    public.look_up([NAME])
    future = public._places[NAME]
    public.close()
    with pytest.raises(CancelledError):
        future.result(5)


@pytest.mark.parametrize(
    ("silent", "who"),
    [({SERVER, "10.1.0.2"}, "the name servers of example.com"), ({"resolver"}, "the resolver")],
    ids=["servers", "resolver"],
)
def test_who_does_not_tell_in_time_is_named(
    silent: set[str],
    who: str,
    internet: Internet,
    public: PublicDns,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_PLACES_TIMEOUT", SHORT)
    internet.silent = silent
    began = time.monotonic()
    (place,) = public.places(NAME)
    assert SHORT <= time.monotonic() - began < 5
    late = f"{who} did not tell within 1 seconds"
    assert place == Place(NAME, None, (), (NAME,), unread=late)
    assert f"Where {NAME} is in public DNS cannot be found out, as {late};" in caplog.text


def test_the_seconds_of_a_name_are_for_all_that_is_looked_up_for_it(
    internet: Internet, public: PublicDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_module, "_SECONDS", SHORT)
    internet.zones["example.com"].add(NAME, "CNAME", f"{OTHER}.")
    internet.silent = {SERVER, "10.1.0.2"}
    (unread,) = public.places(NAME)
    assert public.place_by_resolver(unread) is None, "the time is spent"
    assert public.places(OTHER)[0].zone == "example.net", "that of another name is not"


def test_time_that_was_not_needed_is_left(
    internet: Internet, public: PublicDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    internet.delays["resolver"] = 0.3
    public.places(NAME)
    left = public._budgets[NAME].seconds
    assert 55 < left < budget_module._SECONDS - 0.3


# Behind a name that was not read


def unread(name: str = NAME) -> Place:
    return Place(name, None, (), (name,), unread="nobody tells")


def test_the_place_behind_a_name_is_that_of_the_resolver(
    internet: Internet, public: PublicDns
) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", f"{OTHER}.")
    place = public.place_by_resolver(unread())
    assert place is not None
    assert (place.name, place.chain, place.is_hearsay) == (OTHER, (NAME, OTHER), True)
    assert public.place_by_resolver(unread(OTHER)) is None, "there is no CNAME"


def test_a_place_that_is_not_told_in_time_is_none(
    internet: Internet, public: PublicDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PLACES_TIMEOUT", SHORT)
    internet.silent = {"resolver"}
    began = time.monotonic()
    assert public.place_by_resolver(unread()) is None
    assert SHORT <= time.monotonic() - began < 5


# Zones, as the registry has them


def test_the_zone_for_the_world_may_be_another_one(internet: Internet, public: PublicDns) -> None:
    assert public.is_public_zone("example.com", NAME)
    assert not public.is_public_zone("www.example.com", NAME)
    asked = list(internet.asked)
    assert public.is_public_zone("example.com", NAME)
    assert internet.asked == asked, "it is looked up once"
    assert public.is_public_zone("example.net", OTHER)


def test_a_zone_of_which_nobody_tells_is_taken_for_that_of_the_world(
    internet: Internet, public: PublicDns
) -> None:
    internet.absent = {("com", "NS")}
    assert public.is_public_zone("www.example.com", NAME)
    assert public.by_registry(NAME) == (None, [])


def test_the_registry_tells_zone_and_servers(internet: Internet, public: PublicDns) -> None:
    zone, servers = public.by_registry(NAME)
    assert zone == "example.com"
    assert {server.address for server in servers} == {SERVER, "10.1.0.2"}


def test_the_registry_is_heard_for_longer_than_a_zones_own_servers(
    internet: Internet, public: PublicDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ZONE_TIMEOUT", 0.1)
    internet.delays["10.0.1.1"] = 0.4
    assert public.by_registry(NAME)[0] == "example.com"
    monkeypatch.setattr(module, "_REGISTRY_TIMEOUT", 0.1)
    assert public.by_registry(OTHER)[0] == "example.net"
    internet.delays["10.0.2.1"] = 0.4
    assert public.by_registry(OTHER) == (None, [])


# Anything else


def test_something_else_is_looked_up_by_the_same_resolver_on_a_budget_of_its_own(
    public: PublicDns,
) -> None:
    seen = []

    async def look(discovery: Discovery) -> str | None:
        seen.append(discovery)
        return await discovery.zone_of(NAME)

    assert public.inquire(look, 5.0) == "example.com"
    assert public.inquire(look, 5.0) == "example.com"
    first, second = seen
    assert first.traffic is second.traffic
    assert first.budget is not second.budget


def test_what_takes_too_long_ends(public: PublicDns) -> None:
    async def look(_: Discovery) -> None:
        await asyncio.sleep(60)

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        public.inquire(look, SHORT)
    assert SHORT <= time.monotonic() - began < 5


@pytest.mark.parametrize("port", [53, 5399, None])
def test_resolvers_that_are_silent_are_told_once_and_where_they_come_from(
    port: int | None,
    internet: Internet,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Discovery, "is_resolver_silent", True)
    monkeypatch.setattr(resolv_conf, "read", lambda: resolv_conf.ResolvConf((RESOLVER,)))
    public = PublicDns([(RESOLVER, port)] if port else ())
    public.places(NAME)
    public.places(OTHER)
    public.close()
    (warning,) = [r.getMessage() for r in caplog.records if "No resolver answers" in r.msg]
    source = "--dns-aliyun-resolvers" if port else "/etc/resolv.conf"
    where = f"{RESOLVER} port 5399" if port == 5399 else RESOLVER
    assert f"({where}, from {source})" in warning


def test_resolvers_that_answer_are_not_spoken_of(
    public: PublicDns, caplog: pytest.LogCaptureFixture
) -> None:
    public.places(NAME)
    assert "No resolver answers" not in caplog.text


# Watches


class Watch:
    """Stands in for a zone's watch: what it is for counts here, not what comes of it."""

    def __init__(self, *given: Any, **more: Any) -> None:
        self.zone, self.servers, self.wanted, self.limits, self.contact, self.clock = given
        self.more = more
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1


@pytest.fixture(autouse=True)
def watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ZoneWatch", Watch)


SERVERS = (NameServer("ns1.alidns.com", SERVER), NameServer("ns2.alidns.com", "10.1.0.2"))


def served(
    name: str,
    value: str,
    zone: str | None = "example.com",
    servers: tuple[NameServer, ...] = SERVERS,
    added_to: str = "example.com",
    at: float = 0.0,
) -> Served:
    return Served(Place(name, zone, servers, (name,)), value, added_to, at)


def watched(public: PublicDns, *records: Served) -> list[Any]:
    watches, end = public.watch(records, LIMITS)
    end.result(10)
    assert [watch.runs for watch in watches] == [1] * len(watches)  # type: ignore[attr-defined]
    return watches


def test_a_zone_is_watched_once_for_all_its_records(public: PublicDns) -> None:
    www, apex = "_acme-challenge.www.example.com", "_acme-challenge.example.com"
    (watch,) = watched(
        public, served(www, "c", at=3.0), served(apex, "b", at=2.0), served(apex, "a", at=1.0)
    )
    assert (watch.zone, watch.servers, watch.limits) == ("example.com", SERVERS, LIMITS)
    assert list(watch.wanted.items()) == [
        (apex, Wanted(frozenset({"a", "b"}), 2.0)),
        (www, Wanted(frozenset({"c"}), 3.0)),
    ]
    assert (watch.contact, watch.clock) == (public._discovery.contact, public._discovery.clock)
    assert set(watch.more["sharing"].values()) == {1}
    assert (watch.added_to, watch.is_absent) == (None, False)


def test_each_zone_has_its_watch_and_knows_how_many_share_each_address(
    public: PublicDns,
) -> None:
    shared, own = SERVERS[:1], NameServer("ns9.alidns.com", "10.9.0.1")
    of_one, of_other, alone = watched(
        public,
        served(NAME, "a", servers=shared * 2),
        served(OTHER, "b", "example.net", (*shared, own)),
        served("_acme-challenge.example.org", "c", "example.org", (replace(own, address="::9"),)),
    )
    assert [watch.zone for watch in (of_one, of_other, alone)] == [
        "example.com",
        "example.net",
        "example.org",
    ]
    for watch in (of_one, of_other, alone):
        assert watch.more["sharing"] == {shared[0].address: 2, own.address: 1, "::9": 1}


def test_a_zone_without_known_servers_is_watched_alone(public: PublicDns) -> None:
    (watch,) = watched(public, served(NAME, "a", None, (), added_to=NAME))
    assert (watch.zone, watch.more["sharing"]) == (NAME, {})


@pytest.mark.parametrize(
    ("public_zone", "added_to", "told"),
    [
        ("example.com", "example.com", None),
        ("www.example.com", "example.com", "example.com"),
        ("example.com", "www.example.com", None),
    ],
)
def test_a_zone_below_that_which_took_the_record_is_known_as_such(
    public_zone: str, added_to: str, told: str | None, public: PublicDns
) -> None:
    (watch,) = watched(public, served(NAME, "a", public_zone, added_to=added_to))
    assert (watch.zone, watch.added_to) == (public_zone, told)


def test_a_zone_that_is_not_there_is_known_as_such(public: PublicDns) -> None:
    record = served(NAME, "a")
    absent = replace(record, place=replace(record.place, is_absent=True))
    (watch,) = watched(public, served(f"{NAME}.example.com", "b"), absent)
    assert watch.is_absent


def test_the_zone_of_the_api_is_watched_where_public_dns_names_none(
    internet: Internet, public: PublicDns
) -> None:
    (watch,) = watched(public, served(NAME, "a", None, ()))
    assert watch.zone == "example.com"
    assert {server.address for server in watch.servers} == {SERVER, "10.1.0.2"}


def test_no_server_is_looked_for_where_the_name_itself_is_the_zone(
    internet: Internet, public: PublicDns
) -> None:
    """The resolver would remember that there is nothing at it."""
    (watch,) = watched(public, served(NAME, "a", None, (), added_to=NAME))
    assert list(watch.servers) == []
    assert internet.asked == []


def test_servers_that_nobody_tells_in_time_are_none(
    internet: Internet, public: PublicDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ZONE_TIMEOUT", SHORT)
    internet.silent = {"resolver"}
    began = time.monotonic()
    (watch,) = watched(public, served(NAME, "a", None, ()))
    assert list(watch.servers) == []
    assert SHORT <= time.monotonic() - began < 5


def test_there_is_a_second_opinion_by_the_registry(internet: Internet, public: PublicDns) -> None:
    (watch,) = watched(public, served(NAME, "a"))
    opinion = public._loop.start(watch.more["second_opinion"](OTHER)).result(5)
    assert [server.address for server in opinion] == ["10.2.0.1"]


def test_servers_that_the_user_names_take_the_place_of_all_others(internet: Internet) -> None:
    public = PublicDns.of_lists(f"{RESOLVER}, 192.0.2.9:5353", "192.0.2.1,[2001:db8::1]:5353")
    try:
        assert public._discovery.resolvers == [RESOLVER, "192.0.2.9 port 5353"]
        (watch,) = watched(public, served(NAME, "a"))
    finally:
        public.close()
    assert watch.servers == [
        NameServer("192.0.2.1", "192.0.2.1"),
        NameServer("2001:db8::1", "2001:db8::1", 5353),
    ]
    assert watch.more["second_opinion"] is None
