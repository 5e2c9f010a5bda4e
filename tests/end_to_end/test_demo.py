"""`make demo` shows on one screen what it promises."""

from __future__ import annotations

import re

import pytest

from tests import demo


@pytest.mark.newest
@pytest.mark.usefixtures("own_network")
def test_the_demo_fits_on_a_screen_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    status = demo.main()
    shown = capsys.readouterr().out
    assert status == 0, shown
    lines = shown.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    assert "\033" not in shown, "colour is for terminals"
    assert len(set(re.findall(r"serial (\w+)", shown))) == 2
    assert demo.STRANGERS_VALUE in lines[-4]
