"""Ask one name server for what it has at one name, once."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from enum import Enum

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from certbot_dns_aliyun.propagation.wire import (
    KNOWS_NO_EDNS,
    MOST_RECORDS,
    TooMuchError,
    Way,
    exchange,
    make_query,
)

#: How the names of Alibaba Cloud DNS' name servers end, dns1.hichina.com and ns1.alidns.com.
ALIDNS_NAMES = (".hichina.com", ".alidns.com")
#: And how those begin that take over when a domain has expired, and serve a page that says so.
_EXPIRED = "expirens"
#: How the names of Alibaba Cloud ESA's name servers end, another product's.
_ESA_NAMES = (".atrustdns.com", ".ialicdn.com")

#: What the system says where nothing leads to an address.
_NO_ROUTE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL}
)


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

    @property
    def is_esa(self) -> bool:
        """Whether its name is one of Alibaba Cloud ESA, which serves zones of its own."""
        return self.name.endswith(_ESA_NAMES)

    def __str__(self) -> str:
        address = self.address if self.port == 53 else f"{self.address} port {self.port}"
        return address if self.name == self.address else f"{self.name} ({address})"


class Outcome(Enum):
    """How a name server took a question."""

    AUTHORITATIVE = "answers with authority"
    REFERRING = "refers to the name servers of a zone below"
    NOT_AUTHORITATIVE = "answers without authority for the zone"
    REFUSING = "refuses to answer (REFUSED)"
    FAILING = "fails to answer (SERVFAIL)"
    ODD = "gives an answer that makes no sense"
    TOO_MUCH = f"gives more than {MOST_RECORDS} records in one answer, which nobody need read"
    CUT = "gives an answer too large for UDP, and none over TCP"
    INTERCEPTED = "is out of reach: something in between answers in its place"
    SILENT = "does not answer"
    UNREACHABLE = "cannot be reached from here"


@dataclass(frozen=True)
class Reply:
    """What came of a question.

    :ivar values: the TXT values at the name, if the reply was authoritative; of an answer that was
        cut, those that were in it
    :ivar alias_of: the name's canonical name, if a CNAME stands there (RFC 1034, 3.6.2)
    :ivar zone: the zone that the reply is from, or refers to, where it says so
    :ivar servers: names of the name servers referred to, with the addresses that came along
    :ivar has_answer: whether there was something in the answer section
    :ivar exists: whether the reply leaves open that there is such a name (RFC 8020)
    :ivar offers_recursion: whether the RA bit was set, which is a resolver's (RFC 1035, 4.1.1)
    """

    outcome: Outcome
    values: frozenset[str] = frozenset()
    alias_of: str | None = None
    zone: str | None = None
    servers: dict[str, list[str]] = field(default_factory=dict)
    has_answer: bool = False
    exists: bool = True
    offers_recursion: bool = False

    @property
    def is_answer(self) -> bool:
        """Whether anything came back that the server itself said, be it a refusal."""
        return self.outcome not in (Outcome.SILENT, Outcome.UNREACHABLE)


async def ask(
    server: NameServer,
    name: str,
    kind: dns.rdatatype.RdataType,
    timeout: float,
    way: Way,
    recursive: bool = False,
) -> Reply:
    """Ask a name server for the records of a name, once, from a fresh source port.

    The question is not recursive (RFC 1035, 4.1.1): a server that is not authoritative has nothing
    to look up and to remember. What comes from elsewhere, or answers another question, is passed
    over until the time is up. Of an answer too large for UDP there is a part.

    :param kind: TXT, or SOA to learn the name's zone alone
    :param timeout: seconds until the answer counts as lost
    :param recursive: ask for recursion, to see whether somebody does that here
    """
    query = make_query(name, kind, way)
    if not recursive:
        query.flags &= ~dns.flags.RD
    try:
        response = await exchange(query, server.address, server.port, timeout, way)
        if response.rcode() in KNOWS_NO_EDNS and query.edns >= 0:
            query.use_edns(False)
            response = await exchange(query, server.address, server.port, timeout, way)
    except dns.message.Truncated as error:
        part = error.message()  # type: ignore[no-untyped-call]
        return Reply(Outcome.CUT, _judge(part, dns.name.from_text(name)).values)
    except dns.exception.Timeout:
        return Reply(Outcome.SILENT)
    except TooMuchError:
        return Reply(Outcome.TOO_MUCH)
    except (dns.exception.DNSException, EOFError):
        return Reply(Outcome.ODD)
    except OSError as error:
        return Reply(Outcome.UNREACHABLE if error.errno in _NO_ROUTE else Outcome.SILENT)
    return _judge(response, dns.name.from_text(name))


def _judge(response: dns.message.Message, name: dns.name.Name) -> Reply:
    has_answer, offers_recursion = bool(response.answer), bool(response.flags & dns.flags.RA)
    outcome = _OUTCOMES.get(response.rcode(), Outcome.ODD)
    zone: str | None = None
    servers: dict[str, list[str]] = {}
    alias_of: str | None = None
    values: frozenset[str] = frozenset()
    if outcome is Outcome.AUTHORITATIVE and not response.flags & dns.flags.AA:
        zone, servers = _referral(response, name)
        outcome = Outcome.REFERRING if zone else Outcome.NOT_AUTHORITATIVE
    elif outcome is Outcome.AUTHORITATIVE:
        at_name = [rrset for rrset in response.answer if rrset.name == name]
        values = frozenset(
            b"".join(record.strings).decode("utf-8", "replace")
            for rrset in at_name
            if rrset.rdtype == dns.rdatatype.TXT
            for record in rrset
        )
        aliases = [rrset for rrset in at_name if rrset.rdtype == dns.rdatatype.CNAME]
        alias_of = text_of(next(iter(aliases[0])).target) if aliases else None
        # After a CNAME record, the authority section is about its target.
        zones = _owners(at_name or response.authority, dns.rdatatype.SOA, name)
        zone = text_of(zones[0]) if zones else None
    # Behind a CNAME, it is the target that does not exist.
    exists = response.rcode() != dns.rcode.NXDOMAIN or has_answer
    return Reply(outcome, values, alias_of, zone, servers, has_answer, exists, offers_recursion)


_OUTCOMES = {
    dns.rcode.NOERROR: Outcome.AUTHORITATIVE,
    dns.rcode.NXDOMAIN: Outcome.AUTHORITATIVE,
    dns.rcode.REFUSED: Outcome.REFUSING,
    dns.rcode.SERVFAIL: Outcome.FAILING,
}


def _referral(
    response: dns.message.Message, name: dns.name.Name
) -> tuple[str | None, dict[str, list[str]]]:
    """Read a referral (RFC 1034, 4.3.1): NS records in the authority section, and glue."""
    zones = _owners(response.authority, dns.rdatatype.NS, name)
    if response.answer or not zones:
        return None, {}
    servers: dict[str, list[str]] = {
        text_of(record.target): []
        for rrset in response.authority
        if rrset.rdtype == dns.rdatatype.NS and rrset.name == zones[0]
        for record in rrset
    }
    for rrset in response.additional:
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) and text_of(rrset.name) in servers:
            servers[text_of(rrset.name)] += [record.address for record in rrset]
    return text_of(zones[0]), servers


def _owners(
    section: list[dns.rrset.RRset], kind: dns.rdatatype.RdataType, name: dns.name.Name
) -> list[dns.name.Name]:
    return [r.name for r in section if r.rdtype == kind and name.is_subdomain(r.name)]


def text_of(name: dns.name.Name) -> str:
    """Give a name in lower case and without a final dot, and with escapes where it is not plain.

    See :func:`certbot_dns_aliyun.names.is_plain`.
    """
    return name.to_text(omit_final_dot=True).lower()
