"""Images of others that install the plugin by its name: their templates and command lines.

Both pin or install 2.0.0 and pull 3.0.0 in one day, over its INI files and renewal files.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.helpers import (
    MakeWorld,
    assert_issued,
    renewal_parameters,
    write_as_2_0_0_did,
)
from tests.world import EVERYTHING, Certbot, Key, World

pytestmark = pytest.mark.newest

BUILD = Path(__file__).parents[2] / "build"
NAMES = ("example.com", "*.example.com")


def template(world: World, file: Path) -> Path:
    """The two lines that both offer, with this key put in."""
    lines = [
        f"dns_aliyun_access_key = {world.key.id}",
        f"dns_aliyun_access_key_secret = {world.key.secret}",
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines))  # Nginx Proxy Manager ends it so, without a last line feed
    file.chmod(0o600)
    world.scan.exempt.add(file)
    return file


@pytest.mark.parametrize("seconds", [pytest.param(None, marks=pytest.mark.nightly), 120])
def test_nginx_proxy_manager(world: World, seconds: int | None, tmp_path: Path) -> None:
    config = tmp_path / "letsencrypt.ini"
    config.write_text(
        "text = True\nnon-interactive = True\nkey-type = ecdsa\nelliptic-curve = secp384r1\n"
        "preferred-chain = ISRG Root X1\n"
    )
    work = tmp_path / "tmp/letsencrypt-lib"
    folders = ("--config", config, "--work-dir", work, "--logs-dir", tmp_path / "home/logs")
    credentials = template(world, tmp_path / "letsencrypt/credentials/credentials-7")
    wait = () if seconds is None else ("--dns-aliyun-propagation-seconds", seconds)
    issued = world.certbot.run(
        *("certonly", *folders, "--cert-name", "npm-7", "--agree-tos"),
        *("--email", "admin@example.com", "--domains", ",".join(NAMES)),
        *("--authenticator", "dns-aliyun", "--dns-aliyun-credentials", credentials, *wait),
    )
    assert issued.ok, issued
    assert issued.seconds < 60, "the seconds are for servers that cannot be asked"
    first = world.certbot.certificate("npm-7").serial_number
    write_as_2_0_0_did(world.certbot.renewal_file("npm-7"), credentials, seconds or 30)
    shutil.rmtree(work)  # a new container
    renewed = world.certbot.run(
        *("renew", "--force-renewal", *folders, "--cert-name", "npm-7"),
        *("--preferred-challenges", "dns", "--disable-hook-validation"),
    )
    assert renewed.ok, renewed
    assert renewed.seconds < 60
    assert world.certbot.certificate("npm-7").serial_number != first
    assert world.certbot.names("npm-7") == sorted(NAMES)
    assert renewal_parameters(world, "npm-7")["authenticator"] == "dns-aliyun"


def test_swag(world: World, tmp_path: Path) -> None:
    listed = world.certbot.run("plugins", "--authenticators")
    assert "EntryPoint(name='dns-aliyun'" in listed.text, "what its list of plugins is made by"
    credentials = template(world, tmp_path / "dns-conf/aliyun.ini")
    cli = tmp_path / "cli.ini"
    cli.write_text(
        "agree-tos=true\nmax-log-backups=0\nregister-unsafely-without-email=true\n"
        f"domains={','.join(NAMES)}\npreferred-challenges=dns\nauthenticator=dns-aliyun\n"
        f"dns-aliyun-credentials={credentials}\ndns-aliyun-propagation-seconds=120\n"
    )
    work = tmp_path / "tmp/letsencrypt"
    folders = ("--work-dir", work, "--config", cli)
    issued = world.certbot.run("certonly", *folders, "--renew-by-default")
    assert_issued(issued, world, *NAMES)
    assert issued.seconds < 60, "the seconds are for servers that cannot be asked"
    first = world.certbot.certificate("example.com").serial_number
    write_as_2_0_0_did(world.certbot.renewal_file("example.com"), credentials)
    shutil.rmtree(work)
    renewed = world.certbot.run("renew", "--force-renewal", "--work-dir", work)
    assert_issued(renewed, world, *NAMES)
    assert world.certbot.certificate("example.com").serial_number != first


@pytest.mark.nightly
def test_a_lineage_that_2_0_0_itself_made_renews(make_world: MakeWorld) -> None:
    venv = BUILD / "bench/certbot-dns-aliyun"
    if not (venv / "stamp").exists():
        pytest.skip("2.0.0 is not installed: make build/bench/certbot-dns-aliyun/stamp")
    world = make_world(keys=[Key(EVERYTHING)])  # it asks for more than 3.0.0 does
    home = world.certbot.home
    old = Certbot(venv, home, world.ca.url, world.ca.bundle, check=lambda outcome: None)
    wait = ("--dns-aliyun-propagation-seconds", 3)
    issued = old.run(*world.certonly(*NAMES), *wait)
    shutil.rmtree(old.logs_dir)  # it logs its signatures
    assert_issued(issued, world, *NAMES)
    first = world.certbot.certificate("example.com").serial_number
    renewed = world.certbot.run("renew", "--force-renewal")
    assert_issued(renewed, world, *NAMES)
    assert world.certbot.certificate("example.com").serial_number != first
