"""Measure everything, and write what was found: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import platform
import subprocess
import threading
import time
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.cases import FAR, GROWTH, LAGS, LATENCIES, ONE_WRITE, SIZES, THROTTLED, USUAL, Case
from benchmarks.child import run, tell
from benchmarks.contenders import CERTBOT, CONTENDERS, FLOOR, OURS, PEERS, ROOT

PARTS = ("table", "far", "growth", "startup", "breakdown")
#: Others' plugins sleep nearly all the time, so many of them may do that at once.
_PEERS_AT_ONCE = 12
#: Seconds between two of them, so that they do not start together.
_APART = 1.5

_starting = threading.Lock()

Job = tuple[str, Case]


def main() -> None:
    """Measure, then write JSON, tables and pictures."""
    options = _options()
    file = options.folder / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    if not options.write:
        results = merged(results, measure(options.quick, options.parts))
        options.folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(results, indent=1) + "\n")
    report.write(results, options.folder)
    if options.publish:
        report.publish(options.folder, ROOT)
    print((options.folder / "speed.rst").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases, fewer runs of each")
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="measure these; keep the others"
    )
    parser.add_argument("--publish", action="store_true", help="put tables and pictures into docs/")
    parser.add_argument("--write", action="store_true", help="measure nothing, write again")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    return parser.parse_args()


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Put new parts in the place of old ones; those of other versions are not kept."""
    if old.get("versions") != new["versions"]:
        return new
    return {**new, "parts": {**old["parts"], **new["parts"]}}


def measure(quick: bool, parts: list[str]) -> dict[str, Any]:
    """Measure some parts, and give everything that the report needs."""
    began = time.monotonic()
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    found: dict[str, Any] = {}
    for part, alone in (("table", alone_in_table), ("far", alone_in_far)):
        if part in parts:
            found[part] = [run_of(*job) for job in alone(quick)]
    peers = {
        part: jobs(quick)
        for part, jobs in (("table", peers_in_table), ("far", peers_in_far))
        if part in parts
    }
    for part, runs in measure_peers(peers).items():
        found[part] += runs
    if "growth" in parts:
        found["growth"] = measure_growth(quick)
    if "startup" in parts:
        tell("start-up")
        found["startup"] = run("benchmarks.startup", "4" if quick else "20")
    if "breakdown" in parts:
        tell("breakdown")
        found["breakdown"] = run("benchmarks.breakdown")
    minutes = (time.monotonic() - began) / 60
    how = {"made": made, "quick": quick, "minutes": minutes}
    return {
        "versions": versions(),
        "not_measured": {name: CONTENDERS[name].why_not for name in PEERS},
        "parts": {part: {**how, "found": found[part]} for part in PARTS if part in found},
    }


def alone_in_table(quick: bool) -> list[Job]:
    """Give the runs of the floor and of ours: nothing else may go on meanwhile."""
    cases = [*SIZES, *ONE_WRITE, *LAGS, *LATENCIES]
    if quick:
        cases = [*SIZES[:4], ONE_WRITE[2]]
    rounds = 1 if quick else 5
    return [
        (contender, case)
        for number in range(rounds)
        for case in cases
        if number < _rounds(case, rounds)
        for contender in (FLOOR, OURS)
        if contender == OURS or case == case.floor
    ]


def _rounds(case: Case, most: int) -> int:
    """Give the number of runs: the small orders vary most, and the long waits least."""
    if case.lag > 10:
        return 1
    return most if case.names <= 2 and not case.one_write else max(1, most - 2)


def alone_in_far(quick: bool) -> list[Job]:
    """Give the same for name servers that are far away, with a floor of their own measurement."""
    floors = [(FLOOR, case.floor) for case in USUAL]
    ours = [(OURS, case) for case in (USUAL if quick else FAR)]
    return [*floors, *ours] * (1 if quick else 3)


def peers_in_table(quick: bool) -> list[Job]:
    """Give the runs of others, the longest first, so that these do not go on when all are done."""
    if quick:
        return [(name, case) for case in SIZES[:2] for name in PEERS]
    once = [*ONE_WRITE, *LAGS, *LATENCIES, *SIZES[2:]]
    jobs = [(name, case) for case in sorted(once, key=_longest_first) for name in PEERS]
    return jobs + [(name, case) for _ in range(5) for case in SIZES[:2] for name in PEERS]


def peers_in_far(quick: bool) -> list[Job]:
    """Give the runs of others there: how far away the name servers are is nothing to them."""
    cases = USUAL[:2] if quick else sorted(USUAL, key=_longest_first)
    return [(name, case) for case in cases for name in PEERS]


def _longest_first(case: Case) -> tuple[int, float]:
    return -case.names, -case.lag


def measure_peers(jobs_of: dict[str, list[Job]]) -> dict[str, list[dict[str, Any]]]:
    """Measure others, many at once, and those of all parts together."""
    jobs = [(part, *job) for part, jobs in jobs_of.items() for job in jobs]
    jobs = sorted(jobs, key=lambda job: -job[2].names)
    jobs = [job for job in jobs if not CONTENDERS[job[1]].why_not]
    found: dict[str, list[dict[str, Any]]] = {part: [] for part in jobs_of}
    with concurrent.futures.ThreadPoolExecutor(_PEERS_AT_ONCE) as pool:
        runs = pool.map(lambda job: run_of(job[1], job[2], apart=_APART), jobs)
        for (part, *_), result in zip(jobs, runs):
            found[part].append(result)
    return found


def measure_growth(quick: bool) -> list[dict[str, Any]]:
    """Measure orders of up to 1,000 names, straight from the client."""
    cases = [case for case in GROWTH if not quick or case.names == 100]
    found = [order_of(case) for case in cases]
    if quick:
        return found
    # What the documented rate costs: the same order without it.
    (hundred,) = (case for case in GROWTH if (case.names, case.zones) == (100, 1))
    unlimited = order_of(hundred, rate=100_000)
    return [*found, unlimited, *(order_of(case) for case in THROTTLED)]


def run_of(contender: str, case: Case, apart: float = 0.0) -> dict[str, Any]:
    """Measure one run of certbot."""
    with _starting:
        time.sleep(apart)
    result = run("benchmarks.measure", json.dumps({"contender": contender, "case": asdict(case)}))
    early = " (went on early)" if (result.get("served_for") or 0) < 0 else ""
    what = f"{contender}: {case.what}; {case.where}: {result['seconds']:.2f} s"
    tell(f"{what}{early} {result['why']}")
    return result


def order_of(case: Case, rate: int | None = None) -> dict[str, Any]:
    """Measure one order without certbot."""
    result = run("benchmarks.measure", json.dumps({"case": asdict(case), "rate": rate}))
    tell(f"without certbot: {case.what}: {result['seconds']:.2f} s")
    return result


def versions() -> dict[str, str]:
    """Tell what was measured, and on what."""
    script = "import importlib.metadata as m; print(m.version('certbot-dns-aliyun'))"
    python = CONTENDERS[OURS].venv / "bin" / "python"
    ours = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    return {
        OURS: ours.stdout.strip(),
        **{name: CONTENDERS[name].pinned for name in PEERS},
        "certbot": CERTBOT,
        "Python": platform.python_version(),
        "cores": str(len(os.sched_getaffinity(0))),
    }


if __name__ == "__main__":
    main()
