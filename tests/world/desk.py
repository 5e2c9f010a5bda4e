"""A small HTTP service of the world: a log of what it was asked, and faults on demand."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .faults import Fault, Faults, play
from .webserver import LoopThread, WebServer


@dataclass
class Asked:
    """One request. `what` is the action, or method and path; `status` is the reply's."""

    what: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    status: int | None = None
    at: float = field(default_factory=time.monotonic)


class Desk:
    """`answer` is for those who derive from it; a fault "before" keeps it from being called."""

    def __init__(
        self, loop: LoopThread, address: str, port: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self.asked: list[Asked] = []
        self.faults = Faults()
        self.broken: list[Exception] = []
        self.tls = tls
        self.web = WebServer(loop, self._handle, address, port, tls)

    def fault(self, kind: str, what: str | None = None, **more: Any) -> Fault:
        """Plan a fault; see faults.Fault for what can be said."""
        return self.faults.add(kind, what, **more)

    def statuses(self) -> list[int | None]:
        return [each.status for each in self.asked]

    async def read(self, request: web.BaseRequest) -> Asked:
        return Asked(f"{request.method} {request.path}", dict(request.query), dict(request.headers))

    async def answer(self, request: web.BaseRequest, asked: Asked) -> web.Response:
        raise NotImplementedError

    def refusal(self, fault: Fault) -> web.Response:
        """What a "code" fault makes of a reply."""
        return web.Response(status=fault.status or 500, text="<html>no</html>")

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            asked = await self.read(request)
            self.asked.append(asked)
            fault = self.faults.take(asked.what, None, None)
            if fault and fault.kind == "code":
                reply = self.refusal(fault)
            else:
                reply = await self.answer(request, asked)
            asked.status = reply.status
            return await play(fault, request, reply) if fault else reply
        except ConnectionError:
            raise
        except Exception as error:
            self.broken.append(error)
            raise
