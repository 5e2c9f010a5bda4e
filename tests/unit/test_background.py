"""Work in many threads: all of it, or none that begins after a failure."""

from __future__ import annotations

import threading

import pytest

from certbot_dns_aliyun.background import concurrently


def test_what_has_not_begun_when_one_fails_never_does() -> None:
    begun: list[int] = []
    has_failed = threading.Event()

    def do(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise ValueError("the first")
        has_failed.wait(10)

    with pytest.raises(ValueError, match="first"):
        concurrently(do, range(300))
    has_failed.set()
    for thread in threading.enumerate():
        if thread.name.startswith("dns-aliyun"):
            thread.join(10)
    assert len(begun) <= 101, "as many as there are threads, and the one after the failure"


def test_each_item_is_done_once_however_many_there_are() -> None:
    done: list[int] = []
    concurrently(done.append, range(300))
    assert sorted(done) == list(range(300))


def test_nothing_to_do_ends_at_once() -> None:
    concurrently(pytest.fail, [])
