"""How long calls go on: until nothing has helped for two minutes.

One effort covers one phase of a run (adding, or cleaning up) and all its threads. Time is counted
from the last call that got somewhere, so that a large order against a slow API is not cut short
while a dead API ends the phase.
"""

from __future__ import annotations

import threading
import time

#: Seconds without one call that got somewhere, after which the phase is given up.
PATIENCE = 120.0


class Effort:
    """The patience of one phase of a run, shared by its threads."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._called_off = threading.Event()
        self._last_progress = time.monotonic()

    def call_off(self) -> None:
        """End all waiting at once; calls under way still get their reply."""
        self._called_off.set()

    @property
    def called_off(self) -> bool:
        """Whether the phase was called off."""
        return self._called_off.is_set()

    @property
    def ran_out(self) -> bool:
        """Whether nothing has helped for as long as the patience lasts."""
        return time.monotonic() - self._last_progress >= self._patience

    def progressed(self) -> None:
        """Note that a call got somewhere."""
        self._last_progress = time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, unless the phase is called off meanwhile."""
        if seconds > 0:
            self._called_off.wait(seconds)

    def is_spent(self, first_failure: float) -> bool:
        """Tell whether a call, failing since a monotonic time, is not to be made once more."""
        failing_for = time.monotonic() - first_failure
        return self.called_off or self.ran_out or failing_for >= self._patience
