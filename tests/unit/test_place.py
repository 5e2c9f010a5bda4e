"""Where a TXT record must stand, for zones and CNAMEs of all kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.place import (
    BadChainError,
    Place,
    find_places,
    public_zone,
)
from tests.unit.fake_dns import Internet

NAME = "_acme-challenge.www.example.com"
TARGET = "www.acme.example.net"


@pytest.fixture
def internet() -> Internet:
    return make_internet()


@pytest.fixture
def discovery(internet: Internet) -> Iterator[Discovery]:
    with internet.in_place() as discovery:
        yield discovery


def make_internet() -> Internet:
    internet = Internet()
    for apex, address in (("", "10.0.0.1"), ("com", "10.0.1.1"), ("net", "10.0.2.1")):
        internet.add(apex, address)
    internet.add("example.com", "10.1.0.1", "10.1.0.2")
    internet.add("example.net", "10.2.0.1")
    internet.add("acme.example.net", "10.3.0.1")
    return internet


def find(discovery: Discovery, name: str = NAME) -> list[Place]:
    return asyncio.run(find_places(discovery, name))


def addresses(place: Place) -> set[str]:
    return {server.address for server in place.servers}


def test_the_name_itself_in_its_zone(internet: Internet, discovery: Discovery) -> None:
    (place,) = find(discovery)
    assert (place.name, place.zone, place.chain) == (NAME, "example.com", (NAME,))
    assert addresses(place) == {"10.1.0.1", "10.1.0.2"}
    assert not place.is_absent
    assert NAME not in internet.asked_of("resolver")


def test_the_end_of_a_chain(internet: Internet, discovery: Discovery) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", "one.example.net.")
    internet.zones["example.net"].add("one.example.net", "CNAME", f"{TARGET}.")
    (place,) = find(discovery)
    assert (place.name, place.zone) == (TARGET, "acme.example.net")
    assert place.chain == (NAME, "one.example.net", TARGET)
    assert addresses(place) == {"10.3.0.1"}


def test_upper_case_in_a_cname_is_of_no_account(internet: Internet, discovery: Discovery) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", "WWW.Acme.Example.NET.")
    assert [place.name for place in find(discovery)] == [TARGET]


def test_a_name_that_is_delegated_itself(internet: Internet, discovery: Discovery) -> None:
    internet.add(NAME, "10.4.0.1")
    (place,) = find(discovery)
    assert (place.zone, addresses(place)) == (NAME, {"10.4.0.1"})
    assert NAME not in internet.asked_of("resolver")


def test_a_target_that_is_an_apex_with_values(internet: Internet, discovery: Discovery) -> None:
    """On the same name servers as the zone above it, whose resolver's answer is one of a parent."""
    internet.zones["acme.example.net"].addresses = ["10.2.0.1"]
    internet.zones["acme.example.net"].add("acme.example.net", "TXT", '"v=spf1 -all"')
    internet.zones["example.com"].add(NAME, "CNAME", "acme.example.net.")
    (place,) = find(discovery)
    assert (place.name, place.zone) == ("acme.example.net", "acme.example.net")


def test_values_of_others_at_the_name(internet: Internet, discovery: Discovery) -> None:
    internet.zones["example.com"].add(NAME, "TXT", '"somebody else\'s"')
    assert [place.zone for place in find(discovery)] == ["example.com"]


@pytest.mark.parametrize("owner", ["*.example.com", "*.www.example.com"])
def test_a_wildcard_leaves_the_name_its_own_place(
    internet: Internet, discovery: Discovery, owner: str
) -> None:
    internet.zones["example.com"].add(owner, "CNAME", f"{TARGET}.")
    assert [place.name for place in find(discovery)] == [NAME, TARGET]


def test_a_cname_beside_a_wildcard_is_meant(internet: Internet, discovery: Discovery) -> None:
    internet.zones["example.com"].add("*.example.com", "CNAME", "edge.example.net.")
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    assert [place.name for place in find(discovery)] == [TARGET]


def test_a_wildcard_with_the_same_target(internet: Internet, discovery: Discovery) -> None:
    """Only Alidns can tell whether something stands at the name itself."""
    internet.zones["example.com"].add("*.www.example.com", "CNAME", f"{TARGET}.")
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    assert [place.name for place in find(discovery)] == [NAME, TARGET]


def test_a_wildcard_that_leads_in_a_circle(internet: Internet, discovery: Discovery) -> None:
    internet.zones["example.com"].add("*.example.com", "CNAME", "x.example.com.")
    assert find(discovery)[0].name == NAME


def test_a_circle(internet: Internet, discovery: Discovery) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    internet.zones["acme.example.net"].add(TARGET, "CNAME", f"{NAME}.")
    with pytest.raises(BadChainError) as caught:
        find(discovery)
    assert caught.value.chain == [NAME, TARGET, NAME]


@pytest.mark.parametrize(("links", "is_good"), [(8, True), (9, False)])
def test_a_long_chain(internet: Internet, discovery: Discovery, links: int, is_good: bool) -> None:
    names = [NAME, *(f"link{number}.example.com" for number in range(links))]
    for name, target in zip(names, names[1:]):
        internet.zones["example.com"].add(name, "CNAME", f"{target}.")
    if is_good:
        assert find(discovery)[0].chain == tuple(names)
        return
    with pytest.raises(BadChainError) as caught:
        find(discovery)
    assert caught.value.chain == names


def test_the_longest_name_below_a_wildcard(internet: Internet, discovery: Discovery) -> None:
    internet.zones["example.com"].add("*.example.com", "CNAME", f"{TARGET}.")
    labels = ["_acme-challenge", "a" * 63, "b" * 63, "c" * 63]
    name = ".".join([*labels, "d" * (253 - len(".".join(labels)) - 13), "example.com"])
    assert len(name) == 253
    assert [place.name for place in find(discovery, name)] == [name, TARGET]


@pytest.mark.parametrize("kinds", [["SOA"], ["NS"], ["SOA", "NS"]])
def test_a_zone_that_the_resolver_does_not_know_yet(
    internet: Internet, discovery: Discovery, kinds: list[str]
) -> None:
    names = ["www.example.com", "example.com"]
    internet.absent |= {(name, kind) for name in names for kind in kinds}
    (place,) = find(discovery)
    assert (place.zone, addresses(place)) == ("example.com", {"10.1.0.1", "10.1.0.2"})


def test_a_zone_that_nobody_knows(internet: Internet, discovery: Discovery) -> None:
    del internet.zones["example.com"]
    (place,) = find(discovery)
    assert (place.zone, place.servers, place.is_absent) == (None, (), True)


def test_a_cname_in_a_top_level_domain(internet: Internet, discovery: Discovery) -> None:
    internet.add("brand", "10.5.0.1").add("_acme-challenge.www.brand", "CNAME", f"{TARGET}.")
    (place,) = find(discovery, "_acme-challenge.www.brand")
    assert (place.name, place.zone) == (TARGET, "acme.example.net")


def test_name_servers_that_do_not_answer(internet: Internet, discovery: Discovery) -> None:
    """The zone is known all the same; of many servers, some are asked."""
    many = [f"10.6.0.{number}" for number in range(1, 21)]
    internet.zones["example.com"].addresses = many
    internet.silent |= set(many)
    (place,) = find(discovery)
    assert (place.zone, addresses(place), place.is_absent) == ("example.com", set(many), False)
    assert len([to for to, *_ in internet.asked if to in many]) == 6


def test_one_name_server_of_four_answers(internet: Internet, discovery: Discovery) -> None:
    many = [f"10.6.0.{number}" for number in range(1, 5)]
    internet.zones["example.com"].addresses = many
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    internet.silent |= set(many[1:])
    assert [place.name for place in find(discovery)] == [TARGET]


def test_name_servers_that_know_nothing_of_the_zone(
    internet: Internet, discovery: Discovery
) -> None:
    internet.lame |= {"10.1.0.1", "10.1.0.2"}
    (place,) = find(discovery)
    assert (place.zone, place.is_absent) == ("example.com", False)


def test_no_question_goes_to_the_resolver_twice(internet: Internet, discovery: Discovery) -> None:
    async def find_all() -> None:
        names = [f"_acme-challenge.host{number}.example.com" for number in range(50)]
        await asyncio.gather(*(find_places(discovery, name) for name in names))

    asyncio.run(find_all())
    to_resolver = [(name, kind) for to, name, kind in internet.asked if to == "resolver"]
    assert len(to_resolver) == len(set(to_resolver))
    assert len(to_resolver) <= 50 + 1 + 1 + 4  # a SOA each, the zone's, NS, and addresses


def test_the_registrys_name_servers(internet: Internet, discovery: Discovery) -> None:
    """Whatever the resolver says of the zone."""
    internet.absent |= {("example.com", "NS"), ("example.com", "SOA")}
    _, found = asyncio.run(public_zone(discovery, NAME))
    assert {server.address for server in found} == {"10.1.0.1", "10.1.0.2"}
    del internet.zones["example.com"]
    assert asyncio.run(public_zone(discovery, NAME)) == (None, [])


LABELS = st.sampled_from(["a", "b", "*", "_acme-challenge"])
NAMES = st.builds(
    lambda labels, zone: ".".join([*labels, zone]),
    st.lists(LABELS, min_size=1, max_size=3),
    st.sampled_from(["example.com", "example.net", "acme.example.net"]),
)


@given(aliases=st.dictionaries(NAMES, NAMES, max_size=12))
def test_any_tangle_of_cnames_has_an_end(aliases: dict[str, str]) -> None:
    start = "_acme-challenge.a.example.com"
    internet = make_internet()
    for name, target in aliases.items():
        zones = ("acme.example.net", "example.net", "example.com")
        zone = next(zone for zone in zones if name.endswith(f".{zone}"))
        internet.zones[zone].add(name, "CNAME", f"{target}.")
    with internet.in_place() as discovery:
        try:
            places, chains = find(discovery, start), []
        except BadChainError as error:
            places, chains = [], [error.chain[:-1]]
    assert all(place.zone and place.chain[-1] == place.name for place in places)
    for chain in [*chains, *(place.chain for place in places)]:
        assert chain[0] == start
        assert len(set(chain)) == len(chain) <= 9
    assert not any(name.startswith("_acme-challenge.") for name in internet.asked_of("resolver"))
