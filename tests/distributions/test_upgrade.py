"""From one Debian to the next: what becomes of the plugin, and what helps where it is gone."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.distributions.conftest import UPGRADE
from tests.distributions.debian import Debian

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.parametrize("debian", [UPGRADE], indirect=True),
]


def pythons(debian: Debian) -> str:
    return debian.run("/usr/bin/python3", "-c", "import sys; print(sys.version_info[:2])").strip()


def test_the_package_survives(debian: Debian, lives: Callable[..., None]) -> None:
    debian.install_deb()
    assert pythons(debian) == "(3, 11)"
    debian.upgrade()
    assert pythons(debian) == "(3, 13)"
    assert "* dns-aliyun" in debian.run("certbot", "plugins")
    lives()


def test_pips_plugin_is_gone_until_it_is_installed_once_more(
    debian: Debian, lives: Callable[..., None]
) -> None:
    debian.pip_install()
    assert "* dns-aliyun" in debian.run("certbot", "plugins")
    debian.upgrade()
    with pytest.raises(AssertionError, match="unrecognized arguments: --dns-aliyun-credentials"):
        debian.run("certbot", "certonly", "--dns-aliyun-credentials", "aliyun.ini")
    debian.pip_install()
    lives()


def test_a_folder_that_certbot_is_told_of_survives(
    debian: Debian, lives: Callable[..., None]
) -> None:
    folder = debian.pip_install_apart()
    debian.upgrade()
    lives(CERTBOT_PLUGIN_PATH=folder)
