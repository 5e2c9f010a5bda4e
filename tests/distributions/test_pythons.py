"""The newest Pythons, by Debian sid's interpreters: the unit tests, issuing and renewing."""

from __future__ import annotations

import shutil
from typing import Callable

import pytest

from tests.distributions.debian import CHECKOUT, NEWEST_PYTHONS, Debian

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.parametrize("debian", ["sid"], indirect=True),
    pytest.mark.parametrize("python", NEWEST_PYTHONS),
]


def test_the_unit_tests_pass(debian: Debian, python: str) -> None:
    venv = debian.venv(python, "credentials,test")
    debian.mount("/dev", "/proc")
    unwanted = shutil.ignore_patterns("build", ".*", "__pycache__", "*.egg-info")
    shutil.copytree(CHECKOUT, debian.root / "srv/checkout", ignore=unwanted)
    pytest_runs = f"{venv}/bin/python -m pytest -q -n 2 --confcutdir tests/unit tests/unit"
    said = debian.run("sh", "-c", f"cd /srv/checkout && HYPOTHESIS_PROFILE=few {pytest_runs}")
    assert " passed" in said


def test_it_issues_and_renews(debian: Debian, python: str, lives: Callable[..., None]) -> None:
    venv = debian.venv(python, "credentials")
    said = debian.run(f"{venv}/bin/certbot", "plugins")
    assert "* dns-aliyun" in said
    lives(certbot=f"{venv}/bin/certbot")
