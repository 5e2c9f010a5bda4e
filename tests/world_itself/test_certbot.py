"""The real certbot gets a certificate from the CA in here, when DNS is right."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.world import World, until

MakeWorld = Callable[..., World]


def serve_validation(world: World, file: Path) -> None:
    value = until(lambda: file.exists() and file.read_text().strip())
    world.records.add_stranger("example.com", "_acme-challenge", value)
    file.with_suffix(".served").touch()


def test_a_certificate_by_hand(make_world: MakeWorld) -> None:
    world = make_world(lags=(0.0,))
    file = world.folder / "validation"
    threading.Thread(target=serve_validation, args=(world, file), daemon=True).start()
    hook = f'echo "$CERTBOT_VALIDATION" > {file}.new; mv {file}.new {file}; '
    hook += f"until [ -e {file}.served ]; do sleep 0.1; done"
    by_hand = ["certonly", "--manual", "--preferred-challenges", "dns"]
    outcome = world.certbot.run(*by_hand, "--manual-auth-hook", hook, "-d", "example.com")
    assert outcome.ok, outcome
    assert world.certbot.names("example.com") == ["example.com"]
    assert world.certbot.renewal_file("example.com").exists()


def test_a_secret_in_the_log_fails_the_run(world: World) -> None:
    with pytest.raises(AssertionError, match="a secret is in"):
        world.certbot.run("certificates", "--cert-name", world.key.secret)
    shutil.rmtree(world.certbot.home)
