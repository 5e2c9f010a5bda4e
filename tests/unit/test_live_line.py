"""The line at a terminal that is written over."""

from __future__ import annotations

import io
import os
import shutil
from types import SimpleNamespace

import pytest

from certbot_dns_aliyun.propagation import live_line
from certbot_dns_aliyun.propagation.live_line import LiveLine

EMPTY = "\r\x1b[K"


class Terminal(io.StringIO):
    """Twenty columns; counts how often what was written is shown."""

    is_there = True
    shown = 0

    def isatty(self) -> bool:
        return self.is_there

    def flush(self) -> None:
        self.shown += 1


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(live_line, "sys", SimpleNamespace(stdout=terminal))
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((20, 5)))
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def test_a_text_takes_the_place_of_the_one_before(terminal: Terminal) -> None:
    line = LiveLine(True)
    assert line.is_shown
    for text in ("one", "one", "two"):
        line.write(text)
    assert terminal.getvalue() == f"{EMPTY}one{EMPTY}two"
    assert terminal.shown == 2
    line.end()
    line.end()
    line.clear()
    assert terminal.getvalue() == f"{EMPTY}one{EMPTY}two\n"


def test_a_line_of_somebody_else_comes_in_its_place(terminal: Terminal) -> None:
    line = LiveLine(True)
    line.clear()
    line.write("one")
    line.clear()
    line.clear()
    line.end()
    line.write("one")
    assert terminal.getvalue() == f"{EMPTY}one{EMPTY}{EMPTY}one"


def test_a_long_text_leaves_the_last_column_free(terminal: Terminal) -> None:
    LiveLine(True).write("x" * 30)
    assert terminal.getvalue() == EMPTY + "x" * 19


@pytest.mark.parametrize("why", ["not wanted", "no terminal", "a dumb one"])
def test_nothing_is_written_where_that_cannot_be(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    terminal.is_there = why != "no terminal"
    if why == "a dumb one":
        monkeypatch.setenv("TERM", "dumb")
    line = LiveLine(why != "not wanted")
    line.write("one")
    line.end()
    assert (line.is_shown, terminal.getvalue()) == (False, "")


def test_a_terminal_that_goes_away_is_no_error(terminal: Terminal) -> None:
    line = LiveLine(True)
    terminal.close()
    line.write("one")
    assert not line.is_shown
