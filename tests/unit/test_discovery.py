"""Finding zones and name servers through a resolver, which is never asked for what we add."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Optional

import dns.message
import dns.name
import dns.rdatatype
import pytest
from certbot.errors import PluginError

from certbot_dns_aliyun.propagation import resolv_conf
from certbot_dns_aliyun.propagation.budget import Budget
from certbot_dns_aliyun.propagation.discovery import Discovery, parse_servers
from certbot_dns_aliyun.propagation.public_dns import PublicDns
from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.propagation.wire import Way
from tests.unit.fake_dns import Act, Internet, lost, servfail, unreachable
from tests.unit.fake_time import Clock

SOA = "{} 600 IN SOA ns1.alidns.com. hostmaster.hichina.com. 1 3600 1200 86400 600"
#: RCODE and sections; None where nobody answers.
Given = Optional[str]


class FakeResolver:
    """Answers by a table of (name, type); without an entry, there is no such name."""

    def __init__(self, table: dict[tuple[str, str], Given]) -> None:
        self.table = table
        self.asked: list[tuple[str, str]] = []
        self.unchecked: list[bool] = []
        self.seconds: dict[tuple[str, str], float] = {}

    async def ask(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType, unchecked: bool = False
    ) -> dns.message.Message | None:
        key = name.to_text(omit_final_dot=True), kind.name
        self.asked.append(key)
        self.unchecked.append(unchecked)
        await asyncio.sleep(self.seconds.get(key, 0.0))
        given = self.table.get(key, "NXDOMAIN")
        if given is None:
            return None
        rcode, _, rows = given.partition(" ")
        text = f"id 1\nopcode QUERY\nrcode {rcode}\nflags QR\n;QUESTION\n{name} IN {kind.name}\n"
        return dns.message.from_text(text + rows)


def find(
    monkeypatch: pytest.MonkeyPatch, table: dict[tuple[str, str], Given]
) -> tuple[Discovery, FakeResolver]:
    found, fake = Discovery([("192.0.2.53", 53)]), FakeResolver(table)
    monkeypatch.setattr(found, "_resolver", fake)
    return found, fake


def zone_of(
    monkeypatch: pytest.MonkeyPatch, name: str, table: dict[tuple[str, str], Given]
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


def test_a_resolver_that_fails_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    table: dict[tuple[str, str], Given] = {("example.com", kind): None for kind in ("SOA", "NS")}
    assert zone_of(monkeypatch, "_acme-challenge.example.com", table) is None
    assert asyncio.run(find(monkeypatch, table)[0].name_servers("example.com")) == []


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
        ("ns2.alidns.com", "AAAA"): None,
    }
    servers = asyncio.run(find(monkeypatch, table)[0].name_servers("example.com"))
    assert sorted(server.address for server in servers) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert {server.name for server in servers} == {"ns1.alidns.com", "ns2.alidns.com"}


@pytest.mark.parametrize(
    ("untold", "sentence"),
    [
        (
            ["ns2.alidns.com"],
            "The resolver tells no address of ns2.alidns.com, a name server of example.com.",
        ),
        (
            ["ns2.alidns.com", "ns3.alidns.com"],
            "The resolver tells no address of ns2.alidns.com, ns3.alidns.com, name servers of "
            "example.com.",
        ),
    ],
)
def test_name_servers_without_an_address_are_told_once(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    untold: list[str],
    sentence: str,
) -> None:
    found, _ = find(monkeypatch, {})
    names = {"ns1.alidns.com": ["192.0.2.1"], **dict.fromkeys(untold, ())}
    for _ in range(2):
        (server,) = asyncio.run(found.addresses("example.com", names))
        assert server == NameServer("ns1.alidns.com", "192.0.2.1")
    assert [record.getMessage() for record in caplog.records] == [sentence]


def test_a_zone_is_named_whose_servers_have_no_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    table: dict[tuple[str, str], Given] = {
        ("example.com", "NS"): "NOERROR ;ANSWER\nexample.com. 60 IN NS ns1.alidns.com."
    }
    found, fake = find(monkeypatch, table)
    assert asyncio.run(found.name_servers("example.com")) == []
    assert "a name server of example.com." in caplog.text
    assert fake.unchecked == [False] * 3, "the answers have to pass DNSSEC"


def test_addresses_that_were_not_told_are_asked_for_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    host = "ns1.alidns.com"
    found, fake = find(monkeypatch, {(host, "A"): None, (host, "AAAA"): None})

    async def look() -> list[int]:
        counts = []
        for seconds in (0.0, 5.0, 4.9, 0.2, 30.0):
            await asyncio.sleep(seconds)
            servers = await found.addresses("example.com", {host: ()})
            counts.append((len(servers), len(fake.asked)))
            if seconds == 4.9:
                fake.table[host, "A"] = f"NOERROR ;ANSWER\n{host}. 60 IN A 192.0.2.1"
        return counts  # type: ignore[return-value]

    assert clock.run(look()) == [(0, 2), (0, 2), (0, 2), (1, 4), (1, 4)]


def test_without_a_budget_no_address_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    host = "ns1.alidns.com"
    found, fake = find(monkeypatch, {(host, "A"): f"NOERROR ;ANSWER\n{host}. 60 IN A 192.0.2.1"})
    spent = found.within(Budget())
    spent.budget._hosts = 0
    assert asyncio.run(spent.addresses("example.com", {host: ()})) == []
    assert fake.asked == []

    async def look() -> list[int]:
        some = [await each.addresses("example.com", {host: ()}) for each in (found, spent)]
        return [len(servers) for servers in some]

    assert asyncio.run(look()) == [1, 1], "what is known already costs nothing"


def test_two_who_wait_for_one_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    found, fake = find(monkeypatch, {("example.com", "CAA"): None})

    async def look() -> list[object]:
        asking = (found.look_up("example.com", dns.rdatatype.CAA) for _ in range(2))
        return await asyncio.gather(*asking)

    assert asyncio.run(look()) == [None, None]
    assert len(fake.asked) == 1


@pytest.mark.parametrize("count", [2, 16])
def test_name_servers_keep_their_order(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    found, _ = find(monkeypatch, {})
    names = {f"ns{n}.example.net": [f"192.0.2.{n}"] for n in range(count, 0, -1)}
    servers = asyncio.run(found.addresses("example.com", names))
    assert [server.name for server in servers] == list(names)


def test_the_machines_resolvers_are_asked_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    conf = resolv_conf.ResolvConf(("192.0.2.1",), timeout=9, use_vc=True)
    monkeypatch.setattr(resolv_conf, "read", lambda: conf)
    found = Discovery()
    assert found._resolver._traffic is found.traffic
    assert found._resolver._timeout == 9
    (server,) = found._resolver._servers
    assert (server.address, server.port, server.ways) == ("192.0.2.1", 53, (Way.TCP,))


def test_of_more_name_servers_than_anybody_needs_some_are_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found, _ = find(monkeypatch, {})
    names = {f"ns{n}.example.net": [f"192.0.2.{n}"] for n in range(1, 18)}
    assert len(asyncio.run(found.addresses("example.com", names))) == 16
    (record,) = caplog.records
    assert record.getMessage() == "example.com names 17 name servers; 16 of them are asked."


@pytest.mark.parametrize("unchecked", [{}, {"unchecked": False}, {"unchecked": True}])
def test_another_question_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, unchecked: dict[str, bool]
) -> None:
    found, fake = find(monkeypatch, {("example.com", "CAA"): "NOERROR"})
    response = asyncio.run(found.look_up("example.com", dns.rdatatype.CAA, **unchecked))
    assert response is not None
    assert fake.asked == [("example.com", "CAA")]
    assert fake.unchecked == [unchecked.get("unchecked", False)]


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("192.0.2.1", [("192.0.2.1", 53)]),
        ("192.0.2.1:5353", [("192.0.2.1", 5353)]),
        ("192.0.2.1:1", [("192.0.2.1", 1)]),
        ("192.0.2.1:65535", [("192.0.2.1", 65535)]),
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


@pytest.mark.parametrize(
    "lists",
    [("resolvers", "192.0.2.1:x", ""), ("resolvers", ",", ""), ("name-servers", "", "..")],
)
def test_a_list_that_is_none_is_refused_by_the_name_of_its_option(
    lists: tuple[str, str, str],
) -> None:
    option, resolvers, servers = lists
    for given, prefix in (({"options": "of-"}, "of-"), ({}, "")):
        with pytest.raises(PluginError) as caught:
            PublicDns.of_lists(resolvers, servers, **given)
        sentence = str(caught.value)
        assert sentence.startswith(f"--{prefix}{option}: {resolvers or servers} is not")
        assert sentence.endswith(" 192.0.2.1,192.0.2.2:5353.")


def name_servers(*addresses: str) -> dict[tuple[str, str], Given]:
    table: dict[tuple[str, str], Given] = {
        ("example.com", "NS"): "NOERROR ;ANSWER\nexample.com. 60 IN NS ns1.alidns.com."
    }
    for kind in ("A", "AAAA"):
        of_kind = [each for each in addresses if (":" in each) == (kind == "AAAA")]
        rows = [f"ns1.alidns.com. 60 IN {kind} {address}" for address in of_kind]
        table["ns1.alidns.com", kind] = "NOERROR ;ANSWER\n" + "\n".join(rows)
    return table


@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_addresses_of_one_family_alone(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    table = name_servers("192.0.2.1", "2001:db8::1")
    table["ns1.alidns.com", kind] = None
    servers = asyncio.run(find(monkeypatch, table)[0].name_servers("example.com"))
    assert [s.address for s in servers] == ["2001:db8::1" if kind == "A" else "192.0.2.1"]


def test_ipv6_addresses_that_do_not_come_hold_nobody_up(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, fake = find(monkeypatch, name_servers("192.0.2.1", "2001:db8::1"))
    fake.seconds = {("ns1.alidns.com", "A"): 1.0, ("ns1.alidns.com", "AAAA"): 60.0}
    servers = clock.run(found.name_servers("example.com"))
    assert [server.address for server in servers] == ["192.0.2.1"]
    assert clock.elapsed < 3.1


def test_ipv6_addresses_are_waited_for_where_there_are_no_others(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, fake = find(monkeypatch, name_servers("2001:db8::1"))
    fake.seconds = {("ns1.alidns.com", "AAAA"): 9.0}
    servers = clock.run(found.name_servers("example.com"))
    assert [server.address for server in servers] == ["2001:db8::1"]


NO_HOSTS = ("0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "::ffff:224.0.0.1")


def test_addresses_that_are_no_hosts_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = find(monkeypatch, name_servers(*NO_HOSTS, "192.0.2.1", "127.0.0.1"))
    servers = asyncio.run(found.name_servers("example.com"))
    assert [server.address for server in servers] == ["192.0.2.1", "127.0.0.1"]


def test_glue_that_is_no_host_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = find(monkeypatch, name_servers("192.0.2.1"))
    given = {"ns1.alidns.com": NO_HOSTS, "ns2.alidns.com": ("192.0.2.2", *NO_HOSTS)}
    assert asyncio.run(found.addresses("example.com", given)) == [
        NameServer("ns1.alidns.com", "192.0.2.1"),
        NameServer("ns2.alidns.com", "192.0.2.2"),
    ]


NAME = "_acme-challenge.www.example.com"
CNAME = f"NOERROR ;ANSWER\n{NAME}. 60 IN CNAME Target.Example.NET.\n"


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        (CNAME, "target.example.net"),
        (CNAME.replace("_acme", "_ACME"), "target.example.net"),
        (CNAME.replace(".www", ".else"), None),
        (f'NOERROR ;ANSWER\n{NAME}. 60 IN TXT "value"\n', None),
        (soa("example.com.", "AUTHORITY"), None),
        (soa("example.com.", "AUTHORITY", "NXDOMAIN"), None),
        (None, None),
    ],
)
def test_the_canonical_name_of_a_validation_name(
    monkeypatch: pytest.MonkeyPatch, answer: Given, target: str | None
) -> None:
    found, fake = find(monkeypatch, {(NAME, "CNAME"): answer})
    assert asyncio.run(found.canonical_name(NAME)) == target
    assert fake.asked == [(NAME, "CNAME")]


def test_no_other_question_about_a_validation_name_goes_to_the_resolver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, fake = find(monkeypatch, {})
    asyncio.run(found.zone_of(f"a.{NAME}"))
    asyncio.run(found.name_servers(NAME))
    asyncio.run(found.addresses("example.com", {NAME: ()}))
    assert fake.asked == [("www.example.com", "SOA"), ("example.com", "SOA")]


def test_an_answer_is_asked_for_once(clock: Clock) -> None:
    internet = Internet()
    internet.add("example.com", "10.1.0.1")

    async def ask_all(found: Discovery) -> None:
        names = [f"_acme-challenge.{n}.example.com" for n in "aabb"]
        await asyncio.gather(*(found.zone_of(name) for name in names))
        await asyncio.gather(*(found.name_servers("example.com") for _ in range(9)))

    with internet.in_place() as found:
        clock.run(ask_all(found))
    assert len(internet.asked) == len(set(internet.asked)) == 5


def test_no_answer_is_not_remembered(clock: Clock) -> None:
    internet = Internet()
    internet.add("example.com", "10.1.0.1")
    internet.silent.add("resolver")
    with internet.in_place() as found:
        assert clock.run(found.zone_of("_acme-challenge.example.com")) is None
        internet.silent.clear()
        clock.sleep(10.0)
        assert clock.run(found.zone_of("_acme-challenge.example.com")) == "example.com"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("nameserver localhost\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
        ("nameserver 192.0.2.1#53\n", ["127.0.0.1"]),
        (None, ["127.0.0.1"]),
    ],
)
def test_the_machines_resolvers_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, addresses: list[str]
) -> None:
    path = tmp_path / "resolv.conf"
    if text is not None:
        path.write_text(text)
    read = resolv_conf.read
    monkeypatch.setattr(resolv_conf, "read", lambda: read(path, {}))
    assert Discovery().resolvers == addresses
    assert Discovery().resolvers
    assert Discovery([("192.0.2.2", 5353)]).resolvers == ["192.0.2.2 port 5353"]


@pytest.mark.parametrize(
    ("act", "is_silent"), [(lost, True), (unreachable, True), (servfail, False), (None, False)]
)
def test_resolvers_of_which_nothing_was_ever_heard_are_silent(
    clock: Clock, act: Act | None, is_silent: bool
) -> None:
    internet = Internet()
    internet.add("example.com", "10.1.0.1")
    if act:
        internet.treat("resolver", act)
    with internet.in_place() as found:
        assert not found.is_resolver_silent
        clock.run(found.zone_of("_acme-challenge.example.com"))
        assert found.is_resolver_silent is is_silent
