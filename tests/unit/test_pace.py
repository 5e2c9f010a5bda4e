"""How many calls go out: writes to one zone, and calls in a second."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.alidns import pace
from certbot_dns_aliyun.alidns.pace import CALLS_PER_SECOND, Rate, ZoneGate
from certbot_dns_aliyun.errors import AlidnsError
from certbot_dns_aliyun.journeys import CONNECTIONS
from certbot_dns_aliyun.retrying import RetryBudget
from tests.unit.fake_time import START, Clock


def turns_free(gate: ZoneGate, most: int = 12) -> int:
    """Counts the writes that may be under way at once now."""
    entered = []
    budget = RetryBudget()

    def enter() -> None:
        try:
            turn = gate.turn(budget)
        except AlidnsError:
            return
        turn.__enter__()
        entered.append(turn)

    threads = [threading.Thread(target=enter) for _ in range(most)]
    for thread in threads:
        thread.start()
    # Those that may enter do so at once; the others wait until the phase is called off.
    for thread in threads:
        thread.join(0.01)
    count = len(entered)
    budget.call_off()
    with gate._changed:
        gate._changed.notify_all()  # they would look in half a second
    for turn in list(entered):
        turn.__exit__(ValueError, ValueError(), None)  # it proves nothing about the limit
    for thread in threads:
        thread.join(5)
    return count


def test_the_first_write_to_a_zone_goes_alone() -> None:
    assert turns_free(ZoneGate()) == 1


def succeed_together(gate: ZoneGate, count: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(gate.turn(RetryBudget()))


def test_as_many_successes_at_once_as_may_be_double_the_writes() -> None:
    gate = ZoneGate()
    seen = []
    for _ in range(5):
        seen.append(turns_free(gate))
        succeed_together(gate, seen[-1])
    assert seen == [1, 2, 4, 8, CONNECTIONS]


def test_a_zone_gets_no_more_than_its_share_and_has_more_when_others_are_done() -> None:
    share = 1
    gate = ZoneGate(lambda: share)
    succeed_together(gate, 1)
    succeed_together(gate, 1)
    assert turns_free(gate) == 1
    share = 10
    assert turns_free(gate) == 2, "two at once is as far as it may go, not having proven more"


def test_a_zone_has_work_while_writes_wait_or_are_under_way() -> None:
    gate, budget = ZoneGate(), RetryBudget()
    assert not gate.has_work
    with gate.turn(budget):
        assert gate.has_work
        waiting = threading.Thread(target=lambda: gate.turn(budget).__exit__(None, None, None))
        waiting.start()
    waiting.join(5)
    assert not gate.has_work
    budget.call_off()
    with pytest.raises(AlidnsError):
        gate.turn(budget)
    assert not gate.has_work


def test_a_success_alone_proves_nothing_about_two() -> None:
    gate = ZoneGate()
    succeed_together(gate, 1)
    succeed_together(gate, 1)
    assert turns_free(gate) == 2


def test_a_zone_that_was_busy_with_our_own_writes_takes_one_at_a_time_from_then_on() -> None:
    gate = ZoneGate()
    succeed_together(gate, 1)
    first, second = gate.turn(RetryBudget()), gate.turn(RetryBudget())
    first.__exit__(None, None, None)  # it may have ended when the refusal of the other comes
    gate.was_busy(second.was_alone)
    second.__exit__(ValueError, ValueError(), None)
    for _ in range(3):
        succeed_together(gate, 1)
    assert turns_free(gate) == 1


def test_a_refusal_beside_one_other_write_that_began_later_is_about_our_own() -> None:
    gate = ZoneGate()
    succeed_together(gate, 1)
    first, second = gate.turn(RetryBudget()), gate.turn(RetryBudget())
    assert first.was_alone
    gate.was_busy(first.was_alone)
    for turn in (first, second):
        turn.__exit__(ValueError, ValueError(), None)
    assert turns_free(gate) == 1


def test_a_zone_that_was_busy_with_a_strangers_write_keeps_its_pace() -> None:
    gate = ZoneGate()
    succeed_together(gate, 1)
    turn = gate.turn(RetryBudget())
    gate.was_busy(turn.was_alone)
    turn.__exit__(ValueError, ValueError(), None)
    assert turns_free(gate) == 2


def test_who_waits_for_a_turn_is_told_that_the_run_was_called_off() -> None:
    gate, budget = ZoneGate(), RetryBudget()
    with gate.turn(budget):
        budget.call_off()
        with pytest.raises(AlidnsError, match="called off"):
            gate.turn(budget)


def test_who_waits_already_hears_that_the_run_is_called_off() -> None:
    gate, budget, heard = ZoneGate(), RetryBudget(), threading.Event()

    def wait() -> None:
        with contextlib.suppress(AlidnsError):
            gate.turn(budget)
        heard.set()

    with gate.turn(RetryBudget()):
        threading.Thread(target=wait, daemon=True).start()
        until_waiting = time.monotonic() + 5
        while gate._waiting == 0 and time.monotonic() < until_waiting:
            time.sleep(0.01)
        budget.call_off()
        assert heard.wait(5), "nobody ends a write meanwhile"


def test_a_turn_ends_with_an_error_too() -> None:
    gate = ZoneGate()
    with pytest.raises(ValueError, match="x"), gate.turn(RetryBudget()):
        raise ValueError("x")
    assert turns_free(gate) == 1


def test_calls_keep_within_the_documented_rate(clock: Clock) -> None:
    rate, budget = Rate(), RetryBudget()
    sent = [rate.wait(budget) for _ in range(4 * CALLS_PER_SECOND)]
    for i, at in enumerate(sent[CALLS_PER_SECOND:]):
        assert at - sent[i] >= 1.0 - 1e-6
    assert clock.elapsed == pytest.approx(3.0)


def test_a_refused_rate_is_halved_after_a_pause(clock: Clock) -> None:
    rate, budget = Rate(), RetryBudget()
    sent = [rate.wait(budget) for _ in range(20)]
    clock.sleep(0.1)
    rate.slow_down(sent[-1])
    sent = [rate.wait(budget) for _ in range(3)]
    assert sent[0] == pytest.approx(START + 0.1 + 1.0)
    assert sent[1] - sent[0] == pytest.approx(1 / 10, rel=0.1)


@pytest.mark.parametrize(("apart", "left"), [(0.9, 2), (1.0, 1)])
def test_what_is_halved_is_the_calls_of_the_last_second(
    clock: Clock, apart: float, left: float
) -> None:
    rate, budget = Rate(), RetryBudget()
    for seconds in (0.0, 0.0, apart, 0.0):
        clock.sleep(seconds)
        last = rate.wait(budget)
    rate.slow_down(last)
    first, second = rate.wait(budget), rate.wait(budget)
    assert second - first == pytest.approx(1 / left, rel=0.1)


def test_a_call_that_was_refused_alone_does_not_slow_down_the_next_ones(clock: Clock) -> None:
    rate, budget = Rate(), RetryBudget()
    rate.slow_down(rate.wait(budget))
    for _ in range(5):
        rate.wait(budget)
    assert clock.elapsed < 5


def test_calls_refused_together_slow_down_once(clock: Clock) -> None:
    rate, budget = Rate(), RetryBudget()
    together = [rate.wait(budget) for _ in range(8)]
    for sent_at in together:
        rate.slow_down(sent_at)
    first, second = rate.wait(budget), rate.wait(budget)
    assert second - first == pytest.approx(1 / 4, rel=0.1)


def test_a_rate_that_was_refused_for_eight_seconds_recovers(clock: Clock) -> None:
    rate, budget = Rate(), RetryBudget()
    sent: list[float] = []
    while len(sent) < 200:
        at = rate.wait(budget)
        if at - START < 8.0:
            rate.slow_down(at)
        else:
            sent.append(at)
    assert clock.elapsed < 8 + 15, "4 seconds are the least"
    assert sent[-1] - sent[-CALLS_PER_SECOND - 1] < 1.1, "as fast as ever in the end"
    assert max(b - a for a, b in zip(sent, sent[1:])) <= 2.0


def test_who_waits_for_the_rate_gains_by_its_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many threads wait at once; what each is told at first would be much too late."""
    monkeypatch.setattr(pace, "_PAUSE", 0.1)
    monkeypatch.setattr(pace, "_GROWTH", 1000.0)
    monkeypatch.setattr(pace, "CALLS_PER_SECOND", 10_000)
    rate, budget = Rate(), RetryBudget()
    rate.slow_down(rate.wait(budget))
    threads = [threading.Thread(target=rate.wait, args=(budget,)) for _ in range(100)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert time.monotonic() - began < 20, "100 seconds at the halved rate"


def test_a_refusal_puts_off_who_waits_already(clock: Clock) -> None:
    rate, budget = Rate(), RetryBudget()
    first = rate.wait(budget)
    rate.slow_down(first)
    sleep = clock.sleep
    refused = []

    def refused_meanwhile(seconds: float) -> None:
        sleep(seconds)
        if not refused:
            refused.append(clock.now)
            rate.slow_down(clock.now)

    clock.sleep = refused_meanwhile  # type: ignore[method-assign]
    assert rate.wait(budget) >= refused[0] + 1.0


def test_who_is_called_off_waits_for_no_rate(clock: Clock) -> None:
    rate, budget = Rate(), RetryBudget()
    rate.slow_down(rate.wait(budget))
    budget.call_off()
    assert rate.wait(budget) == clock.now == START


@given(refused=st.lists(st.booleans(), max_size=60))
def test_no_pattern_of_refusals_makes_it_stop_or_rush(refused: list[bool]) -> None:
    clock = Clock()
    with clock.in_place():
        rate, budget = Rate(), RetryBudget()
        last = clock.now
        for is_refused in refused:
            at = rate.wait(budget)
            assert last <= at <= last + 3.0
            assert clock.now == pytest.approx(at)
            last = at
            if is_refused:
                rate.slow_down(at)


def test_against_five_calls_a_second_the_rate_settles_with_few_refusals(clock: Clock) -> None:
    rate, budget, refused = Rate(), RetryBudget(), 0
    accepted: list[float] = []
    while len(accepted) < 100:
        at = rate.wait(budget)
        if len([a for a in accepted if at - a < 1.0]) < 5:
            accepted.append(at)
        else:
            refused += 1
            rate.slow_down(at)
    assert refused <= 15
    assert clock.elapsed < 40, "20 seconds are the least"
