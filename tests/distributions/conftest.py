"""A fresh Debian for each test, and what its Certbot is to show."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from tests.distributions.debian import SUITES, Debian
from tests.world import World

#: In place of a suite: a Debian 12 that can become a 13.
UPGRADE = "upgrade"
NAMES = ("example.com", "*.example.com")


def issues_and_renews(world: World) -> None:
    issued = world.issue(*NAMES)
    assert issued.ok, issued
    first = world.certbot.certificate("example.com")
    renewed = world.certbot.run("renew", "--force-renewal")
    assert renewed.ok, renewed
    assert world.certbot.certificate("example.com").serial_number != first.serial_number
    assert world.certbot.names("example.com") == sorted(NAMES)


@pytest.fixture(params=SUITES)
def debian(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Debian]:
    folder = tmp_path_factory.mktemp("debian")
    if request.param == UPGRADE:
        yield Debian.about_to_be_upgraded(folder / "root")
    else:
        yield Debian.fresh(request.param, folder / request.param)
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for target in reversed(mounted):
        if target.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", target], check=True)


@pytest.fixture
def lives(
    make_world: Callable[..., World],
    debian: Debian,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., None]:
    """Shows that its Certbot issues and renews."""

    def live(certbot: str = "/usr/bin/certbot", **environment: str) -> None:
        world = make_world()
        shared = world.ca.bundle.parent.parent  # where all temporary files are
        venvs = debian.as_venv(tmp_path / "venvs", shared, certbot)
        monkeypatch.setenv("CERTBOT_VENVS", str(venvs))
        monkeypatch.delenv("CERTBOT", raising=False)
        world.certbot.env.update(environment)
        issues_and_renews(world)

    return live
