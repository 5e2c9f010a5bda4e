"""What can go wrong between a client and the API, on demand.

A fault with moment "before" keeps the server from acting; with "after" the server acts and
its reply is lost or replaced.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from . import odd_http

KINDS = (
    "code",
    "reset",
    "close",
    "hang",
    "slow",
    "html",
    "empty",
    "not_utf8",
    "scalar",
    "redirect",
    "huge",
    "body",
    *odd_http.KINDS,
)


@dataclass
class Fault:
    """`action`, `zone` and `rr` narrow it down; `skip` lets that many calls pass first;
    `times=None` lasts until the faults are cleared."""

    kind: str
    action: str | None = None
    moment: str = "before"
    times: int | None = 1
    zone: str | None = None
    rr: str | None = None
    skip: int = 0
    code: str = "Throttling.User"
    message: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60.0
    body: Any = b""
    location: str = "https://elsewhere.example/"
    size: int = 10_000_000
    played: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.moment not in ("before", "after"):
            raise ValueError(f"no such fault: {self.kind}, {self.moment}")

    def fits(self, action: str, zone: str | None, rr: str | None) -> bool:
        return (
            self.action in (None, action)
            and self.zone in (None, zone)
            and self.rr in (None, rr)
            and (self.times is None or self.played < self.times)
        )


class Faults:
    """The faults that wait for their call, and those that come at random."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[Fault] = []
        self._probability = 0.0
        self._random = random.Random(0)
        self._at_random: list[Fault] = []
        self.random_count = 0

    def add(self, kind: str, action: str | None = None, **more: Any) -> Fault:
        fault = Fault(kind, action, **more)
        with self._lock:
            self._planned.append(fault)
        return fault

    def at_random(self, probability: float, seed: int, faults: Sequence[Fault]) -> None:
        """Let one of `faults` hit each call with a probability."""
        with self._lock:
            self._probability, self._random = probability, random.Random(seed)
            self._at_random = list(faults)

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()
            self._probability = 0.0

    def take(self, action: str, zone: str | None, rr: str | None) -> Fault | None:
        """The fault that this call meets."""
        with self._lock:
            for fault in self._planned:
                if not fault.fits(action, zone, rr):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.played += 1
                return fault
            if self._probability and self._random.random() < self._probability:
                self.random_count += 1
                return self._random.choice(self._at_random)
        return None


async def play(fault: Fault, request: web.BaseRequest, reply: web.Response) -> web.StreamResponse:
    """Send what the fault makes of a reply. (A `code` fault has made the reply already.)"""
    if fault.kind in ("reset", "close"):
        return _cut(request, reply, gently=fault.kind == "close")
    if fault.kind == "hang":
        await asyncio.sleep(fault.seconds)
        return _cut(request, reply, gently=True)
    if fault.kind == "slow":
        return await _drip(fault, request, reply)
    if fault.kind == "code":
        return reply
    if fault.kind in odd_http.KINDS:
        await odd_http.play(fault.kind, request, reply)
        return reply
    return _replacement(fault)


def _replacement(fault: Fault) -> web.Response:
    status, headers = fault.status, dict(fault.headers)
    if fault.kind == "html":
        page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
        return _response(status or 502, page, "text/html", headers)
    if fault.kind == "redirect":
        return _response(status or 302, b"", "text/html", {"Location": fault.location, **headers})
    bodies = {
        "empty": b"",
        "not_utf8": b'{"Code":"\xff\xfe","Message":"\xc3\x28"}',
        "scalar": b"42",
        "huge": b'{"RequestId":"' + b"A" * (fault.size if fault.kind == "huge" else 0) + b'"}',
    }
    body = bodies.get(fault.kind, fault.body)
    if not isinstance(body, bytes):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return _response(status or 200, body, "application/json;charset=utf-8", headers)


def _response(status: int, body: bytes, kind: str, headers: Mapping[str, str]) -> web.Response:
    return web.Response(status=status, body=body, headers={"Content-Type": kind, **headers})


def _cut(request: web.BaseRequest, reply: web.Response, gently: bool) -> web.Response:
    transport = request.transport
    if transport is not None and gently:
        transport.close()
    elif transport is not None:
        odd_http.reset(transport)
    return reply


async def _drip(fault: Fault, request: web.BaseRequest, reply: web.Response) -> web.StreamResponse:
    body = reply.body if isinstance(reply.body, bytes) else b""
    stream = web.StreamResponse(status=reply.status, headers=reply.headers)
    stream.content_length = len(body)
    await stream.prepare(request)
    for letter in body:
        await asyncio.sleep(fault.seconds / max(1, len(body)))
        await stream.write(bytes([letter]))
    await stream.write_eof()
    return stream
