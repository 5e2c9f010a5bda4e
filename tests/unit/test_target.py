"""What a CNAME's target is used for, as name servers tell it and as the API lists it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import dns.message
import pytest

from certbot_dns_aliyun.propagation.delegation import Place, find_places
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.target import Use, listed_use
from tests.unit.fake_dns import Asked, Internet, lost, refused, servfail, truncated, unreachable
from tests.unit.fake_time import Clock
from tests.unit.test_delegation import make_internet

NAME = "_acme-challenge.shop.example.com"
ZONE = "acme.example.net"
DIGEST = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
SERVER = "10.3.0.1"

#: What stands in the zone, where the CNAME leads, and what that is used for.
CASES: dict[str, tuple[dict[str, tuple[str, str]], str, Use]] = {
    "nothing": ({}, "shop", Use()),
    "a digest of another run": ({"shop": ("TXT", DIGEST)}, "shop", Use()),
    "a name below it": ({"a.shop": ("A", "192.0.2.1")}, "shop", Use()),
    "an address": ({"shop": ("A", "192.0.2.1")}, "shop", Use(("A",))),
    "an IPv6 address": ({"shop": ("AAAA", "2001:db8::1")}, "shop", Use(("AAAA",))),
    "a mail server": ({"shop": ("MX", "10 mail.example.")}, "shop", Use(("MX",))),
    "a service": ({"shop": ("SRV", "0 0 1 x.example.")}, "shop", Use(("SRV",))),
    "a CAA record": ({"shop": ("CAA", '0 issue "x.example"')}, "shop", Use(("CAA",))),
    "a text": ({"shop": ("TXT", "v=spf1 -all")}, "shop", Use(("TXT",))),
    "the apex": ({}, "", Use()),
    "the apex in use": ({"": ("MX", "10 mail.example.")}, "", Use(("MX",))),
    "a wildcard": ({"*": ("A", "192.0.2.1")}, "login", Use(("A",), is_wild=True)),
    "a wildcard CNAME": (
        {"*": ("CNAME", "edge.example.net.")},
        "login",
        Use(("CNAME",), is_wild=True),
    ),
    "a wildcard MX": ({"*": ("MX", "10 mail.example.")}, "login", Use(("MX",), is_wild=True)),
    "a wildcard TXT": ({"*": ("TXT", "v=spf1 -all")}, "login", Use(("TXT",), is_wild=True)),
    "a wildcard SRV": ({"*": ("SRV", "0 0 1 x.example.")}, "login", Use(("SRV",), is_wild=True)),
    "a wildcard beside a name": ({"*": ("A", "192.0.2.1"), "shop": ("TXT", DIGEST)}, "shop", Use()),
    "a wildcard above a name": (
        {"*": ("A", "192.0.2.1"), "shop": ("A", "192.0.2.2")},
        "x.shop",
        Use(),
    ),
    "a wildcard two above": ({"*": ("A", "192.0.2.1")}, "a.login", Use(("A",), is_wild=True)),
    "meant for it": ({"_acme-challenge": ("A", "192.0.2.1")}, "_acme-challenge", Use(("A",))),
    "meant, at a wildcard": (
        {"*": ("A", "192.0.2.1")},
        "_acme-challenge",
        Use(("A",), is_wild=True),
    ),
    "meant, below a wildcard's name": (
        {"*": ("A", "192.0.2.1")},
        "_acme-challenge.login",
        Use(("A",), is_wild=True, hides=f"login.{ZONE}"),
    ),
    "a wildcard below it": ({"*.shop": ("A", "192.0.2.1")}, "shop", Use()),
    "meant, at a wildcard of a name": (
        {"*.shop": ("A", "192.0.2.1")},
        "_acme-challenge.shop",
        Use(("A",), is_wild=True),
    ),
    "meant, at a wildcard CNAME of a name": (
        {"*.shop": ("CNAME", "edge.example.net.")},
        "_acme-challenge.shop",
        Use(("CNAME",), is_wild=True),
    ),
    "meant, below a name": (
        {"*": ("A", "192.0.2.1"), "shop": ("A", "192.0.2.2")},
        "_acme-challenge.shop",
        Use(),
    ),
}


@pytest.fixture
def internet() -> Internet:
    return make_internet()


@pytest.fixture
def discovery(internet: Internet) -> Iterator[Discovery]:
    with internet.in_place() as discovery:
        yield discovery


def full(label: str) -> str:
    return f"{label}.{ZONE}" if label else ZONE


def lead(internet: Internet, target: str, records: dict[str, tuple[str, str]]) -> None:
    internet.zones["example.com"].add(NAME, "CNAME", f"{full(target)}.")
    for label, (kind, value) in records.items():
        text = f'"{value}"' if kind == "TXT" else value
        internet.zones[ZONE].add(full(label), kind, text)


def found(discovery: Discovery) -> Place:
    return asyncio.run(find_places(discovery, NAME))[0]


def seconds_of(clock: Clock, discovery: Discovery) -> tuple[Place, float]:
    async def finding() -> list[Place]:
        ticking = asyncio.ensure_future(discovery.clock.tick())
        try:
            return await find_places(discovery, NAME)
        finally:
            ticking.cancel()

    return clock.run(finding())[0], clock.elapsed


@pytest.mark.parametrize("case", CASES)
def test_what_name_servers_tell(internet: Internet, discovery: Discovery, case: str) -> None:
    records, target, use = CASES[case]
    lead(internet, target, records)
    place = found(discovery)
    assert (place.name, place.use) == (full(target), use)
    assert full(target) not in internet.asked_of("resolver")


def test_what_each_zone_has_at_its_apex_is_no_use_of_it() -> None:
    listed = [(owner, kind, "") for owner in (ZONE, full("shop")) for kind in ("SOA", "NS", "MX")]
    assert listed_use(ZONE, ZONE, listed) == Use(("MX",))
    assert listed_use(ZONE, full("shop"), listed) == Use(("MX", "NS", "SOA"))


@pytest.mark.parametrize("case", CASES)
def test_what_the_api_lists(case: str) -> None:
    records, target, use = CASES[case]
    listed = [(full(label), kind, value) for label, (kind, value) in records.items()]
    told = listed_use(ZONE, full(target), listed)
    assert told.is_wild == use.is_wild
    assert told.kinds == (() if use.is_wild else use.kinds)
    if target.startswith("_acme-challenge"):
        assert told.hides == use.hides


def test_a_free_name_costs_one_question_over_tcp_at_each_link(
    internet: Internet, discovery: Discovery
) -> None:
    lead(internet, "shop", {})
    found(discovery)
    over_tcp = [who for who, way in internet.ways if way == "tcp"]
    assert sorted(over_tcp, key=lambda who: who.startswith("10.3"))[-1] == SERVER
    assert len(over_tcp) == 2
    asked = [(name, kind) for who, name, kind in internet.asked if who == SERVER]
    assert set(asked) == {(ZONE, "SOA"), ("", "SOA"), (full("shop"), "TXT")}


def test_the_questions_about_a_name_are_bounded(internet: Internet, discovery: Discovery) -> None:
    lead(internet, "shop", {"*": ("SRV", "0 0 1 x.example.")})
    found(discovery)
    assert len(internet.asked_of(SERVER)) <= 20


@pytest.mark.parametrize("act", [lost, servfail])
def test_rare_types_that_get_no_answer_do_not_matter(
    clock: Clock, internet: Internet, discovery: Discovery, act: object
) -> None:
    lead(internet, "shop", {"shop": ("TXT", DIGEST)})
    for kind in ("SRV", "CAA", "HTTPS"):
        internet.treat(SERVER, act, kind=kind)  # type: ignore[arg-type]
    place, seconds = seconds_of(clock, discovery)
    assert place.use == Use()
    assert seconds < 5


def test_a_use_that_nobody_tells_is_unknown(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    lead(internet, "shop", {"shop": ("TXT", DIGEST)})
    internet.treat(SERVER, lost, kind="A")
    place, seconds = seconds_of(clock, discovery)
    assert place.use
    assert "acme.example.net" in place.use.unread
    assert seconds < 15


def test_a_use_that_is_refused_is_unknown_for_that_reason(
    clock: Clock, internet: Internet, discovery: Discovery
) -> None:
    lead(internet, "shop", {"shop": ("TXT", DIGEST)})
    internet.treat(SERVER, refused, kind="A")
    place, _ = seconds_of(clock, discovery)
    assert place.use == Use(unread=f"ns.{SERVER}.test refuses to answer (REFUSED)")


def test_a_target_of_the_greatest_length_below_a_wildcard(
    internet: Internet, discovery: Discovery
) -> None:
    labels = ["a" * 63, "b" * 63, "c" * 63]
    target = ".".join([*labels, "d" * (252 - len(".".join([*labels, ZONE])))])
    lead(internet, target, {"*": ("A", "192.0.2.1")})
    assert len(full(target)) == 253
    assert found(discovery).use == Use(("A",), is_wild=True)


def forged(target: str) -> object:
    """Says over UDP that a CNAME leads to a target."""

    def act(asked: Asked) -> dns.message.Message:
        if asked.way == "tcp":
            return asked.honest()
        response = asked.honest()
        response.set_rcode(dns.rcode.NOERROR)
        response.authority.clear()
        response.answer = [dns.rrset.from_text(f"{NAME}.", 60, "IN", "CNAME", f"{target}.")]
        return response

    return act


@pytest.mark.parametrize("honest", ["", "real"])
def test_a_cname_that_tcp_contradicts_is_not_followed(
    internet: Internet, discovery: Discovery, honest: str, caplog: pytest.LogCaptureFixture
) -> None:
    if honest:
        lead(internet, honest, {})
    for address in ("10.1.0.1", "10.1.0.2"):
        internet.treat(address, forged(full("login")), name=NAME)  # type: ignore[arg-type]
    assert found(discovery).name == (full(honest) if honest else NAME)
    forgery = f"a CNAME record leads from {NAME} to {full('login')} is not believed"
    assert f"{forgery}: over TCP, the name servers of example.com say otherwise" in caplog.text


def test_an_absence_that_is_forged_does_not_make_a_name_free(
    internet: Internet, discovery: Discovery
) -> None:
    lead(internet, "login", {"*": ("A", "192.0.2.1")})

    def absent(asked: Asked) -> dns.message.Message:
        return asked.honest() if asked.way == "tcp" else asked.respond(dns.rcode.NXDOMAIN)

    def act(asked: Asked) -> dns.message.Message:
        response = absent(asked)
        if asked.way == "udp":
            response.flags |= dns.flags.AA
        return response

    internet.treat(SERVER, act, name=full("login"))
    assert found(discovery).use == Use(("A",), is_wild=True)


@pytest.mark.parametrize("late_one", ["10.1.0.1", "10.1.0.2"])
def test_a_cname_that_one_server_has_already_is_followed(
    internet: Internet, discovery: Discovery, late_one: str
) -> None:
    """It was set just now, and the other one is late."""
    lead(internet, "shop", {})

    def late(asked: Asked) -> dns.message.Message:
        response = asked.respond(dns.rcode.NXDOMAIN)
        response.flags |= dns.flags.AA
        return response

    internet.treat(late_one, late, name=NAME, way="tcp")
    place = found(discovery)
    assert (place.name, place.is_unconfirmed) == (full("shop"), False)


@pytest.mark.parametrize("act", [lost, unreachable, servfail])
def test_where_tcp_cannot_be_had_the_cname_is_followed_and_marked(
    clock: Clock, internet: Internet, discovery: Discovery, act: object
) -> None:
    lead(internet, "shop", {"shop": ("TXT", DIGEST)})
    for address in ("10.1.0.1", "10.1.0.2", SERVER):
        internet.treat(address, act, way="tcp")  # type: ignore[arg-type]
    place, seconds = seconds_of(clock, discovery)
    assert (place.name, place.use, place.is_unconfirmed) == (full("shop"), Use(), True)
    assert seconds < 8


def test_servers_that_want_tcp_for_everything(internet: Internet, discovery: Discovery) -> None:
    lead(internet, "login", {"*": ("A", "192.0.2.1")})
    for address in ("10.1.0.1", "10.1.0.2", SERVER):
        internet.treat(address, truncated)
    place = found(discovery)
    assert (place.use, place.is_unconfirmed) == (Use(("A",), is_wild=True), False)


def test_a_zone_that_denies_no_name_is_free_all_the_same(
    internet: Internet, discovery: Discovery
) -> None:
    """Some servers say of every name that there is no such record, never that there is no name."""
    lead(internet, "shop", {})

    def never_absent(asked: Asked) -> dns.message.Message:
        response = asked.honest()
        response.set_rcode(dns.rcode.NOERROR)
        return response

    internet.treat(SERVER, never_absent)
    assert found(discovery).use == Use()
