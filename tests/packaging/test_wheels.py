"""Nobody needs a compiler for the plugin: whatever it brings along has a wheel, on each system.

It asks the package index, and is skipped where none is reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.test_distributions import only

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(300)]

#: What pip takes on the oldest supported systems with glibc (Debian 11), and in Alpine's images.
LIBRARIES = {
    "glibc": ["manylinux2014_{}", "manylinux_2_17_{}", "manylinux_2_28_{}", "manylinux_2_31_{}"],
    "musl": ["musllinux_1_1_{}", "musllinux_1_2_{}"],
}
#: What is compiled, and comes with [credentials] alone.
OF_THE_EXTRA = {"aiohttp", "frozenlist", "multidict", "propcache", "yarl"}


def resolved(requirement: str, python: str, platforms: list[str], folder: Path) -> set[str]:
    """What pip would install there, of nothing but wheels; their file names."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed"]
    command += ["--only-binary=:all:", "--report", str(report), "--target", str(folder / "none")]
    command += ["--python-version", python, *(f"--platform={each}" for each in platforms)]
    done = subprocess.run(
        [*command, requirement], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    urls = [each["download_info"]["url"] for each in json.loads(report.read_text())["install"]]
    return {url.rpartition("/")[2] for url in urls}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        resolved("idna", "3.14", ["manylinux2014_x86_64"], tmp_path_factory.mktemp("index"))
    except (AssertionError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"no package index is reached: {str(error)[-300:]}")


def test_a_package_without_a_wheel_would_be_noticed(index: None, tmp_path: Path) -> None:
    """The SDK's own releases before the last are source alone."""
    with pytest.raises(AssertionError, match="aliyun-python-sdk-core"):
        resolved("aliyun-python-sdk-core==2.16.0", "3.14", ["manylinux2014_x86_64"], tmp_path)


@pytest.mark.parametrize("python", ["3.9", "3.12", "3.14", "3.15"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_all_that_the_plugin_brings_has_a_wheel(
    library: str, machine: str, python: str, index: None, tmp_path: Path
) -> None:
    platforms = [each.format(machine) for each in LIBRARIES[library]]
    found = resolved(f"{only('*.whl')}[credentials]", python, platforms, tmp_path)
    certbots = resolved("certbot", python, platforms, tmp_path)
    names = {name.split("-")[0] for name in found - certbots}
    assert {"aliyun_python_sdk_core", "certbot_dns_aliyun", "dnspython"} <= names
    compiled = {name.split("-")[0] for name in found - certbots if not name.endswith("-any.whl")}
    assert compiled <= OF_THE_EXTRA, "the plugin and what it needs itself are pure Python"
