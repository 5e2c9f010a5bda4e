"""Fixtures for tests that live in a world of their own.

The world is imported only by tests that ask for it: the unit tests run without its libraries.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.world import World


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests counted: record_property("figure", ...)."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(str(value))


@pytest.fixture(scope="session")
def own_network() -> Iterator[None]:
    """Moves this process into its namespace, once; skips where that cannot be done."""
    from tests.world import ca, namespace

    why_not = namespace.explain_unavailable()
    if why_not is None:
        namespace.enter()
    elif os.environ.get("CI") == "true":
        pytest.fail(why_not)
    else:
        pytest.skip(why_not)
    yield
    ca.stop_all()


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A certbot hears Ctrl-C, even if these tests run in the background, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def make_world(
    own_network: None, _interruptible: None, tmp_path: Path
) -> Iterator[Callable[..., World]]:
    """Makes a world as the test wants it; it is checked and taken down afterwards.

    One at a time: a world has the names and ports of the real one.
    """
    from tests.world import World

    made: list[World] = []

    def make(*zones: Any, **more: Any) -> World:
        assert not made, "a test has one world"
        world = World(*zones, folder=tmp_path, **more)
        made.append(world)
        return world.__enter__()

    yield make
    for world in made:
        world.stop()
        world.check()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """The plain world: example.com, two name servers 0.2 s behind, a key for that zone."""
    return make_world()
