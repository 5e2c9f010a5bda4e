"""How many calls go out: at one zone at a time, and in a second.

Both limits are found out, not guessed. A zone's holds for the rest of the run; the rate, which
depends on what else calls the API, is tried out again and again.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from types import TracebackType
from typing import Callable

from certbot_dns_aliyun.errors import AlidnsError, NotCalled
from certbot_dns_aliyun.journeys import CONNECTIONS
from certbot_dns_aliyun.retrying import RetryBudget

#: Documented are 60 for AddDomainRecord and as many for DeleteDomainRecord, an account; a call may
#: arrive a little later than the one before it.
#: https://help.aliyun.com/zh/dns/api-alidns-2015-01-09-quota
CALLS_PER_SECOND = 50

#: Calls a second at the least, however often the API refuses them.
_LEAST_PER_SECOND = 0.5
#: Calls a second that were not too many, however few went out in the second of a refusal.
_FEW_PER_SECOND = 2
#: Seconds without a call after a refusal: the API counts the calls of a second.
_PAUSE = 1.0
#: The share of a refused rate that is left, and the scaling constant of its growth, in 1/s^4.
_KEPT = 0.5
_GROWTH = 0.2


class ZoneGate:
    """Lets as many writes into a zone as the API takes at once.

    One write goes first, then twice as many each time that so many at once have succeeded; from
    the first refusal on (LastOperationNotFinished) they go one at a time. So a zone that takes one
    at a time refuses a call or two, however many names there are.

    :param share: gives the writes that are this zone's share of those that may be under way at all
    """

    def __init__(self, share: Callable[[], int] = lambda: CONNECTIONS) -> None:
        self._share = share
        self._changed = threading.Condition()
        self._limit = 1
        self._under_way = 0
        self._waiting = 0
        self._one_at_a_time = False

    def turn(self, budget: RetryBudget) -> Turn:
        """Wait for one's turn; use it as a context around the call.

        :raises AlidnsError: if the phase was called off
        """
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    if budget.called_off:
                        raise AlidnsError(NotCalled.CALLED_OFF)
                    if self._under_way < min(self._limit, self._share()):
                        break
                    self._changed.wait(0.5)
            finally:
                self._waiting -= 1
            self._under_way += 1
            alone = self._under_way == 1
            return Turn(self, is_at_limit=self._under_way == self._limit, was_alone=alone)

    @property
    def has_work(self) -> bool:
        """Whether writes to the zone are under way, or wait for their turn."""
        return self._waiting + self._under_way > 0

    def end(self, succeeded_at_limit: bool) -> None:
        """Note the end of a write; one that succeeded beside as many as may be raises the limit."""
        with self._changed:
            self._under_way -= 1
            if succeeded_at_limit and not self._one_at_a_time:
                self._limit = min(2 * self._limit, CONNECTIONS)
            self._changed.notify(max(0, self._limit - self._under_way))

    def was_busy(self, was_alone: bool) -> None:
        """Note a write that was refused since another was under way.

        If none of ours was, somebody else's must have been, which says nothing about the limit.

        :param was_alone: whether none of ours was under way when it began
        """
        with self._changed:
            if not was_alone or self._under_way > 1:
                self._one_at_a_time = True
                self._limit = 1


class Turn:
    """The context of one write to a zone.

    :ivar was_alone: whether no other write of ours was under way when it began
    """

    def __init__(self, gate: ZoneGate, is_at_limit: bool, was_alone: bool) -> None:
        self.was_alone = was_alone
        self._gate = gate
        self._is_at_limit = is_at_limit

    def __enter__(self) -> Turn:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gate.end(succeeded_at_limit=self._is_at_limit and error is None)


class Rate:
    """Spaces calls in time: within the documented rate, and slower once the API asks for that.

    A refused rate is halved, and then grows by time, as CUBIC has it for congestion (RFC 9438,
    4.2): fast up to what was refused, with care around it, and ever faster beyond.
    """

    def __init__(self) -> None:
        self._next_in_turn = threading.Lock()
        self._lock = threading.Lock()
        self._recent: deque[float] = deque(maxlen=CALLS_PER_SECOND)
        self._refused = math.inf
        self._resumes_at = 0.0

    def wait(self, budget: RetryBudget) -> float:
        """Wait for the next moment at which a call may go out, and give that (monotonic) time."""
        with self._next_in_turn:
            while True:
                with self._lock:
                    now = time.monotonic()
                    seconds = self._next(now) - now
                    if seconds <= 0 or budget.called_off:
                        self._recent.append(now)
                        return now
                # Whoever is refused meanwhile puts that moment off.
                budget.sleep(seconds)

    def _next(self, now: float) -> float:
        """Give the time of the next call, as far as that is known now."""
        at = self._resumes_at
        if len(self._recent) == CALLS_PER_SECOND:
            at = max(at, self._recent[0] + 1.0)
        per_second = self._per_second(now)
        if self._recent and per_second < CALLS_PER_SECOND:
            at = max(at, self._recent[-1] + 1.0 / per_second)
        return at

    def _per_second(self, at: float) -> float:
        if math.isinf(self._refused):
            return self._refused
        seconds = max(0.0, at - self._resumes_at)
        until_as_refused: float = ((1 - _KEPT) * self._refused / _GROWTH) ** (1 / 3)
        grown: float = self._refused + _GROWTH * (seconds - until_as_refused) ** 3
        return max(_LEAST_PER_SECOND, grown)

    def slow_down(self, sent_at: float) -> None:
        """Note that a call was refused as one too many.

        Calls sent before the last time that this happened do not count again.
        """
        with self._lock:
            if sent_at < self._resumes_at:
                return
            sent = sum(sent_at - 1.0 < at <= sent_at for at in self._recent)
            self._refused = min(self._per_second(sent_at), max(sent, _FEW_PER_SECOND))
            self._resumes_at = time.monotonic() + _PAUSE
