"""Let the first Ctrl-C wait while records are removed.

Certbot puts off the other signals until clean-up has ended, but not this one: Python would raise
KeyboardInterrupt wherever the main thread happens to be, in the midst of starting a removal, say.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


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
