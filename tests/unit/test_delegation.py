"""Where a TXT record must stand, for zones and CNAMEs of all kinds."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.names import zone_candidates
from certbot_dns_aliyun.propagation.budget import Budget
from certbot_dns_aliyun.propagation.delegation import (
    BadChainError,
    Place,
    find_places,
    place_by_resolver,
    public_zone,
)
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.target import Use
from tests.unit.fake_dns import (
    Act,
    Asked,
    Internet,
    answers_for,
    lost,
    no_edns,
    refers_to,
    refused,
    servfail,
    truncated,
    unreachable,
)
from tests.unit.fake_time import Clock
from tests.unit.parts import warnings

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


def test_who_led_to_a_place_is_the_zone_of_the_last_cname(
    internet: Internet, discovery: Discovery
) -> None:
    assert find(discovery)[0].led_by == ""
    internet.zones["example.com"].add(NAME, "CNAME", "hop.example.net.")
    internet.zones["example.net"].add("hop.example.net", "CNAME", f"{TARGET}.")
    (place,) = find(discovery)
    assert (place.chain, place.led_by) == ((NAME, "hop.example.net", TARGET), "example.net")


def without_tcp(asked: Asked) -> dns.message.Message | None:
    return None if asked.way == "tcp" else asked.honest()


@pytest.mark.parametrize("unconfirmed", [{"10.1.0.1", "10.1.0.2"}, {"10.2.0.1"}, set()])
def test_one_cname_of_a_chain_that_tcp_does_not_confirm_is_one_too_many(
    clock: Clock, internet: Internet, discovery: Discovery, unconfirmed: set[str]
) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", "hop.example.net.")
    internet.zones["example.net"].add("hop.example.net", "CNAME", f"{TARGET}.")
    for address in unconfirmed:
        internet.treat(address, without_tcp)
    place = find_in_time(clock, discovery, 60)
    assert (place.name, place.is_unconfirmed) == (TARGET, bool(unconfirmed))


@pytest.mark.parametrize("late", ["10.1.0.1", "10.1.0.2"])
def test_a_cname_that_one_name_server_does_not_have_yet_is_believed(
    internet: Internet, discovery: Discovery, caplog: pytest.LogCaptureFixture, late: str
) -> None:
    """They differ for a while after each change."""
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    without = answers_for("example.com", dns.rcode.NOERROR)
    internet.treat(late, without, name=NAME, way="tcp")
    (place,) = find(discovery)
    assert (place.name, place.is_unconfirmed) == (TARGET, False)
    assert warnings(caplog) == []


@pytest.mark.parametrize("domain", ["example.com", "no-such-domain.com"])
def test_a_cname_that_tcp_denies_leads_nowhere(
    internet: Internet, discovery: Discovery, caplog: pytest.LogCaptureFixture, domain: str
) -> None:
    name, zone = f"_acme-challenge.{domain}", "example.com" if domain == "example.com" else "com"

    def forged(asked: Asked) -> dns.message.Message:
        response = answers_for(zone, dns.rcode.NOERROR)(asked)
        assert response
        alias = dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{TARGET}.")
        response.answer, response.authority = [alias], []
        return response

    for address in internet.zones[zone].addresses:
        internet.treat(address, forged, name=name, way="udp")
    (place,) = find(discovery, name)
    assert place.chain == (name,)
    assert place.is_absent == (domain != "example.com")
    (warning,) = warnings(caplog)
    assert f"over TCP, the name servers of {zone} say otherwise" in warning


@pytest.mark.parametrize("tells", [True, False])
def test_addresses_that_the_registry_does_not_know_are_found_beside_its_glue(
    clock: Clock, internet: Internet, discovery: Discovery, tells: bool
) -> None:
    """Of a zone that was delegated minutes ago, of which the resolver knows nothing yet."""
    internet.absent = {("example.com", kind) for kind in ("SOA", "NS")}

    def glue(asked: Asked) -> dns.message.Message:
        response = refers_to("example.com", "dns1.hichina.com.")(asked)
        assert response
        response.additional.append(
            dns.rrset.from_text("dns1.hichina.com.", 60, "IN", "A", "10.1.0.1")
        )
        return response

    def resolver(asked: Asked) -> dns.message.Message | None:
        if asked.name != "dns1.hichina.com":
            return asked.honest()
        response = asked.respond()
        if asked.kind == "A":
            both = dns.rrset.from_text("dns1.hichina.com.", 60, "IN", "A", "10.1.0.1", "10.1.0.2")
            response.answer.append(both)
        return response if tells else None

    internet.treat("10.0.1.1", glue, name=NAME)
    internet.treat("resolver", resolver)
    place = find_in_time(clock, discovery, 10)
    assert addresses(place) == ({"10.1.0.1", "10.1.0.2"} if tells else {"10.1.0.1"})


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


def test_who_tells_nothing_of_a_name_beside_it_shows_no_wildcard(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    internet.zones["example.com"].add("*.example.com", "CNAME", f"{TARGET}.")

    def only_of_itself(asked: Asked) -> dns.message.Message | None:
        is_beside = asked.name != NAME and asked.name.endswith(".www.example.com")
        return None if is_beside else asked.honest()

    for address in internet.zones["example.com"].addresses:
        internet.treat(address, only_of_itself)
    assert find_in_time(clock, discovery, 100).name == TARGET


def test_there_is_no_wildcard_above_the_apex_of_a_zone(
    internet: Internet, discovery: Discovery
) -> None:
    internet.add(NAME, "10.4.0.1").add(NAME, "CNAME", f"{TARGET}.")
    assert [place.name for place in find(discovery)] == [TARGET]


def test_what_the_resolver_says_of_a_zone_counts_where_nobody_tells_more(
    internet: Internet, discovery: Discovery
) -> None:
    internet.absent = {("example.com", "NS"), ("com", "NS")}
    (place,) = find(discovery)
    assert (place.zone, place.servers) == ("example.com", ())
    assert place.unread == "the resolver tells no name server of com"


@pytest.mark.parametrize("is_told", [True, False])
def test_a_zone_below_that_the_same_servers_have(
    internet: Internet, discovery: Discovery, is_told: bool
) -> None:
    """They answer for it with authority, and whether others do only the resolver tells."""
    zone = internet.add("www.example.com", "10.1.0.1", "10.1.0.2", "10.1.0.3")
    zone.add(NAME, "TXT", "value")
    internet.absent = {("www.example.com", "SOA")}
    if not is_told:
        internet.absent.add(("www.example.com", "NS"))
    (place,) = find(discovery)
    assert (place.zone, place.chain, place.unread) == ("www.example.com", (NAME,), "")
    assert addresses(place) == {"10.1.0.1", "10.1.0.2", *(["10.1.0.3"] if is_told else [])}


def test_what_a_target_in_such_a_zone_is_used_for_is_read(
    internet: Internet, discovery: Discovery
) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    internet.add(TARGET, "10.3.0.1").add(TARGET, "TXT", "v=spf1")
    internet.absent = {(TARGET, "SOA"), (TARGET, "NS")}
    (place,) = find(discovery)
    assert (place.name, place.zone, place.use) == (TARGET, TARGET, Use(("TXT",)))


NO_SOA = {("example.com", "SOA"), ("www.example.com", "SOA")}


@pytest.mark.parametrize(
    ("unknown", "silent", "zone"),
    [
        (NO_SOA, {"10.1.0.1", "10.1.0.2"}, "example.com"),
        ({("example.com", "NS")}, {"10.0.1.1"}, "example.com"),
        (NO_SOA, {"10.0.1.1"}, None),
    ],
)
def test_what_is_known_of_a_zone_is_known_though_nobody_tells_more(
    clock: Clock,
    internet: Internet,
    discovery: Discovery,
    unknown: set[tuple[str, str]],
    silent: set[str],
    zone: str | None,
) -> None:
    internet.absent, internet.silent = unknown, silent
    place = find_in_time(clock, discovery, 40)
    assert (place.zone, bool(place.unread)) == (zone, True)
    assert addresses(place) == (silent if "10.1.0.1" in silent else set())


def test_referrals_without_end_have_an_end(internet: Internet, discovery: Discovery) -> None:
    labels = [f"l{number}" for number in range(1, 14)]
    name = ".".join(["_acme-challenge", *reversed(labels), "example.com"])
    servers = {"10.1.0.1", "10.1.0.2"}
    for number in range(1, 14):
        zone = ".".join([*reversed(labels[:number]), "example.com"])
        for address in servers:
            internet.treat(address, refers_to(zone, f"ns.10.9.0.{number}.test."), kind="TXT")
        servers = {f"10.9.0.{number}"}
    (place,) = find(discovery, name)
    assert place.unread == f"too many referrals lead to {name}"
    assert (place.zone, addresses(place)) == (zone.partition(".")[2], {"10.9.0.12"})


def test_what_is_known_of_a_zone_stays_known_when_the_questions_are_spent(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    internet.silent = set(internet.zones["example.com"].addresses)
    limited = discovery.within(Budget())
    limited.budget._questions = 5
    place = find_in_time(clock, limited, 60)
    assert (place.zone, addresses(place)) == ("example.com", internet.silent)


def test_a_circle(internet: Internet, discovery: Discovery) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    internet.zones["acme.example.net"].add(TARGET, "CNAME", f"{NAME}.")
    with pytest.raises(BadChainError) as caught:
        find(discovery)
    assert caught.value.chain == [NAME, TARGET, NAME]
    assert str(caught.value) == f"{NAME} -> {TARGET} -> {NAME}"
    assert f"at {NAME} lead in a circle, or too far: {NAME} -> " in caught.value.advice


NO_NAMES = {
    "a dot within a label": "x\\.example.net.",
    "long escapes": ".".join(["\\000" * 60] * 4) + ".",
    "a label of dots": "\\.\\.\\..example.net.",
    "a blank": "a\\032b.example.net.",
    "not ASCII": "caf\\195\\169.example.net.",
    "a slash": "0/25.example.net.",
    "an asterisk": "*.example.net.",
    "an escape sequence": "\\027[31m.example.net.",
    "the root": ".",
}


@pytest.mark.parametrize("target", NO_NAMES.values(), ids=NO_NAMES)
def test_a_target_that_no_zone_can_hold(
    clock: Clock, internet: Internet, discovery: Discovery, target: str
) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", target)
    with pytest.raises(BadChainError) as caught:
        find(discovery)
    assert "no zone at Alibaba Cloud DNS can hold" in caught.value.why
    assert caught.value.chain[0] == NAME
    assert len(str(caught.value)) < 200
    internet.silent |= {"10.1.0.1", "10.1.0.2"}
    with pytest.raises(BadChainError):
        by_resolver(clock, discovery)


@pytest.mark.parametrize(("length", "is_cut"), [(60, False), (61, True)])
def test_a_long_name_that_is_none_is_shown_in_part(
    internet: Internet, discovery: Discovery, length: int, is_cut: bool
) -> None:
    target = "a/" + "b" * (length - len("a/.example.net")) + ".example.net"
    internet.zones["example.com"].add(NAME, "CNAME", f"{target}.")
    with pytest.raises(BadChainError) as caught:
        find(discovery)
    assert caught.value.chain[-1] == (target[:60] + "..." if is_cut else target)


def test_a_wildcard_that_leads_to_no_name(internet: Internet, discovery: Discovery) -> None:
    internet.zones["example.com"].add("*.example.com", "CNAME", NO_NAMES["long escapes"])
    assert find(discovery)[0].name == "_acme-challenge.www.example.com"


def test_a_name_server_with_no_name_of_a_host_is_none(
    internet: Internet, discovery: Discovery
) -> None:
    """Its label ends with the text `.hichina`; its zone is .com, and anybody's."""
    odd = "evil\\.hichina.com."
    internet.treat("10.0.1.1", refers_to("example.com", odd, "ns.10.1.0.2.test."))
    internet.absent |= {("example.com", "NS"), ("example.com", "SOA")}
    (place,) = find(discovery)
    assert [server.name for server in place.servers] == ["ns.10.1.0.2.test"]
    assert odd.rstrip(".") not in internet.asked_of("resolver")


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
    assert (place.led_by, place.is_unconfirmed) == ("", False)


def test_a_fast_answer_is_asked_for_once(internet: Internet, discovery: Discovery) -> None:
    """Of one server, after the two questions that tell who answers there."""
    find(discovery)
    of_servers = [(name, kind) for to, name, kind in internet.asked if to.startswith("10.1.")]
    assert of_servers == [("example.com", "SOA"), ("", "SOA"), (NAME, "TXT")]


@pytest.fixture
def ns1(internet: Internet) -> str:
    """The only name server of the zone, which leads elsewhere."""
    internet.zones["example.com"].addresses = ["10.1.0.1"]
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    return "10.1.0.1"


def find_in_time(clock: Clock, discovery: Discovery, seconds: float) -> Place:
    async def finding() -> list[Place]:
        ticking = asyncio.ensure_future(discovery.clock.tick())
        try:
            return await find_places(discovery, NAME)
        finally:
            ticking.cancel()

    places = clock.run(finding())
    assert clock.elapsed <= seconds
    return places[0]


@pytest.mark.parametrize("act", [lost, servfail, refused, unreachable])
@pytest.mark.parametrize("first", [1, 2, 4])
def test_what_fails_at_first_is_asked_again(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str, act: Act, first: int
) -> None:
    internet.treat(ns1, act, first)
    assert find_in_time(clock, discovery, 12).name == TARGET


@pytest.mark.parametrize("act", [lost, servfail, unreachable])
@pytest.mark.parametrize("first", [1, 3])
def test_what_fails_for_the_name_at_first_is_asked_again(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str, act: Act, first: int
) -> None:
    internet.treat(ns1, act, first, name=NAME)
    assert find_in_time(clock, discovery, 8).name == TARGET


def test_what_fails_for_seconds_is_asked_until_it_works(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str
) -> None:
    def fail_at_first(asked: Asked) -> dns.message.Message:
        return servfail(asked) if clock.elapsed < 9 else asked.honest()

    internet.treat(ns1, fail_at_first)
    assert find_in_time(clock, discovery, 13).name == TARGET


@pytest.mark.parametrize("seconds", [0.3, 1.3, 1.8, 2.9])
def test_slow_answers_are_waited_for(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str, seconds: float
) -> None:
    internet.delays = {ns1: seconds, "10.3.0.1": seconds}
    place = find_in_time(clock, discovery, 45)
    assert (place.name, place.unread) == (TARGET, "")


@pytest.mark.parametrize("way", ["udp", "tcp"])
@pytest.mark.parametrize("act", [lost, unreachable])
def test_one_way_to_a_server_is_enough(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str, act: Act, way: str
) -> None:
    internet.treat(ns1, act, way=way)
    assert find_in_time(clock, discovery, 8).name == TARGET


@pytest.mark.parametrize("act", [truncated, no_edns])
def test_what_any_server_may_do_costs_no_time(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str, act: Act
) -> None:
    internet.treat(ns1, act)
    assert find_in_time(clock, discovery, 1).name == TARGET


def test_a_wildcard_is_asked_about_with_the_same_patience(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    internet.zones["example.com"].addresses = ["10.1.0.1"]
    internet.zones["example.com"].add("*.www.example.com", "CNAME", f"{TARGET}.")

    def fail_beside(asked: Asked) -> dns.message.Message | None:
        is_beside = asked.name.endswith(".www.example.com") and asked.name != NAME
        return None if is_beside and clock.elapsed < 4 else asked.honest()

    internet.treat("10.1.0.1", fail_beside)
    assert find_in_time(clock, discovery, 12).name == NAME


LAME = {
    "refers upwards": refers_to("com"),
    "refers to the root": refers_to(""),
    "refers to itself": refers_to("example.com"),
    "refers sideways": refers_to("example.net"),
    "answers for the parent": answers_for("com"),
    "refuses": refused,
    "has no authority": lambda asked: asked.respond(),
}


@pytest.mark.parametrize("vice", LAME)
@pytest.mark.parametrize("only", [{}, {"name": NAME}], ids=["always", "for the name"])
def test_a_lame_server_hides_no_cname(
    clock: Clock,
    internet: Internet,
    discovery: Discovery,
    vice: str,
    only: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.sample", lambda servers, count: list(reversed(servers)))
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    internet.treat("10.1.0.1", LAME[vice], **only)
    assert find_in_time(clock, discovery, 1).name == TARGET
    assert "10.1.0.1" in [to for to, *_ in internet.asked]


@pytest.mark.parametrize("vice", LAME)
def test_lame_servers_alone_are_given_up_soon(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str, vice: str
) -> None:
    internet.treat(ns1, LAME[vice])
    place = find_in_time(clock, discovery, 8)
    assert (place.name, place.zone, addresses(place)) == (NAME, "example.com", {ns1})
    expected = "refuses to answer (REFUSED)" if vice == "refuses" else "answers without authority"
    assert place.unread.startswith(f"ns.{ns1}.test {expected}")


@pytest.mark.parametrize(
    ("act", "why", "seconds"),
    [
        (lost, "does not answer", 15),
        (unreachable, "does not answer", 15),
        (servfail, "fails to answer (SERVFAIL)", 22),
    ],
)
def test_servers_that_never_answer_leave_the_place_unread(
    clock: Clock, internet: Internet, discovery: Discovery, act: Act, why: str, seconds: int
) -> None:
    """The zone is known all the same."""
    many = [f"10.6.0.{number}" for number in range(1, 17)]
    internet.zones["example.com"].addresses = many
    for address in many:
        internet.treat(address, act)
    place = find_in_time(clock, discovery, seconds)
    assert (place.zone, addresses(place), place.is_absent) == ("example.com", set(many), False)
    assert place.unread.endswith(f" more {why}")
    assert max(len(internet.asked_of(address)) for address in many) < 60


def names_of_nobody(count: int, *rest: str) -> Act:
    """A referral to so many name servers without addresses, others each time (NXNSAttack)."""
    numbers = itertools.count()

    def act(asked: Asked) -> dns.message.Message:
        hosts = [f"ns{next(numbers)}.victim.example." for _ in range(count)]
        return refers_to(asked.name, *hosts, *rest)(asked)

    return act


def test_who_names_name_servers_without_end_has_few_of_them_looked_up(
    internet: Internet, discovery: Discovery, caplog: pytest.LogCaptureFixture
) -> None:
    for address in internet.zones["example.com"].addresses:
        internet.treat(address, names_of_nobody(900), kind="TXT")
    (place,) = find(discovery)
    assert place.unread.endswith(".victim.example and 897 more)")
    assert place.unread.startswith(f"no name server of {NAME} has an address")
    assert place.zone == NAME
    looked_up = [name for name in internet.asked_of("resolver") if "victim" in name]
    assert 1 < len(set(looked_up)) <= 16
    assert len(caplog.messages) == 2
    assert caplog.messages[0] == f"{NAME} names 900 name servers; 16 of them are asked."
    assert "and 13 more, name servers of" in caplog.messages[1]


def test_a_chain_through_such_zones_does_not_multiply_that(
    internet: Internet, discovery: Discovery
) -> None:
    """Of each zone on the way, one name server is there, and names the next one."""
    hops = [f"{number}.example.net" for number in range(8)]
    servers = [f"10.7.0.{number}" for number in range(8)]
    for number, (hop, server) in enumerate(zip(hops, servers)):
        internet.treat("10.2.0.1", names_of_nobody(900, f"ns.{server}.test."), name=hop)
        internet.add(hop, server, delegated=False)
        internet.zones[hop].add(hop, "CNAME", f"{[*hops, TARGET][number + 1]}.")
    internet.zones["example.com"].add(NAME, "CNAME", f"{hops[0]}.")
    for _ in range(5):  # the one that is there is chosen by chance
        asyncio.run(find_places(discovery.within(Budget()), NAME))
    looked_up = {name for name in internet.asked_of("resolver") if "victim" in name}
    assert len(looked_up) <= 5 * 100


def test_questions_without_end_have_an_end(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    """Twenty names of one budget, which stands for a chain: all servers of each fail."""
    many = [f"10.8.0.{number}" for number in range(1, 17)]
    internet.zones["example.com"].addresses = many
    for address in many:
        internet.treat(address, servfail, kind="TXT")

    async def find_all() -> list[Place]:
        places = []
        for number in range(20):
            name = f"_acme-challenge.{number}.example.com"
            places += await find_places(discovery, name)
        return places

    places = clock.run(find_all())
    directly = [who for who, _, kind in internet.asked if who in many and kind == "TXT"]
    assert 100 < len(directly) <= 520
    given_up = (
        "looking it up takes more than 500 questions, the last to name servers of example.com"
    )
    assert places[-1].unread == given_up


def test_addresses_without_end_are_as_many_as_any_zone_has(
    internet: Internet, discovery: Discovery
) -> None:
    hosts = {f"ns{n}.example.com": [f"10.9.{n}.{i}" for i in range(1, 200)] for n in range(40)}
    servers = asyncio.run(discovery.addresses("example.com", hosts))
    assert len(servers) == 64
    assert len({server.name for server in servers}) <= 16


def test_thirteen_names_with_two_addresses_each_are_all_asked(discovery: Discovery) -> None:
    hosts = {f"ns{n}.example.com": [f"10.9.{n}.1", f"fd00::{n}"] for n in range(1, 14)}
    assert len(asyncio.run(discovery.addresses("example.com", hosts))) == 26
    hosts = {f"ns{n}.example.com": [f"10.9.{n}.{i}" for i in range(1, 17)] for n in range(2)}
    assert len(asyncio.run(discovery.addresses("example.com", hosts))) == 32


def test_silent_servers_are_asked_no_more_often_for_more_names(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    internet.silent |= {"10.1.0.1", "10.1.0.2"}

    async def find_all() -> list[list[Place]]:
        names = [f"_acme-challenge.host{number}.example.com" for number in range(50)]
        return list(await asyncio.gather(*(find_places(discovery, name) for name in names)))

    assert all(place.unread for (place,) in clock.run(find_all()))
    assert len(internet.asked_of("10.1.0.1")) < 50


def test_one_name_server_of_four_answers(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    many = [f"10.6.0.{number}" for number in range(1, 5)]
    internet.zones["example.com"].addresses = many
    internet.zones["example.com"].add(NAME, "CNAME", f"{TARGET}.")
    internet.silent |= set(many[1:])
    assert find_in_time(clock, discovery, 6).name == TARGET


def test_a_stopped_process_has_heard_nothing_meanwhile(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str
) -> None:
    def stop(asked: Asked) -> None:
        clock.sleep(3600)

    internet.treat(ns1, stop, first=1)
    assert find_in_time(clock, discovery, 3610).name == TARGET


@pytest.mark.parametrize("authoritative", [False, True])
def test_who_answers_for_everybody_is_never_asked_for_the_name(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str, authoritative: bool
) -> None:
    internet.intercept(ns1, authoritative)
    place = find_in_time(clock, discovery, 2)
    assert (place.name, place.zone, addresses(place)) == (NAME, "example.com", {ns1})
    assert place.unread == (
        "something between here and the name servers of example.com answers in their place"
    )
    assert not [name for _, name, _ in internet.asked if name.startswith("_acme")]


def test_an_address_that_is_not_intercepted_tells(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str
) -> None:
    internet.zones["example.com"].addresses.append("10.1.0.2")
    internet.intercept("10.1.0.2")
    assert find_in_time(clock, discovery, 2).name == TARGET
    assert NAME not in internet.asked_of("10.1.0.2")


def test_interception_on_the_way_from_the_top(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    internet.absent |= {(name, "SOA") for name in ("www.example.com", "example.com")}
    internet.intercept("10.0.1.1")
    place = find_in_time(clock, discovery, 2)
    assert (place.zone, place.is_absent) == (None, False)
    assert "name servers of com answers" in place.unread
    assert NAME not in [name for _, name, _ in internet.asked]


def test_a_resolver_that_tells_nothing(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    internet.treat("resolver", servfail)
    place = find_in_time(clock, discovery, 40)
    assert (place.zone, place.servers, place.is_absent) == (None, (), False)
    assert place.unread == "the resolver tells no name server of com"


def by_resolver(clock: Clock, discovery: Discovery) -> Place | None:
    async def find_both() -> Place | None:
        (unread,) = await find_places(discovery, NAME)
        assert unread.unread
        return await place_by_resolver(discovery, unread)

    return clock.run(find_both())


def test_the_place_that_the_resolver_knows(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str
) -> None:
    internet.silent.add(ns1)
    place = by_resolver(clock, discovery)
    assert place
    assert (place.name, place.zone) == (TARGET, "acme.example.net")
    assert (place.chain, place.unread, place.is_hearsay) == ((NAME, TARGET), "", True)


def test_the_resolver_is_not_asked_about_a_target_before_the_api_is(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str
) -> None:
    internet.silent |= {ns1, "10.3.0.1"}
    place = by_resolver(clock, discovery)
    assert place
    assert (place.name, place.chain) == (TARGET, (NAME, TARGET))
    assert place.unread.startswith("ns.10.3.0.1.test")
    assert TARGET not in internet.asked_of("resolver")


def test_the_resolver_knows_no_cname(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    internet.silent |= {"10.1.0.1", "10.1.0.2"}
    assert by_resolver(clock, discovery) is None


def test_a_circle_that_the_resolver_knows(
    clock: Clock, internet: Internet, discovery: Discovery, ns1: str
) -> None:
    internet.zones["acme.example.net"].add(TARGET, "CNAME", f"{NAME}.")
    internet.silent.add(ns1)
    with pytest.raises(BadChainError):
        by_resolver(clock, discovery)


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


@given(labels=st.lists(st.binary(min_size=1, max_size=63), max_size=4))
def test_a_target_is_followed_by_its_labels_or_not_at_all(labels: list[bytes]) -> None:
    """No zone is asked for the record that the target is not in, whatever bytes its labels have."""
    target = dns.name.Name([*labels, b"example", b"net", b""])
    internet = make_internet()
    internet.zones["example.com"].add(NAME, "CNAME", target.to_text())
    with internet.in_place() as discovery:
        try:
            (place,) = find(discovery)
        except BadChainError:
            return
    assert dns.name.from_text(place.name) == target
    for zone in zone_candidates(place.name):
        assert target.is_subdomain(dns.name.from_text(zone))


@given(data=st.data())
def test_plain_targets_are_followed(data: st.DataObject) -> None:
    label = st.text("abzABZ019-_", min_size=1, max_size=8)
    labels = data.draw(st.lists(label, min_size=1, max_size=4))
    target = ".".join([*labels, "example.net"])
    internet = make_internet()
    internet.zones["example.com"].add(NAME, "CNAME", f"{target}.")
    with internet.in_place() as discovery:
        assert find(discovery)[-1].name == target.lower()
