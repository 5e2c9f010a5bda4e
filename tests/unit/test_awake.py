"""Time that stands still while the process is stopped."""

from __future__ import annotations

import asyncio

import pytest

from certbot_dns_aliyun.propagation.awake import AwakeClock
from tests.unit.fake_time import Clock


async def in_time(clock: Clock, work_takes: float, stopped_after: float) -> str:
    """Wait 10 seconds for work, while the process is stopped for an hour."""

    async def work() -> str:
        await asyncio.sleep(work_takes)
        return "done"

    async def stop() -> None:
        await asyncio.sleep(stopped_after)
        clock.sleep(3600)

    awake = AwakeClock()
    others = [asyncio.ensure_future(awake.tick()), asyncio.ensure_future(stop())]
    try:
        return await awake.wait_for(work(), 10)
    finally:
        for other in others:
            other.cancel()


@pytest.mark.parametrize("work_takes", [0, 1, 9, 3605])
@pytest.mark.parametrize("worked_before", [0.0, 7200.0])
def test_an_hour_asleep_does_not_count(
    clock: Clock, work_takes: float, worked_before: float
) -> None:
    clock.worked = worked_before
    assert clock.run(in_time(clock, work_takes, stopped_after=3)) == "done"


def test_the_time_awake_does_count(clock: Clock) -> None:
    with pytest.raises(asyncio.TimeoutError):
        clock.run(in_time(clock, 3650, stopped_after=3))
    assert 3610 <= clock.elapsed < 3615


def test_who_works_all_the_while_is_awake(clock: Clock) -> None:
    """Answers can be made to take seconds to read, and time must not stand still for those."""

    async def work() -> None:
        while True:
            clock.now += 4
            clock.worked += 3.9
            await asyncio.sleep(0.01)

    async def look_up() -> None:
        awake = AwakeClock()
        ticking = asyncio.ensure_future(awake.tick())
        try:
            await awake.wait_for(work(), 45)
        finally:
            ticking.cancel()

    with pytest.raises(asyncio.TimeoutError):
        clock.run(look_up())
    assert clock.elapsed < 60


def test_work_that_fails_fails_at_once(clock: Clock) -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        clock.run(AwakeClock().wait_for(work(), 10))


def test_each_time_asleep_counts_and_only_while_somebody_looks(clock: Clock) -> None:
    async def live() -> list[float]:
        awake = AwakeClock()
        looks = [asyncio.ensure_future(awake.tick()) for _ in range(2)]
        began, seen = awake.now(), []
        for stopped in (100, 100, 1):
            await asyncio.sleep(1)
            clock.sleep(stopped)
            seen.append(awake.now() - began)
        looks.pop().cancel()
        await asyncio.sleep(1)
        clock.sleep(100)
        seen.append(awake.now() - began)
        looks.pop().cancel()
        await asyncio.sleep(1)
        clock.sleep(100)
        seen.append(awake.now() - began)
        return seen

    assert clock.run(live()) == pytest.approx([0.75, 1.5, 3.5, 4.25, 105.25], abs=0.4)


def test_work_that_is_late_is_cancelled(clock: Clock) -> None:
    async def wait() -> bool:
        work = asyncio.Event()
        waiting = asyncio.ensure_future(AwakeClock().wait_for(_until(work), 10))
        await asyncio.wait([waiting])
        await asyncio.sleep(0)
        return work.is_set()

    async def _until(ended: asyncio.Event) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    assert clock.run(wait())
    assert 10 <= clock.elapsed < 10.5
