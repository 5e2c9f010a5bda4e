"""Let the world's API take calls that are signed the newer way, as newer SDKs of others do.

ACS3-HMAC-SHA256 puts into headers what the older way, which the world knows, puts among the
parameters. Here it is put back, and signed anew; what it costs the caller stays the same.
https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timezone
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from tests.world import Key, World, rpc
from tests.world.webserver import Handler


def accept(world: World, key: Key) -> None:
    """Take calls of either kind from a key."""
    handler: Handler = world.alidns.web._handler

    async def translate(request: web.BaseRequest) -> web.StreamResponse:
        if not request.headers.get("Authorization", "").startswith("ACS3-HMAC-SHA256 "):
            return await handler(request)
        url = f"{request.path}?{urlencode(_parameters(request, key))}"
        return await handler(request.clone(rel_url=url, method="GET"))

    world.alidns.web._handler = translate


def _parameters(request: web.BaseRequest, key: Key) -> dict[str, str]:
    known = re.search(r"Credential=([^,]+),", request.headers["Authorization"])
    parameters = {
        **dict(parse_qsl(urlsplit(request.raw_path).query, keep_blank_values=True)),
        "Action": request.headers["x-acs-action"],
        "Version": request.headers["x-acs-version"],
        "AccessKeyId": known[1] if known else "",
        "Format": "JSON",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": secrets.token_hex(16),
        "Timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {**parameters, "Signature": rpc.signature("GET", parameters, key.secret)}
