"""The bounds of what one run asks of DNS."""

from __future__ import annotations

import asyncio

from certbot_dns_aliyun.propagation import traffic
from certbot_dns_aliyun.propagation.traffic import Traffic


async def hold(place: Traffic, seconds: float = 0.0) -> None:
    async with place:
        await asyncio.sleep(seconds)


def test_questions_that_are_cancelled_in_their_queue_leave_it() -> None:
    async def run() -> None:
        place = Traffic()
        place._next = asyncio.get_running_loop().time() + 0.5  # so that all wait for their turn
        waiting = [asyncio.ensure_future(hold(place)) for _ in range(2 * traffic._AT_ONCE)]
        await asyncio.sleep(0.01)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        place._next = 0.0
        await asyncio.wait_for(hold(place), 5)

    asyncio.run(run())


def test_no_more_than_so_many_are_under_way_at_once() -> None:
    most = under_way = 0

    async def ask(place: Traffic) -> None:
        nonlocal most, under_way
        async with place:
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.02)
            under_way -= 1

    async def run() -> None:
        place = Traffic()
        await asyncio.gather(*(ask(place) for _ in range(200)))

    asyncio.run(run())
    assert most <= traffic._AT_ONCE
