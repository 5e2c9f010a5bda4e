"""How many good answers are a sample, for each of the zones that share it."""

from __future__ import annotations

import pytest

from certbot_dns_aliyun.propagation.sample import Sample


@pytest.mark.parametrize(
    ("zones", "disagree", "restraint", "answers"),
    [
        (1, False, 0, 24),
        (1, True, 0, 72),
        (2, False, 0, 12),
        (5, False, 0, 5),
        (24, False, 0, 1),
        (100, False, 0, 1),
        (100, True, 0, 1),
        (5, True, 0, 15),
        (1, False, 2, 6),
        (1, False, 6, 1),
        (2, True, 2, 9),
    ],
)
def test_the_answers_wanted_are_shared_and_never_none(
    zones: int, disagree: bool, restraint: int, answers: int
) -> None:
    assert Sample(0.0, zones).answers(disagree, restraint) == answers


def test_at_first_others_may_join() -> None:
    assert Sample(0.0).zones == 0
