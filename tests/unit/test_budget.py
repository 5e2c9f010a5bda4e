"""What the look-ups for one name may cost."""

from __future__ import annotations

from certbot_dns_aliyun.propagation.budget import Budget


def test_so_many_name_servers_and_no_more() -> None:
    budget = Budget()
    assert [budget.take_host() for _ in range(102)] == [True] * 100 + [False] * 2
    assert not budget.is_spent


def test_so_many_questions_and_no_more() -> None:
    budget = Budget()
    assert all(budget.take_question() for _ in range(500))
    assert not budget.is_spent
    assert not budget.take_question()
    assert budget.is_spent
    assert not budget.take_question()


def test_what_was_asked_last_is_told() -> None:
    budget = Budget()
    assert budget.seconds == 60
    assert str(budget) == "looking it up takes more than 500 questions"
    budget.zone = "example.com"
    assert str(budget).endswith("questions, the last to name servers of example.com")
