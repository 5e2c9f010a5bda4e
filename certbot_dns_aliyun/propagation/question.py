"""Ask one name server for what it has at one name, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

#: How the names of Alibaba Cloud DNS' name servers end, dns1.hichina.com and ns1.alidns.com.
ALIDNS_NAMES = (".hichina.com", ".alidns.com")
#: And how those begin that take over when a domain has expired, and serve a page that says so.
_EXPIRED = "expirens"

#: Seconds that a name server has to answer.
TIMEOUT = 2.0
#: The largest UDP answer that passes every path (https://www.dnsflagday.net/2020/).
_PAYLOAD = 1232


@dataclass(frozen=True)
class NameServer:
    """One address of an authoritative name server of a zone."""

    name: str
    address: str
    port: int = 53

    @property
    def is_alidns(self) -> bool:
        """Whether its name is one of Alibaba Cloud DNS (https://help.aliyun.com/zh/dns/)."""
        return self.name.endswith(ALIDNS_NAMES) and not self.name.startswith(_EXPIRED)

    def __str__(self) -> str:
        address = self.address if self.port == 53 else f"{self.address} port {self.port}"
        return address if self.name == self.address else f"{self.name} ({address})"


class Outcome(Enum):
    """How a name server took a question."""

    AUTHORITATIVE = "answers with authority"
    REFERRING = "refers to the name servers of a zone below"
    NOT_AUTHORITATIVE = "answers without authority for the zone"
    REFUSING = "refuses or fails to answer"
    SILENT = "does not answer"
    UNREACHABLE = "cannot be reached from here"


@dataclass(frozen=True)
class Reply:
    """What came of a question.

    :ivar values: the TXT values at the name, if the reply was authoritative
    :ivar alias_of: the name's canonical name, if a CNAME stands there (RFC 1034, 3.6.2)
    :ivar zone: the zone that the reply is from, or refers to, where it says so
    :ivar servers: names of the name servers referred to, with the addresses that came along
    """

    outcome: Outcome
    values: frozenset[str] = frozenset()
    alias_of: str | None = None
    zone: str | None = None
    servers: dict[str, list[str]] = field(default_factory=dict)


async def ask(
    server: NameServer,
    name: str,
    kind: dns.rdatatype.RdataType = dns.rdatatype.TXT,
    timeout: float = TIMEOUT,
    tcp: bool = False,
) -> Reply:
    """Ask a name server for the TXT records of a name, from a fresh source port.

    The question is not recursive (RFC 1035, 4.1.1): a server that is not authoritative has nothing
    to look up and to remember. An answer too large for UDP is asked for again over TCP.

    :param kind: TXT, or SOA to learn the name's zone alone
    :param timeout: seconds for the whole question
    :param tcp: ask over TCP at once
    """
    query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD)
    query.flags &= ~dns.flags.RD
    try:
        response = await _exchange(server, query, timeout, tcp)
        if response.rcode() == dns.rcode.FORMERR:  # a server that knows no EDNS (RFC 6891, 7)
            query.use_edns(False)
            response = await _exchange(server, query, timeout, tcp)
    except dns.exception.Timeout:
        return Reply(Outcome.SILENT)
    except (dns.exception.DNSException, EOFError):
        return Reply(Outcome.REFUSING)
    except OSError:
        return Reply(Outcome.UNREACHABLE)
    return _judge(response, dns.name.from_text(name))


async def _exchange(
    server: NameServer, query: dns.message.Message, timeout: float, tcp: bool
) -> dns.message.Message:
    if tcp:
        return await dns.asyncquery.tcp(query, server.address, timeout=timeout, port=server.port)
    response, _ = await dns.asyncquery.udp_with_fallback(
        query, server.address, timeout=timeout, port=server.port, ignore_unexpected=True
    )
    return response


def _judge(response: dns.message.Message, name: dns.name.Name) -> Reply:
    if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Reply(Outcome.REFUSING)
    if not response.flags & dns.flags.AA:
        return _referral(response, name) or Reply(Outcome.NOT_AUTHORITATIVE)
    at_name = [rrset for rrset in response.answer if rrset.name == name]
    values = frozenset(
        b"".join(record.strings).decode("utf-8", "replace")
        for rrset in at_name
        if rrset.rdtype == dns.rdatatype.TXT
        for record in rrset
    )
    aliases = [rrset for rrset in at_name if rrset.rdtype == dns.rdatatype.CNAME]
    alias_of = _text(next(iter(aliases[0])).target) if aliases else None
    # After a CNAME record, the authority section is about its target.
    telling = at_name if at_name else response.authority
    zones = _owners(telling, dns.rdatatype.SOA, name)
    return Reply(Outcome.AUTHORITATIVE, values, alias_of, _text(zones[0]) if zones else None)


def _referral(response: dns.message.Message, name: dns.name.Name) -> Reply | None:
    """Read a referral (RFC 1034, 4.3.1): NS records in the authority section, and glue."""
    zones = _owners(response.authority, dns.rdatatype.NS, name)
    if response.answer or not zones:
        return None
    servers: dict[str, list[str]] = {
        _text(record.target): []
        for rrset in response.authority
        if rrset.rdtype == dns.rdatatype.NS and rrset.name == zones[0]
        for record in rrset
    }
    for rrset in response.additional:
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) and _text(rrset.name) in servers:
            servers[_text(rrset.name)] += [record.address for record in rrset]
    return Reply(Outcome.REFERRING, zone=_text(zones[0]), servers=servers)


def _owners(
    section: list[dns.rrset.RRset], kind: dns.rdatatype.RdataType, name: dns.name.Name
) -> list[dns.name.Name]:
    return [r.name for r in section if r.rdtype == kind and name.is_subdomain(r.name)]


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
