"""What a run does about the records of one that was killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from certbot import errors

from certbot_dns_aliyun.alidns.effort import Effort
from certbot_dns_aliyun.records.ledger import Ledger
from tests.unit.fake_api import FakeApi, Fault, error, lost
from tests.unit.parts import journals, kill, make_ledger

NAME, VALUE = "_acme-challenge.example.com", "value-of-ours"


@pytest.fixture(autouse=True)
def _zone(api: FakeApi) -> None:
    api.zones["example.com"] = []


def in_dns(name: str) -> str:
    return "example.com"


def killed_run(work_dir: Path) -> Ledger:
    """A run that is killed after it has added its record."""
    ledger = make_ledger(work_dir, in_dns)
    ledger.plan([(NAME, VALUE)])
    ledger.add(NAME, VALUE, Effort())
    kill(ledger._journal)
    return ledger


def recover(work_dir: Path) -> None:
    ledger = make_ledger(work_dir, in_dns)
    ledger.recover(Effort())
    assert ledger.close() == []


def test_the_next_run_removes_what_a_killed_one_left(api: FakeApi, tmp_path: Path) -> None:
    stranger = api.add("example.com", "_acme-challenge", "a stranger's")
    killed_run(tmp_path)
    recover(tmp_path)
    assert api.zones["example.com"] == [stranger]
    assert journals(tmp_path) == []


def test_a_living_run_is_left_alone(api: FakeApi, tmp_path: Path) -> None:
    living = make_ledger(tmp_path, in_dns)
    living.add(NAME, VALUE, Effort())
    recover(tmp_path)
    assert api.values("example.com") == [VALUE]
    assert living.remove(NAME, VALUE, Effort()) is None
    living.close()
    assert journals(tmp_path) == []


def test_a_run_killed_before_its_call_was_made_left_nothing(api: FakeApi, tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    ledger.plan([(NAME, VALUE)])
    kill(ledger._journal)
    recover(tmp_path)
    assert journals(tmp_path) == []
    assert api.actions() == ["DescribeDomainRecords"]


def test_many_planned_records_take_one_look_each(api: FakeApi, tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    ledger.plan([(NAME, f"value-{i}") for i in range(100)])
    kill(ledger._journal)
    recover(tmp_path)
    assert len(api.calls) == 100
    assert api.clock.elapsed < 30


def test_a_run_killed_while_its_call_was_under_way_is_cleaned_up_after(
    api: FakeApi, tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    ledger = make_ledger(tmp_path, in_dns)
    api.faults.append(Fault(Killed, acted=True))
    with pytest.raises(Killed):
        ledger.add(NAME, VALUE, Effort())
    kill(ledger._journal)
    assert api.values("example.com") == [VALUE]
    recover(tmp_path)
    assert api.values("example.com") == []


def test_what_cannot_be_removed_now_stays_in_the_journal(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_run(tmp_path)
    api.is_dead = True
    recover(tmp_path)
    assert "earlier run" in caplog.text
    assert len(journals(tmp_path)) == 1
    api.is_dead = False
    recover(tmp_path)
    assert api.values("example.com") == []
    assert journals(tmp_path) == []


def test_a_torn_journal_is_kept_while_it_lists_something(api: FakeApi, tmp_path: Path) -> None:
    path = killed_run(tmp_path)._journal.path
    with path.open("ab") as file:
        file.write(b'{"add": ["example.com", "_acme-ch')
    api.is_dead = True
    recover(tmp_path)
    api.is_dead = False
    recover(tmp_path)
    assert api.values("example.com") == []


def test_a_zone_that_was_only_tried_is_not_kept_for_ever(api: FakeApi, tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path)
    api.is_dead = True
    with pytest.raises(errors.PluginError):
        ledger.add(NAME, VALUE, Effort())
    kill(ledger._journal)
    api.is_dead = False
    recover(tmp_path)
    assert journals(tmp_path) == []


@pytest.mark.parametrize("code", ["IncorrectDomainUser", "InvalidDomainName.NoExist"])
def test_a_key_of_another_account_leaves_the_journal_to_the_right_one(
    api: FakeApi, tmp_path: Path, code: str
) -> None:
    killed_run(tmp_path)
    own, api.zones, api.no_zone = api.zones, {}, code
    recover(tmp_path)
    assert len(journals(tmp_path)) == 1
    api.zones = own
    recover(tmp_path)
    assert api.values("example.com") == []


def test_a_key_that_may_not_list_removes_by_the_id(api: FakeApi, tmp_path: Path) -> None:
    killed_run(tmp_path)
    api.may_list = False
    recover(tmp_path)
    assert api.values("example.com") == []
    assert journals(tmp_path) == []


def test_a_lost_reply_while_recovering_is_no_obstacle(api: FakeApi, tmp_path: Path) -> None:
    killed_run(tmp_path)
    api.faults.extend([Fault(lost), Fault(lambda: error("Throttling")), Fault(lost, acted=True)])
    recover(tmp_path)
    assert api.values("example.com") == []
    assert journals(tmp_path) == []


def test_a_record_that_somebody_removed_meanwhile_is_forgotten(
    api: FakeApi, tmp_path: Path
) -> None:
    killed_run(tmp_path)
    api.zones["example.com"].clear()
    recover(tmp_path)
    assert journals(tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        {"add": ["exam\udc00ple.com", "_acme-challenge", "v"]},
        {"add": ["", "", ""]},
        {"add": ["example.com", "", "v"]},
        {"add": [".." * 400, "@", "v"]},
        {"add": ["example.com", "@", "\ud800"]},
        {"add": "abc"},
        {"add": {"example.com": 1, "@": 2, "v": 3}},
        {"added": ["example.com", "@", "v"], "id": "1" * 10_000},
    ],
    ids=str,
)
def test_a_journal_of_nonsense_is_never_fatal(
    api: FakeApi, tmp_path: Path, line: dict[str, object]
) -> None:
    stranger = api.add("example.com", "@", "x")
    folder = tmp_path / "dns-aliyun"
    folder.mkdir()
    (folder / "1-x.journal").write_text(json.dumps(line) + "\n", encoding="utf-8")
    recover(tmp_path)
    assert api.zones["example.com"] == [stranger]
