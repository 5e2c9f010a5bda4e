"""The search for secrets finds them however they are written."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.world.scan import Scan

SECRET = "bvrATXq9ibNfo0DH1r/NkdTjfDg="


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(quote(SECRET, safe=""), safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        "https://alidns.aliyuncs.com/?Signature=x",
    ],
)
def test_it_finds(tmp_path: Path, written: str) -> None:
    scan = Scan(lambda: [SECRET], set())
    scan.watch_folder(tmp_path)
    scan.check("nothing here")
    with pytest.raises(AssertionError, match="a secret is in text 1") as found:
        scan.check(f"before {written} after")
    assert SECRET not in str(found.value)
    (tmp_path / "some.log").write_text(written)
    with pytest.raises(AssertionError, match=r"some\.log"):
        scan.check()
    scan.exempt.add(tmp_path / "some.log")
    scan.check()


@pytest.mark.parametrize("written", [SECRET, quote(SECRET, safe=""), quote(quote(SECRET))])
def test_it_finds_signatures(written: str) -> None:
    scan = Scan(list, {SECRET, "another"})
    scan.check(SECRET[1:])
    with pytest.raises(AssertionError, match="a signature is in text 1"):
        scan.check(f"word/{written}&more")
