"""Whether a known vulnerability comes along with the wheel: what `pip-audit` asks PyPI.

Where PyPI's own pages cannot be reached (a mirror serves the files alone), the test is skipped.
"""

from __future__ import annotations

import http.server
import importlib.metadata
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.packaging.test_systems import canonical, required

PYPI = "https://pypi.org"
NEWEST = max(
    (Path(__file__).parents[2] / "build").glob("certbot-*/lib/python3*/site-packages"),
    key=lambda path: [int(n) for n in path.parents[2].name.split("-")[1].split(".")],
)


def known(index: str, name: str, version: str) -> list[str]:
    """The vulnerabilities of a release that are not withdrawn, and where each is mended."""
    reply = requests.get(f"{index}/pypi/{name}/{version}/json", timeout=20)
    reply.raise_for_status()
    found: list[dict[str, Any]] = reply.json()["vulnerabilities"]
    return [
        f"{each['id']} (mended in {each['fixed_in']})" for each in found if not each["withdrawn"]
    ]


def installed() -> dict[str, str]:
    """What a user gets who installs the wheel today."""
    names = {"certbot"} | {r.name for r in required("certbot-dns-aliyun", "3.12", set())}
    wanted = {canonical(name) for name in names}
    found = {
        canonical(each.metadata["Name"]): each.version
        for each in importlib.metadata.distributions(path=[str(NEWEST)])
    }
    return {name: version for name, version in found.items() if name in wanted}


@pytest.fixture
def index() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            old = {"id": "PYSEC-1", "fixed_in": ["2"], "withdrawn": None}
            none = {"id": "PYSEC-2", "fixed_in": [], "withdrawn": "2026-01-01T00:00:00Z"}
            body = {"vulnerabilities": [old, none] if self.path == "/pypi/thing/1/json" else []}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_vulnerability_would_be_noticed(index: str) -> None:
    assert known(index, "thing", "1") == ["PYSEC-1 (mended in ['2'])"]
    assert known(index, "thing", "2") == []


def test_what_the_wheel_installs_has_no_known_vulnerability() -> None:
    releases = installed()
    assert {"dnspython", "requests", "aliyun-python-sdk-core"} <= set(releases)
    try:
        known(PYPI, "certbot", releases["certbot"])
    except (OSError, ValueError, KeyError) as error:
        pytest.skip(f"PyPI's list of vulnerabilities cannot be asked here ({error})")
    found = {name: known(PYPI, name, version) for name, version in releases.items()}
    assert not {name: ids for name, ids in found.items() if ids}
