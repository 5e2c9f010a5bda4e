"""Time that stands still while this process does: stopped by Ctrl-Z, paused, or asleep.

Who comes back after a while has heard nothing meanwhile, and must look again before judging. Who
was at work all the while (answers can be made to take seconds to read) was awake.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds between two looks at the clock, and those after which the process must have been stopped.
_TICK = 0.25
_STOPPED = 1.5


class AwakeClock:
    """Seconds that this process has been awake, while :meth:`tick` goes on."""

    def __init__(self) -> None:
        self._asleep = 0.0
        self._looked_at = time.monotonic()
        self._worked = 0.0
        self._ticking = 0

    def now(self) -> float:
        """Give the present moment, in seconds since some moment in the past."""
        moment, worked = time.monotonic(), time.process_time()
        idle = (moment - self._looked_at) - (worked - self._worked)
        if self._ticking and idle > _STOPPED:
            self._asleep += idle
        self._looked_at, self._worked = moment, worked
        return moment - self._asleep

    async def wait_for(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Wait for work to be done, as :func:`asyncio.wait_for` does, but for seconds awake.

        :raises asyncio.TimeoutError: if it is not; it is cancelled
        """
        task, end = asyncio.ensure_future(work), self.now() + seconds
        try:
            while not task.done():
                if self.now() >= end:
                    raise asyncio.TimeoutError
                await asyncio.wait({task}, timeout=_TICK)
            return task.result()
        finally:
            task.cancel()

    async def tick(self) -> None:
        """Look at the clock often, until cancelled: what it misses was no time awake."""
        self.now()
        self._ticking += 1
        try:
            while True:
                await asyncio.sleep(_TICK)
                self.now()
        finally:
            self._ticking -= 1
