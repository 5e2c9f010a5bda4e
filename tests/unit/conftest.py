"""How long the property tests run, the seed that repeats them, and time that tests control.

HYPOTHESIS_PROFILE=nightly tries far more inputs, few tries fewer. The seed is printed at the end
of every run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from certbot.display import util as display_util
from hypothesis import HealthCheck, settings

from certbot_dns_aliyun import retrying
from tests.unit.fake_api import FakeApi
from tests.unit.fake_time import Clock

#: How long each test took, where mutmut runs them: the quickest go first there, as most mutants die
#: by one of those.
MEASURED = Path("mutmut-stats.json")

FEW, QUICK, NIGHTLY = "few", "quick", "nightly"
for name, inputs in ((FEW, 20), (QUICK, 100), (NIGHTLY, 2_000)):
    settings.register_profile(
        name,
        max_examples=inputs,
        deadline=None,
        print_blob=True,
        # Each test puts anew what its fixtures hold.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", QUICK))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Chooses the seed here, so that it can be told; workers get it with the options."""
    if config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(random.randrange(2**32))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    seed = config.getoption("hypothesis_seed", None)
    terminalreporter.write_line(f"Inputs were drawn with --hypothesis-seed={seed}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("HYPOTHESIS_PROFILE") == NIGHTLY:
        for item in items:
            item.add_marker(pytest.mark.timeout(3600))
    if MEASURED.exists():
        seconds = json.loads(MEASURED.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Signals strike as in a shell, where nohup or the background have them ignored, too."""
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hang_up)


@pytest.fixture(autouse=True)
def no_outages(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process: nothing has been given up yet."""
    monkeypatch.setattr(retrying, "_outages", retrying._Outages())


@pytest.fixture(autouse=True)
def notified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Certbot was given to show."""
    shown: list[str] = []
    monkeypatch.setattr(display_util, "notify", shown.append)
    return shown


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on disk when is test_power_cut's matter; here, a busy disk only costs time."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Time that passes only when somebody waits for it."""
    with Clock().in_place() as clock:
        yield clock


@pytest.fixture
def api(clock: Clock) -> Iterator[FakeApi]:
    """Alidns as a table in memory, in the place of the HTTP session."""
    with FakeApi(clock).in_place() as api:
        yield api


@pytest.fixture
def _loop_for_events() -> Iterator[None]:
    """Python 3.9 makes an asyncio.Event in a loop alone, though it may never be waited for."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
