"""Whatever happens, in whatever order: in the end our records are gone, and nobody else's.

Hypothesis makes up runs of Certbot on two accounts: they add and remove records while calls go
wrong in every way, adds are refused, strangers edit the same names, the API is dead for a while,
runs are killed in the middle of a call. Once all is well again and one more run has recovered for
each account, the zones must look as if we had never been there.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import tempfile
from pathlib import Path
from typing import Any

import pytest
from certbot import errors
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from certbot_dns_aliyun import retrying
from certbot_dns_aliyun.names import to_unicode
from certbot_dns_aliyun.records.folder import Folder
from certbot_dns_aliyun.records.journal import Journal
from certbot_dns_aliyun.records.ledger import Ledger
from certbot_dns_aliyun.retrying import RetryBudget
from tests.unit.fake_api import (
    KEY_ID,
    SECRET,
    FakeApi,
    Fault,
    Record,
    error,
    html,
    lost,
    no_connection,
    no_reply,
    reply,
)
from tests.unit.fake_time import Clock
from tests.unit.parts import digest, journals, kill, make_ledger

#: By the names that the API knows them by.
ZONES = ("example.com", "sub.example.com", "例子.com", "xn--fiqs8s.com")
NAMES = (
    "_acme-challenge.example.com",
    "_acme-challenge.www.example.com",
    "_acme-challenge.sub.example.com",
    "_acme-challenge.xn--fsqu00a.com",
    "_acme-challenge.xn--fiqs8s.com",
    "_acme-challenge.elsewhere.org",
)
IN_DNS = {
    "_acme-challenge.example.com": "example.com",
    "_acme-challenge.elsewhere.org": "elsewhere.org",
}


#: An account that has no zone but this one.
OTHER_KEY, OTHER_ZONE = "LTAI5tOfAnotherAccount", "elsewhere.org"


class Killed(BaseException):
    """The process ends at this moment."""


#: What can come instead of a reply, and whether the server may have acted all the same.
EITHER = {
    "lost": lost,
    "no reply": no_reply,
    "HTML": html,
    "HTML as a success": lambda: html(200),
    "internal error": lambda: error("InternalError", 500),
    "nonce": lambda: error("SignatureNonceUsed"),
    "killed": Killed,
}
NOT_DONE = {
    "throttled": lambda: error("Throttling.User", x_acs_retry_after="700"),
    "busy": lambda: error("LastOperationNotFinished"),
    "no connection": no_connection,
}
NOT_HERE = "InvalidDomainName.NoExist"
ADD = "AddDomainRecord"
faults = st.one_of(
    st.builds(Fault, st.sampled_from(list(EITHER.values())), st.booleans()),
    st.builds(Fault, st.sampled_from(list(NOT_DONE.values()))),
    st.builds(Fault, st.just(lambda: reply(RecordId=None)), st.booleans(), st.just(ADD)),
    st.builds(Fault, st.just(lambda: error("Forbidden.RAM", 403)), st.just(False), st.just(ADD)),
)


#: Seconds from a call that gets no reply until it is carried out all the same.
LATE = st.floats(10.1, 19.0)


class AnyCourse(RuleBasedStateMachine):
    """One machine, two accounts; several runs, one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.clock = self.stack.enter_context(Clock().in_place())
        self.api = self.stack.enter_context(FakeApi(self.clock).in_place())
        self.config_dir = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        patch = self.stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(retrying, "_outages", retrying._Outages())
        self.api.zones = {zone: [] for zone in ZONES}
        self.api.others = {OTHER_KEY: {OTHER_ZONE: []}}
        self.strangers: list[str] = []
        self.ours: set[str] = set()
        self.latest = ""
        self.serial = itertools.count()
        self.ledger: Ledger | None = None
        self.added: list[tuple[str, str]] = []
        self.log = self.stack.enter_context(logged())
        self.taken_over: list[Journal] = []
        self.stack.enter_context(noted(self.taken_over))

    @initialize(
        may_list=st.booleans(),
        no_zone=st.sampled_from(["InvalidDomainName.NoExist", "Forbidden.RAM"]),
    )
    def account(self, may_list: bool, no_zone: str) -> None:
        self.may_list = self.api.may_list = may_list
        self.api.no_zone = no_zone

    @rule(
        names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
        key_id=st.sampled_from([KEY_ID, KEY_ID, OTHER_KEY]),
        is_order_reused=st.booleans(),
    )
    @precondition(lambda self: self.ledger is None)
    def run_starts(self, names: list[str], key_id: str, is_order_reused: bool) -> None:
        self.ledger = make_ledger(self.config_dir, IN_DNS.get, key_id)
        planned = [(name, self.value()) for name in names]
        if is_order_reused:
            planned = list(dict.fromkeys(self.added)) or planned
        self.added = []
        with self.one_run() as ledger:
            ledger.recover(RetryBudget(20.0), planned)
            ledger.plan(planned)
            for name, value in planned:
                self.add(name, value)

    @rule(name=st.sampled_from(NAMES))
    @precondition(lambda self: self.ledger is not None)
    def one_more_name(self, name: str) -> None:
        with self.one_run():
            self.add(name, self.value())

    @rule(data=st.data())
    @precondition(lambda self: self.ledger is not None and self.added)
    def one_more_user(self, data: st.DataObject) -> None:
        name, value = data.draw(st.sampled_from(self.added))
        with self.one_run():
            self.add(name, value)

    @rule(give_up=st.booleans())
    @precondition(lambda self: self.ledger is not None)
    def run_ends(self, give_up: bool) -> None:
        with self.one_run() as ledger:
            removing = RetryBudget(20.0 if give_up else 120.0)
            told = [ledger.remove(name, value, removing) for name, value in self.added]
            told += ledger.close()
            self.log.extend(left for left in told if left)
            self.ledger = None
            assert any(told) or not ledger._journal.path.exists()

    @rule()
    @precondition(lambda self: self.ledger is not None)
    def kill(self) -> None:
        assert self.ledger
        kill(self.ledger._journal)
        self.ledger = None

    @rule(fault=faults, times=st.integers(1, 4))
    def something_goes_wrong(self, fault: Fault, times: int) -> None:
        self.api.faults.extend([fault] * times)

    @rule(after=LATE)
    def an_add_is_carried_out_late(self, after: float) -> None:
        self.api.faults.append(Fault(self.api.no_reply_but_done(after), action=ADD))

    @rule()
    def the_api_dies_or_comes_back(self) -> None:
        self.api.is_dead = not self.api.is_dead

    @rule(
        zone=st.sampled_from(ZONES), rr=st.sampled_from(["_acme-challenge", "_acme-challenge.www"])
    )
    def a_stranger_adds(self, zone: str, rr: str) -> None:
        # A search for what was ours finds it, too.
        value = f"stranger-{next(self.serial)}-{self.latest}"
        self.strangers.append(value)
        self.api.add(zone, rr, value)

    @rule(data=st.data())
    # As long as a record stands, no late call adds it once more.
    @precondition(lambda self: any(self.left_of_ours()) and not self.api.coming)
    def somebody_removes_one_of_ours(self, data: st.DataObject) -> None:
        value = data.draw(st.sampled_from(sorted(self.left_of_ours())))
        for records in self.all_zones():
            records[:] = [record for record in records if record.value != value]

    @invariant()
    def what_is_due_is_carried_out(self) -> None:
        self.api.carry_out_what_is_due()

    @invariant()
    def strangers_records_stand(self) -> None:
        values = [value for zone in ZONES for value in self.api.values(zone)]
        assert [value for value in self.strangers if value not in values] == []

    @invariant()
    def no_value_stands_twice_in_a_zone(self) -> None:
        for zone in ZONES:
            values = self.api.values(zone)
            assert len(values) == len(set(values))

    @invariant()
    def what_a_run_left_is_named_or_in_the_journal(self) -> None:
        if self.ledger is None:
            written = "".join(
                path.read_text(encoding="utf-8") for path in journals(self.config_dir)
            )
            for value in self.left_of_ours():
                assert value in written or value in "".join(self.log)

    def teardown(self) -> None:
        try:
            self.all_is_well_in_the_end()
        finally:
            self.stack.close()

    def all_is_well_in_the_end(self) -> None:
        self.api.faults.clear()
        self.api.is_dead = False
        if self.ledger is not None:
            self.run_ends(give_up=False)
        for key_id in (OTHER_KEY, KEY_ID):
            last = make_ledger(self.config_dir, key_id=key_id)
            last.recover(RetryBudget())
            assert last.close() == []
        self.clock.sleep(60)
        self.api.carry_out_what_is_due()
        note("\n".join(self.log))
        left = self.left_of_ours()
        if self.may_list:
            assert not left
            # What a run killed while it tried a zone cannot know: that it is none.
            folder = Folder(str(self.config_dir))
            kept = [key for j in Journal.abandoned(folder) for key in j.open_records]
            hosted = {*ZONES, OTHER_ZONE}
            assert [key for key in kept if {key.zone, to_unicode(key.zone)} & hosted] == []
        assert all(value in "".join(self.log) for value in left)
        everything = "".join(self.log)
        assert "DomainRecordNotBelongToUser" not in everything, "what is gone is no failure"
        assert KEY_ID not in everything
        assert SECRET not in everything

    def left_of_ours(self) -> set[str]:
        return {r.value for zone in self.all_zones() for r in zone if r.value in self.ours}

    def all_zones(self) -> list[list[Record]]:
        return [*self.api.zones.values(), *self.api.others[OTHER_KEY].values()]

    def value(self) -> str:
        self.latest = digest(str(next(self.serial)))
        self.ours.add(self.latest)
        return self.latest

    def add(self, name: str, value: str) -> None:
        assert self.ledger
        self.added.append((name, value))
        with contextlib.suppress(errors.PluginError):
            self.ledger.add(name, value, RetryBudget())

    @contextlib.contextmanager
    def one_run(self) -> Any:
        """Goes on with the run, which may be killed meanwhile."""
        assert self.ledger
        ledger = self.ledger
        try:
            yield ledger
        except Killed:
            for journal in [ledger._journal, *self.taken_over]:
                kill(journal)
            self.ledger = None


@contextlib.contextmanager
def noted(taken_over: list[Journal]) -> Any:
    """Notes the journals that runs take over: a kill closes their files, too."""
    abandoned = Journal.abandoned

    def noting(folder: Folder) -> Any:
        for journal in abandoned(folder):
            taken_over.append(journal)
            yield journal

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "abandoned", noting)
        yield


@contextlib.contextmanager
def logged() -> Any:
    """Collects what is logged as a warning, and everything else that is logged."""
    messages: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler, root = Handler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


AnyCourse.TestCase.settings = settings(stateful_step_count=30, report_multiple_bugs=False)
TestAnyCourse = AnyCourse.TestCase
