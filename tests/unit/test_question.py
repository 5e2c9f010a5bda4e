"""One question to one name server, and what each answer is taken for."""

from __future__ import annotations

import asyncio
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply, ask
from certbot_dns_aliyun.propagation.wire import Way

NAME = "_acme-challenge.example.com"
SERVER = NameServer("ns1.alidns.com", "192.0.2.1")


def answer(monkeypatch: pytest.MonkeyPatch, given: Any, tcp: bool = False) -> Reply:
    """Asks; the answer is a text as `dig` shows it, or an exception. Checks the question."""

    async def query(query: dns.message.Message, where: str, **more: Any) -> Any:
        assert where == SERVER.address
        assert not query.flags & dns.flags.RD, "a server must not look anything up for us"
        assert query.edns == 0
        assert query.payload <= 1232
        assert more["timeout"] > 0
        if isinstance(given, BaseException):
            raise given
        if not tcp:
            assert more["ignore_unexpected"], "from elsewhere"
            assert more["ignore_errors"], "another id, another question, garbage"
        return dns.message.from_text(given)

    monkeypatch.setattr(dns.asyncquery, "tcp" if tcp else "udp", query)
    return asyncio.run(ask(SERVER, NAME, dns.rdatatype.TXT, 2.0, Way.TCP if tcp else Way.UDP))


def message(flags: str = "QR AA", rcode: str = "NOERROR", **sections: str) -> str:
    text = f"id 1\nopcode QUERY\nrcode {rcode}\nflags {flags}\n;QUESTION\n{NAME}. IN TXT\n"
    return text + "".join(f";{name.upper()}\n{rows}\n" for name, rows in sections.items())


def txt(value: str, name: str = NAME) -> str:
    return f"{name}. 600 IN TXT {value}"


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_an_authoritative_answer_has_the_values(monkeypatch: pytest.MonkeyPatch, tcp: bool) -> None:
    given = message(answer=txt('"a"') + "\n" + txt('"b"'))
    expected = Reply(Outcome.AUTHORITATIVE, frozenset("ab"), has_answer=True)
    assert answer(monkeypatch, given, tcp) == expected


@pytest.mark.parametrize(
    ("value", "read"),
    [('"ab" "cd"', "abcd"), ('""', ""), ('"Case"', "Case"), (r'"\255"', "\ufffd")],
)
def test_a_value_is_read_as_a_ca_reads_it(
    monkeypatch: pytest.MonkeyPatch, value: str, read: str
) -> None:
    assert answer(monkeypatch, message(answer=txt(value))).values == {read}


def test_the_case_of_the_name_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(monkeypatch, message(answer=txt('"a"', NAME.upper()))).values == {"a"}


def test_records_of_another_name_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not answer(monkeypatch, message(answer=txt('"a"', "example.com"))).values


@pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
def test_no_such_record_is_an_answer_with_authority(
    monkeypatch: pytest.MonkeyPatch, rcode: str
) -> None:
    soa = "example.com. 600 IN SOA ns1.alidns.com. h. 1 1 1 1 86400"
    reply = answer(monkeypatch, message(rcode=rcode, authority=soa))
    assert (reply.outcome, reply.values) == (Outcome.AUTHORITATIVE, frozenset())


def test_a_resolver_in_the_place_of_a_name_server_has_no_authority(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reply = answer(monkeypatch, message("QR RA", answer=txt('"a"')))
    expected = Reply(Outcome.NOT_AUTHORITATIVE, has_answer=True, offers_recursion=True)
    assert reply == expected


def test_a_cname_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = answer(monkeypatch, message(answer=f"{NAME}. 600 IN CNAME Target.Example."))
    assert reply.alias_of == "target.example"
    assert not reply.values


def test_a_referral_is_told_with_its_glue(monkeypatch: pytest.MonkeyPatch) -> None:
    given = message(
        "QR",
        authority="example.com. 600 IN NS ns1.alidns.com.\n"
        "example.com. 600 IN NS ns2.example.com.\n"
        f"example.com. 600 IN DS 1 8 2 {'00' * 32}\ncom. 600 IN NS ns3.example.com.",
        additional="ns2.example.com. 600 IN A 192.0.2.7\nns2.example.com. 600 IN AAAA 2001:db8::7\n"
        "other.example. 600 IN A 192.0.2.8",
    )
    reply = answer(monkeypatch, given)
    assert (reply.outcome, reply.zone) == (Outcome.REFERRING, "example.com")
    assert reply.servers == {"ns1.alidns.com": [], "ns2.example.com": ["192.0.2.7", "2001:db8::7"]}


@pytest.mark.parametrize(
    ("rcode", "outcome"),
    [
        ("REFUSED", Outcome.REFUSING),
        ("SERVFAIL", Outcome.FAILING),
        ("NOTAUTH", Outcome.ODD),
    ],
)
def test_each_refusal_has_its_own_name(
    monkeypatch: pytest.MonkeyPatch, rcode: str, outcome: Outcome
) -> None:
    assert answer(monkeypatch, message("QR", rcode)) == Reply(outcome)


def test_of_an_answer_that_was_cut_the_part_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    part = dns.message.from_text(message("QR AA TC", answer=txt('"a"')))
    reply = answer(monkeypatch, dns.message.Truncated(message=part))
    assert reply == Reply(Outcome.CUT, frozenset("a"))


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (dns.exception.Timeout(), Outcome.SILENT),
        (dns.query.BadResponse(), Outcome.ODD),
        (dns.exception.FormError(), Outcome.ODD),
        (EOFError(), Outcome.ODD),
        (ConnectionRefusedError(), Outcome.SILENT),
        (OSError(24, "Too many open files"), Outcome.SILENT),
        (OSError(101, "Network is unreachable"), Outcome.UNREACHABLE),
    ],
)
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_what_went_wrong_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, outcome: Outcome, tcp: bool
) -> None:
    assert answer(monkeypatch, raised, tcp) == Reply(outcome)


def test_a_server_is_shown_with_its_address() -> None:
    assert str(SERVER) == "ns1.alidns.com (192.0.2.1)"
    assert str(NameServer("x", "2001:db8::1", 5353)) == "x (2001:db8::1 port 5353)"
    assert str(NameServer("192.0.2.1", "192.0.2.1")) == "192.0.2.1"


@pytest.mark.parametrize(
    ("name", "is_alidns"),
    [("dns9.hichina.com", True), ("vip1.alidns.com", True), ("alidns.com.evil.example", False)],
)
def test_name_servers_of_alibaba_cloud_are_known_by_their_names(name: str, is_alidns: bool) -> None:
    assert NameServer(name, "192.0.2.1").is_alidns is is_alidns
