"""One measurement, in a process and a world of its own.

``python -m benchmarks.measure '{"contender": …, "case": {…}}'`` prints what it measured as JSON;
"options" are more options for certbot.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import newer_signing
from benchmarks.cases import Case
from benchmarks.contenders import CERTBOT, CONTENDERS, FLOOR, Contender
from tests.world import EVERYTHING, Key, Query, World, find_venv, until
from tests.world.nameservers import NEAR, NEAR_IPV6, name_server
from tests.world.resolver import ADDRESS, FOR_THE_CA

#: Seconds after which a run counts as hung.
_TOO_LONG = 600.0
_PREFIX = "_acme-challenge."


def measure(what: dict[str, Any]) -> dict[str, Any]:
    """Measure one run: of certbot with a contender, or of an order without certbot."""
    case = Case.of(what["case"])
    with a_world(case, what.get("contender") != FLOOR) as world:
        if "contender" in what:
            result = _run_of_certbot(world, case, CONTENDERS[what["contender"]], what)
        else:
            result = _run_of_an_order(world, case, what.get("rate"))
        return {**what, "case": asdict(case), **result, **_seen_by(world)}


@contextlib.contextmanager
def a_world(case: Case, ca_validates: bool = True) -> Iterator[World]:
    """Make a world in which all zones have the same name servers.

    What others leave behind or write into logs is not looked at: it is no measurement.
    """
    servers = [
        server
        for number, lag in enumerate(case.lags, 1)
        for server in name_server(
            f"dns{number}.hichina.com", case.addresses, lag=lag, rtt=case.rtt, loss=case.lost
        )
    ]
    world = World(
        dict.fromkeys(case.apexes, servers),
        [Key(EVERYTHING)],
        certbot=CERTBOT,
        ca_validates=ca_validates,
        call_seconds=case.call,
        connect_seconds=case.connect,
        one_write_at_a_time=case.one_write,
    )
    newer_signing.accept(world, world.key)
    world.__enter__()
    if case.throttled:
        threading.Thread(target=_throttle, args=(world, case.throttled), daemon=True).start()
    try:
        yield world
    finally:
        world.stop()


def _throttle(world: World, seconds: float) -> None:
    """Let the API refuse all calls for some seconds, from the first one on."""
    world.alidns.fault("code", times=None, code="Throttling.User")
    until(lambda: world.alidns.calls, _TOO_LONG)
    time.sleep(seconds)
    world.alidns.faults.clear()


def _run_of_certbot(
    world: World, case: Case, contender: Contender, what: dict[str, Any]
) -> dict[str, Any]:
    ini = world.write_ini(contender.credentials(world.key))
    bundle = world.ca.bundle
    certbot = world.certbot
    certbot.venv = contender.venv
    certbot._check = lambda outcome: None
    names = [word for name in case.domains for word in ("-d", name)]
    run = certbot.start(
        "certonly",
        *contender.options(ini),
        *what.get("options", ()),
        *names,
        # multi is written in Go, which knows the bundle by another name.
        env={"SSL_CERT_FILE": str(bundle), **contender.environment},
    )
    cost = cost_of(run.process)
    outcome = run.wait()
    return {
        **cost,
        "ok": outcome.ok,
        "why": "" if outcome.ok else _last_words(outcome.stderr),
        "floor": contender.name == FLOOR,
        **_wait_of(world),
    }


def _last_words(text: str) -> str:
    lines = [line for line in text.splitlines() if line and not line.startswith("Ask for help")]
    return " ".join(lines[-2:])[:500]


def _run_of_an_order(world: World, case: Case, rate: int | None) -> dict[str, Any]:
    ini = world.credentials_ini()
    order = world.folder / "order.json"
    order.write_text(
        json.dumps(
            {
                "ini": str(ini),
                "config_dir": str(world.folder),
                "domains": case.domains,
                "rate": rate,
            }
        )
    )
    process = subprocess.Popen(
        [find_venv(CERTBOT) / "bin" / "python", Path(__file__).with_name("order.py"), order],
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "REQUESTS_CA_BUNDLE": str(world.ca.bundle)},
    )
    assert process.stdout is not None
    cost = cost_of(process)
    text = process.stdout.read()
    return {**cost, "ok": process.returncode == 0, **json.loads(text or "{}")}


def cost_of(process: subprocess.Popen[bytes]) -> dict[str, float]:
    """Wait for a process; give its wall time, its CPU time, and its peak memory in MiB.

    The peak that wait4 tells is none: it counts the process that this one was forked from.
    """
    started, world_started = time.monotonic(), time.process_time()
    watchdog = threading.Timer(_TOO_LONG, process.kill)
    watchdog.start()
    peak = 0
    status = Path(f"/proc/{process.pid}/status")
    while True:
        pid, state, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        with contextlib.suppress(OSError):
            peak = max(peak, _high_water_mark(status.read_text()))
        time.sleep(0.01)
    seconds = time.monotonic() - started
    watchdog.cancel()
    process.returncode = os.waitstatus_to_exitcode(state)
    return {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": peak / 1024,
        "cpu_of_the_world": time.process_time() - world_started,
    }


def _high_water_mark(status: str) -> int:
    """Read the most memory that a process has had, in KiB."""
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((int(words[1]) for words in lines), 0)


def _wait_of(world: World) -> dict[str, Any]:
    """Tell how long a run waited, and how long after all name servers served it the CA asked.

    Negative seconds of that are those by which the run went on early.
    """
    made = world.records.made()
    if not made:
        return {}
    added = max(record.added_at for record in made)
    removed = [record.removed_at for record in made if record.removed_at is not None]
    asked = [query.at for query in _of_the_ca(world)]
    return {
        "waited": min(asked or removed, default=added) - added,
        "served_for": min(asked) - added - world.slowest_lag if asked else None,
    }


def _of_the_ca(world: World) -> list[Query]:
    """Give what the CA asked its resolver for the validation names."""
    return [
        query
        for query in world.resolver.queries
        if query.server == FOR_THE_CA and query.type == "TXT" and query.name.startswith(_PREFIX)
    ]


def _seen_by(world: World) -> dict[str, Any]:
    """Tell what API and name servers saw of the run."""
    calls = world.alidns.calls
    of_the_ca = {query.name for query in _of_the_ca(world)}
    to_resolver = [query for query in world.resolver.queries if query.server == ADDRESS]
    looks = [
        query
        for query in world.nameservers.queries
        if query.name.startswith(_PREFIX) and query.type == "TXT"
    ]
    questions = _questions(world)
    return {
        "calls": len(calls),
        "refused": sum(call.code == "LastOperationNotFinished" for call in calls),
        "busiest_second_of_calls": _busiest(call.started for call in calls),
        "connections": world.alidns.connections,
        "questions": len(questions),
        "busiest_second_of_questions": _busiest(query.at for query in questions),
        # The CA's resolver remembers: it asks for each name once.
        "queries": len(looks) - len(of_the_ca) + len(to_resolver),
        "left": len(world.records.left()),
    }


def _questions(world: World) -> list[Query]:
    """Give all that the plugin asked the name servers of the zones, of whatever kind."""
    asked = world.nameservers.delegations
    addresses = {server.address for zone in world.all_zones for server in asked[zone.apex]}
    return [
        query
        for query in world.nameservers.queries
        if query.server in addresses and query.source not in (NEAR, NEAR_IPV6)
    ]


def _busiest(moments: Iterable[float]) -> int:
    """Give the most events in one second, by the clock."""
    return max(Counter(int(moment) for moment in moments).values(), default=0)


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
