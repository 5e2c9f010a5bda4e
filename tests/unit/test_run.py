"""One order's run: all names at once, and an end to every thread."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certbot import errors

from certbot_dns_aliyun import run as run_module
from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.retrying import RetryBudget
from certbot_dns_aliyun.run import Run
from tests.unit.fake_api import FakeApi, Fault, no_connection, no_reply
from tests.unit.parts import digest, journals, kill, make_ledger, settings

NAME = "_acme-challenge.example.com"


class FakeDns:
    """Public DNS that says nothing."""

    def __init__(self) -> None:
        self.is_closed = False

    @classmethod
    def of_lists(cls, *_: str, **__: str) -> FakeDns:
        return cls()

    def look_up(self, names: Any) -> None:
        list(names)

    def places(self, name: str) -> list[Place]:
        return [Place(name, "example.com", (), (name,))]

    def is_public_zone(self, zone: str, name: str) -> bool:
        return True

    def place_by_resolver(self, unread: Place) -> Place | None:
        return None

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def run(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr(run_module, "PublicDns", FakeDns)
    api.zones["example.com"] = []
    yield Run(settings(), resolvers="", name_servers="", config_dir=str(tmp_path))
    deadline = time.monotonic() + 10
    while any(t.name.startswith("dns-aliyun") for t in threading.enumerate()):
        assert time.monotonic() < deadline, "threads are left"
        time.sleep(0.01)


def records(count: int) -> list[tuple[str, str, str]]:
    return [("example.com", NAME, f"value-{i}") for i in range(count)]


def add_all(run: Run, wanted: list[tuple[str, str, str]]) -> None:
    run.prepare(wanted)
    run.concurrently(lambda domain, name, value: run.add(name, value), wanted)


def remove_all(run: Run, wanted: list[tuple[str, str, str]]) -> None:
    run.begin_cleanup()
    run.concurrently(lambda domain, name, value: run.remove(name, value), wanted)
    run.close()


def test_a_hundred_names_are_two_hundred_calls(api: FakeApi, run: Run, tmp_path: Path) -> None:
    wanted = records(100)
    add_all(run, wanted)
    assert len(api.values("example.com")) == 100
    remove_all(run, wanted)
    assert api.values("example.com") == []
    assert len(api.calls) == 200
    assert journals(tmp_path) == []


def test_an_outage_of_a_minute_ends_neither_adding_nor_removing(api: FakeApi, run: Run) -> None:
    wanted = records(1)
    run.prepare(wanted)
    api.faults.extend([Fault(no_connection)] * 12)
    run.add(*wanted[0][1:])
    assert len(api.values("example.com")) == 1
    run.begin_cleanup()
    api.faults.extend([Fault(no_connection)] * 12)
    run.remove(*wanted[0][1:])
    run.close()
    assert api.values("example.com") == []


def test_the_records_of_yesterday_do_not_hold_up_those_of_today(
    api: FakeApi, run: Run, tmp_path: Path
) -> None:
    """A dead API is waited for less than half a minute before anything is added."""
    killed = make_ledger(tmp_path, lambda name: "example.com")
    killed.add(NAME, digest("yesterday's"), RetryBudget())
    kill(killed._journal)
    api.is_dead = True
    began = api.clock.now
    run.prepare(records(1))
    assert 15 < api.clock.now - began < 40
    run.close()


def test_a_record_of_a_killed_run_that_is_wanted_again_is_not_removed_before(
    api: FakeApi, run: Run, tmp_path: Path
) -> None:
    """A CA that reuses an order asks for the same value."""
    killed, value = make_ledger(tmp_path, lambda name: "example.com"), digest("both times")
    killed.add(NAME, value, RetryBudget())
    kill(killed._journal)
    wanted = [("example.com", NAME, value)]
    add_all(run, wanted)
    assert "DeleteDomainRecord" not in api.actions()
    assert api.values("example.com") == [value]
    remove_all(run, wanted)
    assert api.values("example.com") == []
    assert journals(tmp_path) == []


def test_a_dead_api_that_was_just_probed_is_not_probed_again(
    api: FakeApi, run: Run, tmp_path: Path
) -> None:
    killed = make_ledger(tmp_path, lambda name: "example.com")
    killed.add(NAME, digest("yesterday's"), RetryBudget())
    api.is_dead = True
    with pytest.raises(errors.PluginError):
        killed.add(NAME, digest("another"), RetryBudget())
    kill(killed._journal)
    wanted = records(1)
    run.prepare(wanted)
    calls = len(api.calls)
    with pytest.raises(errors.PluginError):
        run.add(*wanted[0][1:])
    assert len(api.calls) == calls
    run.close()


def test_the_failure_of_one_name_calls_off_the_rest_and_all_is_removed(
    api: FakeApi, run: Run, tmp_path: Path
) -> None:
    wanted = [*records(20), ("example.org", "_acme-challenge.example.org", "value")]
    run.prepare(wanted)
    with pytest.raises(errors.PluginError):
        run.concurrently(lambda domain, name, value: run.add(name, value), wanted)
    remove_all(run, wanted)
    assert api.values("example.com") == []
    assert journals(tmp_path) == []


def test_what_begins_after_a_failure_makes_no_call(api: FakeApi, run: Run) -> None:
    def fail(*_: str) -> None:
        raise errors.PluginError("the first one fails")

    run.prepare(records(2))
    with pytest.raises(errors.PluginError):
        run.concurrently(fail, records(1))
    with pytest.raises(errors.PluginError):
        run.add(*records(2)[1][1:])
    assert not api.calls
    run.close()


def test_what_is_about_to_be_added_when_clean_up_begins_is_not(
    api: FakeApi, run: Run, tmp_path: Path
) -> None:
    wanted = records(2)
    late, begun, removed = wanted[1], threading.Event(), threading.Event()

    def add(domain: str, name: str, value: str) -> None:
        if (domain, name, value) != late:
            begun.wait(5)
            raise errors.PluginError("the first one fails")
        begun.set()
        removed.wait(5)
        run.add(name, value)

    run.prepare(wanted)
    with pytest.raises(errors.PluginError):
        run.concurrently(add, wanted)
    remove_all(run, wanted)
    removed.set()
    time.sleep(0.1)
    assert api.values("example.com") == []


def test_adding_that_fails_once_clean_up_has_begun_does_not_call_that_off(
    api: FakeApi, run: Run
) -> None:
    def fail_late(*_: str) -> None:
        run.begin_cleanup()
        raise errors.PluginError("the last one fails")

    wanted = records(3)
    add_all(run, wanted)
    with pytest.raises(errors.PluginError):
        run.concurrently(fail_late, records(1))
    run.concurrently(lambda domain, name, value: run.remove(name, value), wanted)
    run.close()
    assert api.values("example.com") == []


def test_one_record_that_cannot_be_removed_does_not_stop_the_others(
    api: FakeApi, run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = records(10)
    add_all(run, wanted)
    ledger = run._ledger
    assert ledger
    remove = ledger.remove

    def broken(name: str, value: str, budget: Any) -> str | None:
        if value == "value-3":
            raise RuntimeError("a secret")
        return remove(name, value, budget)

    monkeypatch.setattr(ledger, "remove", broken)
    remove_all(run, wanted)
    assert api.values("example.com") == ["value-3"]
    assert "value-3" in caplog.text
    assert "a secret" not in caplog.text


def test_a_screen_that_is_gone_keeps_no_record_from_being_removed(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def gone(text: str) -> None:
        told.append(text)
        raise BrokenPipeError

    monkeypatch.setattr(run_module.display_util, "notify", gone)
    add_all(run, records(1))
    api.faults.extend([Fault(no_reply)] * 8)
    remove_all(run, records(1))
    assert api.values("example.com") == []
    assert len(told) == 1


def test_an_interrupt_ends_the_waiting_and_clean_up_waits_for_what_is_under_way(
    api: FakeApi, run: Run, tmp_path: Path
) -> None:
    wanted = records(3)
    interrupted = threading.Event()

    def add_despite_all() -> None:
        run.prepare(wanted)
        _thread.interrupt_main()
        interrupted.wait(5)
        run.concurrently(lambda domain, name, value: run.add(name, value), wanted)

    with pytest.raises(KeyboardInterrupt):
        run.aside(add_despite_all)
    threading.Timer(0.2, interrupted.set).start()
    remove_all(run, wanted)
    assert interrupted.is_set()
    assert not api.calls
    assert journals(tmp_path) == []


@pytest.mark.parametrize("is_signal", [True, False])
def test_only_a_signal_leaves_late_adds_to_the_next_run(
    api: FakeApi, run: Run, tmp_path: Path, is_signal: bool
) -> None:
    """Where another name was refused, say, there is time enough."""
    wanted, going_on = records(1), threading.Event()

    def called_off_meanwhile() -> BaseException:
        run._budget.call_off()
        return api.no_reply_but_done(after=14.0)()

    def fail() -> None:
        run.prepare(wanted)
        api.faults.append(Fault(called_off_meanwhile, action="AddDomainRecord"))
        try:
            run.add(*wanted[0][1:])
        finally:
            if is_signal:
                _thread.interrupt_main()
                going_on.wait(5)

    with pytest.raises(KeyboardInterrupt if is_signal else errors.PluginError):
        run.aside(fail)
    threading.Timer(0.2, going_on.set).start()
    remove_all(run, wanted)
    api.clock.sleep(10)
    api.carry_out_what_is_due()
    assert api.values("example.com") == (["value-0"] if is_signal else [])
    assert bool(journals(tmp_path)) == is_signal


def test_who_interrupts_the_waiting_is_told_what_it_is_for(
    run: Run, notified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "UNDER_WAY", 2.0)
    going_on, interrupted = threading.Event(), threading.Event()

    def go_on() -> None:
        _thread.interrupt_main()
        going_on.wait(5)

    with pytest.raises(KeyboardInterrupt):
        run.aside(go_on)
    interrupted.set()
    run.begin_cleanup(interrupted)
    run.concurrently(lambda *_: time.sleep(0.6), records(1))
    assert notified == ["Removing the TXT records first; Ctrl-C leaves them there"]
    going_on.set()


def test_the_main_thread_waits_while_others_work(run: Run) -> None:
    """A signal that struck an import, or a line of the log, could leave it locked for good."""
    worked: list[threading.Thread] = []

    def work(*_: str) -> None:
        worked.append(threading.current_thread())

    run.aside(lambda: run.concurrently(work, records(3)))
    assert len(worked) == 3
    assert threading.main_thread() not in worked


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_few_threads_do_what_many_would(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    start, started = threading.Thread.start, []

    def start_some(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) > allowed:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    done: list[str] = []
    run.concurrently(lambda domain, name, value: done.append(name), records(10))
    assert sorted(done) == sorted(name for _, name, _ in records(10))


@pytest.mark.parametrize("domain", ["x\\.corp.example.com", "a b.example.com", "0/2.example.com"])
def test_a_name_that_alidns_cannot_hold_is_refused_before_any_call(
    api: FakeApi, run: Run, domain: str
) -> None:
    with pytest.raises(errors.PluginError, match="has other characters than letters"):
        add_all(run, [(domain, f"_acme-challenge.{domain}", "value")])
    assert not api.calls
    run.close()


@pytest.mark.parametrize("domain", ["a" * 64 + ".com", ".".join(["a" * 60] * 4) + ".com"])
def test_a_name_longer_than_dns_allows_is_refused_before_any_call(
    api: FakeApi, run: Run, domain: str
) -> None:
    with pytest.raises(errors.PluginError, match=domain):
        run.prepare([(domain, f"_acme-challenge.{domain}", "value")])
    run.close()
    assert not api.calls


def at_esa(name: str) -> list[Place]:
    servers = (
        NameServer("a.ns.atrustdns.com", "192.0.2.1"),
        NameServer("b.ialicdn.com", "192.0.2.2"),
    )
    return [Place(name, "example.com", servers, (name,))]


def of_esa_certificate(name: str) -> list[Place]:
    target = "example.com.165565416192216.dcv.aliyun-esa.com"
    return [Place(target, "dcv.aliyun-esa.com", (), (name, target))]


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (at_esa, ["example.com is served by Alibaba Cloud ESA", "a.ns.atrustdns.com", "DNS only"]),
        (of_esa_certificate, [NAME, "dcv.aliyun-esa.com", "ESA manages"]),
    ],
)
def test_a_zone_at_esa_is_told_before_anything_is_added(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch, places: Any, words: list[str]
) -> None:
    plain = FakeDns().places
    monkeypatch.setattr(
        FakeDns, "places", lambda self, name: places(name) if name == NAME else plain(name)
    )
    other = ("www.example.com", "_acme-challenge.www.example.com", "value")
    with pytest.raises(errors.PluginError) as caught:
        run.prepare([other, *records(1)])
    assert not [word for word in words if word not in str(caught.value)]
    run.close()
    assert not api.calls


@pytest.mark.parametrize("insisting", [{"insists": True}, {"name_servers": "192.0.2.1"}])
def test_who_insists_is_let_into_a_zone_at_esa(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, insisting: dict[str, Any]
) -> None:
    monkeypatch.setattr(run_module, "PublicDns", FakeDns)
    monkeypatch.setattr(FakeDns, "places", lambda self, name: at_esa(name))
    api.zones["example.com"] = []
    more: dict[str, Any] = {"resolvers": "", "name_servers": "", **insisting}
    run = Run(settings(), config_dir=str(tmp_path), **more)
    add_all(run, records(1))
    assert len(api.values("example.com")) == 1
    remove_all(run, records(1))


def test_a_zone_that_esa_and_others_serve_is_written_to(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = (
        NameServer("a.ns.atrustdns.com", "192.0.2.1"),
        NameServer("dns1.hichina.com", "192.0.2.2"),
    )
    monkeypatch.setattr(
        FakeDns, "places", lambda self, name: [Place(name, "example.com", servers, (name,))]
    )
    add_all(run, records(1))
    assert len(api.values("example.com")) == 1
    remove_all(run, records(1))


def test_names_that_may_be_led_elsewhere_go_first(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def places(self: FakeDns, name: str) -> list[Place]:
        chain = (name, "target.example") if "led" in name else (name,)
        return [Place(chain[-1], None, (), chain, unread="silent" if "dark" in name else "")]

    monkeypatch.setattr(FakeDns, "places", places)
    wanted = [("", name, "value") for name in ("plain.example", "led.example", "dark.example")]
    first, second = run.rounds(wanted)
    assert [name for _, name, _ in first] == ["led.example", "dark.example"]
    assert [name for _, name, _ in second] == ["plain.example"]
    run.close()


@pytest.mark.parametrize("option", ["resolvers", "name_servers"])
def test_a_list_of_servers_that_is_none_is_refused(tmp_path: Path, option: str) -> None:
    lists = {"resolvers": "", "name_servers": "", option: "192.0.2.1:port"}
    with pytest.raises(errors.PluginError, match=f"--dns-aliyun-{option.replace('_', '-')}"):
        Run(settings(), config_dir=str(tmp_path), **lists)
