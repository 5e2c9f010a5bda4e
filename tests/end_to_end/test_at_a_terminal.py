"""A person at a terminal: asked for the file, and told what is going on."""

from __future__ import annotations

import pytest

from tests.end_to_end.helpers import MakeWorld, assert_issued, screen
from tests.end_to_end.terminal import certbot_at_a_terminal
from tests.world import World, zone_policy

pytestmark = pytest.mark.newest


def test_the_file_is_asked_for(world: World) -> None:
    ini = world.credentials_ini()
    terminal = certbot_at_a_terminal(world, "certonly", "-a", "dns-aliyun", "-d", "example.com")
    terminal.read_until("credentials INI file")
    terminal.type(ini)
    assert terminal.wait() == 0, terminal.text
    assert world.certbot.names("example.com") == ["example.com"]
    assert (
        f"dns_aliyun_credentials = {ini}" in world.certbot.renewal_file("example.com").read_text()
    )


def test_a_wrong_file_is_asked_for_again(world: World) -> None:
    bad = world.write_ini(b"dns_aliyun_access_key: LTAI5tWrongSign\n", "bad.ini")
    good = world.credentials_ini()
    terminal = certbot_at_a_terminal(world, "certonly", "-a", "dns-aliyun", "-d", "example.com")
    terminal.read_until("credentials INI file")
    terminal.type("/nowhere/at-all.ini")
    terminal.read_until("File not found: /nowhere/at-all.ini")
    terminal.type(bad)
    terminal.read_until("is not of the form key = value")
    terminal.type(good)
    assert terminal.wait() == 0, terminal.text
    assert "LTAI5tWrongSign" not in terminal.text


def test_progress_is_told_in_words(world: World) -> None:
    outcome = world.issue("example.com")
    assert_issued(outcome, world, "example.com")
    assert "Waiting until the name servers of example.com serve the TXT records" in screen(outcome)


def test_the_log_says_what_was_done_for_those_who_look(world: World) -> None:
    outcome = world.issue("example.com")
    for word in ("AddDomainRecord", "DeleteDomainRecord", "request id", "example.com"):
        assert word in outcome.log_text
    assert "name servers of example.com serve the TXT records, after" in outcome.log_text


def test_a_failing_run_is_as_quiet_as_can_be(world: World) -> None:
    """--quiet is for cron: nothing on success, the reason on failure."""
    world.records.zones["example.com"].locked = True
    env = {"PYTHONWARNINGS": "ignore"}
    outcome = world.issue("example.com", options=["--quiet"], env=env)
    assert not outcome.ok
    assert "Waiting" not in outcome.text
    assert "Forbidden.DomainLocked" in outcome.text


def test_each_zone_is_asked_about_before_its_stale_records_go(world: World) -> None:
    world.add_zone("example.org")
    world.key.policy = zone_policy("example.com", "example.org")
    kept, gone = (
        world.records.add_stranger(zone, "_acme-challenge", "a" * 43, created_at=1.6e9)
        for zone in ("example.com", "example.org")
    )
    command = ["certbot-dns-aliyun", "stale", "--credentials", str(world.credentials_ini())]
    command += ["--zone", "example.com", "--zone", "example.org", "--remove"]
    terminal = certbot_at_a_terminal(world, *command)
    terminal.read_until("Remove these 1 TXT records from example.com? [y/N]")
    terminal.type("n")
    terminal.read_until("Remove these 1 TXT records from example.org? [y/N]")
    terminal.type("y")
    assert terminal.wait() == 1, terminal.text
    assert "1 stale TXT records are left." in terminal.text
    assert world.records.lost() == [gone]
    assert kept.alive
    gone.added_by = "a run of long ago"


def test_a_check_shows_how_far_it_is(make_world: MakeWorld) -> None:
    """In colours, and the line that is written over leaves nothing of itself."""
    world = make_world(lags=(0.1, 1.5))
    folder = ("--config-dir", str(world.certbot.config_dir))
    key = ("--credentials", str(world.credentials_ini()))
    terminal = certbot_at_a_terminal(
        world, "certbot-dns-aliyun", "check", *folder, *key, "-d", "example.com"
    )
    terminal.read_until("addresses serve all records")
    assert terminal.wait() == 0, terminal.text
    assert "\x1b[32mok      \x1b[0mexample.com: served: 2 addresses" in terminal.text
    assert terminal.text.endswith("\nNothing stands in the way.\r\n")
