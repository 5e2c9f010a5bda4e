"""An HTTP proxy that does CONNECT alone, and notes what it sees.

aiohttp's server does not hand out a tunnel; asyncio's streams do all that one needs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from .webserver import LoopThread

ADDRESS = ("127.0.0.90", 3128)
TLS_HANDSHAKE = 22


class Proxy:
    """`seen` are the requests' first lines; `in_the_clear` are tunnels that held no TLS."""

    def __init__(self, loop: LoopThread, hosts: dict[str, str]) -> None:
        self.url = "http://{}:{}".format(*ADDRESS)
        self.seen: list[str] = []
        self.headers: list[str] = []
        self.in_the_clear: list[str] = []
        self._hosts = hosts
        self._tunnels: set[asyncio.StreamWriter] = set()
        self._loop = loop
        self._server = loop.do(self._listen())

    def cut(self) -> None:
        """Break off all tunnels; new ones are made."""
        self._loop.do(self._cut())

    def stop(self) -> None:
        self._loop.do(self._close())

    async def _listen(self) -> asyncio.AbstractServer:
        return await asyncio.start_server(self._serve, *ADDRESS, reuse_address=True)

    async def _close(self) -> None:
        self._server.close()

    async def _cut(self) -> None:
        for end in self._tunnels:
            end.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            self.seen.append(head[0])
            self.headers += head[1:]
            method, target, _ = head[0].split(" ", 2)
            host, _, port = target.rpartition(":")
            if method != "CONNECT" or host not in self._hosts:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            else:
                await self._tunnel(reader, writer, self._hosts[host], int(port))
        writer.close()

    async def _tunnel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        first = await reader.read(1)
        if first and first[0] != TLS_HANDSHAKE:
            self.in_the_clear.append(host)
        far_writer.write(first)
        ends = {writer, far_writer}
        self._tunnels |= ends
        await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        self._tunnels -= ends


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
