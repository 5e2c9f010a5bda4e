"""Work goes on in threads, while the main thread does nothing but wait.

Signals strike there: Python raises KeyboardInterrupt, and Certbot its own exception for SIGTERM, at
whatever the main thread is doing. In the midst of an import, or of logging, that can leave a lock
behind which no thread ever gets again; the records would stay.
"""

from __future__ import annotations

import collections
import queue
import threading
from collections.abc import Sequence
from typing import Callable, TypeVar

T = TypeVar("T")

#: Pieces of work in hand at once. Most of them wait for their zone's turn; the calls under way at
#: once are far fewer (:data:`certbot_dns_aliyun.journeys.CONNECTIONS`).
_THREADS = 100
_NOTHING_YET = 0.5


def at_once(
    do: Callable[[T], None], items: Sequence[T], meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Do something for all items at once, in as many threads as can be had.

    The first failure is raised; what has not begun by then never does. When the process ends, no
    thread is waited for.

    :param meanwhile: called now and then by the thread that waits
    """
    # Being written in C, it cannot be left half changed by a signal.
    outcomes: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    todo = collections.deque(items)

    def work() -> None:
        while True:
            try:
                item = todo.popleft()
            except IndexError:
                return
            try:
                do(item)
            except BaseException as error:
                outcomes.put(error)
            else:
                outcomes.put(None)

    try:
        for i in range(min(len(items), _THREADS)):
            try:
                threading.Thread(target=work, name=f"dns-aliyun-{i}", daemon=True).start()
            except RuntimeError:  # the system's limit
                if i == 0:
                    work()
                break
        ended = 0
        while ended < len(items):
            try:
                error = outcomes.get(timeout=_NOTHING_YET)
            except queue.Empty:
                meanwhile()
                continue
            if error:
                raise error
            ended += 1
    finally:
        todo.clear()
