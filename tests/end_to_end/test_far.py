"""Name servers as they are on the Internet: far, lossy, many-addressed, each with its vices."""

from __future__ import annotations

import re
import resource
import signal
import time
from collections import Counter

import pytest

from tests.end_to_end.helpers import (
    RECORD,
    MakeWorld,
    assert_issued,
    assert_refused,
    ca_asked_at,
    screen,
    seconds_waited,
    served_everywhere_at,
)
from tests.end_to_end.terminal import certbot_at_a_terminal
from tests.world import Server, World, vices
from tests.world.nameservers import name_server
from tests.world.world import until

pytestmark = pytest.mark.newest

TEN = [f"host{number}.example.com" for number in range(10)]


def far(lag: float = 1.0, **more: float) -> dict[str, list[Server]]:
    first = name_server("dns1.hichina.com", 8, lag=lag / 2, **more)
    return {"example.com": [*first, *name_server("dns2.hichina.com", 8, lag=lag, **more)]}


def looks(world: World) -> int:
    """Counts the questions for records that certbot asked, and not the CA."""
    return len([q for q in world.nameservers.queries if q.name.startswith("_acme-challenge")])


@pytest.mark.parametrize(("rtt", "loss"), [(0.03, 0.0), (0.03, 0.05), (0.2, 0.1)])
def test_ten_names_on_sixteen_addresses(make_world: MakeWorld, rtt: float, loss: float) -> None:
    world = make_world(far(rtt=rtt, loss=loss))
    outcome = world.issue(*TEN, options=["--dns-aliyun-wait-limit", 60])
    assert_issued(outcome, world, *TEN)
    assert "Going on although" not in screen(outcome)
    for name in TEN:
        (record,) = [r for r in world.records.made() if f"{r.rr}.example.com".endswith(name)]
        asked = ca_asked_at(world, f"_acme-challenge.{name}")
        assert asked >= served_everywhere_at([record], 1.0)
    budget = len(TEN) * 16 * 1.3 + 40 * 16
    assert looks(world) <= budget * (2 if loss else 1) + 40, "and forty for the CA's resolver"


def test_ten_names_with_few_files(make_world: MakeWorld) -> None:
    """`ulimit -n 256`, and no socket is left over."""
    world = make_world(far(rtt=0.1))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # the child's, too
    try:
        run = world.certbot.start(*world.certonly(*TEN))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    outcome = run.wait()
    assert_issued(outcome, world, *TEN)
    assert "Too many open files" not in outcome.log_text


@pytest.mark.parametrize(
    "vice",
    [
        vices.first(vices.wrong_id),
        vices.first(vices.wrong_question),
        vices.first(vices.garbage),
        vices.twice,
        vices.wrong_case_of_name,
        vices.drops_edns,
        vices.formerr_for_edns,
        vices.lose_first(5),
        vices.servfail_now_and_then(0.2),
        vices.slow(0.5),
    ],
    ids=[
        "forged_id",
        "wrong_question",
        "garbage",
        "everything_twice",
        "other_case",
        "drops_edns",
        "refuses_edns",
        "loses_the_first",
        "fails_now_and_then",
        "slow",
    ],
)
def test_a_vice_of_one_name_server_changes_nothing(make_world: MakeWorld, vice: vices.Vice) -> None:
    vicious = Server(lag=1.5, name="dns9.hichina.com", vice=vice)
    world = make_world({"example.com": [Server(lag=0.2), vicious]})
    outcome = world.issue("example.com", "*.example.com")
    assert_issued(outcome, world, "example.com", "*.example.com")
    assert "Going on although" not in screen(outcome)
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 1.5)


def test_a_closed_tcp_port_and_a_lost_datagram_drop_no_server(make_world: MakeWorld) -> None:
    late = Server(lag=4.0, name="dns9.hichina.com", tcp=False, loss=0.3)
    world = make_world({"example.com": [Server(lag=0.2), late]})
    outcome = world.issue("example.com")
    assert_issued(outcome, world, "example.com")
    assert "Going on although" not in screen(outcome)
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 4.0)


def test_a_name_server_that_fails_for_the_name_is_told_in_its_own_words(
    make_world: MakeWorld,
) -> None:
    failing = vices.only_for(lambda name: name == RECORD, vices.says("servfail"))
    world = make_world({"example.com": [Server(lag=0.2), Server(vice=failing)]})
    outcome = world.issue("example.com")
    assert_issued(outcome, world, "example.com")
    assert "dns2.hichina.com (127.0.1.2) fails to answer (SERVFAIL)" in screen(outcome)


@pytest.mark.parametrize(
    "cap",
    [
        pytest.param(vices.capped(8), id="always"),
        pytest.param(vices.rotating(8), id="in turn", marks=pytest.mark.nightly),
    ],
)
def test_a_target_with_more_values_than_are_served_is_told(
    make_world: MakeWorld, cap: vices.Vice
) -> None:
    """Twelve names that lead to one target, of which a name server gives eight values at most."""
    world = make_world({"example.com": [Server(lag=0.2, vice=cap)]})
    names = [f"host{number}.example.com" for number in range(12)]
    for name in names:
        world.records.zones["example.com"].add(
            f"_acme-challenge.{name.partition('.')[0]}", "acme.example.com", "CNAME"
        )
    outcome = world.issue(*names, options=["--dns-aliyun-wait-limit", 15])
    assert_refused(outcome, "give only 8 of at least 12", "acme.example.com", "target of its own")
    assert not world.records.left()


def test_who_was_stopped_looks_again(make_world: MakeWorld) -> None:
    """Ctrl-Z for longer than the limit, while the records are not served yet."""
    world = make_world({"example.com": [Server(lag=0.1), Server(lag=8.0)]})

    run = world.certbot.start(
        *world.certonly("example.com"), "--dns-aliyun-wait-limit", 6, "--non-interactive"
    )
    until(lambda: len(world.nameservers.asked(RECORD)) > 10)
    run.send(signal.SIGSTOP)
    time.sleep(7)
    run.send(signal.SIGCONT)
    outcome = run.wait()
    assert_issued(outcome, world, "example.com")
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 8.0)


def test_at_a_terminal_one_line_is_written_over(make_world: MakeWorld) -> None:
    world = make_world(far(lag=3.0))
    ini = str(world.credentials_ini())
    command = ["certonly", "-a", "dns-aliyun", "--dns-aliyun-credentials", ini]
    terminal = certbot_at_a_terminal(world, *command, "-d", "example.com")
    assert terminal.wait() == 0, terminal.text
    lines = re.findall(r"\r\x1b\[K(\d+) of 16 addresses serve all records", terminal.text)
    assert len(lines) >= 3
    assert lines[-1] == "16"
    assert Counter(lines)["0"] >= 1
    assert "waiting for dns2.hichina.com" in terminal.text


def test_seconds_are_bounded_on_a_bad_line(make_world: MakeWorld) -> None:
    world = make_world(far(rtt=0.2, loss=0.05))
    assert_issued(world.issue("example.com"), world, "example.com")
    assert seconds_waited(world) < 20
