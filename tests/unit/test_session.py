"""The one HTTP session: TLS, and what it keeps to itself."""

from __future__ import annotations

import logging
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from certbot_dns_aliyun import https
from certbot_dns_aliyun.journeys import CONNECTIONS


@pytest.fixture
def session() -> Iterator[requests.Session]:
    https._make_session.cache_clear()
    yield https.session()
    https._make_session.cache_clear()


def test_there_is_one_session_for_all_lineages(session: requests.Session) -> None:
    assert https.session() is session


def test_tls_is_1_2_or_newer_and_verified() -> None:
    context = https._tls()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_connections_are_bounded_and_nothing_is_repeated_behind_our_back(
    session: requests.Session,
) -> None:
    adapter = session.get_adapter("https://alidns.aliyuncs.com/")
    assert isinstance(adapter, requests.adapters.HTTPAdapter)
    assert adapter.max_retries.total == 0
    pool = adapter.poolmanager.connection_from_url("https://alidns.aliyuncs.com/")
    assert pool.pool is not None
    assert pool.pool.maxsize == CONNECTIONS <= 12


def test_netrc_is_not_read(
    session: requests.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    prepared = session.prepare_request(requests.Request("POST", "https://alidns.aliyuncs.com/"))
    assert "Authorization" not in prepared.headers


def test_no_cookie_is_kept(session: requests.Session) -> None:
    cookie = requests.cookies.create_cookie("name", "value", domain="alidns.aliyuncs.com")
    session.cookies.set_cookie_if_ok(
        cookie,
        requests.cookies.MockRequest(  # type: ignore[no-untyped-call]
            requests.Request("POST", "https://alidns.aliyuncs.com/").prepare()
        ),
    )
    assert not list(session.cookies)


def test_what_the_sdk_logs_goes_nowhere(session: requests.Session) -> None:
    seen: list[logging.LogRecord] = []
    # Certbot's log hangs on the root logger; caplog sees more than that.
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        logging.getLogger("aliyunsdkcore.client").error("SecurityToken")
        logging.getLogger("certbot_dns_aliyun.tests").error("something else")
    finally:
        logging.getLogger().removeHandler(handler)
    assert [record.name for record in seen] == ["certbot_dns_aliyun.tests"]


def test_loading_the_plugin_imports_nothing_that_costs_time() -> None:
    program = (
        "import sys, certbot.plugins.dns_common\n"
        "before = set(sys.modules)\n"
        "import certbot_dns_aliyun.dns_aliyun\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    ).stdout.split()
    costly = ("aliyunsdk", "dns.", "dns", "requests", "tenacity", "asyncio", "zope.interface")
    assert "certbot_dns_aliyun.dns_aliyun" in loaded
    assert not [m for m in loaded if m.startswith(costly) or m == "dns"]
