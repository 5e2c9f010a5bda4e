"""The metadata service of an ECS instance, in its hardened mode: without a token (IMDSv2) no data.

And the same key on a page of its own, which is all that a credentials URI is.
"""

from __future__ import annotations

import subprocess
import time

from aiohttp import web

from .alidns import AlidnsServer
from .desk import Asked, Desk
from .ram import random_text
from .sts import Role, Session
from .webserver import LoopThread

ADDRESS = "100.100.100.200"
TOKEN = "/latest/api/token"
KEYS = "/latest/meta-data/ram/security-credentials/"
SIX_HOURS = 6 * 3600.0


class Metadata(Desk):
    """`role` is the instance's; None where it has none."""

    def __init__(self, loop: LoopThread, alidns: AlidnsServer, role: Role | None) -> None:
        super().__init__(loop, ADDRESS, 80)
        self.role = role
        self.tokens: dict[str, float] = {}
        self._alidns = alidns

    def plug_in(self) -> None:
        """Make this machine an ECS instance."""
        _ip("address", "replace", f"{ADDRESS}/32", "dev", "lo")
        self.web.listen()

    def unplug(self) -> None:
        self.web.refuse_connections()
        _ip("address", "delete", f"{ADDRESS}/32", "dev", "lo")

    async def answer(self, request: web.BaseRequest, asked: Asked) -> web.Response:
        if request.path == TOKEN:
            return self._token(request)
        token = request.headers.get("X-aliyun-ecs-metadata-token", "")
        if self.tokens.get(token, 0.0) < time.monotonic():
            return web.Response(status=403, text="<html>hardened: a token is needed</html>")
        if self.role and request.path == KEYS:
            return web.Response(text=self.role.name)
        if self.role and request.path == KEYS + self.role.name:
            return page(self._alidns, self.role)
        return web.Response(status=404, text="<html>404 - Not Found</html>")

    def _token(self, request: web.BaseRequest) -> web.Response:
        seconds = request.headers.get("X-aliyun-ecs-metadata-token-ttl-seconds", "")
        if request.method != "PUT" or not seconds.isdigit():
            return web.Response(status=400, text="")
        token = random_text(40) + "="
        self.tokens[token] = time.monotonic() + int(seconds)
        return web.Response(text=token)


class CredentialsUri(Desk):
    """A page with a key of a role, as a side-car of a container serves it."""

    HOST, PORT = "127.0.0.1", 8099

    def __init__(self, loop: LoopThread, alidns: AlidnsServer, role: Role) -> None:
        super().__init__(loop, self.HOST, self.PORT)
        self.role = role
        self.path = "/key/" + random_text(12)
        self._alidns = alidns

    @property
    def uri(self) -> str:
        return f"http://{self.HOST}:{self.PORT}{self.path}"

    async def answer(self, request: web.BaseRequest, asked: Asked) -> web.Response:
        if request.path != self.path:
            return web.Response(status=404, text="")
        return page(self._alidns, self.role)


def page(alidns: AlidnsServer, role: Role) -> web.Response:
    """The current key of a role: the same one until it is near its end, or at it."""
    lasting = [
        each
        for each in role.sessions
        if each.expires > time.time() + 1 and (each.token_expires or 0.0) > time.monotonic()
    ]
    session: Session = lasting[-1] if lasting else role.begin_session(SIX_HOURS)
    alidns.add_key(session)
    return web.json_response({"Code": "Success", **session.told()})


def _ip(*command: str) -> None:
    subprocess.run(["ip", *command], check=True, capture_output=True)
