"""For how long calls are made in vain, and what is remembered and told of that."""

from __future__ import annotations

import threading
import time
from datetime import datetime

import pytest

from certbot_dns_aliyun.errors import AlidnsError, NotCalled
from certbot_dns_aliyun.retrying import PATIENCE, PROBE, RetryBudget
from certbot_dns_aliyun.unanswered import NotSent
from tests.unit.fake_time import Clock

HOST = "alidns.aliyuncs.com"
DEAD = AlidnsError(NotSent.NO_CONNECTION, "AddDomainRecord", host=HOST, zone="example.com")
NO_KEY = AlidnsError(NotCalled.CREDENTIALS_NOT_YET, origin="the RAM role web")
BUSY = AlidnsError("LastOperationNotFinished", "AddDomainRecord", host=HOST, zone="example.com")


def fail_for(seconds: float, budget: RetryBudget, clock: Clock, error: AlidnsError = DEAD) -> bool:
    """Whether a call that fails all the time, and for the last time then, is not made again."""
    began = clock.now
    for part in range(11):
        clock.now = began + seconds * part / 10
        budget.failed(error)
    return budget.is_spent(error, began)


def test_a_call_is_made_again_until_nothing_has_answered_for_two_minutes(clock: Clock) -> None:
    budget = RetryBudget()
    assert not fail_for(PATIENCE - 1, budget, clock)
    clock.sleep(1)
    assert budget.is_spent(DEAD, clock.now), "however late that call began to fail"


def test_time_in_which_nothing_failed_is_not_counted(clock: Clock) -> None:
    budget = RetryBudget()
    clock.sleep(2 * PATIENCE)
    budget.failed(DEAD)
    assert not budget.is_spent(DEAD, clock.now)
    budget.answered(HOST)
    clock.sleep(2 * PATIENCE)
    budget.failed(DEAD)
    assert not budget.is_spent(DEAD, clock.now)
    assert budget.given_up(HOST) is None


def test_an_answer_to_one_call_gives_the_others_more_time(clock: Clock) -> None:
    budget = RetryBudget()
    fail_for(PATIENCE - 1, budget, clock)
    budget.answered(HOST)
    clock.sleep(2)
    budget.failed(DEAD)
    assert not budget.is_spent(DEAD, clock.now - PATIENCE + 1)


def test_one_call_that_fails_for_two_minutes_ends_however_well_the_others_do(clock: Clock) -> None:
    budget = RetryBudget()
    first_failure = clock.now
    clock.sleep(PATIENCE)
    budget.answered(HOST)
    assert budget.is_spent(DEAD, first_failure)


@pytest.mark.parametrize(("tries", "is_spent"), [(11, False), (12, True)])
def test_a_call_that_others_leave_no_room_is_tried_twelve_times_however_long_that_takes(
    clock: Clock, tries: int, is_spent: bool
) -> None:
    first_failure = clock.now
    clock.sleep(2 * PATIENCE)
    assert RetryBudget().is_spent(BUSY, first_failure, tries) is is_spent


@pytest.mark.parametrize("other", [NO_KEY, BUSY])
def test_each_that_a_call_depends_on_has_patience_of_its_own(
    clock: Clock, other: AlidnsError
) -> None:
    budget = RetryBudget()
    assert fail_for(PATIENCE, budget, clock, other)
    budget.failed(DEAD)
    assert not budget.is_spent(DEAD, clock.now)
    budget.answered(HOST)
    assert budget.is_spent(other, clock.now), "an answer of the API says nothing about that"


def test_what_was_given_up_needs_no_more_calls_to_be_known(clock: Clock) -> None:
    budget = RetryBudget()
    fail_for(PATIENCE, budget, clock)
    assert budget.given_up(HOST) is DEAD
    assert budget.given_up("example.com", "credentials.ini") is None


def test_what_this_process_gave_up_is_probed_only_until_it_answers(clock: Clock) -> None:
    fail_for(PATIENCE, RetryBudget(), clock)
    for _ in range(2):
        budget = RetryBudget()
        assert budget.given_up(HOST) is None, "one call is made"
        assert not fail_for(PROBE - 1, budget, clock)
        assert fail_for(PROBE, budget, clock)
    budget.answered(HOST)
    assert not fail_for(PATIENCE - 1, RetryBudget(), clock)


def test_a_phase_with_less_patience_than_a_probe_takes_keeps_to_it(clock: Clock) -> None:
    fail_for(PATIENCE, RetryBudget(), clock)
    assert fail_for(PROBE - 2, RetryBudget(PROBE - 2), clock)


def test_what_one_phase_of_a_run_has_probed_in_vain_the_next_does_not(clock: Clock) -> None:
    fail_for(PATIENCE, RetryBudget(), clock)
    recovering = RetryBudget(20.0)
    adding = RetryBudget(after=recovering)
    assert adding.given_up(HOST, "credentials.ini") is None
    fail_for(PROBE, recovering, clock)
    assert adding.given_up(HOST, "credentials.ini") is DEAD
    assert RetryBudget().given_up(HOST) is None, "the next run makes a call again"


def test_a_phase_that_was_to_be_short_leaves_the_next_all_of_its_patience(clock: Clock) -> None:
    """A long recovery of an old run uses nothing up of the new one's."""
    recovering = RetryBudget(20.0)
    fail_for(20.0, recovering, clock)
    adding = RetryBudget(after=recovering)
    assert adding.given_up(HOST) is None
    assert not fail_for(PATIENCE - 1, adding, clock)


def test_repeated_calls_are_told_of_once_for_all_phases_until_there_was_an_answer(
    clock: Clock,
) -> None:
    told: list[str] = []
    fail_for(9.0, RetryBudget(tell=told.append), clock)
    assert told == []
    fail_for(PATIENCE, RetryBudget(tell=told.append), clock)
    fail_for(PATIENCE, RetryBudget(tell=told.append), clock)
    (first,) = told
    assert first.startswith("Calls are being repeated since ")
    assert "alidns.aliyuncs.com cannot be reached on port 443" in first
    budget = RetryBudget(tell=told.append)
    budget.answered(HOST)
    fail_for(9.0, budget, clock)
    assert told == [first]
    fail_for(10.0, budget, clock)
    assert len(told) == 2


def test_the_user_is_told_since_when_and_after_ten_seconds(clock: Clock) -> None:
    told: list[str] = []
    began = datetime.fromtimestamp(clock.time())
    budget = RetryBudget(tell=told.append)
    budget.failed(DEAD)
    clock.sleep(9.5)
    budget.failed(DEAD)
    assert not told
    clock.sleep(0.5)
    budget.failed(DEAD)
    (text,) = told
    assert text.startswith(f"Calls are being repeated since {began:%H:%M:%S}: ")


def test_a_wait_takes_as_long_as_it_says() -> None:
    began = time.monotonic()
    RetryBudget().sleep(0.05)
    assert 0.05 <= time.monotonic() - began < 30


def test_an_effort_that_was_called_off_waits_no_more() -> None:
    budget = RetryBudget()
    sleeper = threading.Thread(target=budget.sleep, args=(600,))
    sleeper.start()
    budget.call_off()
    sleeper.join(5)
    assert not sleeper.is_alive()
    assert budget.is_spent(DEAD, time.monotonic())
