"""Work goes on in the background, while the main thread does nothing but wait.

Signals strike there: Python raises KeyboardInterrupt, and Certbot its own exception for SIGTERM, at
whatever the main thread is doing. In the midst of an import, or of logging, that can leave a lock
behind which no thread ever gets again; the records would stay. Certbot puts off the other signals
until clean-up has ended, but not Ctrl-C, which would strike in the midst of starting a removal.
"""

from __future__ import annotations

import collections
import contextlib
import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Callable, TypeVar

T = TypeVar("T")

#: Pieces of work in hand at once. Most of them wait for their zone's turn; the calls under way at
#: once are far fewer (:data:`certbot_dns_aliyun.journeys.CONNECTIONS`).
_THREADS = 100
_NOTHING_YET = 0.5


def concurrently(
    do: Callable[[T], None], items: Sequence[T], meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Do something for all items concurrently, in as many threads as can be had.

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


@contextlib.contextmanager
def first_interrupt_waits() -> Iterator[threading.Event]:
    """Put off the first SIGINT until the end of the context; a second one interrupts it.

    Outside the main thread, or where SIGINT is not Python's own, nothing changes.

    :returns: set once there was an interrupt
    """
    interrupted = threading.Event()
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )

    def handle(number: int, frame: object) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    if ours:
        signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted.is_set():
        raise KeyboardInterrupt


class Aside:
    """Work that goes on in a thread while the main thread, which signals strike, only waits."""

    def __init__(self) -> None:
        self._at_rest = threading.Event()
        self._at_rest.set()

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is under way."""
        return self._at_rest.is_set()

    def do(self, work: Callable[[], None]) -> None:
        """Do something, and wait for its end; who is interrupted leaves it under way."""
        self._at_rest.clear()

        def to_the_end(_: None) -> None:
            try:
                work()
            finally:
                self._at_rest.set()

        concurrently(to_the_end, [None])

    def wait(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait some seconds for the end of what is under way.

        :param meanwhile: called now and then
        """
        for _ in range(int(seconds / _NOTHING_YET)):
            if self._at_rest.wait(_NOTHING_YET):
                return
            meanwhile()
