"""The retry budget: calls are repeated until nothing has helped for two minutes.

One budget covers one phase of a run (recovering, adding, or cleaning up) and all its threads. Time
is counted from the first failure that no answer has followed: a large order against a slow API is
not cut short, waiting for name servers uses nothing up, and a dead API ends the phase. What was
given up is remembered as long as the process lives, and probed only: `certbot renew` meets the same
dead API once for each lineage.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Callable

from certbot_dns_aliyun.errors import AlidnsError, Verdict

#: Seconds without an answer after which a phase is given up.
PATIENCE = 120.0
#: The same, for what this process has given up before, and has not heard of since.
PROBE = 5.0
#: Tries of a call for which others left no room, before its own patience counts: in a large order
#: at a low rate, a minute may pass between two of them, while the API answers all the time.
_TRIES = 12
_CROWDED = frozenset({Verdict.SLOW_DOWN, Verdict.BUSY})
#: Seconds of repeated calls after which the user is told of them.
_SILENCE = 10.0


class _Outages:
    """What does not answer, as far as this process knows; an answer ends an outage."""

    def __init__(self) -> None:
        self.given_up: set[str] = set()
        self.told: set[str] = set()

    def end(self, whom: str) -> None:
        self.given_up.discard(whom)
        self.told.discard(whom)


_outages = _Outages()


class RetryBudget:
    """The patience of one phase of a run, shared by its threads.

    It is kept for each of those that calls depend on: the API's host, where the access key comes
    from, and the zone, which may be busy with other changes.

    :param patience: seconds without an answer after which a call is not made once more
    :param tell: shows the user a sentence
    :param after: the phase before; what it has probed in vain is not probed again
    """

    def __init__(
        self,
        patience: float = PATIENCE,
        tell: Callable[[str], None] = lambda text: None,
        after: RetryBudget | None = None,
    ) -> None:
        self._patience = patience
        self._tell = tell
        self._after = after
        self._called_off = threading.Event()
        self._lock = threading.Lock()
        self._failing_since: dict[str, float] = {}
        self._latest: dict[str, AlidnsError] = {}

    def call_off(self) -> None:
        """End all waiting at once; calls under way still get their reply."""
        self._called_off.set()

    @property
    def called_off(self) -> bool:
        """Whether the phase was called off."""
        return self._called_off.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait, unless the phase is called off meanwhile."""
        self._called_off.wait(seconds)

    def answered(self, *those: str) -> None:
        """Note who has answered, or given what was asked for."""
        with self._lock:
            for whom in those:
                self._failing_since.pop(whom, None)
                _outages.end(whom)

    def failed(self, error: AlidnsError) -> None:
        """Note a failure that may pass; tell the user, once, when that has gone on for a while."""
        whom = _whom(error)
        with self._lock:
            self._latest[whom] = error
            seconds = time.monotonic() - self._failing_since.setdefault(whom, time.monotonic())
            if seconds >= PATIENCE:
                _outages.given_up.add(whom)
            is_news = seconds >= _SILENCE and whom not in _outages.told
            if is_news:
                _outages.told.add(whom)
        if is_news:
            since = datetime.fromtimestamp(time.time()) - timedelta(seconds=seconds)
            self._tell(f"Calls are being repeated since {since:%H:%M:%S}: {error.because()[0]}")

    def is_spent(self, error: AlidnsError, first_failure: float, tries: int = _TRIES) -> bool:
        """Tell whether a call is not to be made once more.

        :param first_failure: monotonic time since which it fails
        :param tries: how often it was made
        """
        has_bad_luck = error.verdict in _CROWDED and tries < _TRIES
        too_long = not has_bad_luck and time.monotonic() - first_failure >= self._patience
        return self.called_off or too_long or self.given_up(_whom(error)) is not None

    def given_up(self, *those: str) -> AlidnsError | None:
        """Give the latest failure of one that has not answered for as long as patience lasts."""
        with self._lock:
            now = time.monotonic()
            for whom in those:
                since = self._failing_since.get(whom, now)
                if whom in self._latest and now - since >= self._patience_with(whom):
                    return self._latest[whom]
        probed = _outages.given_up.intersection(those)
        return self._after.given_up(*probed) if self._after and probed else None

    def _patience_with(self, whom: str) -> float:
        return min(self._patience, PROBE) if whom in _outages.given_up else self._patience


def _whom(error: AlidnsError) -> str:
    """Give the one that a failure is about; without an action, that is the access key's source."""
    if error.verdict is Verdict.BUSY:
        return error.zone
    return error.host if error.action else error.origin
