"""Name servers and resolver, seen by dnspython."""

from __future__ import annotations

import time
from collections.abc import Callable

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from tests.world import Server, World
from tests.world.resolver import ADDRESS, FOR_THE_CA

from .clients import ask, texts

MakeWorld = Callable[..., World]
NAME = "_acme-challenge.example.com"


def add(
    world: World, value: str = "x", rr: str = "_acme-challenge", type: str = "TXT", age: float = 0
) -> None:
    added_at = time.monotonic() - age
    world.records.add_stranger("example.com", rr, value, type, added_at=added_at)


def test_each_server_is_as_far_behind_as_it_says(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.0), Server(lag=500.0)]})
    add(world)
    add(world, rr="old", age=501)
    assert [texts(f"127.0.1.{n}", NAME) for n in (1, 2)] == [["x"], []]
    assert [texts(f"127.0.1.{n}", "old.example.com") for n in (1, 2)] == [["x"], ["x"]]


def test_machines_behind_one_address_differ(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(machines=[0.0, 60.0])]})
    add(world)
    seen = {tuple(texts("127.0.1.1", NAME)) for _ in range(40)}
    assert seen == {(), ("x",)}


def test_a_value_vanishes_and_comes_again(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.0, vanishes=(200, 400))]})
    for age in (0, 300, 500):
        add(world, rr=f"aged-{age}", age=age)
    seen = [texts("127.0.1.1", f"aged-{age}.example.com") for age in (0, 300, 500)]
    assert seen == [["x"], [], ["x"]]


@pytest.mark.parametrize("behaviour", ["refused", "servfail"])
def test_servers_that_say_no(make_world: MakeWorld, behaviour: str) -> None:
    make_world({"example.com": [Server(behaviour=behaviour)]})
    assert dns.rcode.to_text(ask("127.0.1.1", NAME).rcode()).lower() == behaviour


@pytest.mark.parametrize("behaviour", ["silent", "dead"])
def test_servers_that_say_nothing(make_world: MakeWorld, behaviour: str) -> None:
    make_world({"example.com": [Server(behaviour=behaviour)]})
    with pytest.raises((dns.exception.Timeout, OSError)):
        ask("127.0.1.1", NAME, timeout=0.3)


def test_a_lame_server_is_not_authoritative(make_world: MakeWorld) -> None:
    make_world({"example.com": [Server(behaviour="lame")]})
    reply = ask("127.0.1.1", NAME)
    assert not reply.flags & dns.flags.AA
    assert not reply.answer


def test_what_is_too_long_for_udp_comes_over_tcp(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.0)]})
    for number in range(40):
        add(world, f"{number:043}")
    assert len(texts("127.0.1.1", NAME)) == 40
    assert [query.transport for query in world.nameservers.asked(NAME)] == ["udp", "tcp"]


def test_a_truncating_server_answers_over_tcp(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.0, behaviour="truncating")]})
    add(world)
    assert texts("127.0.1.1", NAME) == ["x"]


def test_ipv6(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.0, ipv6=True)]})
    add(world)
    address = world.nameservers.delegations["example.com"][0].address
    assert texts(address, NAME) == ["x"]
    assert "AAAA" in str(ask(ADDRESS, "dns1.hichina.com", "AAAA").answer)


def test_answers_of_a_zone(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.0)]})
    add(world, rr="a.b")
    add(world, "wild", rr="*.w")
    add(world, "a.b.example.com", rr="alias", type="CNAME")
    missing, between = ask("127.0.1.1", NAME), ask("127.0.1.1", "b.example.com")
    assert (missing.rcode(), between.rcode()) == (dns.rcode.NXDOMAIN, dns.rcode.NOERROR)
    for reply in (missing, between):
        assert reply.flags & dns.flags.AA
        assert reply.authority[0].rdtype == dns.rdatatype.SOA
    assert texts("127.0.1.1", "any.thing.w.example.com") == ["wild"]
    assert texts("127.0.1.1", "w.example.com") == []
    assert texts("127.0.1.1", "alias.example.com") == ["x"]
    assert ask("127.0.1.1", "example.net").rcode() == dns.rcode.REFUSED


def test_walking_down_from_the_root(make_world: MakeWorld) -> None:
    world = make_world(["example.com", "sub.example.com", "例子.com"], lags=(0.0,))
    root = ask("127.0.0.201", "x.sub.example.com").authority[0]
    assert str(root.name) == "com."
    referral = ask("127.0.0.202", "x.sub.example.com")
    assert not referral.flags & dns.flags.AA
    assert str(referral.authority[0].name) == "example.com."
    assert "127.0.1.1" in str(referral.additional[0])
    assert str(ask("127.0.1.1", "x.sub.example.com").authority[0].name) == "sub.example.com."
    assert ask(ADDRESS, "xn--fsqu00a.com", "NS").answer
    assert world.nameservers.delegations.keys() >= {"", "com", "sub.example.com"}


def test_the_resolver_remembers_absences_for_the_ca_too(make_world: MakeWorld) -> None:
    world = make_world(lags=(0.0,))
    name = "too-early.example.com"
    assert ask(ADDRESS, name).rcode() == dns.rcode.NXDOMAIN
    add(world, rr="too-early")
    assert texts("127.0.1.1", name) == ["x"]
    assert texts(FOR_THE_CA, name) == []
    world.resolver.forget()
    assert texts(FOR_THE_CA, name) == ["x"]
    assert len(world.resolver.asked(name)) == 1


def test_asking_the_resolver_for_a_validation_name_is_noticed(world: World) -> None:
    ask(ADDRESS, NAME)
    with pytest.raises(AssertionError, match="validation names"):
        world.check()
    world.resolver.queries.clear()


def test_a_resolver_that_does_not_work_still_knows_the_api(world: World) -> None:
    world.resolver.behave("hang")
    with pytest.raises(dns.exception.Timeout):
        ask(ADDRESS, "example.com", "NS", timeout=0.3)
    assert ask(ADDRESS, "alidns.aliyuncs.com", "A").answer
    world.resolver.behave("missing")
    with pytest.raises((dns.exception.Timeout, OSError)):
        ask(ADDRESS, "example.com", "NS", timeout=0.3)
    world.resolver.behave("ok")
    assert ask(ADDRESS, "example.com", "NS").answer


def test_a_zone_that_is_served_elsewhere(make_world: MakeWorld) -> None:
    world = make_world(())
    world.add_zone("example.com", [Server(lag=0.0)], delegate=False)
    elsewhere = world.add_zone("example.com", [Server(lag=0.0)], hosted=False)
    elsewhere.add("www", "elsewhere")
    add(world, "ours", rr="www")
    assert texts(ADDRESS, "www.example.com") == ["elsewhere"]
    assert texts("127.0.1.1", "www.example.com") == ["ours"]


def test_a_signed_answer_has_signatures_and_denials(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.0, signed=True)]})
    add(world)
    assert [rrset.rdtype for rrset in ask("127.0.1.1", NAME).answer] == [
        dns.rdatatype.TXT,
        dns.rdatatype.RRSIG,
    ]
    denial = ask("127.0.1.1", "nothing.example.com").authority
    assert {dns.rdatatype.NSEC, dns.rdatatype.RRSIG} <= {rrset.rdtype for rrset in denial}


def test_a_resolver_may_hide_what_another_one_tells(make_world: MakeWorld) -> None:
    world = make_world()
    world.hide_behind("example.com", [Server(name="ns.corp.example", address="127.0.9.9")])
    world.resolver.open_desk("127.0.0.55")
    seen = {
        address: [
            str(record) for rrset in ask(address, "example.com", "NS").answer for record in rrset
        ]
        for address in (ADDRESS, "127.0.0.55")
    }
    assert seen[ADDRESS] == ["ns.corp.example."]
    assert sorted(seen["127.0.0.55"]) == ["dns1.hichina.com.", "dns2.hichina.com."]
