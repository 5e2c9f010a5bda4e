"""The thread in which questions go on."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from certbot_dns_aliyun.propagation.loop import Loop


def test_work_is_done_in_a_thread_that_holds_no_process_up() -> None:
    async def where() -> threading.Thread:
        return threading.current_thread()

    loop = Loop()
    thread = loop.start(where()).result(5)
    assert thread is not threading.current_thread()
    assert (thread.daemon, thread.name) == (True, "dns-aliyun-dns")
    loop.close()
    assert not thread.is_alive()


def test_what_is_under_way_at_the_end_is_cancelled_and_tidies_up() -> None:
    started, tidied = threading.Event(), threading.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            tidied.set()

    loop = Loop()
    several = [loop.start(work()) for _ in range(3)]
    assert started.wait(5)
    loop.close()
    assert tidied.is_set()
    assert all(each.cancelled() for each in several)


def test_who_fails_to_tidy_up_hinders_no_other() -> None:
    started, tidied = threading.Event(), threading.Event()

    async def fail() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            tidied.set()

    loop = Loop()
    loop.start(fail())
    loop.start(work())
    assert started.wait(5)
    loop.close()
    assert tidied.is_set()


def test_after_the_end_nothing_is_started() -> None:
    async def work() -> None: ...

    loop = Loop()
    loop.close()
    loop.close()
    with pytest.raises(CancelledError):
        loop.start(work()).result(5)
