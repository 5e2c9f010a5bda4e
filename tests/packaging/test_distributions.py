"""What `python -m build` made is what a user should get: no less, no more."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
BUILD = CHECKOUT / "build"
PACKAGE = CHECKOUT / "certbot_dns_aliyun"
#: The environments that `make set-up` makes, one a Certbot.
CERTBOTS = sorted(BUILD.glob("certbot-*/stamp"))


def only(pattern: str) -> Path:
    found = list((BUILD / "wheel").glob(pattern))
    assert len(found) == 1, f"`make set-up` makes one {pattern}, but there are {found}"
    return found[0]


@pytest.fixture(scope="module")
def wheel() -> dict[str, bytes]:
    with zipfile.ZipFile(only("*.whl")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, bytes]) -> Message:
    (content,) = (wheel[name] for name in wheel if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(content)


def sources() -> set[str]:
    return {
        str(file.relative_to(CHECKOUT))
        for file in PACKAGE.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: dict[str, bytes]) -> None:
    assert {name for name in wheel if ".dist-info/" not in name} == sources()


def test_the_wheel_tells_type_checkers_that_it_is_typed(wheel: dict[str, bytes]) -> None:
    assert "certbot_dns_aliyun/py.typed" in wheel


def test_certbot_finds_the_plugin_by_its_old_name(wheel: dict[str, bytes]) -> None:
    (content,) = (wheel[name] for name in wheel if name.endswith("/entry_points.txt"))
    entry_points = configparser.ConfigParser()
    entry_points.read_string(content.decode())
    assert dict(entry_points["certbot.plugins"]) == {
        "dns-aliyun": "certbot_dns_aliyun.dns_aliyun:Authenticator"
    }
    assert dict(entry_points["console_scripts"]) == {
        "certbot-dns-aliyun": "certbot_dns_aliyun.commands.main:main"
    }


def test_a_user_installs_no_tool_of_ours(metadata: Message) -> None:
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {re.split(r"[;<>= ]", line)[0] for line in required}
    assert names == {
        "acme",
        "aliyun-python-sdk-alidns",
        "aliyun-python-sdk-core",
        "certbot",
        "dnspython",
        "idna",
        "requests",
        "tenacity",
        "zope.interface",
    }


def test_the_licence_and_the_oldest_python_are_stated(
    wheel: dict[str, bytes], metadata: Message
) -> None:
    assert metadata["Requires-Python"] == ">=3.9"
    assert any(name.endswith("LICENSE.txt") for name in wheel)


def test_the_version_is_where_scripts_look_for_it_and_the_changes_have_its_date(
    metadata: Message,
) -> None:
    version = metadata["Version"]
    assert f'\nversion = "{version}"\n' in (CHECKOUT / "setup.py").read_text()
    changes = (CHECKOUT / "CHANGELOG.rst").read_text()
    assert re.search(rf"^{re.escape(version)} \(20\d\d-\d\d-\d\d\)$", changes, re.MULTILINE)


def test_the_source_distribution_brings_its_tests_and_their_tools() -> None:
    with tarfile.open(only("*.tar.gz")) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert sources() <= names
    assert {"Makefile", "README.rst", "setup.py", "tests/certbots/5.8.0.txt"} <= names


@pytest.mark.parametrize("stamp", CERTBOTS, ids=lambda stamp: stamp.parent.name)
def test_the_wheel_and_certbot_agree_on_what_they_need(stamp: Path) -> None:
    python = stamp.parent / "bin" / "python"
    check = [sys.executable, "-m", "pip", "--python", str(python), "check"]
    outcome = subprocess.run(check, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_links_of_the_page_on_pypi_lead_to_the_site(metadata: Message) -> None:
    page = str(metadata.get_payload())
    links = re.findall(
        r"`[^`<]*<([^`>]+)>`_|^\.\. image:: (\S+)|^\.\. _\w+: (\S+)", page, re.MULTILINE
    )
    targets = ["".join(each) for each in links]
    assert len(targets) > 10
    assert not [each for each in targets if not each.startswith("https://")]
    site = str(metadata["Home-page"])
    pages = [each[len(site) + 1 :] for each in targets if each.startswith(f"{site}/")]
    for name in pages:
        made_from = name.replace(".html", ".rst").replace("_images/", "images/")
        assert (CHECKOUT / "docs" / made_from).is_file(), name
