"""What a run does about the records of one that was killed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from certbot import errors

from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.credentials.settings import Account, Settings
from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.records.journal import RecordKey
from certbot_dns_aliyun.records.ledger import Ledger
from certbot_dns_aliyun.records.words import by_hand, cannot_list
from certbot_dns_aliyun.retrying import RetryBudget
from tests.unit.fake_api import KEY_ID, SECRET, FakeApi, Fault, error, lost, no_connection
from tests.unit.parts import digest, journals, kill, make_ledger, warnings

NAME, VALUE = "_acme-challenge.example.com", digest("ours")


OTHER_KEY = "LTAI5tOfAnotherAccount"
ADD = "AddDomainRecord"
NO_ZONE = ["IncorrectDomainUser", "InvalidDomainName.NoExist", "Forbidden.RAM"]


class Killed(BaseException):
    """The process ends at this moment."""


@pytest.fixture(autouse=True)
def _zone(api: FakeApi) -> None:
    api.zones["example.com"] = []


def in_dns(name: str) -> str:
    return "example.com"


def killed_run(config_dir: Path) -> Ledger:
    """A run that is killed after it has added its record."""
    ledger = make_ledger(config_dir, in_dns)
    ledger.plan([(NAME, VALUE)])
    ledger.add(NAME, VALUE, RetryBudget())
    kill(ledger._journal)
    return ledger


def killed_run_in_two_zones(config_dir: Path, api: FakeApi) -> None:
    """A run that is killed after it has added two records to one zone, and one to another."""
    api.zones["example.org"] = []
    names = [f"_acme-challenge.{n}.example.com" for n in "ab"] + ["_acme-challenge.example.org"]
    ledger = make_ledger(config_dir, lambda name: name[-11:])
    for name in names:
        ledger.add(name, VALUE, RetryBudget())
    kill(ledger._journal)


def recover(config_dir: Path, key_id: str = KEY_ID) -> None:
    ledger = make_ledger(config_dir, in_dns, key_id)
    ledger.recover(RetryBudget(20.0))
    assert ledger.close() == []


def test_the_next_run_removes_what_a_killed_one_left(api: FakeApi, tmp_path: Path) -> None:
    stranger = api.add("example.com", "_acme-challenge", "a stranger's")
    killed_run(tmp_path)
    recover(tmp_path)
    assert api.zones["example.com"] == [stranger]
    assert journals(tmp_path) == []


def test_a_run_that_goes_on_is_left_alone(api: FakeApi, tmp_path: Path) -> None:
    living = make_ledger(tmp_path, in_dns)
    living.add(NAME, VALUE, RetryBudget())
    recover(tmp_path)
    assert api.values("example.com") == [VALUE]
    assert living.remove(NAME, VALUE, RetryBudget()) is None
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
    ledger.plan([(NAME, digest(str(i))) for i in range(100)])
    kill(ledger._journal)
    recover(tmp_path)
    assert len(api.calls) == 100
    assert api.clock.elapsed < 30


def test_a_run_killed_while_its_call_was_under_way_is_cleaned_up_after(
    api: FakeApi, tmp_path: Path
) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    api.faults.append(Fault(Killed, acted=True))
    with pytest.raises(Killed):
        ledger.add(NAME, VALUE, RetryBudget())
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


def killed_while_trying(config_dir: Path, api: FakeApi) -> None:
    """A run that DNS tells nothing, killed while the API was dead."""
    ledger = make_ledger(config_dir)
    api.is_dead = True
    with pytest.raises(errors.PluginError):
        ledger.add(NAME, VALUE, RetryBudget())
    kill(ledger._journal)
    api.is_dead = False


def test_a_zone_that_was_only_tried_is_none_if_the_same_key_says_so(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_while_trying(tmp_path, api)
    recover(tmp_path)
    assert journals(tmp_path) == []
    assert warnings(caplog) == []


def test_a_zone_that_dns_knew_is_told_when_it_is_gone_before_its_record_was_seen(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    api.faults.append(Fault(Killed, action=ADD))
    with pytest.raises(Killed):
        ledger.add(NAME, VALUE, RetryBudget())
    kill(ledger._journal)
    del api.zones["example.com"]
    recover(tmp_path)
    (warning,) = warnings(caplog)
    assert "InvalidDomainName.NoExist" in warning


def of_two_accounts(config_dir: Path) -> Ledger:
    keys = (("", OTHER_KEY), ("example.com", KEY_ID))
    accounts = [Account(zone, KeySource(AccessKey(key, SECRET), "file")) for zone, key in keys]
    place = Place(NAME, None, (), (NAME,))
    return Ledger(Clients(Settings(accounts)), lambda name: [place], str(config_dir))


def test_of_several_accounts_the_one_of_the_zone_says_so(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed = of_two_accounts(tmp_path)
    api.is_dead = True
    with pytest.raises(errors.PluginError):
        killed.add(NAME, VALUE, RetryBudget())
    kill(killed._journal)
    api.is_dead = False
    of_two_accounts(tmp_path).recover(RetryBudget(20.0))
    assert journals(tmp_path) == []
    assert warnings(caplog) == []


def test_of_several_accounts_the_one_of_the_zone_knows_that_a_record_is_gone(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    api.may_list = False
    killed = of_two_accounts(tmp_path)
    killed.add(NAME, VALUE, RetryBudget())
    kill(killed._journal)
    api.zones["example.com"].clear()
    of_two_accounts(tmp_path).recover(RetryBudget(20.0))
    assert journals(tmp_path) == []
    assert warnings(caplog) == []


@pytest.mark.parametrize("code", NO_ZONE)
def test_a_key_of_another_account_leaves_the_journal_to_the_right_one(
    api: FakeApi, tmp_path: Path, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    killed_run(tmp_path)
    own, api.zones, api.no_zone = api.zones, {}, code
    for times in (1, 2, 2, 2):
        recover(tmp_path, OTHER_KEY)
        assert len(journals(tmp_path)) == 1
        assert len(warnings(caplog)) == times, "it is told, once more, and then no more"
        assert ("This is not told again." in warnings(caplog)[-1]) is (times == 2)
        assert NAME in warnings(caplog)[-1]
        assert VALUE in warnings(caplog)[-1]
    api.zones = own
    recover(tmp_path)
    assert api.values("example.com") == []


def test_a_record_that_left_with_its_zone_is_told_even_by_the_same_key(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = make_ledger(tmp_path)
    ledger.add(NAME, VALUE, RetryBudget())
    kill(ledger._journal)
    del api.zones["example.com"]
    recover(tmp_path)
    assert VALUE in caplog.text


@pytest.mark.parametrize("is_known", [True, False], ids=["known to DNS", "tried"])
@pytest.mark.parametrize("ends", ["added", "reply lost"])
@pytest.mark.parametrize("code", NO_ZONE)
def test_what_a_key_of_another_account_hears_of_a_zone_proves_nothing(
    api: FakeApi, tmp_path: Path, is_known: bool, ends: str, code: str
) -> None:
    ledger = make_ledger(tmp_path, in_dns if is_known else lambda name: None)
    if ends == "reply lost":
        api.zones[NAME] = []
        api.faults.append(Fault(Killed, acted=True, action="AddDomainRecord"))
        with pytest.raises(Killed):
            ledger.add(NAME, VALUE, RetryBudget())
    else:
        ledger.add(NAME, VALUE, RetryBudget())
    kill(ledger._journal)
    own, api.zones, api.no_zone = api.zones, {}, code
    recover(tmp_path, OTHER_KEY)
    api.zones = own
    recover(tmp_path)
    assert [api.values(zone) for zone in api.zones if api.values(zone)] == []
    assert journals(tmp_path) == []


def test_what_was_not_told_is_not_forgotten_however_old(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_run(tmp_path)
    monkeypatch.setattr(api.clock, "time", lambda: time.time() + 91 * 24 * 3600)
    api.is_dead = True
    recover(tmp_path)
    assert len(journals(tmp_path)) == 1


def test_a_zone_that_is_not_there_is_asked_for_once(api: FakeApi, tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    ledger.plan([(NAME, digest(str(i))) for i in range(20)])
    kill(ledger._journal)
    api.zones = {}
    recover(tmp_path)
    assert len(api.calls) == 1
    assert len(journals(tmp_path)) == 1


@pytest.mark.parametrize("may_list", [True, False])
def test_a_record_that_may_not_be_removed_does_not_keep_the_others_of_its_zone(
    api: FakeApi, tmp_path: Path, may_list: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """RAM may deny an id that there is no more."""
    killed_run_in_two_zones(tmp_path, api)
    api.may_list = may_list
    api.faults.append(Fault(lambda: error("Forbidden.RAM", 403), action="DeleteDomainRecord"))
    recover(tmp_path)
    assert len(api.values("example.com") + api.values("example.org")) == 1
    assert api.actions().count("DeleteDomainRecord") == 3
    (left,) = warnings(caplog)
    assert "DeleteDomainRecord on acs:alidns:*:*:domain/example." in left


def test_a_key_that_may_not_list_removes_by_the_id(
    api: FakeApi, tmp_path: Path, notified: list[str]
) -> None:
    killed_run(tmp_path)
    api.may_list = False
    recover(tmp_path)
    assert len(notified) == 1
    assert api.values("example.com") == []
    assert journals(tmp_path) == []


def test_a_lost_reply_while_recovering_by_id_warns_of_nothing(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_run(tmp_path)
    api.may_list = False
    api.faults.append(Fault(lost, acted=True, action="DeleteDomainRecord"))
    recover(tmp_path)
    assert api.values("example.com") == []
    assert journals(tmp_path) == []
    assert warnings(caplog) == []


def test_a_record_whose_removal_was_not_noted_any_more_is_told_of_by_nothing(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture, notified: list[str]
) -> None:
    """The run was killed between the two, or somebody else removed it; the key may not list."""
    killed_run(tmp_path)
    api.may_list = False
    api.zones["example.com"].clear()
    recover(tmp_path)
    assert journals(tmp_path) == []
    assert warnings(caplog) == notified == []


def test_a_record_that_a_late_call_may_have_added_once_more_may_be_left(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    api.may_list = False
    api.faults.append(Fault(api.no_reply_but_done(15.0), action=ADD))
    ledger.add(NAME, VALUE, RetryBudget())
    kill(ledger._journal)
    api.zones["example.com"].clear()
    recover(tmp_path)
    assert api.values("example.com") == [VALUE]
    assert len(journals(tmp_path)) == 1
    (warning,) = warnings(caplog)
    assert "may be left" in warning


def test_what_may_be_left_is_told_twice_with_what_to_do_by_hand_and_then_in_the_log_alone(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_run(tmp_path)
    (record,) = api.zones["example.com"]
    api.zones, api.may_list = {"example.com": []}, False
    what = f"The TXT record {NAME} = {VALUE} of an earlier run"
    left = f"{what} may be left: {cannot_list('example.com')}."
    hand = by_hand("example.com", "_acme-challenge", record.id, may_be_none=False)
    assert "The next run that adds records tries to remove it; by hand: " in hand
    for said in (f"{left}{hand}", f"{left}{hand} This is not told again.", left):
        with caplog.at_level("INFO", "certbot_dns_aliyun.records.recovery"):
            caplog.clear()
            recover(tmp_path, OTHER_KEY)
        assert [r.getMessage() for r in caplog.records if r.module == "recovery"] == [said]


def test_a_name_that_was_tried_as_a_zone_is_told_as_what_may_be_none(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    api.no_zone = "Forbidden.RAM"
    killed = make_ledger(tmp_path)
    killed._note_adding([RecordKey(NAME, "@", VALUE)], zone_is_known=False)
    kill(killed._journal)
    recover(tmp_path)
    (left,) = warnings(caplog)
    assert left.endswith("There is nothing to remove if the account has no such zone.")


@pytest.mark.parametrize("reply_lost", [True, False])
def test_without_list_another_key_cannot_know_whether_a_record_is_gone(
    api: FakeApi, tmp_path: Path, reply_lost: bool, caplog: pytest.LogCaptureFixture
) -> None:
    killed_run(tmp_path)
    own, api.zones, api.may_list = api.zones, {"example.com": []}, False
    if reply_lost:
        api.faults.append(Fault(lost, action="DeleteDomainRecord"))
    recover(tmp_path, OTHER_KEY)
    assert "may be left" in caplog.text
    assert "DescribeDomainRecords on acs:alidns:*:*:domain/example.com" in caplog.text
    api.zones = own
    recover(tmp_path)
    assert api.values("example.com") == []


def test_what_is_removed_is_told(
    api: FakeApi, tmp_path: Path, notified: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    killed_run(tmp_path)
    recover(tmp_path)
    (said,) = notified
    assert NAME in said
    assert VALUE in caplog.text


@pytest.mark.parametrize(("number", "more"), [(10, ""), (12, " and 2 more names")])
def test_of_many_names_ten_are_told_each_once(
    api: FakeApi, tmp_path: Path, notified: list[str], number: int, more: str
) -> None:
    names = [f"_acme-challenge.{i}.example.com" for i in range(number)]
    ledger = make_ledger(tmp_path, in_dns)
    for name in names:
        for value in (VALUE, digest("its wildcard's")):
            ledger.add(name, value, RetryBudget())
    kill(ledger._journal)
    recover(tmp_path)
    assert notified == [
        f"Removed TXT records that an earlier run had left: {', '.join(names[:10])}{more}"
    ]


@pytest.mark.parametrize("is_refused", [True, False])
@pytest.mark.parametrize(("days", "is_kept"), [(89, True), (91, False)])
def test_what_was_told_twice_is_kept_for_ninety_days(
    api: FakeApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    is_kept: bool,
    is_refused: bool,
) -> None:
    """Whether the API refuses, or there is no telling without a list."""
    path = killed_run(tmp_path)._journal.path
    if is_refused:
        del api.zones["example.com"]
    else:
        api.zones["example.com"].clear()
        api.may_list = False
    for _ in range(2):
        recover(tmp_path, OTHER_KEY)
    monkeypatch.setattr(api.clock, "time", lambda: os.stat(path).st_mtime + days * 24 * 3600)
    recover(tmp_path, OTHER_KEY)
    assert path.exists() is is_kept


@pytest.mark.parametrize("why", ["dead API", "signal", "no time", "wrong clock"])
def test_what_was_only_postponed_is_not_forgotten_however_old_and_often_told(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    path = killed_run(tmp_path)._journal.path
    own, api.zones = api.zones, {}
    for _ in range(2):
        recover(tmp_path)
    api.zones, now = own, os.stat(path).st_mtime + 91 * 24 * 3600
    monkeypatch.setattr(api.clock, "time", lambda: now)
    budget = RetryBudget(20.0)
    if why == "dead API":
        api.is_dead = True
    elif why == "signal":
        budget.call_off()
    elif why == "no time":
        monkeypatch.setattr("certbot_dns_aliyun.records.recovery._LONGEST", 0.0)
    else:
        api.faults.append(Fault(lambda: error("InvalidTimeStamp.Expired")))
    make_ledger(tmp_path, in_dns).recover(budget)
    assert api.values("example.com") == [VALUE]
    assert journals(tmp_path) == [path]


def test_nothing_is_told_where_nothing_was(
    api: FakeApi, tmp_path: Path, notified: list[str]
) -> None:
    killed_run(tmp_path)
    api.zones["example.com"].clear()
    recover(tmp_path)
    assert notified == []


@pytest.mark.parametrize("comes_in", [0.1, 14.0, 19.9])
def test_an_add_that_the_api_carries_out_after_the_kill_is_found(
    api: FakeApi, tmp_path: Path, notified: list[str], comes_in: float
) -> None:
    """A container that is killed is started again at once."""
    ledger = make_ledger(tmp_path, in_dns)
    ledger.plan([(NAME, VALUE)])
    kill(ledger._journal)
    late = lambda: api.add("example.com", "_acme-challenge", VALUE)  # noqa: E731
    api.coming.append((api.clock.now + comes_in, late))
    recover(tmp_path)
    assert api.values("example.com") == []
    assert not api.coming
    assert journals(tmp_path) == []
    waiting, removed = notified
    assert "20 seconds" in waiting
    assert NAME in removed


# The same value once more, as a CA gives that reuses an order that was not finished


def next_run(config_dir: Path, key_id: str = KEY_ID) -> Ledger:
    """A run that is about to add what the killed one has left."""
    ledger = make_ledger(config_dir, in_dns, key_id)
    ledger.recover(RetryBudget(20.0), [(NAME, VALUE)])
    ledger.plan([(NAME, VALUE)])
    return ledger


@pytest.mark.parametrize("may_list", [True, False])
def test_what_is_wanted_again_stays_and_is_removed_at_the_end(
    api: FakeApi, tmp_path: Path, may_list: bool
) -> None:
    """Name servers that have the old copy yet would else pass for those that have the new one."""
    killed_run(tmp_path)
    (left,) = api.zones["example.com"]
    api.may_list = may_list
    ledger = next_run(tmp_path)
    ledger.add(NAME, VALUE, RetryBudget())
    assert api.zones["example.com"] == [left]
    assert "DeleteDomainRecord" not in api.actions()
    assert [served.value for served in ledger.added()] == [VALUE]
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert ledger.close() == []
    assert api.zones["example.com"] == []
    assert journals(tmp_path) == []


def test_what_was_taken_over_never_counts_as_added_last(api: FakeApi, tmp_path: Path) -> None:
    killed_run(tmp_path)
    ledger = next_run(tmp_path)
    ledger.add("_acme-challenge.www.example.com", VALUE, RetryBudget())
    api.clock.sleep(1.0)
    ledger.add(NAME, VALUE, RetryBudget())
    first, taken_over = (served.added_at for served in ledger.added())
    assert taken_over == first


@pytest.mark.parametrize("may_list", [True, False])
@pytest.mark.parametrize("is_killed_again", [True, False])
def test_what_was_taken_over_is_listed_until_it_is_gone(
    api: FakeApi, tmp_path: Path, is_killed_again: bool, may_list: bool
) -> None:
    """Though this run never came to add it."""
    killed_run(tmp_path)
    api.may_list = may_list
    ledger = next_run(tmp_path)
    began = api.clock.now
    if is_killed_again:
        kill(ledger._journal)
    else:
        ledger.remove(NAME, VALUE, RetryBudget())
        ledger.close()
    assert api.values("example.com") == [VALUE]
    recover(tmp_path)
    assert api.values("example.com") == []
    assert journals(tmp_path) == []
    assert api.clock.now - began < 1.0, "no call is under way"


@pytest.mark.parametrize("may_list", [True, False])
@pytest.mark.parametrize("code", ["QuotaExceeded.Record", "Forbidden.RAM", "DomainForbidden"])
def test_what_cannot_be_added_again_is_removed(
    api: FakeApi, tmp_path: Path, code: str, may_list: bool
) -> None:
    killed_run(tmp_path)
    api.may_list = may_list
    ledger = next_run(tmp_path)
    api.faults.append(Fault(lambda: error(code), action=ADD))
    api.faults.append(Fault(lambda: error(code), action=ADD))
    with pytest.raises(errors.PluginError):
        ledger.add(NAME, VALUE, RetryBudget())
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert api.values("example.com") == []
    assert ledger.close() == []
    assert journals(tmp_path) == []


@pytest.mark.parametrize("is_killed_again", [True, False])
@pytest.mark.parametrize("comes_in", [1.0, 9.0, 19.0])
def test_what_a_late_call_adds_that_is_wanted_again_is_removed(
    api: FakeApi, tmp_path: Path, comes_in: float, is_killed_again: bool
) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    ledger.plan([(NAME, VALUE)])
    kill(ledger._journal)

    def late() -> None:
        if VALUE not in api.values("example.com"):
            api.add("example.com", "_acme-challenge", VALUE)

    api.coming.append((api.clock.now + comes_in, late))
    ledger = next_run(tmp_path)
    api.clock.sleep(2.0)
    if is_killed_again:
        kill(ledger._journal)
        recover(tmp_path)
        assert not api.coming
        assert api.values("example.com") == []
        return
    ledger.add(NAME, VALUE, RetryBudget())
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert ledger.close() == []
    assert not api.coming
    assert api.values("example.com") == []
    assert journals(tmp_path) == []


def test_what_may_come_once_more_is_noted_of_what_was_taken_over(
    api: FakeApi, tmp_path: Path
) -> None:
    """Two runs are killed, of which the first has made a call that got no reply."""
    ledger = make_ledger(tmp_path, in_dns)
    api.faults.append(Fault(api.no_reply_but_done(15.0), action=ADD))
    ledger.add(NAME, VALUE, RetryBudget())
    kill(ledger._journal)
    kill(next_run(tmp_path)._journal)
    assert api.coming
    recover(tmp_path)
    assert not api.coming
    assert api.values("example.com") == []
    assert journals(tmp_path) == []


def test_a_kill_of_long_ago_lets_nobody_wait(api: FakeApi, tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    ledger.plan([(NAME, VALUE)])
    kill(ledger._journal)
    (journal,) = journals(tmp_path)
    os.utime(journal, (time.time() - 3600.0,) * 2)
    began = api.clock.now
    ledger = next_run(tmp_path)
    ledger.add(NAME, VALUE, RetryBudget())
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert api.clock.now - began < 1.0


def test_what_is_wanted_again_of_another_account_is_none_of_ours(
    api: FakeApi, tmp_path: Path
) -> None:
    killed_run(tmp_path)
    next_run(tmp_path, OTHER_KEY)
    assert api.values("example.com") == []


@pytest.mark.parametrize("may_list", [True, False])
@pytest.mark.parametrize("is_told_its_id", [True, False])
def test_what_a_late_call_could_add_once_more_stands_until_it_cannot(
    api: FakeApi, tmp_path: Path, is_told_its_id: bool, may_list: bool
) -> None:
    """The first call gets no reply, the second makes the record, and the run is killed."""
    ledger = make_ledger(tmp_path, in_dns)
    api.may_list = may_list
    api.faults.append(Fault(api.no_reply_but_done(15.0), action=ADD))
    if is_told_its_id:
        ledger.add(NAME, VALUE, RetryBudget())
    else:
        api.faults.append(Fault(Killed, acted=True, action=ADD))
        with pytest.raises(Killed):
            ledger.add(NAME, VALUE, RetryBudget())
    kill(ledger._journal)
    assert api.values("example.com") == [VALUE]
    assert api.coming
    recover(tmp_path)
    api.clock.sleep(30)
    api.carry_out_what_is_due()
    assert api.values("example.com") == ([] if may_list or is_told_its_id else [VALUE])


def test_it_is_the_last_call_that_counts(api: FakeApi, tmp_path: Path) -> None:
    """A run that has repeated a call for a minute has written nothing meanwhile."""
    ledger = make_ledger(tmp_path, in_dns)
    api.faults += [Fault(no_connection, action=ADD)] * 10
    api.faults.append(Fault(api.no_reply_but_done(19.0), action=ADD))
    api.faults.append(Fault(Killed, action="DescribeDomainRecords"))
    with pytest.raises(Killed):
        ledger.add(NAME, VALUE, RetryBudget())
    assert api.clock.elapsed > 60
    kill(ledger._journal)
    recover(tmp_path)
    assert not api.coming
    assert api.values("example.com") == []


def test_nothing_is_waited_for_where_all_calls_have_ended(api: FakeApi, tmp_path: Path) -> None:
    killed_run(tmp_path)
    recover(tmp_path)
    assert api.values("example.com") == []
    assert api.clock.elapsed < 1


def test_many_records_of_a_slow_api_do_not_hold_up_the_run(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    ledger.plan([(NAME, digest(str(i))) for i in range(100)])
    kill(ledger._journal)
    api._act = slowly(api, 3.0)  # type: ignore[method-assign]
    recover(tmp_path)
    assert api.clock.elapsed < 70
    assert len(warnings(caplog)) == 1
    assert "left to the next run" in caplog.text
    for _ in range(10):
        recover(tmp_path)
    assert journals(tmp_path) == []


def test_a_dead_api_is_told_once_for_all_records(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = make_ledger(tmp_path, in_dns)
    ledger.plan([(NAME, digest(str(i))) for i in range(100)])
    kill(ledger._journal)
    api.is_dead = True
    recover(tmp_path)
    assert len(warnings(caplog)) == 2
    assert "next run (99)" in caplog.text


def test_a_zone_that_is_busy_all_the_time_does_not_keep_the_others_from_their_turn(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_run_in_two_zones(tmp_path, api)
    real = api._act

    def act(action: str, parameters: dict[str, str]) -> Any:
        ids = [record.id for record in api.zones["example.com"]]
        is_busy = parameters.get("RecordId") in ids
        return error("LastOperationNotFinished") if is_busy else real(action, parameters)

    api._act = act  # type: ignore[method-assign]
    recover(tmp_path)
    assert len(api.values("example.com")) == 2
    assert api.values("example.org") == []
    assert len(warnings(caplog)) == 2
    assert "next run (1)" in caplog.text


def test_a_recovery_that_is_called_off_tells_of_no_failures(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_run(tmp_path)
    budget = RetryBudget(20.0)
    budget.call_off()
    make_ledger(tmp_path, in_dns).recover(budget)
    assert api.actions() == ["AddDomainRecord"]
    (warning,) = warnings(caplog)
    assert "next run (1)" in warning


def test_what_is_left_when_it_is_called_off_is_counted_with_what_was_left_before(
    api: FakeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_run_in_two_zones(tmp_path, api)
    budget = RetryBudget(20.0)

    def act(action: str, parameters: dict[str, str]) -> Any:
        if parameters["DomainName"] == "example.org":
            budget.call_off()
        return error("LastOperationNotFinished")

    api._act = act  # type: ignore[method-assign]
    make_ledger(tmp_path, lambda name: None).recover(budget)
    assert "left to the next run (2)" in warnings(caplog)[-1]


def slowly(api: FakeApi, seconds: float) -> Callable[..., Any]:
    real = api._act

    def act(action: str, parameters: dict[str, str]) -> Any:
        api.clock.sleep(seconds)
        return real(action, parameters)

    return act


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
