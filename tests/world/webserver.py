"""HTTP servers of the world, by aiohttp, in one event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, Callable, TypeVar

from aiohttp import web

T = TypeVar("T")
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class LoopThread:
    """An event loop that other threads hand coroutines to."""

    def __init__(self, name: str = "world-web") -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    def stop(self) -> None:
        self.do(self._cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=10)
        self.loop.close()

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class WebServer:
    """One listening address. Counts connections, and can refuse them or swallow them."""

    def __init__(
        self,
        loop: LoopThread,
        handler: Handler,
        address: str,
        port: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.connections = 0
        self._loop = loop
        self._handler = handler
        self._address = (address, port)
        self._tls = tls
        self._server: web.Server | None = None
        self._listener: asyncio.AbstractServer | None = None
        self._accepted: dict[int, tuple[int, float]] = {}
        self._swallowed: list[asyncio.StreamWriter] = []

    def listen(self) -> None:
        """Serve (again)."""
        self._loop.do(self._listen())

    def refuse_connections(self) -> None:
        """Stop listening and cut the connections that there are."""
        self._loop.do(self._close())

    def black_hole(self) -> None:
        """Accept connections, and never say a word."""
        self._loop.do(self._swallow())

    def connection_of(self, request: web.BaseRequest) -> tuple[int, float]:
        """The connection's number, and when it was accepted."""
        return self._accepted[id(request.protocol)]

    async def _listen(self) -> None:
        await self._close()
        self._server = web.Server(self._handler, access_log=None)
        self._listener = await asyncio.get_running_loop().create_server(
            self._connected, *self._address, ssl=self._tls, reuse_address=True, backlog=512
        )

    def _connected(self) -> asyncio.Protocol:
        assert self._server is not None
        self.connections += 1
        protocol = self._server()
        self._accepted[id(protocol)] = (self.connections, time.monotonic())
        return protocol

    async def _swallow(self) -> None:
        await self._close()

        async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            self._swallowed.append(writer)
            while await reader.read(65536):
                pass

        self._listener = await asyncio.start_server(keep, *self._address, reuse_address=True)

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in self._swallowed:
            writer.transport.abort()
        self._swallowed.clear()
        if self._server is not None:
            await self._server.shutdown(timeout=0.01)
            self._server = None
