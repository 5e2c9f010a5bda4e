"""Whatever happens, in whatever order, over the wire and in many threads: in the end our records
are gone, and nobody else's.

The same idea as tests/unit/test_any_course.py, against the real HTTPS of the world's Alidns: whole
runs of the product (run.Run) on two machines at a time, whose threads meet each other,
faults and a stranger who edits the same names without a pause. HYPOTHESIS_PROFILE=nightly makes it
twenty times as long. A seed repeats what was drawn, not how the threads took turns.
"""

from __future__ import annotations

import collections
import contextlib
import random
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certbot import errors
from certbot.display import util as display_util
from hypothesis import HealthCheck, note, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import engine
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from certbot_dns_aliyun import https
from certbot_dns_aliyun import run as run_module
from certbot_dns_aliyun.alidns import client, pace
from certbot_dns_aliyun.names import to_unicode
from certbot_dns_aliyun.records import journal, ledger, recovery
from certbot_dns_aliyun.records.folder import Folder
from certbot_dns_aliyun.records.journal import Journal
from certbot_dns_aliyun.run import Challenge
from tests.end_to_end.helpers import NIGHTLY
from tests.end_to_end.processes import THREADS, Fate, NoDns, Process, Stranger
from tests.unit.parts import digest
from tests.world import Fault, Key, World, Zone, zone_policy
from tests.world.ca import certificates
from tests.world.odd_http import BREAKS
from tests.world.ram import RECORD_ACTIONS

COURSES = 1_200 if NIGHTLY else 60
STEPS = 30
#: Hypothesis has no public setting for this; by itself it would take five minutes.
SHRINKING_SECONDS = 60

pytestmark = [pytest.mark.newest, pytest.mark.timeout(3600 if NIGHTLY else 300)]

ZONES = ("example.com", "sub.example.com", "例子.com")
RRS = ("_acme-challenge", "_acme-challenge.www")
#: Of another account, with a section of its own in the credentials of some runs.
OTHER_ZONE = "elsewhere.org"
HOSTED = (
    "_acme-challenge.example.com",
    "_acme-challenge.www.example.com",
    "_acme-challenge.sub.example.com",
    "_acme-challenge.xn--fsqu00a.com",
)
ELSEWHERE = "_acme-challenge.elsewhere.org"
ADD, DELETE, LIST = RECORD_ACTIONS
POLICIES = (RECORD_ACTIONS, (ADD, DELETE), (ADD, LIST), (DELETE, LIST))

#: Codes that say, and mean, that nothing was done.
NOT_DONE = ("Throttling.User", "Throttling", "Rejected.Throttling", "LastOperationNotFinished")
#: Codes that leave it open.
UNCLEAR = ("ServiceUnavailable", "InternalError", "SignatureNonceUsed")
#: What a policy that has just been changed gives here and there.
REFUSED = "Forbidden.RAM"
MOMENTS = ("before", "after")


def faults(kinds: list[str], **more: Any) -> Any:
    """Draws what World.alidns.fault takes; each may hit several calls, after sparing some."""
    drawn = {name: st.sampled_from(several) for name, several in more.items()}
    return st.fixed_dictionaries(
        {
            "kind": st.sampled_from(kinds),
            "times": st.integers(1, 3),
            "skip": st.integers(0, 4),
            "action": st.sampled_from([None, *RECORD_ACTIONS]),
            **drawn,
        }
    )


LATER = ({}, {"x-acs-retry-after": "700"}, {"Retry-After": "60"})
NO_ID = {"RequestId": "0", "RecordId": None}
troubles = st.lists(
    st.one_of(
        faults(["reset", "close"], moment=MOMENTS),
        faults(["html", "empty", "scalar", "not_utf8"], moment=MOMENTS, status=[200, 502]),
        faults(["code"], moment=MOMENTS, code=UNCLEAR),
        faults(["code"], code=NOT_DONE, headers=LATER),
        faults(["body"], moment=MOMENTS, action=[ADD], body=[NO_ID]),
        faults(list(BREAKS), moment=MOMENTS),
        faults(["code"], action=[ADD], code=[REFUSED]),
    ),
    max_size=3,
)
names = st.lists(st.sampled_from((*HOSTED * 2, ELSEWHERE)), min_size=1, max_size=4)
slots = st.sampled_from([0, 1])
fates = st.lists(
    st.tuples(
        st.sampled_from(["killed", "power cut", "interrupted", "late"]),
        st.sampled_from(["start", *MOMENTS]),
        st.integers(1, 8),
    ),
    max_size=2,
)


class Course(RuleBasedStateMachine):
    """Two accounts, two machines with a config folder each, and a run at a time on either."""

    def __init__(self, world: World, log: pytest.LogCaptureFixture, figures: Any) -> None:
        super().__init__()
        self.world, self.log, self.figures = world, log, figures
        self.log.clear()
        self.zones = [world.records.host(Zone(name, quota=10_000)) for name in ZONES]
        world.records.host(Zone(OTHER_ZONE, account="2", quota=10_000))
        self.other_key = world.alidns.add_key(Key(account="2"))
        self.faults: list[Fault] = []
        self.processes: list[Process | None] = [None, None]
        self.ours: list[str] = []
        self.removed_by_others: set[str] = set()
        self.permit(RECORD_ACTIONS)
        self.api_is(alive=True)
        self.takes_turns(False)
        self.stack = contextlib.ExitStack()
        self.config_dirs = [
            Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=world.folder)))
            for _ in self.processes
        ]
        self.stranger = self.stack.enter_context(Stranger(self.zones, RRS))

    # What happens

    @rule(
        slot=slots,
        names=names,
        twice=st.booleans(),
        has_both=st.booleans(),
        troubles=troubles,
        fates=fates,
    )
    def run_starts(
        self,
        slot: int,
        names: list[str],
        twice: bool,
        has_both: bool,
        troubles: list[Any],
        fates: list[Fate],
    ) -> None:
        self.end(slot)
        self.go_wrong(troubles)
        wanted = [(name, name, self.value()) for name in names]
        process = self.process(slot, wanted + wanted[:twice], fates, has_both)
        process.is_hindered = self.permitted != RECORD_ACTIONS
        self.processes[slot] = process
        self.figures["orders"] += 1
        with self.going_on(slot):
            try:
                process.add()
            except errors.PluginError as error:
                note(str(error))
                excused = process.is_dead or process.is_interrupted or REFUSED in str(error)
                assert excused or self.must_fail(names, has_both)
                process.clean_up()
            else:
                process.has_added = True

    @rule(slot=slots, troubles=troubles)
    def run_ends(self, slot: int, troubles: list[Any]) -> None:
        self.go_wrong(troubles)
        self.end(slot)

    @rule(slot=slots, power_fails=st.booleans())
    def run_is_killed_while_it_waits(self, slot: int, power_fails: bool) -> None:
        process = self.processes[slot]
        if process:
            process.die(power_fails)
            self.figures["kills"] += 1
            self.processes[slot] = None

    @rule(change=st.sampled_from(["life", "life", "turns", *POLICIES]))
    def circumstances_change(self, change: str | tuple[str, ...]) -> None:
        """The API dies or comes back, takes writes by turns or not, or the key's policy is new."""
        if change == "life":
            self.api_is(alive=not self.is_alive)
        elif change == "turns":
            self.takes_turns(not self.world.alidns.one_write_at_a_time)
        else:
            self.permit(change)

    @rule(zone=st.sampled_from(ZONES), rr=st.sampled_from(RRS), n=st.integers(0, 3))
    def stranger_adds_what_is_to_stay(self, zone: str, rr: str, n: int) -> None:
        value = self.stranger.value(n) + f"-{len(self.world.records.zones[zone].timeline())}"
        self.world.records.add_stranger(zone, rr, value)

    @rule(n=st.integers(0, 5))
    def somebody_removes_one_of_ours(self, n: int) -> None:
        left = self.left()
        if left:
            record = left[n % len(left)]
            self.removed_by_others.add(record.value)
            self.world.records.zones[record.zone].remove(record)

    # What holds after each step

    @invariant()
    def strangers_records_stand(self) -> None:
        self.figures["steps"] += 1
        assert self.world.records.lost() == []
        assert self.stranger.robbed == []

    @invariant()
    def no_value_stands_twice_in_a_zone(self) -> None:
        """In two zones it may, where the first one refused after a reply that got lost."""
        standing = collections.Counter((record.zone, record.value) for record in self.left())
        assert [each for each, n in standing.items() if n > 1] == []

    @invariant()
    def what_a_run_added_stands_until_it_ends(self) -> None:
        added = {v for p in self.processes if p and p.has_added for v in p.values}
        assert added - self.removed_by_others - {*self.values_left()} == set()

    @invariant()
    def what_is_left_of_ours_is_in_a_journal(self) -> None:
        files = [file for each in self.config_dirs for file in each.rglob("*.journal")]
        written = "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
        assert [value for value in self.values_left() if value not in written] == []

    def teardown(self) -> None:
        try:
            self.all_is_well_in_the_end()
        finally:
            self.stack.close()
            self.figures["API calls"] += len(self.world.alidns.calls)
            self.figures["faults"] += sum(fault.played for fault in self.faults)
            self.world.alidns.calls.clear()

    def all_is_well_in_the_end(self) -> None:
        self.world.alidns.faults.clear()
        self.permit(RECORD_ACTIONS)
        self.api_is(alive=True)
        for slot, process in enumerate(self.processes):
            if process:
                process.fates = []
            self.end(slot)
        for slot in range(len(self.config_dirs)):
            process = self.processes[slot] = self.process(slot, [], [])
            with self.going_on(slot):
                process.add()
                process.clean_up()
        note(self.log.text)
        assert self.left() == []
        assert self.stranger.end() == []
        assert self.world.records.lost() == []
        hosted = {*ZONES, OTHER_ZONE}
        for config_dir in self.config_dirs:
            for left in Journal.abandoned(Folder(str(config_dir))):
                # What a run killed while it tried a zone cannot know: that it is none.
                assert [key for key in left.open_records if to_unicode(key.zone) in hosted] == []
                left.close()
        self.world.scan.check(self.log.text)

    # How it happens

    def go_wrong(self, troubles: list[dict[str, Any]]) -> None:
        self.faults += [self.world.alidns.fault(**trouble) for trouble in troubles]

    def process(
        self, slot: int, wanted: list[Challenge], fates: list[Fate], has_both: bool = True
    ) -> Process:
        keys = {"": self.world.key, **({OTHER_ZONE: self.other_key} if has_both else {})}
        return Process(keys, self.config_dirs[slot], wanted, fates)

    def must_fail(self, names: list[str], has_both: bool) -> bool:
        may_add = ADD in self.permitted and (has_both or ELSEWHERE not in names)
        return not (may_add and self.is_alive)

    def end(self, slot: int) -> None:
        process = self.processes[slot]
        if process:
            with self.going_on(slot):
                process.clean_up()

    @contextlib.contextmanager
    def going_on(self, slot: int) -> Iterator[None]:
        """Lets a run do something; it may be killed meanwhile, or have ended afterwards."""
        process = self.processes[slot]
        assert process
        with process.going_on():
            yield
        if process.is_dead or process.has_ended:
            self.processes[slot] = None
        if process.is_dead:
            self.figures["kills"] += 1
        elif process.has_ended:
            left = process.values.intersection(self.values_left())
            assert not left or process.is_interrupted or process.is_hindered or not self.is_alive
            warnings = [r.getMessage() for r in self.log.records if r.levelname == "WARNING"]
            assert [v for v in left if not any(v in warning for warning in warnings)] == []

    def permit(self, actions: tuple[str, ...]) -> None:
        self.permitted = actions
        self.world.key.policy = zone_policy(*ZONES, actions=actions)
        self.other_key.policy = zone_policy(OTHER_ZONE, actions=actions)
        for process in self.processes:
            if process and actions != RECORD_ACTIONS:
                process.is_hindered = True

    def api_is(self, alive: bool) -> None:
        self.is_alive = alive
        if alive:
            self.world.alidns.listen()
        else:
            self.world.alidns.refuse_connections()
        Process.patience = 20.0 if alive else 0.1

    def takes_turns(self, wanted: bool) -> None:
        self.world.alidns.one_write_at_a_time = wanted
        self.world.alidns.call_seconds = 0.003 if wanted else 0.0

    def value(self) -> str:
        self.ours.append(digest(str(len(self.ours))))
        self.stranger.latest = self.ours[-1]
        return self.ours[-1]

    def left(self) -> list[Any]:
        keys = (self.world.key.id, self.other_key.id)
        return [record for record in self.world.records.left() if record.added_by in keys]

    def values_left(self) -> list[str]:
        return [record.value for record in self.left()]


@pytest.fixture
def hurried(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The product in this process: it trusts the world's CA, and hardly waits between calls."""
    bundle = world.folder / "ca.pem"
    certificates().cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    for module, name, value in (
        (client, "_FIRST_WAIT", {}),
        (client, "_FIRST_WAIT_ELSE", 0.001),
        (client, "_LONGEST_WAIT", 0.01),
        (client, "_LONGEST_WAIT_ASKED_FOR", 0.01),
        (pace, "CALLS_PER_SECOND", 10_000),
        (client, "send", Process.sending(client.send)),
        (pace, "_LEAST_PER_SECOND", 500),
        (pace, "_FEW_PER_SECOND", 2_000),
        (pace, "_PAUSE", 0.005),
        (ledger, "_SECOND_LOOK", 0.001),
        (ledger, "_LATE", 0.001),
        (ledger, "Journal", Process.Journal),
        (recovery, "Journal", Process.Journal),
        (journal, "UNDER_WAY", 0.001),
        (display_util, "notify", lambda text: None),
        (run_module, "PublicDns", NoDns),
        (run_module, "RetryBudget", Process.budget),
        (engine, "MAX_SHRINKING_SECONDS", SHRINKING_SECONDS),
    ):
        monkeypatch.setattr(module, name, value)
    https._make_session.cache_clear()
    yield
    https.session().close()
    https._make_session.cache_clear()


@pytest.mark.usefixtures("hurried")
def test_any_course_ends_well(
    world: World,
    caplog: pytest.LogCaptureFixture,
    request: pytest.FixtureRequest,
    record_property: Any,
) -> None:
    caplog.set_level("INFO")
    drawn_with = int(request.config.getoption("hypothesis_seed") or random.randrange(2**32))
    print(f"Repeat it with --hypothesis-seed={drawn_with}")
    figures: collections.Counter[str] = collections.Counter()

    @seed(drawn_with)
    def course() -> Course:
        return Course(world, caplog, figures)

    run_state_machine_as_test(  # type: ignore[arg-type]
        course,
        settings=settings(
            max_examples=COURSES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    # The world keeps some threads of its own.
    assert not [each.name for each in threading.enumerate() if THREADS.fullmatch(each.name)]
    done = ", ".join(f"{number} {what}" for what, number in figures.items())
    record_property("figure", f"Any course, --hypothesis-seed={drawn_with}: {done}")
