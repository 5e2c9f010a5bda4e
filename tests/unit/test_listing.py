"""Sentences that name many things."""

from __future__ import annotations

import pytest

from certbot_dns_aliyun.propagation.listing import listed


@pytest.mark.parametrize(
    ("items", "told"),
    [("a", "a"), ("ab", "a, b"), ("abc", "a, b, c"), ("abcd", "a, b, c and 1 more")],
)
def test_the_first_few_are_named_and_the_others_counted(items: str, told: str) -> None:
    assert listed(items) == told
