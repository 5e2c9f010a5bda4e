"""A certificate is renewed, and what stands in the file that says how."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.end_to_end.helpers import (
    actions,
    assert_issued,
    renewal_parameters,
    write_as_2_0_0_did,
)
from tests.world import World


def our_parameters(world: World) -> dict[str, str]:
    return {k: v for k, v in renewal_parameters(world).items() if k.startswith("dns_aliyun")}


def test_a_renewal_is_the_same_once_more(world: World) -> None:
    world.issue("example.com", "*.example.com")
    first = world.certbot.certificate("example.com").serial_number
    outcome = world.certbot.run("renew", "--force-renewal")
    assert_issued(outcome, world, "example.com", "*.example.com")
    assert world.certbot.certificate("example.com").serial_number != first
    assert len(actions(world)) <= 10


def test_what_2_0_0_wrote_renews(world: World) -> None:
    world.issue("example.com")
    write_as_2_0_0_did(world.certbot.renewal_file("example.com"), world.credentials_ini())
    first = world.certbot.certificate("example.com").serial_number
    outcome = world.certbot.run("renew", "--force-renewal")
    assert outcome.ok, outcome
    assert outcome.seconds < 60, "propagation-seconds is for servers that cannot be asked"
    assert world.certbot.certificate("example.com").serial_number != first
    assert our_parameters(world)["dns_aliyun_propagation_seconds"] == "120"


def test_the_renewal_file_says_what_2_0_0_wrote_and_no_more(world: World) -> None:
    ini = world.credentials_ini()
    world.issue("example.com", options=["--dns-aliyun-propagation-seconds", 40])
    assert renewal_parameters(world)["authenticator"] == "dns-aliyun"
    assert our_parameters(world) == {
        "dns_aliyun_credentials": str(ini),
        "dns_aliyun_propagation_seconds": "40",
    }


def test_a_relative_path_is_kept_as_an_absolute_one(world: World) -> None:
    ini = world.credentials_ini()
    command = world.certonly("example.com", ini=Path(os.path.relpath(ini)))
    outcome = world.certbot.run(*command)
    assert outcome.ok, outcome
    assert our_parameters(world)["dns_aliyun_credentials"] == str(ini)


def test_a_renewal_that_is_not_due_calls_nothing(world: World) -> None:
    world.issue("example.com")
    calls = len(world.alidns.calls)
    assert world.certbot.run("renew").ok
    assert len(world.alidns.calls) == calls


@pytest.mark.newest
def test_a_home_folder_may_be_written_as_tilde(world: World) -> None:
    ini = world.credentials_ini()
    home = {"HOME": str(ini.parent)}
    command = world.certonly("example.com", ini=Path("~") / ini.name)
    outcome = world.certbot.run(*command, env=home)
    assert outcome.ok, outcome
    assert our_parameters(world)["dns_aliyun_credentials"] == str(ini)


@pytest.mark.newest
def test_a_dry_renewal_proves_control_and_changes_nothing(world: World) -> None:
    world.issue("example.com")
    first = world.certbot.certificate("example.com").serial_number
    outcome = world.certbot.run("renew", "--dry-run")
    assert outcome.ok, outcome
    assert world.certbot.certificate("example.com").serial_number == first
    assert len(world.records.made()) >= 1  # the CA may remember the first proof


@pytest.mark.newest
def test_reconfigure_changes_the_credentials_file(world: World) -> None:
    world.issue("example.com")
    other = world.credentials_ini(file="other.ini")
    outcome = world.certbot.run(
        *("reconfigure", "--cert-name", "example.com", "-a", "dns-aliyun"),
        *("--dns-aliyun-credentials", other, "--dns-aliyun-propagation-seconds", 5),
    )
    assert outcome.ok, outcome
    assert our_parameters(world) == {
        "dns_aliyun_credentials": str(other),
        "dns_aliyun_propagation_seconds": "5",
    }
    assert world.certbot.run("renew", "--force-renewal").ok


@pytest.mark.newest
def test_reconfigure_brings_a_lineage_of_another_authenticator(world: World) -> None:
    world.issue("example.com")
    file = world.certbot.renewal_file("example.com")
    text = re.sub(r"authenticator = .*", "authenticator = manual", file.read_text())
    file.write_text("".join(line + "\n" for line in text.splitlines() if "dns_aliyun" not in line))
    outcome = world.certbot.run(
        *("reconfigure", "--cert-name", "example.com", "-a", "dns-aliyun"),
        *("--dns-aliyun-credentials", world.credentials_ini()),
    )
    assert outcome.ok, outcome
    assert world.certbot.run("renew", "--force-renewal").ok


@pytest.mark.newest
def test_delete_forgets_the_lineage_and_calls_nothing(world: World) -> None:
    world.issue("example.com")
    calls = len(world.alidns.calls)
    assert world.certbot.run("delete", "--cert-name", "example.com").ok
    assert not world.certbot.renewal_file("example.com").exists()
    assert len(world.alidns.calls) == calls
