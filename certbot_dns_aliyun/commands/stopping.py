"""Signals that end a command that has records in zones: those are removed first."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopping:
    """Turns the first signal into KeyboardInterrupt, and lets others wait while records go.

    A context of the main thread. Between :meth:`hold` and :meth:`release`, and from the first
    signal on, it takes a second Ctrl-C to interrupt. So nothing can come between the end of the
    work and the removal.
    """

    def __init__(self) -> None:
        self._is_holding = False
        self._waiting: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stopping:
        for number in _SIGNALS:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:  # as under nohup
                self._before[number] = before
                signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def hold(self) -> None:
        """Let signals wait from now on."""
        self._is_holding = True

    def release(self) -> None:
        """Let them wait no more.

        :raises KeyboardInterrupt: if one has waited
        """
        self._is_holding = False
        if self._waiting:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._is_holding:
            self._is_holding = True
            raise KeyboardInterrupt
        if number == signal.SIGINT and signal.SIGINT in self._waiting:
            raise KeyboardInterrupt
        self._waiting.append(number)
