"""Ctrl-C while records are removed."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from certbot_dns_aliyun.background import first_interrupt_waits


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_interrupt_comes_when_all_is_done() -> None:
    done = []

    def clean_up() -> None:
        with first_interrupt_waits() as interrupted:
            interrupt()
            assert interrupted.is_set()
            done.append("the rest")

    with pytest.raises(KeyboardInterrupt):
        clean_up()
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_interrupt_comes_at_once() -> None:
    done = []

    def clean_up() -> None:
        with first_interrupt_waits():
            interrupt()
            interrupt()
            done.append("the rest")

    with pytest.raises(KeyboardInterrupt):
        clean_up()
    assert done == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interrupt_nothing_happens() -> None:
    with first_interrupt_waits() as interrupted:
        pass
    assert not interrupted.is_set()


def test_in_another_thread_nothing_changes() -> None:
    seen = []

    def work() -> None:
        with first_interrupt_waits():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_who_is_not_to_be_interrupted_is_not() -> None:
    """In the background, SIGINT is ignored, and stays so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with first_interrupt_waits() as interrupted:
        interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert not interrupted.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
