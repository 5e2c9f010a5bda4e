"""Machines that lack what others have: MD5, where FIPS 140 is kept; characters beyond ASCII."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.helpers import assert_issued
from tests.world import World

pytestmark = pytest.mark.newest

#: What Python's hashlib does on top of an OpenSSL in FIPS mode.
FORBIDDING = """
import hashlib

def forbidding(real):
    def new(*given, usedforsecurity=True, **more):
        if usedforsecurity:
            raise ValueError("[digital envelope routines] unsupported")
        return real(*given, usedforsecurity=False, **more)
    return new

hashlib.md5 = forbidding(hashlib.md5)
"""


def test_where_md5_is_forbidden(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "fips"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(FORBIDDING)
    outcome = world.certbot.run(*world.certonly("example.com"), env={"PYTHONPATH": str(folder)})
    assert_issued(outcome, world, "example.com")
