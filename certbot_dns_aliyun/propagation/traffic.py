"""Keep the questions of one run within what nobody takes for an attack, and a process may open."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import time
from collections.abc import AsyncIterator

#: Questions a second, to all servers together and to one address.
PER_SECOND = 1000
PER_SECOND_TO_ONE = 250
#: Those of them that need not be spaced: a sample of an address, which ends the wait for it.
_AT_ONCE_TO_ONE = 25
#: Questions to a resolver that need not be spaced: a large order begins with one for each name, on
#: which all others wait. (dnsmasq forwards 150 at once by default.)
TO_RESOLVER_AT_ONCE = 100
#: Questions under way at once at most; each holds a socket.
_AT_ONCE = 400
#: Files that the rest of the process may want to open besides: connections, logs, the journal.
_RESERVED = 64


class Traffic:
    """The questions of one run; each is asked within :meth:`question`, in its turn."""

    def __init__(self) -> None:
        self._places: asyncio.Semaphore | None = None
        self._turn = _Turn(PER_SECOND)
        self._turns: dict[str, _Turn] = {}

    @contextlib.asynccontextmanager
    async def question(self, address: str, at_once: int = _AT_ONCE_TO_ONE) -> AsyncIterator[None]:
        """Wait for the turn of a question to an address, and hold a place while it is asked.

        :param at_once: questions to this address that need not be spaced
        """
        if self._places is None:  # made in the loop that it is for, as Python 3.9 wants it
            self._places = asyncio.Semaphore(_most_at_once())
        await self._turns.setdefault(
            address, _Turn(PER_SECOND_TO_ONE - _AT_ONCE_TO_ONE, at_once)
        ).wait()
        async with self._places:
            await self._turn.wait()
            yield


class _Turn:
    """So many turns a second: evenly, once more than some come at once."""

    def __init__(self, per_second: float, at_once: int = 1) -> None:
        self._apart = 1 / per_second
        self._ahead = at_once * self._apart
        self._next = 0.0

    async def wait(self) -> None:
        now = time.monotonic()
        self._next = max(now, self._next) + self._apart
        seconds = self._next - self._ahead - now
        if seconds > 0.01:
            await asyncio.sleep(seconds)


def _most_at_once() -> int:
    """Give the sockets that questions may hold, from what the process may open (`ulimit -n`)."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return _AT_ONCE
    try:
        is_open = len(os.listdir("/proc/self/fd"))
    except OSError:
        is_open = _RESERVED
    return max(8, min(_AT_ONCE, limit - is_open - _RESERVED))
