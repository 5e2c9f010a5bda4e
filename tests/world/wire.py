"""Carries the packets of all DNS servers of a world: one thread, one event loop.

A server gets a `Packet` and may answer it then, later, several times, or never; nobody else is
held up meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Callable

from .webserver import LoopThread

SO_RCVBUFFORCE = 33
BURST = 4_000_000
AT_ONCE = 64
BACKLOG = 512


class Packet:
    """One packet from a client. `first` tells of the first on a TCP connection."""

    __slots__ = ("_send", "data", "first", "port", "source", "transport", "wire")

    def __init__(
        self,
        wire: Wire,
        data: bytes,
        client: Any,
        transport: str,
        send: Callable[[bytes], Any],
        first: bool = True,
    ) -> None:
        self.wire = wire
        self.data = data
        self.source: str = client[0]
        self.port: int = client[1]
        self.transport = transport
        self.first = first
        self._send = send

    def reply(self, data: bytes, after: float = 0.0) -> None:
        """For the thread of the wire; others go by `wire.soon`."""
        if after > 0:
            self.wire.loop.call_later(after, self._reply, data)
        else:
            self._reply(data)

    def _reply(self, data: bytes) -> None:
        with suppress(OSError):
            self._send(data)


Receive = Callable[[Packet], None]


class Wire:
    """`broken` are the exceptions of servers, which are bugs of the world or of a test."""

    def __init__(self) -> None:
        self.broken: list[Exception] = []
        self._thread = LoopThread("world-dns")
        self.loop = self._thread.loop
        self._open: set[Listener] = set()

    def listen(
        self, receive: Receive, address: str, udp: bool = True, tcp: bool = True, port: int = 53
    ) -> Listener:
        """Once this returns, packets are taken; the sockets are bound in the caller's thread."""
        listener = Listener(self, receive, address, udp, tcp, port)
        self._open.add(listener)
        self.soon(listener.open)
        return listener

    def close(self, listeners: Iterable[Listener]) -> None:
        closing = list(listeners)
        self._open.difference_update(closing)
        self._thread.do(_close(closing))

    def stop(self) -> None:
        if not self.loop.is_closed():
            self.close(self._open)
            self._thread.stop()

    def soon(self, do: Callable[..., Any], *arguments: Any) -> None:
        """From any thread. After the end it is of no interest any more."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(do, *arguments)


class Listener:
    """One address, over UDP, TCP or both."""

    def __init__(
        self, wire: Wire, receive: Receive, address: str, udp: bool, tcp: bool, port: int
    ) -> None:
        self._wire = wire
        self._receive = receive
        self._udp = _udp_socket(address, port) if udp else None
        self._tcp = _tcp_socket(address, port) if tcp else None
        self._connections: set[asyncio.BaseTransport] = set()

    def open(self) -> None:
        if self._udp is not None:
            self._wire.loop.add_reader(self._udp, self._read, self._udp)
        if self._tcp is not None:
            self._wire.loop.add_reader(self._tcp, self._accept, self._tcp)

    def close(self) -> None:
        for listening in (self._udp, self._tcp):
            if listening is not None:
                self._wire.loop.remove_reader(listening)
                listening.close()
        for connection in list(self._connections):
            connection.abort()  # type: ignore[attr-defined]

    def take(self, packet: Packet) -> None:
        try:
            self._receive(packet)
        except Exception as error:
            self._wire.broken.append(error)

    def _read(self, udp: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                data, client = udp.recvfrom(65535)
            except OSError:
                return

            def send(data: bytes, client: Any = client) -> None:
                udp.sendto(data, client)

            self.take(Packet(self._wire, data, client, "udp", send))

    def _accept(self, tcp: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, _ = tcp.accept()
            except OSError:
                return
            accepted.setblocking(False)
            connecting = self._wire.loop.connect_accepted_socket(self._connection, accepted)
            task = self._wire.loop.create_task(connecting)
            task.add_done_callback(_look_at)

    def _connection(self) -> _Connection:
        return _Connection(self._wire, self, self._connections)


class _Connection(asyncio.Protocol):
    """A TCP connection; it may carry many questions (RFC 7766), which are answered as they are
    ready."""

    def __init__(
        self, wire: Wire, listener: Listener, connections: set[asyncio.BaseTransport]
    ) -> None:
        self._wire = wire
        self._listener = listener
        self._connections = connections
        self._buffer = bytearray()
        self._first = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._client = transport.get_extra_info("peername")
        self._connections.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                return
            question = bytes(self._buffer[2:end])
            del self._buffer[:end]
            first, self._first = self._first, False
            packet = Packet(self._wire, question, self._client, "tcp", self._send, first)
            self._listener.take(packet)

    def _send(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(len(data).to_bytes(2, "big") + data)


async def _close(listeners: list[Listener]) -> None:
    for listener in listeners:
        listener.close()


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _udp_socket(address: str, port: int) -> socket.socket:
    """With room for a burst of questions; beyond the system's limit for who is really root."""
    made = _socket(address, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BURST)
    with suppress(PermissionError):
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BURST)
    made.bind((address, port))
    return made


def _tcp_socket(address: str, port: int) -> socket.socket:
    made = _socket(address, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    made.listen(BACKLOG)
    return made


def _socket(address: str, kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setblocking(False)
    return made
