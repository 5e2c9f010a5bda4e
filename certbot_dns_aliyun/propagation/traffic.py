"""Keep the questions of one run within what nobody takes for an attack."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

#: Questions under way at once; each holds a socket.
_AT_ONCE = 64
#: Questions a second, to all servers together.
_PER_SECOND = 1000


class Traffic:
    """The questions of one run; each is asked within this context, in its turn."""

    def __init__(self) -> None:
        self._places: asyncio.Semaphore | None = None
        self._next = 0.0

    async def __aenter__(self) -> None:
        if self._places is None:  # made in the loop that it is for, as Python 3.9 wants it
            self._places = asyncio.Semaphore(_AT_ONCE)
        await self._places.acquire()
        now = time.monotonic()
        self._next = max(now, self._next) + 1 / _PER_SECOND
        if self._next - now > 0.01:
            try:
                await asyncio.sleep(self._next - now)
            except BaseException:  # a question that is cancelled here has no __aexit__
                self._places.release()
                raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._places:
            self._places.release()
