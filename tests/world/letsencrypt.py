"""Let's Encrypt's own addresses, which lead to the CA in here: for --staging and --dry-run, and
for commands without --server."""

from __future__ import annotations

import ssl

from aiohttp import web

from .webserver import LoopThread, WebServer

ADDRESS = "127.0.0.14"
HOSTS = ("acme-v02.api.letsencrypt.org", "acme-staging-v02.api.letsencrypt.org")


def lead_to(directory: str, loop: LoopThread, tls: ssl.SSLContext) -> WebServer:
    """A server that sends those who ask for the directory to the CA's."""

    async def redirect(_: web.BaseRequest) -> web.Response:
        return web.Response(status=307, headers={"Location": directory})

    server = WebServer(loop, redirect, ADDRESS, 443, tls)
    server.listen()
    return server
