"""Let's Encrypt's own addresses, for --staging and --dry-run, and for commands without --server.

Behind them is the CA in here. It may refuse there for reasons of its own, as Pebble never does.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import Any, Callable, Optional

import aiohttp
from aiohttp import web

from .ca import Ca, certificates
from .webserver import LoopThread, WebServer

ADDRESS = "127.0.0.14"
HOSTS = ("acme-v02.api.letsencrypt.org", "acme-staging-v02.api.letsencrypt.org")
#: Its real directory.
DIRECTORY = f"https://{HOSTS[0]}/directory"
#: What CAA records call it (RFC 8555, 9.7.6).
CAA_IDENTITY = "letsencrypt.org"
PREFIX = "urn:ietf:params:acme:error:"

_HOP_BY_HOP = ("content-length", "transfer-encoding", "connection", "content-encoding")


@dataclass(frozen=True)
class Problem:
    """Why a CA refuses (RFC 8555, 6.7): the type without its prefix, and words for a person."""

    type: str
    detail: str = "because"


#: What a CA has against a name; None for nothing.
Refuses = Callable[[str], Optional[Problem]]


class LetsEncrypt:
    """Hands everything on to the CA, and changes what that says.

    `refuses` is asked about each name that has been validated, or has failed to be."""

    def __init__(self, ca: Ca, loop: LoopThread, tls: ssl.SSLContext) -> None:
        self.refuses: Refuses = lambda name: None
        self._ca = ca
        self._server = WebServer(loop, self._answer, ADDRESS, 443, tls)
        self._server.listen()

    def stop(self) -> None:
        self._server.refuse_connections()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        path = "/dir" if request.path == "/directory" else request.path_qs
        trust = ssl.create_default_context()
        certificates().configure_trust(trust)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                self._ca.url.rpartition("/")[0] + path,
                headers={key: value for key, value in request.headers.items() if key != "TE"},
                data=await request.read(),
                ssl=trust,
                server_hostname="localhost",
            ) as answer,
        ):
            body = await answer.read()
            headers = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
            if path == "/dir":
                body = self._introduce(body)
            elif path.lower().startswith("/authz/") and answer.status == 200:
                body = self._judge(body)
            return web.Response(status=answer.status, headers=headers, body=body)

    def _introduce(self, body: bytes) -> bytes:
        directory: dict[str, Any] = json.loads(body)
        directory.setdefault("meta", {})["caaIdentities"] = [CAA_IDENTITY]
        return json.dumps(directory).encode()

    def _judge(self, body: bytes) -> bytes:
        authorization: dict[str, Any] = json.loads(body)
        done = authorization["status"] in ("valid", "invalid")
        problem = self.refuses(authorization["identifier"]["value"]) if done else None
        if problem is None:
            return body
        authorization["status"] = "invalid"
        for challenge in authorization["challenges"]:
            if challenge["type"] == "dns-01":
                error = {"type": PREFIX + problem.type, "detail": problem.detail, "status": 403}
                challenge.update(status="invalid", error=error)
        return json.dumps(authorization).encode()
