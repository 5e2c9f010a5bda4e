"""The container image: what is in it, and that it issues, renews and cleans up after a dead one."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from tests.distributions import image
from tests.distributions.conftest import issues_and_renews
from tests.distributions.image import Buildah
from tests.end_to_end.moments import clean_up_by_the_next_run, journals, while_waiting
from tests.world import World

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(image.why_not()), reason=image.why_not()),
]


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    folder = tmp_path_factory.mktemp("image")
    yield image.build(folder)
    shutil.rmtree(folder)  # some gigabytes


@pytest.fixture
def in_containers(
    buildah: Buildah,
    make_world: Callable[..., World],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """A world whose certbot is a new container for each run, with a volume for its config."""
    world = make_world()
    config, ini = tmp_path / "home/config", tmp_path / "ini"
    for folder in (config, ini):
        folder.mkdir(parents=True)
    venvs = buildah.as_venv(tmp_path / "venvs", (config, ini, world.ca.bundle.parent))
    monkeypatch.setenv("CERTBOT_VENVS", str(venvs))
    monkeypatch.delenv("CERTBOT", raising=False)
    return world


def test_it_has_the_plugin_and_nothing_that_only_building_it_needs(
    buildah: Buildah, record_property: Callable[[str, object], None]
) -> None:
    assert "* dns-aliyun" in buildah.in_new_container("certbot", "plugins")
    base, ours = buildah.files(image.BASE), buildah.files(image.TAG)
    new = {name: size for name, size in ours.items() if name not in base}
    places = ("usr/local/lib/python3.", "usr/local/bin/")
    assert not [name for name in new if not name.startswith(places)]
    changed = [name for name in base if ours.get(name) != base[name]]
    assert not [name for name in changed if not name.endswith(".pyc")]
    megabytes = [round(sum(files.values()) / 1e6) for files in (base, ours)]
    record_property("figure", f"The base has {megabytes[0]} MB, with the plugin {megabytes[1]} MB")


def test_it_issues_and_renews(in_containers: World) -> None:
    world = in_containers
    issues_and_renews(world)
    assert not world.certbot.work_dir.exists()


def test_the_next_container_cleans_up_after_one_that_was_killed(in_containers: World) -> None:
    world = in_containers
    run = while_waiting(world)
    for process in of_certbot(world.certbot.config_dir):
        os.kill(process, signal.SIGKILL)
    assert not run.wait(60).ok
    assert world.records.left()
    assert journals(world)
    outcome = clean_up_by_the_next_run(world)
    assert "Removed TXT records that an earlier run had left: _acme-challenge.n" in outcome.text


def of_certbot(config_dir: Path) -> list[int]:
    """The Python processes with this folder on their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"python" in words[0] and str(config_dir).encode() in words:
            found.append(int(folder.name))
    return found
