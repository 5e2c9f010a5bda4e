"""Whether a run ever fails where packets get lost: the same order many times over.

``python -m benchmarks.endurance --runs 200 --names 10 --lost 0.05 --rtt 0.03`` prints one line. Its
status is 0 if each run waited until every address served all, no longer, and got its certificate.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import ADDRESSES, USUAL_RTT, Case
from benchmarks.child import run, tell
from benchmarks.contenders import OURS, ROOT

#: Seconds until a run gives up waiting: far above what any needs, and far below the usual 600.
LIMIT = 60
_ENDS = ("ended by their limit", "went on early", "were refused by the CA", "failed otherwise")


def main() -> int:
    """Run all, print the line, and keep what went wrong."""
    options = _options()
    case = Case(options.names, addresses=ADDRESSES, rtt=options.rtt, lost=options.lost)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        done = list(pool.map(lambda _: _once(case), range(options.runs)))
    minutes = (time.monotonic() - began) / 60
    wrong = [result for result in done if end_of(result)]
    if wrong:
        options.wrong.parent.mkdir(parents=True, exist_ok=True)
        options.wrong.write_text(json.dumps(wrong, indent=1) + "\n")
    print(f"{line(case, done)} ({minutes:.0f} minutes)")
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--names", type=int, default=10)
    parser.add_argument("--lost", type=float, default=0.05, help="the share of lost questions")
    parser.add_argument("--rtt", type=float, default=USUAL_RTT, help="seconds of a round trip")
    parser.add_argument("--at-once", type=int, default=4, help="runs beside one another")
    parser.add_argument("--wrong", type=Path, default=ROOT / "build" / "bench" / "wrong.json")
    return parser.parse_args()


def _once(case: Case) -> dict[str, Any]:
    what = {
        "contender": OURS,
        "case": asdict(case),
        "options": ["--dns-aliyun-wait-limit", str(LIMIT)],
    }
    result: dict[str, Any] = run("benchmarks.measure", json.dumps(what))
    tell(f"{result['seconds']:.1f} s {end_of(result)} {result['why']}")
    return result


def end_of(result: dict[str, Any]) -> str:
    """Tell what was wrong with a run; nothing if all was well."""
    served_for = result.get("served_for")
    if result.get("waited", 0.0) >= LIMIT:
        return _ENDS[0]
    if served_for is not None and served_for < 0:
        return _ENDS[1]
    if not result["ok"]:
        return _ENDS[2] if served_for is not None else _ENDS[3]
    return ""


def line(case: Case, done: list[dict[str, Any]]) -> str:
    """Say what came of all runs."""
    ends = Counter(map(end_of, done))
    waits = sorted(result["waited"] for result in done if "waited" in result)
    figures = ""
    if waits:
        figures = (
            f"; seconds from the last record to the CA: median {median(waits):.1f}, "
            f"95 % within {waits[int(0.95 * len(waits))]:.1f}, longest {waits[-1]:.1f}"
        )
    wrong = ", ".join(f"{ends[end]} {end}" for end in _ENDS)
    return f"{len(done)} runs; {case.what}; {case.where}: {wrong}{figures}"


if __name__ == "__main__":
    sys.exit(main())
