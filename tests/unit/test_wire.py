"""Answers as they come from a socket: what holds more than anybody can use is not read."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import Any, Callable

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply, ask
from certbot_dns_aliyun.propagation.wire import (
    RoundTrip,
    TooMuchError,
    Way,
    _Datagrams,
    _Stream,
    exchange,
    make_query,
)

NAME = "_acme-challenge.example.com"
ADDRESS = "127.0.0.1"
#: Gives the packets with which a question is answered.
Answer = Callable[[dns.message.Message], list[bytes]]


def texts(query: dns.message.Message, count: int, length: int = 43) -> bytes:
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    values = [f'"{number:0{length}}"' for number in range(count)]
    response.answer.append(dns.rrset.from_text_list(f"{NAME}.", 60, "IN", "TXT", values))
    return response.to_wire(max_size=65535)


def expensive(query: dns.message.Message) -> list[bytes]:
    """One message of 64 KB, in which each record has two names of 126 labels."""
    head = bytearray(dns.message.make_response(query).to_wire())
    pointer = (0xC000 | len(head) + 12).to_bytes(2, "big")
    name = b"\x01a" * 126 + b"\0"
    first = b"\0\0\x0a\0\x01\0\0\0\0" + (len(name) + 1).to_bytes(2, "big") + b"\0" + name
    count = (65535 - len(head) - len(first)) // 14
    head[6:8] = (count + 1).to_bytes(2, "big")
    head[10:12] = bytes(2)
    return [
        bytes(head) + first + (pointer + b"\0\x05\0\x01\0\0\0\0\0\x02" + pointer) * count,
    ]


def reply_over_tcp(answer: Answer) -> Reply:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        for data in answer(dns.message.from_wire(await reader.readexactly(length))):
            writer.write(len(data).to_bytes(2, "big") + data)
        await writer.drain()
        writer.close()

    async def exchange() -> Reply:
        listening = await asyncio.start_server(serve, ADDRESS, 0)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            server = NameServer("ns", ADDRESS, port)
            return await ask(server, NAME, dns.rdatatype.TXT, 2.0, Way.TCP)

    return asyncio.run(exchange())


def reply_over_udp(answer: Answer, way: Way = Way.UDP) -> Reply:
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, source: Any) -> None:
            for packet in answer(dns.message.from_wire(data)):
                self.transport.sendto(packet, source)

    async def exchange() -> Reply:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Server, (ADDRESS, 0))
        try:
            port = transport.get_extra_info("sockname")[1]
            return await ask(NameServer("ns", ADDRESS, port), NAME, dns.rdatatype.TXT, 1.0, way)
        finally:
            transport.close()

    return asyncio.run(exchange())


@pytest.mark.parametrize("unchecked", [False, True])
@pytest.mark.parametrize("way", list(Way))
def test_a_question_tells_the_size_that_passes_and_wants_signatures_only_where_asked_to(
    way: Way, unchecked: bool
) -> None:
    query = make_query(NAME, dns.rdatatype.TXT, way, unchecked)
    flags = dns.flags.RD | dns.flags.CD if unchecked else dns.flags.RD
    assert query.flags == flags
    plain = (-1, 0, 0)
    edns = (0, 1232, dns.flags.DO if unchecked else 0)
    assert (query.edns, query.payload, query.ednsflags) == (plain if way is Way.PLAIN else edns)
    if not unchecked:
        assert make_query(NAME, dns.rdatatype.TXT, way).to_wire()[2:] == query.to_wire()[2:]


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS])
@pytest.mark.parametrize("way", list(Way))
def test_who_knows_no_edns_is_asked_without_it_the_same_way(
    way: Way, rcode: dns.rcode.Rcode
) -> None:
    asked = []

    def answer(query: dns.message.Message) -> list[bytes]:
        asked.append(query.edns)
        if query.edns < 0:
            return [texts(query, 1)]
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        return [response.to_wire()]

    reply = reply_over_tcp(answer) if way is Way.TCP else reply_over_udp(answer, way)
    assert reply.outcome is Outcome.AUTHORITATIVE
    assert len(reply.values) == 1
    assert asked == ([-1] if way is Way.PLAIN else [0, -1])


@pytest.mark.parametrize("is_connected", [True, False])
def test_only_a_socket_that_is_connected_hears_that_a_port_is_closed(is_connected: bool) -> None:
    """Who answers for a name server from another address is heard by none of them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind((ADDRESS, 0))
        port = closed.getsockname()[1]
    query = make_query(NAME, dns.rdatatype.TXT, Way.UDP)
    more = {"is_connected": True} if is_connected else {}
    error = ConnectionRefusedError if is_connected else dns.exception.Timeout
    with pytest.raises(error):
        asyncio.run(exchange(query, ADDRESS, port, 0.3, Way.UDP, **more))


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize(
    ("kind", "data"),
    [(dns.rdatatype.AAAA, bytes(16)), (dns.rdatatype.A, b"\1x\0\x12\x34")],
)
def test_records_of_another_class_are_none(
    kind: dns.rdatatype.RdataType, data: bytes, is_cut: bool
) -> None:
    """Those of CH have no addresses, or other ones than those of the Internet."""

    def answer(query: dns.message.Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.authority.append(dns.rrset.from_text(f"{NAME}.", 60, "IN", "NS", f"ns.{NAME}."))
        response.additional += [
            dns.rrset.from_text(f"ns.{NAME}.", 60, "IN", "A", "192.0.2.7"),
            dns.rrset.from_rdata(
                f"ns.{NAME}.",
                60,
                dns.rdata.GenericRdata(dns.rdataclass.CH, kind, data),
            ),
        ]
        response.flags |= dns.flags.TC if is_cut else 0
        return [response.to_wire()]

    reply = reply_over_udp(answer)
    assert reply.outcome is (Outcome.CUT if is_cut else Outcome.REFERRING)
    assert reply.servers == ({} if is_cut else {f"ns.{NAME}": ["192.0.2.7"]})
    if not is_cut:
        assert reply_over_tcp(answer) == reply


@pytest.mark.parametrize("count", [1, 499])
def test_as_many_values_as_any_order_needs_are_read(count: int) -> None:
    reply = reply_over_tcp(lambda query: [texts(query, count)])
    assert (reply.outcome, len(reply.values)) == (Outcome.AUTHORITATIVE, count)


@pytest.mark.parametrize("count", [502, 900])
def test_more_are_not(count: int) -> None:
    assert reply_over_tcp(lambda query: [texts(query, count)]).outcome is Outcome.TOO_MUCH


def test_an_answer_that_takes_seconds_to_read_is_not_read() -> None:
    began = time.process_time()
    assert reply_over_tcp(expensive).outcome is Outcome.TOO_MUCH
    assert time.process_time() - began < 2.0


def test_a_datagram_beyond_all_sizes_is_passed_over() -> None:
    reply = reply_over_udp(lambda query: [texts(query, 90), texts(query, 1), texts(query, 2)])
    assert len(reply.values) in (1, 2)  # what comes while nobody listens for a moment may be lost


def test_one_that_is_larger_than_asked_for_is_read() -> None:
    assert len(reply_over_udp(lambda query: [texts(query, 40)]).values) == 40


class Pieces:
    """A socket that receives what it is given, in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    async def recv(self, size: int, timeout: float | None) -> bytes:
        assert (size, timeout) == (65535, 2.0)
        return self.pieces.pop(0)

    async def recvfrom(self, size: int, timeout: float | None) -> tuple[bytes, str]:
        return await self.recv(size, timeout), "192.0.2.1"


def over_a_stream(*pieces: bytes) -> bytes:
    async def receive() -> bytes:
        stream = _Stream(Pieces(*pieces))
        return b"".join([await stream.recv(65535, 2.0) for _ in pieces])

    return asyncio.run(receive())


@pytest.mark.parametrize("size", [1, 2, 3, 14, 15])
@pytest.mark.parametrize("counts", [(500, 0, 0), (0, 500, 0), (0, 0, 500), (100, 200, 200)])
def test_the_records_are_counted_however_the_message_comes(
    size: int, counts: tuple[int, int, int]
) -> None:
    """Those of all sections but the questions; what comes after the header may look like one."""

    def pieces(*counts: int) -> list[bytes]:
        message = b"\0\x40" + struct.pack("!6H", 1, 0, 999, *counts) + b"\xff" * 50
        return [message[at : at + size] for at in range(0, len(message), size)]

    assert over_a_stream(*pieces(*counts)) == b"".join(pieces(*counts))
    with pytest.raises(TooMuchError):
        over_a_stream(*pieces(*counts[:2], counts[2] + 1))


@pytest.mark.parametrize(("size", "read"), [(4096, 4096), (4097, 0)])
def test_a_datagram_of_the_greatest_size_is_read(size: int, read: int) -> None:
    data, source = asyncio.run(_Datagrams(Pieces(bytes(size))).recvfrom(65535, 2.0))
    assert (len(data), source) == (read, "192.0.2.1")


@pytest.mark.parametrize(
    ("way", "unchecked", "edns", "flags"),
    [
        (Way.UDP, False, 0, "RD"),
        (Way.TCP, False, 0, "RD"),
        (Way.PLAIN, False, -1, "RD"),
        (Way.UDP, True, 0, "RD CD"),
        (Way.PLAIN, True, -1, "RD CD"),
    ],
)
def test_the_question_as_it_travels(way: Way, unchecked: bool, edns: int, flags: str) -> None:
    query = make_query(NAME, dns.rdatatype.MX, way, unchecked)
    assert query.question[0].to_text() == f"{NAME}. IN MX"
    assert (query.edns, dns.flags.to_text(query.flags)) == (edns, flags)
    assert query.payload == (1232 if edns == 0 else 0)
    assert bool(query.ednsflags & dns.flags.DO) == (unchecked and edns == 0)


def test_the_round_trip_is_smoothed_as_the_rfc_has_it() -> None:
    trip = RoundTrip()
    assert (trip.mean, trip.deviation) == (0, 0)
    trip.took(0.2, Way.UDP)
    assert (trip.mean, trip.deviation) == pytest.approx((0.2, 0.1))
    trip.took(0.4, Way.PLAIN)
    assert (trip.mean, trip.deviation) == pytest.approx((0.225, 0.125))
    trip.took(0.45, Way.TCP)
    assert (trip.mean, trip.deviation) == pytest.approx((0.225, 0.09375))


def test_an_answer_in_no_time_is_an_answer() -> None:
    trip = RoundTrip()
    trip.took(0.0, Way.UDP)
    assert (trip.mean, trip.deviation) == (0.001, 0)
