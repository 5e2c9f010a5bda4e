"""What the person who waits is told, and what the end of the wait means."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest
from certbot import errors

from certbot_dns_aliyun.propagation import wait
from certbot_dns_aliyun.propagation.live_line import LiveLine
from certbot_dns_aliyun.propagation.question import NameServer, Outcome
from certbot_dns_aliyun.propagation.watch import Limits
from tests.unit.fake_servers import Server, Servers, after
from tests.unit.fake_time import Clock
from tests.unit.watching import ZoneWatch, a_watch, watching

LIMITS = Limits(longest=600, blind=30, others=60)
WANTED = {"_acme-challenge.example.com": frozenset({"value"})}
SILENT = Server(outcome=lambda elapsed: Outcome.SILENT)


class FakeDns:
    """Stands in for PublicDns: a watch that is already over, or goes on for some seconds."""

    def __init__(self, clock: Clock, watches: list[ZoneWatch], seconds: float) -> None:
        self.clock, self.watches, self.seconds = clock, watches, seconds
        self.end: Future[None] = Future()
        self.asked: list[Any] = []

    def watch(self, records: Iterable[Any], limits: Limits) -> tuple[list[ZoneWatch], Future[None]]:
        self.asked.append((records, limits))
        return self.watches, self.end

    def pass_time(self, futures: Any, timeout: float) -> None:
        assert futures == [self.end]
        self.clock.sleep(timeout)
        if self.clock.elapsed >= self.seconds and not self.end.done():
            self.end.set_result(None)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(wait.display_util, "notify", lines.append)
    return lines


async def nothing_else(name: str) -> list[NameServer]:
    """The registry names no other servers."""
    return []


def watched(clock: Clock, *servers: Server, name: str = "ns{}.alidns.com") -> ZoneWatch:
    """A watch as it is at its end, or at the limit."""
    addresses = [f"192.0.2.{i + 1}" for i in range(len(servers))]
    named = [NameServer(name.format(i), address) for i, address in enumerate(addresses)]
    zone = a_watch(named, WANTED, LIMITS, second_opinion=nothing_else)
    with Servers(clock, WANTED, dict(zip(addresses, servers))).in_place():
        clock.run(watching(zone))
    return zone


def waiting(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, *zones: ZoneWatch, seconds: float = 0
) -> None:
    clock.now -= clock.elapsed
    dns = FakeDns(clock, list(zones), seconds)
    monkeypatch.setattr(wait.concurrent.futures, "wait", dns.pass_time)
    wait.wait_until_served(dns, [], LIMITS, LiveLine(False))  # type: ignore[arg-type]


def test_a_wait_that_succeeds_is_announced_and_no_more(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    waiting(clock, monkeypatch, watched(clock, Server(), Server()), seconds=1)
    assert told == ["Waiting until the name servers of example.com serve the TXT records"]
    assert "2 addresses of the name servers of example.com serve" in caplog.text


def test_a_long_wait_has_a_line_each_half_minute(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    zone = watched(clock, Server(), Server([after(9999)]))
    waiting(clock, monkeypatch, zone, seconds=100)
    progress = [line for line in told if line.startswith("After")]
    assert [line.split(" seconds")[0] for line in progress] == ["After 30", "After 60", "After 90"]
    assert "1 of 2 name server addresses" in progress[0]
    assert "ns1.alidns.com (192.0.2.2) does not serve the value yet" in progress[0]


def test_many_lacking_servers_are_counted_not_listed(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    zone = watched(clock, Server(), *(Server([after(9999)]) for _ in range(9)))
    waiting(clock, monkeypatch, zone, seconds=31)
    assert "and 6 more" in told[-1]


def test_blindness_is_told_once_with_the_seconds_of_the_option(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    told: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    waiting(clock, monkeypatch, watched(clock, SILENT), seconds=30)
    assert len([line for line in told if "No name server of example.com" in line]) == 1
    assert "waiting 30 seconds instead" in "".join(told)
    assert "is not known" in caplog.text


def test_a_value_served_nowhere_is_an_error_that_names_the_servers(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    zone = watched(clock, Server([after(9999)]), Server([after(9999)]))
    with pytest.raises(errors.PluginError) as caught:
        waiting(clock, monkeypatch, zone, seconds=600)
    sentence = str(caught.value)
    seconds = "within 600 seconds"
    for part in ("_acme-challenge.example.com", "ns0.alidns.com", "ns1.alidns.com", seconds):
        assert part in sentence
    assert "--dns-aliyun-wait-limit" in sentence
    assert "\n" not in sentence


def test_a_value_served_by_some_is_a_warning(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    told: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    waiting(clock, monkeypatch, watched(clock, Server(), Server([after(9999)])), seconds=600)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "ns1.alidns.com (192.0.2.2)" in record.getMessage()


def test_what_many_zones_lack_alike_is_one_warning(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    told: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    zones = [watched(clock, Server(), Server([after(9999)])) for _ in range(5)]
    for number, zone in enumerate(zones):
        zone.zone = f"zone{number}.example"
    waiting(clock, monkeypatch, *zones, watched(clock, Server([after(9999)]), Server()), seconds=60)
    alike, alone = (record.getMessage() for record in caplog.records)
    assert "zone0.example, zone1.example, zone2.example and 2 more zones" in alike
    assert alike.count("192.0.2.2") == 1
    assert "example.com" in alone
    assert "192.0.2.1" in alone


def test_doubt_about_another_providers_servers_is_told_early(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    zone = watched(clock, Server([after(9999)]), name="ns{}.other.example")
    with pytest.raises(errors.PluginError):
        waiting(clock, monkeypatch, zone, seconds=10)
    assert len([line for line in told if "looks like one of Alibaba" in line]) == 1
    assert "ns0.other.example" in "".join(told)


def test_a_watch_that_breaks_is_not_taken_for_an_end(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    dns = FakeDns(clock, [], 0)
    dns.end.set_exception(OSError("no more file descriptors"))
    with pytest.raises(OSError, match="descriptors"):
        wait.wait_until_served(dns, [], LIMITS, LiveLine(False))  # type: ignore[arg-type]


def test_it_is_the_records_and_limits_of_the_run_that_are_waited_for(
    clock: Clock, told: list[str]
) -> None:
    dns = FakeDns(clock, [watched(clock, Server())], 0)
    dns.end.set_result(None)
    records: Any = ["a record"]
    assert wait.wait_until_served(dns, records, LIMITS, LiveLine(False)) == dns.watches  # type: ignore[arg-type]
    assert dns.asked == [(records, LIMITS)]


def test_what_is_served_nowhere_ends_the_run_though_others_are_served(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    unserved = watched(clock, Server([after(9999)]))
    with pytest.raises(errors.PluginError):
        waiting(clock, monkeypatch, watched(clock, Server()), unserved, seconds=60)


def test_an_early_end_is_told_with_its_reason(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    waiting(clock, monkeypatch, watched(clock, SILENT), seconds=1)
    assert "No name server of example.com can be asked" in told[-1]


def test_each_zone_is_waited_for_by_name_of_the_first_three(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    zones = [watched(clock, Server()) for _ in range(5)]
    for number, zone in enumerate(zones):
        zone.zone = f"zone{number}.example"
    waiting(clock, monkeypatch, *zones, seconds=0)
    named = "zone0.example, zone1.example, zone2.example and 2 more zones"
    assert told[0] == f"Waiting until the name servers of {named} serve the TXT records"


def test_a_wait_that_is_broken_off_is_no_end(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    dns = FakeDns(clock, [watched(clock, Server())], 0)
    monkeypatch.setattr(wait.concurrent.futures, "wait", lambda *_, timeout: dns.end.cancel())
    with pytest.raises(CancelledError):
        wait.wait_until_served(dns, [], LIMITS, LiveLine(False))  # type: ignore[arg-type]


def test_no_line_is_told_twice(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    waiting(clock, monkeypatch, watched(clock, Server(), SILENT), seconds=120)
    assert not [a for a, b in itertools.combinations(told, 2) if a == b]


class Shown(LiveLine):
    """A line at a terminal."""

    def __init__(self) -> None:
        super().__init__(False)
        self.is_shown = True
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines.append(text)


def test_at_a_terminal_one_line_tells_how_far_it_is(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    zone = watched(clock, Server(), Server([after(9999)]))
    clock.now -= clock.elapsed
    dns, line = FakeDns(clock, [zone], 40), Shown()
    monkeypatch.setattr(wait.concurrent.futures, "wait", dns.pass_time)
    wait.wait_until_served(dns, [], LIMITS, line)  # type: ignore[arg-type]
    first, last = line.lines[0], line.lines[-1]
    assert first == "1 of 2 addresses serve all records, 0.2 s, waiting for ns1.alidns.com"
    assert last == "1 of 2 addresses serve all records, 40.0 s, waiting for ns1.alidns.com"
    assert len(told) == 1, "no more than the beginning"
