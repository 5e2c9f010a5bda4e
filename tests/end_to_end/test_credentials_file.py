"""What may stand in the credentials file, and what the user reads when it is not right.

None of it costs a call, and nothing of the file is ever shown.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from tests.end_to_end.helpers import MakeWorld, assert_issued, assert_refused, screen
from tests.world import Outcome, World, present_certificate
from tests.world.alidns import ADDRESS

KEY_LINE = "dns_aliyun_access_key = {id}\n"
SECRET_LINE = "dns_aliyun_access_key_secret = {secret}\n"


def issue_with(world: World, text: str) -> Outcome:
    """Issue with an INI of this text, in which {id} and {secret} are filled in."""
    text = text.format(id=world.key.id, secret=world.key.secret)
    ini = world.write_ini(text.encode())
    return world.certbot.run(*world.certonly("example.com", ini=ini))


def test_a_malformed_line_is_told_by_its_number(world: World) -> None:
    """Certbot's own reader would show the line, secret and all."""
    outcome = issue_with(world, KEY_LINE + "dns_aliyun_access_key_secret: {secret}\n")
    assert_refused(outcome, "Line 2", "aliyun.ini", "key = value")
    assert not world.alidns.calls


@pytest.mark.newest
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (KEY_LINE, "dns_aliyun_access_key_secret is missing in"),
        (SECRET_LINE, "dns_aliyun_access_key is missing in"),
        ("", "dns_aliyun_access_key and dns_aliyun_access_key_secret are missing in"),
        (KEY_LINE + "dns_aliyun_access_key_secret =\n", "dns_aliyun_access_key_secret is empty in"),
    ],
)
def test_a_missing_key_is_named(world: World, text: str, sentence: str) -> None:
    outcome = issue_with(world, text)
    assert_refused(outcome, f"{sentence} {world.folder}/ini/aliyun.ini")
    assert not world.alidns.calls


def test_a_file_that_does_not_exist(world: World) -> None:
    outcome = world.certbot.run(*world.certonly("example.com", ini=Path("/nowhere/aliyun.ini")))
    assert_refused(outcome, "/nowhere/aliyun.ini", "does not exist", "--dns-aliyun-credentials")


def test_no_file_given_and_nobody_to_ask(world: World) -> None:
    outcome = world.certbot.run("certonly", "-a", "dns-aliyun", "-d", "example.com")
    assert not outcome.ok
    assert "--dns-aliyun-credentials" in screen(outcome)


@pytest.mark.newest
def test_a_folder_in_place_of_the_file(world: World) -> None:
    outcome = world.certbot.run(*world.certonly("example.com", ini=world.folder))
    assert_refused(outcome, f"{world.folder} is a folder")


@pytest.mark.newest
def test_the_key_id_may_be_called_so(world: World) -> None:
    outcome = issue_with(world, "dns_aliyun_access_key_id = {id}\n" + SECRET_LINE)
    assert_issued(outcome, world, "example.com")


@pytest.mark.newest
def test_an_unknown_key_is_named_with_the_nearest_one(world: World) -> None:
    outcome = issue_with(world, KEY_LINE + SECRET_LINE + "dns_aliyun_endpiont = x.example\n")
    assert_issued(outcome, world, "example.com")
    assert len(re.findall("dns_aliyun_endpiont", screen(outcome))) == 1
    assert "did you mean dns_aliyun_endpoint?" in screen(outcome)


@pytest.mark.newest
def test_keys_of_other_plugins_are_left_alone(world: World) -> None:
    theirs = "dns_cloudflare_api_token = abcdefgh\ndns_aliyun_next_region_id = cn-hangzhou\n"
    outcome = issue_with(world, theirs + KEY_LINE + SECRET_LINE)
    assert_issued(outcome, world, "example.com")
    assert "cloudflare" not in outcome.text
    assert "region_id" not in outcome.text


@pytest.mark.newest
@pytest.mark.parametrize(
    "endpoint",
    [
        "alidns.aliyuncs.com",
        "https://alidns.aliyuncs.com",
        "ALIDNS.aliyuncs.com",
        "alidns.aliyuncs.com:443",
    ],
)
def test_an_endpoint_is_a_host(world: World, endpoint: str) -> None:
    outcome = issue_with(world, KEY_LINE + SECRET_LINE + f"dns_aliyun_endpoint = {endpoint}\n")
    assert_issued(outcome, world, "example.com")


@pytest.mark.newest
@pytest.mark.parametrize(
    "endpoint",
    [
        "http://alidns.aliyuncs.com",
        "ftp://alidns.aliyuncs.com",
        "alidns.aliyuncs.com/v2",
        "alidns.aliyuncs.com:99999",
        "alidns aliyuncs.com",
        "user@alidns.aliyuncs.com",
    ],
)
def test_an_endpoint_is_nothing_else(world: World, endpoint: str) -> None:
    outcome = issue_with(world, KEY_LINE + SECRET_LINE + f"dns_aliyun_endpoint = {endpoint}\n")
    assert_refused(outcome, "dns_aliyun_endpoint", "host name")
    assert not world.alidns.calls


@pytest.mark.newest
def test_another_endpoint_is_called_by_its_name(make_world: MakeWorld) -> None:
    world = make_world()
    present_certificate(world.alidns.tls, "alidns.ap-southeast-1.aliyuncs.com")
    world.resolver.hosts["alidns.ap-southeast-1.aliyuncs.com"] = ADDRESS
    endpoint = "dns_aliyun_endpoint = alidns.ap-southeast-1.aliyuncs.com\n"
    assert_issued(issue_with(world, KEY_LINE + SECRET_LINE + endpoint), world, "example.com")


@pytest.mark.newest
def test_a_file_that_others_may_read_is_warned_of_once(world: World) -> None:
    ini = world.credentials_ini()
    ini.chmod(0o644)
    outcome = world.certbot.run(*world.certonly("example.com", ini=ini))
    assert_issued(outcome, world, "example.com")
    assert screen(outcome).count("Unsafe permissions") == 1


@pytest.mark.newest
def test_a_file_of_2_0_0_is_read_as_it_was(world: World) -> None:
    text = "'dns_aliyun_access_key' = {id}# of certbot\ndns_aliyun_security_token =\n"
    outcome = issue_with(world, text + 'dns_aliyun_access_key_secret = """{secret}""" # !\n')
    assert_issued(outcome, world, "example.com")


@pytest.mark.newest
def test_keys_as_certbot_before_1_7_wanted_them(world: World) -> None:
    outcome = issue_with(world, f"certbot_dns_aliyun:{KEY_LINE}certbot_dns_aliyun:{SECRET_LINE}")
    assert_refused(outcome, "Line 1 may be meant to set dns_aliyun_access_key; correct its key.")


@pytest.mark.newest
def test_a_pipe_is_read_once_for_all_certificates(world: World) -> None:
    """As ``certbot renew --dns-aliyun-credentials <(vault read …)``."""
    ini = world.credentials_ini()
    names = ["example.com", "www.example.com"]
    for name in names:
        assert_issued(world.certbot.run(*world.certonly(name, ini=ini)), world, name)
    pipe = world.folder / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(ini.read_bytes(),))
    writer.start()
    outcome = world.certbot.run("renew", "--force-renewal", "--dns-aliyun-credentials", pipe)
    writer.join(10)
    for name in names:
        assert_issued(outcome, world, name)
