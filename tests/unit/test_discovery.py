"""Finding zones and name servers through a resolver, which is never asked for what we add."""

from __future__ import annotations

import asyncio
from typing import Any, Union

import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver
import pytest

from certbot_dns_aliyun.propagation import discovery
from certbot_dns_aliyun.propagation.discovery import Discovery, parse_servers

SOA = "{} 600 IN SOA ns1.alidns.com. hostmaster.hichina.com. 1 3600 1200 86400 600"
Given = Union[str, Exception, list[Union[str, Exception]]]


class FakeResolver:
    """Answers by a table of (name, type); without an entry, there is no such name."""

    def __init__(self, table: dict[tuple[str, str], Given]) -> None:
        self.table = table
        self.asked: list[tuple[str, str]] = []
        self.nameservers = ["192.0.2.52", "192.0.2.53"]

    async def resolve(self, name: dns.name.Name, kind: dns.rdatatype.RdataType, **_: Any) -> Any:
        key = name.to_text(omit_final_dot=True), kind.name
        self.asked.append(key)
        given = self.table.get(key, "NXDOMAIN")
        if isinstance(given, list):
            given = given.pop(0)
        if isinstance(given, Exception):
            raise given
        rcode, _, rows = given.partition(" ")
        text = f"id 1\nopcode QUERY\nrcode {rcode}\nflags QR\n;QUESTION\n{name} IN {kind.name}\n"
        response = dns.message.from_text(text + rows)
        if rcode == "NXDOMAIN":
            raise dns.resolver.NXDOMAIN(qnames=[name], responses={name: response})
        return type("Answer", (), {"response": response, "nameserver": "192.0.2.53"})


def find(
    monkeypatch: pytest.MonkeyPatch, table: dict[tuple[str, str], Given] | None
) -> tuple[Discovery, FakeResolver]:
    fake = FakeResolver(table or {})
    monkeypatch.setattr(discovery, "_make_resolver", lambda *_: None if table is None else fake)
    monkeypatch.setattr(discovery, "_PAUSES", (0.01, 0.01, 0.0))
    return Discovery(), fake


def zone_of(
    monkeypatch: pytest.MonkeyPatch, name: str, table: dict[tuple[str, str], Given] | None
) -> str | None:
    found, fake = find(monkeypatch, table)
    zone = asyncio.run(found.zone_of(name))
    assert name not in [asked for asked, _ in fake.asked], "the resolver would remember"
    return zone


def soa(zone: str, section: str = "ANSWER", rcode: str = "NOERROR") -> str:
    return f"{rcode} ;{section}\n{SOA.format(zone)}\n"


def test_the_apex_itself_answers_with_its_soa(monkeypatch: pytest.MonkeyPatch) -> None:
    table: dict[tuple[str, str], Given] = {("example.com", "SOA"): soa("example.com.")}
    assert zone_of(monkeypatch, "_acme-challenge.example.com", table) == "example.com"


@pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
def test_below_the_apex_the_authority_section_names_the_zone(
    monkeypatch: pytest.MonkeyPatch, rcode: str
) -> None:
    negative = soa("Example.COM.", "AUTHORITY", rcode)
    table: dict[tuple[str, str], Given] = {("a.b.example.com", "SOA"): negative}
    assert zone_of(monkeypatch, "_acme-challenge.a.b.example.com", table) == "example.com"


def test_behind_a_cname_the_answer_is_about_another_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    cname = "NOERROR ;ANSWER\nwww.example.com. 600 IN CNAME cdn.example.net.\n;AUTHORITY\n"
    table: dict[tuple[str, str], Given] = {
        ("www.example.com", "SOA"): cname + SOA.format("example.net."),
        ("example.com", "SOA"): soa("example.com."),
    }
    assert zone_of(monkeypatch, "_acme-challenge.www.example.com", table) == "example.com"


@pytest.mark.parametrize("owner", ["com.", "."])
def test_a_top_level_domain_is_no_zone_of_ours(monkeypatch: pytest.MonkeyPatch, owner: str) -> None:
    table: dict[tuple[str, str], Given] = {
        ("example.com", "SOA"): soa(owner, "AUTHORITY", "NXDOMAIN")
    }
    assert zone_of(monkeypatch, "_acme-challenge.example.com", table) is None


def test_a_soa_of_elsewhere_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    table: dict[tuple[str, str], Given] = {
        ("example.com", "SOA"): soa("evil.example.", "AUTHORITY")
    }
    assert zone_of(monkeypatch, "_acme-challenge.example.com", table) is None


@pytest.mark.parametrize(
    "error",
    [
        dns.resolver.NoNameservers(),
        dns.resolver.LifetimeTimeout(timeout=5, errors=[]),
        dns.exception.FormError(),
        OSError("no route"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_resolver_that_fails_names_none(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    table: dict[tuple[str, str], Given] = {("example.com", "SOA"): error}
    assert zone_of(monkeypatch, "_acme-challenge.example.com", table) is None


def test_without_a_resolver_there_is_no_zone_and_no_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert zone_of(monkeypatch, "_acme-challenge.example.com", None) is None
    assert asyncio.run(find(monkeypatch, None)[0].name_servers("example.com")) == []


@pytest.mark.parametrize("domain", [".".join(["a" * 60] * 4) + ".com", "a" * 64 + ".com"])
def test_a_name_longer_than_dns_allows_has_no_zone(
    monkeypatch: pytest.MonkeyPatch, domain: str
) -> None:
    assert zone_of(monkeypatch, f"_acme-challenge.{domain}", {}) is None


def test_each_address_of_each_name_server_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    table: dict[tuple[str, str], Given] = {
        ("example.com", "NS"): "NOERROR ;ANSWER\nexample.com. 600 IN NS ns2.alidns.com.\n"
        "example.com. 600 IN NS ns1.alidns.com.\n",
        ("ns1.alidns.com", "A"): "NOERROR ;ANSWER\nns1.alidns.com. 600 IN A 192.0.2.1\n"
        "ns1.alidns.com. 600 IN A 192.0.2.2\n",
        ("ns1.alidns.com", "AAAA"): "NOERROR ;ANSWER\nns1.alidns.com. 600 IN AAAA 2001:db8::1\n",
        ("ns2.alidns.com", "A"): "NOERROR ;ANSWER\nns2.alidns.com. 600 IN A 192.0.2.2\n",
        ("ns2.alidns.com", "AAAA"): dns.resolver.NoNameservers(),
    }
    servers = asyncio.run(find(monkeypatch, table)[0].name_servers("example.com"))
    assert sorted(server.address for server in servers) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert {server.name for server in servers} == {"ns1.alidns.com", "ns2.alidns.com"}


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("192.0.2.1", [("192.0.2.1", 53)]),
        ("192.0.2.1:5353", [("192.0.2.1", 5353)]),
        ("192.0.2.1, 192.0.2.2", [("192.0.2.1", 53), ("192.0.2.2", 53)]),
        ("192.0.2.1 192.0.2.2", [("192.0.2.1", 53), ("192.0.2.2", 53)]),
        ("2001:db8::1", [("2001:db8::1", 53)]),
        ("[2001:db8::1]:5353", [("2001:db8::1", 5353)]),
        ("[2001:db8::1]", [("2001:db8::1", 53)]),
    ],
)
def test_a_list_of_servers_is_read(text: str, servers: list[tuple[str, int]]) -> None:
    assert parse_servers(text) == servers


@pytest.mark.parametrize(
    "text",
    [
        "",
        ", ,",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:x",
        "[2001:db8::1]x",
        "[2001:db8::1",
        "[2001:db8::1]53",
        "[192.0.2.1]]",
        "a" * 64 + ".example",
        "..",
        "\0",
    ],
)
def test_what_is_no_list_of_servers_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011, its text is the caller's matter
        parse_servers(text)


def test_an_address_that_the_resolver_fails_to_tell_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = "NOERROR ;ANSWER\nns1.alidns.com. 60 IN A 192.0.2.1"
    table: dict[tuple[str, str], Given] = {
        ("example.com", "NS"): "NOERROR ;ANSWER\nexample.com. 60 IN NS ns1.alidns.com.",
        ("ns1.alidns.com", "A"): [dns.resolver.NoNameservers(), address],
    }
    found, _ = find(monkeypatch, table)
    assert [s.address for s in asyncio.run(found.name_servers("example.com"))] == ["192.0.2.1"]


def test_the_resolvers_server_that_answers_is_asked_first_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, fake = find(monkeypatch, {("www.example.com", "SOA"): soa("example.com", "AUTHORITY")})
    asyncio.run(found.zone_of("_acme-challenge.www.example.com"))
    assert fake.nameservers == ["192.0.2.53", "192.0.2.52"]
