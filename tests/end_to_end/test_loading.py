"""Certbot finds the plugin, and pays next to nothing for it while it does something else."""

from __future__ import annotations

import subprocess

from tests.world import World

#: Prints what importing the plugin adds to what Certbot and its own DNS plugins import.
ADDED = """
import sys
import certbot.main
import certbot.plugins.dns_common
before = set(sys.modules)
import certbot_dns_aliyun.dns_aliyun
print(*set(sys.modules) - before)
"""


def test_certbot_lists_the_plugin_as_an_authenticator(world: World) -> None:
    """Up to 1.18 by its zope declarations, from then on by its base class."""
    outcome = world.certbot.run("plugins", "--authenticators")
    assert outcome.ok, outcome
    ours = outcome.stdout.split("* dns-aliyun\n")[1].split("\n* ")[0]
    assert "Alibaba Cloud DNS" in ours
    assert "Authenticator" in ours


def test_certbot_shows_the_options(world: World) -> None:
    outcome = world.certbot.run("--help", "dns-aliyun")
    assert outcome.ok, outcome
    for option in ("credentials", "propagation-seconds", "wait-limit"):
        assert f"--dns-aliyun-{option}" in outcome.stdout


def test_finding_the_plugin_imports_its_own_few_modules_and_no_others(world: World) -> None:
    python = str(world.certbot.venv / "bin" / "python")
    command = [python, "-W", "ignore", "-c", ADDED]
    added = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "certbot_dns_aliyun.dns_aliyun" in added
    assert not [name for name in added if not name.startswith("certbot_dns_aliyun")]
    assert len(added) <= 4
