"""Time that passes only when somebody waits for it, so that a test of two minutes takes none."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import sys
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from certbot_dns_aliyun.retrying import RetryBudget

T = TypeVar("T")

START = 1_000_000.0


class Clock:
    """Stands in for the module ``time`` in the product's modules."""

    def __init__(self) -> None:
        self.now = START
        self.worked = 0.0

    @property
    def elapsed(self) -> float:
        return self.now - START

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.worked

    def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[Clock]:
        """Makes all of the product that is loaded, retry budgets too, live in this time."""

        def sleep(budget: RetryBudget, seconds: float) -> None:
            if not budget.called_off:
                self.sleep(seconds)

        with pytest.MonkeyPatch.context() as patch:
            for name, module in list(sys.modules.items()):
                if name.startswith("certbot_dns_aliyun.") and hasattr(module, "time"):
                    patch.setattr(module, "time", self)
            patch.setattr(RetryBudget, "sleep", sleep)
            yield self

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in this time."""
        loop = _Loop(self)
        try:
            return loop.run_until_complete(coroutine)
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
            loop.close()


class _Selector(selectors.SelectSelector):
    """Has no files to wait for, so waiting is passing time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "the coroutines wait for one another, forever"
        # A little more than asked for: rounding must not make the loop spin.
        self._clock.sleep(timeout + 1e-6 if timeout > 0 else 0.0)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._clock.now
