"""The bounds of what one run asks of DNS."""

from __future__ import annotations

import asyncio
import resource

import pytest

from certbot_dns_aliyun.propagation import traffic
from certbot_dns_aliyun.propagation.sample import _ANSWERS
from certbot_dns_aliyun.propagation.traffic import (
    PER_SECOND,
    PER_SECOND_TO_ONE,
    TO_RESOLVER_AT_ONCE,
    Traffic,
)
from tests.unit.fake_time import Clock

ONE = "192.0.2.1"


async def hold(place: Traffic, address: str = ONE, seconds: float = 0.0) -> None:
    async with place.question(address):
        await asyncio.sleep(seconds)


def test_questions_that_are_cancelled_in_their_queue_leave_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traffic, "_most_at_once", lambda: 2)

    async def run() -> None:
        place = Traffic()
        waiting = [asyncio.ensure_future(hold(place, f"192.0.2.{i}", 30)) for i in range(20)]
        await asyncio.sleep(0.1)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.wait_for(hold(place), 5)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("limit", "is_open", "at_once"),
    [
        (256, 0, 192),
        (256, 50, 142),
        (256, None, 128),
        (100, 90, 8),
        (100_000, 0, 400),
        (resource.RLIM_INFINITY, 0, 400),
    ],
)
def test_no_more_are_under_way_at_once_than_a_process_may_open(
    monkeypatch: pytest.MonkeyPatch, limit: int, is_open: int | None, at_once: int
) -> None:
    """None stands for a system that does not tell what is open."""

    def listdir(path: str) -> list[str]:
        if is_open is None or path != "/proc/self/fd":
            raise FileNotFoundError
        return [str(number) for number in range(is_open)]

    limits = {resource.RLIMIT_NOFILE: (limit, 2 * limit)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    monkeypatch.setattr(traffic.os, "listdir", listdir)
    most = under_way = 0

    async def ask(place: Traffic, number: int) -> None:
        nonlocal most, under_way
        async with place.question(f"192.0.2.{number}"):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(2.0)
            under_way -= 1

    async def run() -> None:
        place = Traffic()
        await asyncio.gather(*(ask(place, number % 200) for number in range(1000)))

    clock = Clock()
    with clock.in_place():
        clock.run(run())
    assert most == at_once


@pytest.mark.parametrize(("addresses", "rate"), [(1, PER_SECOND_TO_ONE), (20, PER_SECOND)])
def test_so_many_a_second_and_no_more(clock: Clock, addresses: int, rate: int) -> None:
    async def run() -> None:
        place = Traffic()
        await asyncio.gather(*(hold(place, f"192.0.2.{i % addresses}") for i in range(3 * rate)))

    clock.run(run())
    assert 2.9 <= clock.elapsed < 3.3


def test_the_first_questions_to_a_resolver_wait_for_no_others_and_the_rest_do(
    clock: Clock,
) -> None:
    asked: list[float] = []

    async def ask(place: Traffic) -> None:
        async with place.question(ONE, TO_RESOLVER_AT_ONCE):
            asked.append(clock.elapsed)

    async def run() -> None:
        place = Traffic()
        await asyncio.gather(*(ask(place) for _ in range(TO_RESOLVER_AT_ONCE + PER_SECOND_TO_ONE)))

    clock.run(run())
    assert asked[TO_RESOLVER_AT_ONCE - 1] < 0.12
    assert 0.9 <= asked[-1] < 1.2


def test_a_sample_of_an_address_goes_out_at_once_and_no_second_sees_too_many(clock: Clock) -> None:
    asked: list[float] = []

    async def ask(place: Traffic) -> None:
        async with place.question(ONE):
            asked.append(clock.elapsed)

    async def run() -> None:
        place = Traffic()
        await asyncio.gather(*(ask(place) for _ in range(3 * PER_SECOND_TO_ONE)))

    clock.run(run())
    assert asked[_ANSWERS - 1] < 0.03
    most = max(sum(at <= each < at + 1.0 for each in asked) for at in asked)
    assert 0.9 * PER_SECOND_TO_ONE < most <= 1.02 * PER_SECOND_TO_ONE
