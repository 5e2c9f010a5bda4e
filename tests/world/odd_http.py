"""What a server does below HTTP, or within it, once it has a request: break TLS, break off the
reply, or go on for ever.

Written to the transport, past aiohttp, which would not do such things.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Any, Callable

from aiohttp import web

#: Seconds between two pieces of what never ends: below each time-out for one of them.
PAUSE = 0.2


async def play(kind: str, request: web.BaseRequest, reply: web.Response) -> None:
    transport: Any = request.transport
    if transport is None:
        return
    act = BREAKS.get(kind)
    if act is not None:
        act(transport, _written(reply))
        await asyncio.sleep(PAUSE)  # or aiohttp would write the reply, too
        return
    for piece in ENDLESS[kind](reply):
        if transport.is_closing():
            return
        transport.write(piece)
        await asyncio.sleep(PAUSE)


def reset(transport: Any) -> None:
    sock: socket.socket = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _alert(transport: Any, reply: bytes) -> None:
    """A fatal alert, encrypted as it should be: OpenSSL's own, about a record that is none."""
    tls = transport._ssl_protocol
    tls._incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    with contextlib.suppress(ssl.SSLError):
        tls._sslobj.read(1)
    tls._transport.write(tls._outgoing.read())
    tls._transport.close()


def _plain(transport: Any, reply: bytes) -> None:
    """A reply in the clear on a connection with TLS, as of a load balancer whose other end fell."""
    below = transport._ssl_protocol._transport
    below.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    below.close()


def _ragged(transport: Any, reply: bytes) -> None:
    """The end of the connection without the end of TLS on it (close_notify)."""
    transport._ssl_protocol._transport.close()


def _half(transport: Any, reply: bytes) -> None:
    transport.write(reply[:-10])
    transport.close()


def _half_ragged(transport: Any, reply: bytes) -> None:
    transport.write(reply[:-10])
    _ragged(transport, reply)


def _half_reset(transport: Any, reply: bytes) -> None:
    transport.write(reply[:-10])
    asyncio.get_running_loop().call_later(0.1, reset, transport)


BREAKS: dict[str, Callable[[Any, bytes], None]] = {
    "alert": _alert,
    "plain": _plain,
    "ragged": _ragged,
    "half": _half,
    "half_ragged": _half_ragged,
    "half_reset": _half_reset,
}


def _continues(reply: web.Response) -> Iterator[bytes]:
    return itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n")


def _headers(reply: web.Response) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-A: "
    yield from itertools.repeat(b"a")


def _extensions(reply: web.Response) -> Iterator[bytes]:
    yield CHUNKED + b"1"
    yield from itertools.repeat(b";a")


def _trailers(reply: web.Response) -> Iterator[bytes]:
    body = reply.body if isinstance(reply.body, bytes) else b""
    yield CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(body), body)
    for number in itertools.count():
        yield b"X-%d: a\r\n" % number


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS: dict[str, Callable[[web.Response], Iterator[bytes]]] = {
    "continues": _continues,
    "headers": _headers,
    "extensions": _extensions,
    "trailers": _trailers,
}

KINDS = (*BREAKS, *ENDLESS)


def _written(reply: web.Response) -> bytes:
    """A reply as it goes over the wire."""
    body = reply.body if isinstance(reply.body, bytes) else b""
    head = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    return (
        f"HTTP/1.1 {reply.status} OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
