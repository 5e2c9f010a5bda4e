"""One question on its way to a server, and what its answers tell of the distance.

An answer may come from anybody. One that holds more than somebody can use is not read: each record
may be made to cost milliseconds, and a message has room for thousands.
"""

from __future__ import annotations

import socket
import struct
from enum import Enum
from typing import Any

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

#: The largest UDP answer that passes every path (https://www.dnsflagday.net/2020/).
_PAYLOAD = 1232
#: Bytes of the largest that is read; some servers heed no size but the usual one before that day.
_LARGEST_DATAGRAM = 4096
#: What a server says that knows no EDNS, or no version of it (RFC 6891, 7; RFC 2671, 5.3).
KNOWS_NO_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS)
#: Records of an answer that is read: more than any order has names, with the values of others.
MOST_RECORDS = 500

_HEADER = struct.Struct("!6H")
_LENGTH = 2  # bytes that come before a message over TCP


class TooMuchError(dns.exception.DNSException):
    """An answer holds more records than are read."""


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
    is_connected: bool = False,
) -> dns.message.Message:
    """Send a question from a fresh port, and give its answer.

    Over UDP, what comes from elsewhere, or answers another question, is passed over until the time
    is up (CVE-2023-29483). Records of another class than the Internet's are left out.

    :param timeout: seconds
    :param is_connected: use a UDP socket that hears when the port is closed
    :raises dns.message.Truncated: if the answer was too large for UDP
    :raises TooMuchError: if the answer over TCP holds too many records
    :raises dns.exception.DNSException: if there is none in time, or over TCP another one
    :raises EOFError: if a TCP connection ends before it
    :raises OSError: if the address cannot be reached
    """
    more: Any = {"timeout": timeout, "port": port, "backend": _Backend(is_connected)}
    try:
        if way is Way.TCP:
            return _of_the_internet(await dns.asyncquery.tcp(query, address, **more))
        return _of_the_internet(
            await dns.asyncquery.udp(
                query,
                address,
                raise_on_truncation=True,
                ignore_unexpected=True,
                ignore_errors=True,
                **more,
            )
        )
    except dns.message.Truncated as error:
        _of_the_internet(error.message())  # type: ignore[no-untyped-call]
        raise


def _of_the_internet(response: dns.message.Message) -> dns.message.Message:
    for section in (response.answer, response.authority, response.additional):
        section[:] = [rrset for rrset in section if rrset.rdclass == dns.rdataclass.IN]
    return response


#: Loaded now: while the first question is asked the SDK comes in, and beside that it takes longer.
_ASYNCIO = dns.asyncbackend.get_backend("asyncio")


class _Backend(dns.asyncbackend.Backend):  # type: ignore[misc, name-defined]
    """dnspython's own sockets, within bounds."""

    def __init__(self, is_connected: bool) -> None:
        self._is_connected = is_connected

    def datagram_connection_required(self) -> bool:
        return self._is_connected

    async def make_socket(self, family: int, kind: int, *given: Any, **more: Any) -> Any:
        made = await _ASYNCIO.make_socket(family, kind, *given, **more)  # type: ignore[no-untyped-call]
        return _Datagrams(made) if kind == socket.SOCK_DGRAM else _Stream(made)


class _Bounded:
    """A socket of dnspython's, but for what it receives."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._inner.close()


class _Datagrams(_Bounded):
    async def recvfrom(self, size: int, timeout: float | None) -> tuple[bytes, Any]:
        """Receive one; of one that is too large, nothing, which is passed over as garbage is."""
        data, source = await self._inner.recvfrom(size, timeout)
        return (data if len(data) <= _LARGEST_DATAGRAM else b""), source


class _Stream(_Bounded):
    _head = b""

    async def recv(self, size: int, timeout: float | None) -> bytes:
        """Receive a part of the one message.

        :raises TooMuchError: once it says that too many records are to come
        """
        data: bytes = await self._inner.recv(size, timeout)
        whole = _LENGTH + _HEADER.size
        if len(self._head) < whole:
            self._head += data[: whole - len(self._head)]
            is_known = len(self._head) == whole
            if is_known and sum(_HEADER.unpack_from(self._head, _LENGTH)[3:]) > MOST_RECORDS:
                raise TooMuchError
        return data


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
