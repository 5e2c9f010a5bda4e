"""One question on its way to a server, and what its answers tell of the distance."""

from __future__ import annotations

from enum import Enum
from typing import Any

import dns.asyncquery
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

#: The largest UDP answer that passes every path (https://www.dnsflagday.net/2020/).
_PAYLOAD = 1232


class Way(Enum):
    """How a question travels to a server."""

    UDP = "UDP"
    TCP = "TCP"
    PLAIN = "UDP without EDNS"


def make_query(
    name: dns.name.Name | str,
    kind: dns.rdatatype.RdataType,
    way: Way,
    unchecked: bool = False,
) -> dns.message.Message:
    """Make the question as it travels on a way; it asks for recursion.

    :param unchecked: ask a resolver for what does not pass DNSSEC, too, and for the signatures
        (RFC 4035, 3.2)
    """
    use_edns = False if way is Way.PLAIN else 0
    flags = dns.flags.RD | (dns.flags.CD if unchecked else 0)
    query = dns.message.make_query(name, kind, use_edns=use_edns, payload=_PAYLOAD, flags=flags)
    if unchecked and query.edns >= 0:
        query.want_dnssec()
    return query


async def exchange(
    query: dns.message.Message,
    address: str,
    port: int,
    timeout: float,
    way: Way,
    backend: Any = None,
) -> dns.message.Message:
    """Send a question from a fresh port, and give its answer.

    Over UDP, what comes from elsewhere, or answers another question, is passed over until the time
    is up (CVE-2023-29483).

    :param timeout: seconds
    :param backend: what makes the UDP socket; None for dnspython's own
    :raises dns.message.Truncated: if the answer was too large for UDP
    :raises dns.exception.DNSException: if there is none in time, or over TCP another one
    :raises EOFError: if a TCP connection ends before it
    :raises OSError: if the address cannot be reached
    """
    if way is Way.TCP:
        return await dns.asyncquery.tcp(query, address, timeout=timeout, port=port)
    return await dns.asyncquery.udp(
        query,
        address,
        timeout=timeout,
        port=port,
        raise_on_truncation=True,
        ignore_unexpected=True,
        ignore_errors=True,
        backend=backend,
    )


class RoundTrip:
    """The time that answers take, smoothed as RFC 6298 does (section 2).

    :ivar mean: seconds; 0 before the first answer
    :ivar deviation: seconds by which they differ from it
    """

    def __init__(self) -> None:
        self.mean = self.deviation = 0.0

    def took(self, seconds: float, way: Way) -> None:
        """Note how long an answer took."""
        seconds /= 2 if way is Way.TCP else 1  # the connection takes a round trip more
        if self.mean:
            self.deviation += (abs(seconds - self.mean) - self.deviation) / 4
            self.mean += (seconds - self.mean) / 8
        else:
            self.mean, self.deviation = max(seconds, 1e-3), seconds / 2
