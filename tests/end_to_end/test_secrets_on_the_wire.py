"""What goes over the wire, to whom, and under which protection."""

from __future__ import annotations

import signal
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.end_to_end.helpers import assert_issued, assert_refused, screen
from tests.world import World, present_certificate, until
from tests.world.alidns import ADDRESS, HOST
from tests.world.proxy import Proxy

pytestmark = pytest.mark.newest


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    made = Proxy(world.loop, {HOST: ADDRESS})
    yield made
    made.stop()


def test_a_proxy_sees_the_name_of_the_host_and_no_more(world: World, proxy: Proxy) -> None:
    environment = {"HTTPS_PROXY": proxy.url, "NO_PROXY": "localhost"}
    outcome = world.issue("example.com", "*.example.com", env=environment)
    assert_issued(outcome, world, "example.com", "*.example.com")
    assert set(proxy.seen) == {f"CONNECT {HOST}:443 HTTP/1.1"} or set(proxy.seen) == {
        f"CONNECT {HOST}:443 HTTP/1.0"
    }
    assert not proxy.in_the_clear
    world.scan.check(*proxy.headers)
    assert len(proxy.seen) == world.alidns.connections


def test_a_host_in_no_proxy_is_reached_directly(world: World, proxy: Proxy) -> None:
    environment = {"HTTPS_PROXY": proxy.url, "NO_PROXY": "localhost,.aliyuncs.com"}
    assert_issued(world.issue("example.com", env=environment), world, "example.com")
    assert not proxy.seen


def test_an_authority_named_in_requests_ca_bundle_is_trusted(world: World, tmp_path: Path) -> None:
    inspector = trustme.CA()
    present_certificate(world.alidns.tls, HOST, authority=inspector)
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(world.ca.bundle.read_bytes() + inspector.cert_pem.bytes())
    environment = {"REQUESTS_CA_BUNDLE": str(bundle)}
    assert_issued(world.issue("example.com", env=environment), world, "example.com")


@pytest.mark.parametrize(
    ("host", "common_name"),
    [("*.com", None), ("someone@example.com", HOST)],
    ids=["a wildcard too wide", "the common name alone"],
)
def test_a_certificate_for_another_host_is_refused(
    world: World, host: str, common_name: str | None
) -> None:
    present_certificate(world.alidns.tls, host, common_name=common_name)
    outcome = world.issue("example.com")
    assert_refused(outcome, HOST, "certificate")
    assert not world.alidns.calls


def test_nothing_is_sent_over_tls_older_than_1_2(world: World) -> None:
    tls = world.alidns.tls
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    run = world.certbot.start(*world.certonly("example.com"))
    until(lambda: world.alidns.connections >= 2 or not run.running())
    run.send(signal.SIGINT)
    assert not run.wait(30).ok
    assert not world.alidns.calls


def test_every_call_is_over_tls_1_2_or_newer_and_names_the_host(world: World) -> None:
    world.alidns.tls.maximum_version = ssl.TLSVersion.TLSv1_2
    assert_issued(world.issue("example.com"), world, "example.com")
    assert {(call.tls, call.sni) for call in world.alidns.calls} == {("TLSv1.2", HOST)}


def test_a_redirect_is_not_followed(world: World) -> None:
    elsewhere = "https://elsewhere.example/"
    for action in ("AddDomainRecord", "DeleteDomainRecord"):
        world.alidns.fault("redirect", action, location=elsewhere)
        world.alidns.fault("redirect", action, status=307, location=elsewhere)
    assert_issued(world.issue("example.com"), world, "example.com")
    assert not world.resolver.asked("elsewhere.example")


def test_no_entry_of_netrc_is_sent(world: World) -> None:
    netrc = world.certbot.home / ".netrc"
    netrc.write_text("default login somebody password a-password-of-netrc\n")
    netrc.chmod(0o600)
    assert_issued(world.issue("example.com"), world, "example.com")
    assert not any("Authorization" in call.headers for call in world.alidns.calls)


def test_the_environment_of_the_sdk_changes_nothing(world: World) -> None:
    environment = {
        "DEBUG": "sdk",
        "ALIYUN_ACCESS_KEY_ID": "LTAI-of-somebody-else",
        "ALIYUN_ACCESS_KEY_SECRET": "somebody-elses-secret",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI-of-somebody-else",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "somebody-elses-secret",
    }
    outcome = world.issue("example.com", options=["-v"], env=environment)
    assert_issued(outcome, world, "example.com")
    assert {call.key_id for call in world.alidns.calls} == {world.key.id}
    assert "somebody" not in outcome.text + outcome.log_text


def test_what_the_server_says_of_a_wrong_signature_is_not_shown(world: World) -> None:
    """Its message holds the key id, and with a temporary key the token."""
    key = world.key
    ini = world.write_ini(
        f"dns_aliyun_access_key = {key.id}\ndns_aliyun_access_key_secret = Wrong30\n".encode()
    )
    outcome = world.certbot.run(*world.certonly("example.com", ini=ini))
    assert_refused(outcome, "does not belong to its id", "SignatureDoesNotMatch")
    assert "string to sign" not in outcome.text + outcome.log_text


def test_a_message_is_not_shown_whatever_it_says(world: World) -> None:
    world.alidns.fault(
        "code", "AddDomainRecord", code="Strange.Code", message=f"\x1b[31m{world.key.secret}"
    )
    outcome = world.issue("example.com")
    assert_refused(outcome, "Strange.Code", "request id")
    assert "\x1b" not in screen(outcome)


def test_nobody_else_may_read_what_a_run_leaves_on_disk(world: World) -> None:
    world.alidns.fault("code", "DeleteDomainRecord", times=None, code="Forbidden.RAM")
    world.leaves_records = True
    assert world.issue("example.com").ok
    folder = world.certbot.config_dir / "dns-aliyun"
    assert [file.stat().st_mode & 0o077 for file in [folder, *folder.iterdir()]] == [0, 0, 0]
