"""Ask one name server for the TXT records of one name, once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

#: Seconds that a name server has to answer.
TIMEOUT = 2.0
#: The largest UDP answer that passes every path (https://www.dnsflagday.net/2020/).
_PAYLOAD = 1232


class Outcome(Enum):
    """How a name server took a question."""

    AUTHORITATIVE = "answers with authority"
    NOT_AUTHORITATIVE = "answers without authority for the zone"
    REFUSING = "refuses or fails to answer"
    SILENT = "does not answer"
    UNREACHABLE = "cannot be reached from here"


@dataclass(frozen=True)
class Reply:
    """What came of a question: the outcome, and the TXT values if it was authoritative."""

    outcome: Outcome
    values: frozenset[str] = frozenset()


async def ask(address: str, name: str, timeout: float = TIMEOUT, tcp: bool = False) -> Reply:
    """Ask the name server at an address for the TXT records of a name, from a fresh source port.

    The question is not recursive (RFC 1035, 4.1.1): a server that is not authoritative has nothing
    to look up and to remember. An answer too large for UDP is asked for again over TCP.

    :param timeout: seconds for the whole question
    :param tcp: ask over TCP at once
    """
    query = dns.message.make_query(name, dns.rdatatype.TXT, use_edns=0, payload=_PAYLOAD)
    query.flags &= ~dns.flags.RD
    try:
        if tcp:
            response = await dns.asyncquery.tcp(query, address, timeout=timeout)
        else:
            response, _ = await dns.asyncquery.udp_with_fallback(
                query, address, timeout=timeout, ignore_unexpected=True
            )
    except dns.exception.Timeout:
        return Reply(Outcome.SILENT)
    except (dns.exception.DNSException, EOFError):
        return Reply(Outcome.REFUSING)
    except OSError:
        return Reply(Outcome.UNREACHABLE)
    return _judge(response, dns.name.from_text(name))


def _judge(response: dns.message.Message, name: dns.name.Name) -> Reply:
    if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Reply(Outcome.REFUSING)
    if not response.flags & dns.flags.AA:
        return Reply(Outcome.NOT_AUTHORITATIVE)
    values = frozenset(
        b"".join(record.strings).decode("utf-8", "replace")
        for rrset in response.answer
        if rrset.rdtype == dns.rdatatype.TXT and rrset.name == name
        for record in rrset
    )
    return Reply(Outcome.AUTHORITATIVE, values)
