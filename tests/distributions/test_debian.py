"""README's ways beside apt's Certbot, and the .deb, from install to purge in a fresh Debian."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.distributions.debian import Debian, commands_of, environment_wheels

pytestmark = pytest.mark.timeout(1200)


def test_installed_by_pip_as_the_readme_says_it_issues_and_renews(
    debian: Debian, lives: Callable[..., None]
) -> None:
    before = debian.run("dpkg-query", "--show")
    debian.pip_install()
    assert debian.run("dpkg-query", "--show") == before
    assert "* dns-aliyun" in debian.run("certbot", "plugins")
    lives()


@pytest.mark.parametrize(
    ("way", "before", "certbot"),
    [
        ("No Certbot yet", (), "/usr/local/bin/certbot"),
        (
            "pip, in a virtual environment",
            ("python3 -m venv /opt/certbot", "/opt/certbot/bin/pip install certbot"),
            "/opt/certbot/bin/certbot",
        ),
        ("pipx", ("pipx install certbot",), "/root/.local/bin/certbot"),
    ],
    ids=["new", "venv", "pipx"],
)
def test_pasted_from_the_readme_it_issues_and_renews_beside_none_of_apts(
    debian: Debian, lives: Callable[..., None], way: str, before: tuple[str, ...], certbot: str
) -> None:
    if way == "pipx" and debian.suite == "bullseye":
        pytest.skip("Debian 11 has no pipx")
    debian.paste([*before, *commands_of(way)], environment_wheels(debian.suite))
    assert "* dns-aliyun" in debian.run(certbot, "plugins")
    assert "AddDomainRecord" in debian.run(f"{certbot}-dns-aliyun", "policy", "--zone", "a.example")
    assert "dns-aliyun" not in debian.run("/usr/bin/certbot", "plugins")
    lives(certbot)


def test_installed_as_a_package_it_issues_and_renews(
    debian: Debian, lives: Callable[..., None]
) -> None:
    debian.install_deb()
    assert "* dns-aliyun" in debian.run("certbot", "plugins")
    lives()


def test_in_a_folder_that_certbot_is_told_of_it_issues_and_renews(
    debian: Debian, lives: Callable[..., None]
) -> None:
    if debian.suite == "bullseye":
        pytest.skip("Certbot knows CERTBOT_PLUGIN_PATH from 1.13 on")
    lives(CERTBOT_PLUGIN_PATH=debian.pip_install_apart())


def test_the_package_takes_over_from_pip_and_leaves_nothing(debian: Debian) -> None:
    def files() -> set[str]:
        return set(debian.run("find", "/usr", "/etc", "/var/lib/letsencrypt").splitlines())

    debian.run("certbot", "plugins")  # writes what Python compiles, and Certbot's folders
    before = files()
    debian.pip_install()
    debian.install_deb()
    assert debian.run("certbot", "plugins").count("* dns-aliyun") == 1
    debian.run("/usr/bin/python3", "-m", "pip", "uninstall", "--yes", *_removable(debian))
    assert debian.run("certbot", "plugins").count("* dns-aliyun") == 1
    debian.run("dpkg", "--purge", "python3-certbot-dns-aliyun")
    assert "dns-aliyun" not in debian.run("certbot", "plugins")
    left = {name for name in files() - before if "aliyun" in name}
    assert not left


def _removable(debian: Debian) -> list[str]:
    names = ["certbot-dns-aliyun", "aliyun-python-sdk-core", "aliyun-python-sdk-alidns"]
    return names if debian.suite in ("bullseye",) else ["--break-system-packages", *names]
