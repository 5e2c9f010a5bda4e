"""Takes from the CA what a lineage has proven, so that its renewal has to prove it again.

Pebble reuses one authorization in a hundred even when it is told to reuse none.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import josepy
from acme import client, errors, messages

_URL = re.compile(r"(https://[\w.:-]+)/authZ/[\w-]+")
_TRIES = 5


class Authorizations:
    def __init__(self, ca_bundle: Path) -> None:
        self._ca_bundle = ca_bundle
        self._done: set[str] = set()

    def deactivate(self, accounts: Path, logs: Path) -> None:
        """Deactivates all authorizations that Certbot's logs name (RFC 8555, 7.5.2)."""
        texts = [log.read_text(errors="replace") for log in logs.glob("*.log*")]
        named = {match[0]: match[1] for text in texts for match in _URL.finditer(text)}
        for file in accounts.glob("**/regr.json"):
            account = messages.RegistrationResource.from_json(json.loads(file.read_text()))
            urls = {url for url in named.keys() - self._done if account.uri.startswith(named[url])}
            if urls:
                key = josepy.JWK.json_loads((file.parent / "private_key.json").read_text())
                net = client.ClientNetwork(key, account, verify_ssl=str(self._ca_bundle))
                for url in urls:
                    _deactivate(net, url, f"{named[url]}/nonce-plz")
                self._done |= urls


def _deactivate(net: client.ClientNetwork, url: str, new_nonce_url: str) -> None:
    for _ in range(_TRIES):
        # One that is not valid cannot be deactivated, nor reused.
        with contextlib.suppress(errors.ClientError, messages.Error):
            body = messages.UpdateAuthorization(status="deactivated")
            net.post(url, body, new_nonce_url=new_nonce_url)
            return
