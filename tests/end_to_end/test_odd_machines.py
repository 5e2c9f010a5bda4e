"""Machines that lack what others have: MD5, where FIPS 140 is kept; characters beyond ASCII."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.helpers import MakeWorld, assert_issued, assert_refused
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


#: What a terminal or a log may lack: all but ASCII, and all but Latin.
POOR = {
    "ASCII": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "strict ASCII": {
        "LC_ALL": "POSIX",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii:strict",
    },
    "Latin-1": {"PYTHONIOENCODING": "iso-8859-1:strict"},
}


@pytest.mark.parametrize("env", POOR.values(), ids=POOR)
def test_where_characters_are_lacking(make_world: MakeWorld, env: dict[str, str]) -> None:
    """A zone, a section and a file have Chinese names; they are told in what characters there are.

    The path of the file is one that Certbot could not write into its renewal file under ASCII.
    """
    world = make_world(["例子.com"])
    ini = world.credentials_ini()
    text = ini.read_text()
    ini = world.write_ini(f"{text}[例子。cn]\n{text}".encode())
    name = "xn--fsqu00a.com"
    outcome = world.certbot.run(*world.certonly(name, ini=ini), env=env)
    assert_issued(outcome, world, name)
    assert "Logging error" not in outcome.text

    ini = world.write_ini(text.replace(world.key.secret, "another").encode(), "阿里云.ini")
    outcome = world.certbot.run(*world.certonly(f"www.{name}", ini=ini), env=env)
    reason = "run Certbot with LC_ALL=C.UTF-8" if "LC_ALL" in env else "SignatureDoesNotMatch"
    assert_refused(outcome, reason, ".ini")
    assert "Logging error" not in outcome.text
    assert outcome.log_text.isascii() or "LC_ALL" not in env
