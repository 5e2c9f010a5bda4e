"""Proxies of the environment: who does not serve is told at once, who dies is got over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.helpers import assert_issued, assert_refused
from tests.world import World, until
from tests.world.alidns import ADDRESS, HOST
from tests.world.proxy import Proxy

pytestmark = pytest.mark.newest


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    made = Proxy(world.loop, {HOST: ADDRESS})
    yield made
    made.stop()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_proxy_that_dies_in_the_midst_of_an_add(world: World, proxy: Proxy, moment: str) -> None:
    hanging = world.alidns.fault("hang", "AddDomainRecord", moment=moment)
    environment = {"HTTPS_PROXY": proxy.url, "NO_PROXY": "localhost"}
    run = world.certbot.start(*world.certonly("example.com"), env=environment)
    until(lambda: hanging.played and (moment == "before" or world.records.made()))
    proxy.cut()
    outcome = run.wait(60)
    assert_issued(outcome, world, "example.com")
    assert len(world.records.made()) == 1
    assert "connection lost (sent, may be done, " in outcome.log_text


@pytest.mark.parametrize(
    ("variable", "address", "words"),
    [
        ("HTTPS_PROXY", '"{}"', "the address of a proxy in HTTPS_PROXY is not valid"),
        ("https_proxy", "https{}", "no TLS connection to the proxy that https_proxy names"),
        ("all_proxy", "socks5h{}", "all_proxy names a SOCKS proxy, for which the Python package"),
    ],
)
def test_a_proxy_that_cannot_serve_is_told_at_once(
    world: World, proxy: Proxy, variable: str, address: str, words: str
) -> None:
    url = proxy.url if address.strip('"') == "{}" else proxy.url[len("http") :]
    environment = {variable: address.format(url), "NO_PROXY": "localhost"}
    outcome = world.issue("example.com", env=environment)
    assert_refused(outcome, "_acme-challenge.example.com could not be added", words)
    assert outcome.seconds < 30
    assert "not sent" in outcome.log_text
