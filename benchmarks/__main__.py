"""Measure everything, and write what was found: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import platform
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.cases import GROWTH, LAGS, LATENCIES, ONE_WRITE, SIZES, Case
from benchmarks.contenders import CERTBOT, CONTENDERS, FLOOR, OURS, PEERS, ROOT

PARTS = ("table", "growth", "startup", "breakdown")
#: Others' plugins sleep nearly all the time, so many of them may do that at once.
_PEERS_AT_ONCE = 12
#: Seconds between two of them, so that they do not start together.
_APART = 1.5

_starting = threading.Lock()


def main() -> None:
    """Measure, then write JSON, tables and pictures."""
    options = _options()
    if options.write:
        results = json.loads((options.folder / "results.json").read_text())
    else:
        results = measure(options.quick, options.parts)
        options.folder.mkdir(parents=True, exist_ok=True)
        (options.folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    report.write(results, options.folder)
    if options.publish:
        report.publish(options.folder, ROOT)
    print((options.folder / "speed.rst").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases, fewer runs of each")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--publish", action="store_true", help="put tables and pictures into docs/")
    parser.add_argument("--write", action="store_true", help="measure nothing, write again")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    return parser.parse_args()


def measure(quick: bool, parts: list[str]) -> dict[str, Any]:
    """Measure, and give everything that the report needs."""
    began = time.monotonic()
    results: dict[str, Any] = {
        "made": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "quick": quick,
        "versions": versions(),
        "not_measured": {name: CONTENDERS[name].why_not for name in PEERS},
    }
    if "table" in parts:
        results["runs"] = [*measure_alone(quick), *measure_peers(quick)]
    if "growth" in parts:
        results["growth"] = measure_growth(quick)
    if "startup" in parts:
        tell("start-up")
        results["startup"] = run("benchmarks.startup", "4" if quick else "20")
    if "breakdown" in parts:
        tell("breakdown")
        results["breakdown"] = run("benchmarks.breakdown")
    results["minutes"] = (time.monotonic() - began) / 60
    return results


def measure_alone(quick: bool) -> list[dict[str, Any]]:
    """Measure the floor and ours, one after the other: nothing else goes on meanwhile."""
    cases = [*SIZES, *ONE_WRITE, *LAGS, *LATENCIES]
    if quick:
        cases = [*SIZES[:4], ONE_WRITE[2]]
    rounds = 1 if quick else 5
    return [
        run_of(contender, case)
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


def measure_peers(quick: bool) -> list[dict[str, Any]]:
    """Measure those of others, many at once."""
    if quick:
        jobs = [(name, case) for case in SIZES[:2] for name in PEERS]
    else:
        once = [*ONE_WRITE, *LAGS, *LATENCIES, *SIZES[2:]]
        # The longest first, so that they do not go on when all others are done.
        jobs = [(name, case) for case in sorted(once, key=_longest_first) for name in PEERS]
        jobs += [(name, case) for _ in range(5) for case in SIZES[:2] for name in PEERS]
    jobs = [(name, case) for name, case in jobs if not CONTENDERS[name].why_not]
    with concurrent.futures.ThreadPoolExecutor(_PEERS_AT_ONCE) as pool:
        return list(pool.map(lambda job: run_of(*job, apart=_APART), jobs))


def _longest_first(case: Case) -> tuple[int, float]:
    return -case.names, -case.lag


def measure_growth(quick: bool) -> list[dict[str, Any]]:
    """Measure orders of up to 1,000 names, straight from the client."""
    cases = [case for case in GROWTH if not quick or case.names == 100]
    found = [order_of(case) for case in cases]
    # What the documented rate costs: the same order without it.
    return found if quick else [*found, order_of(Case(100), rate=100_000)]


def run_of(contender: str, case: Case, apart: float = 0.0) -> dict[str, Any]:
    """Measure one run of certbot."""
    with _starting:
        time.sleep(apart)
    result = run("benchmarks.measure", json.dumps({"contender": contender, "case": asdict(case)}))
    tell(f"{contender}: {case.what}; {case.where}: {result['seconds']:.2f} s {result['why']}")
    return result


def order_of(case: Case, rate: int | None = None) -> dict[str, Any]:
    """Measure one order without certbot."""
    result = run("benchmarks.measure", json.dumps({"case": asdict(case), "rate": rate}))
    tell(f"without certbot: {case.what}: {result['seconds']:.2f} s")
    return result


def run(module: str, *arguments: str) -> Any:
    """Run a measurement in a process of its own, and give what it measured."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


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


def tell(what: str) -> None:
    """Show progress."""
    print(f"{datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
