"""`make soak`: hundreds of certificates from an API at which one call in twenty goes wrong.

Several hosts issue at the same time, in one zone where others' records stand. All certificates must
be issued and no record be left over. `python -m tests.soak 20 --seed 7` is a shorter one.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.world import Fault, Outcome, World

FAULT_RATE = 0.05
HOSTS = 4
NAMES = ("{0}.example.com", "*.{0}.example.com", "www.{0}.example.com", "{0}.example.net")
STRANGERS = 50

_BEFORE_ALONE = ("Throttling.User", "Rejected.Throttling", "LastOperationNotFinished")
_EITHER = {"ServiceUnavailable": 503, "InternalError": 500, "UnKnownError": 400}
_KINDS = ("reset", "close", "hang", "html", "empty", "not_utf8", "scalar", "redirect", "huge")


def faults() -> list[Fault]:
    """All that passes, before and after the server acts."""
    either = [
        Fault("code", moment=moment, code=code, status=status)
        for moment in ("before", "after")
        for code, status in _EITHER.items()
    ]
    kinds = [Fault(kind, moment=moment) for moment in ("before", "after") for kind in _KINDS]
    return [Fault("code", code=code) for code in _BEFORE_ALONE] + either + kinds


class Soak:
    """One soak in one world."""

    def __init__(self, world: World, count: int, seed: int) -> None:
        self._world = world
        self._count = count
        self._random = random.Random(seed)
        self._ini = world.credentials_ini()
        self._hosts = [world.new_certbot(f"host{number}") for number in range(HOSTS)]
        self._done: list[Outcome] = []
        self._printing = threading.Lock()
        for number in range(STRANGERS):
            world.records.add_stranger("example.com", f"_acme-challenge.c{number}", f"{number}")
        world.alidns.faults.at_random(FAULT_RATE, seed, faults())

    def run(self) -> bool:
        """Issue all, print the figures, and tell whether all is well."""
        began = time.monotonic()
        work: list[list[list[str]]] = [[] for _ in self._hosts]
        for number in range(self._count):
            names = self._random.sample(NAMES, self._random.randint(1, len(NAMES)))
            work[number % HOSTS].append([name.format(f"c{number}") for name in names])
        with ThreadPoolExecutor(HOSTS) as pool:
            list(pool.map(self._issue_all, range(HOSTS), work))
        return self._report(time.monotonic() - began)

    def _issue_all(self, host: int, certificates: list[list[str]]) -> None:
        for names in certificates:
            command = self._world.certonly(*names, ini=self._ini)
            outcome = self._hosts[host].run(*command, timeout=600)
            with self._printing:
                self._done.append(outcome)
                if not outcome.ok:
                    print(outcome)
                elif len(self._done) % 20 == 0:
                    print(f"{len(self._done)} certificates", flush=True)

    def _report(self, took: float) -> bool:
        world = self._world
        issued = [outcome for outcome in self._done if outcome.ok]
        seconds = sorted(outcome.seconds for outcome in self._done)
        made, left, lost = world.records.made(), world.records.left(), world.records.lost()
        hit = Counter(call.fault for call in world.alidns.calls if call.fault)
        warned = [o for o in issued if "may be left" in o.text or "could not be removed" in o.text]
        calls = len(world.alidns.calls)
        lines = {
            "certificates issued": f"{len(issued)} of {self._count}",
            "records left over": len(left),
            "others' records lost": len(lost),
            "runs that warned of a record left": len(warned),
            "records made": len(made),
            "API calls": f"{calls}, {calls - 2 * len(made)} more than one add and one delete each",
            "calls gone wrong": f"{sum(hit.values())} ({100 * sum(hit.values()) / calls:.1f} %)",
            "of these": ", ".join(f"{kind} {number}" for kind, number in hit.most_common()),
            "connections": world.alidns.connections,
            "seconds a certificate": f"median {statistics.median(seconds):.1f}, "
            f"95 % within {seconds[int(0.95 * len(seconds))]:.1f}, longest {seconds[-1]:.1f}",
            "in all": f"{took:.0f} s",
        }
        for what, figure in lines.items():
            print(f"{what:34} {figure}")
        return len(issued) == self._count and not left and not lost and not warned


def main() -> int:
    """The command; its status is 0 if all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=200, help="certificates")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"{options.count} certificates, {FAULT_RATE:.0%} of all calls fail, seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        zones = ("example.com", "example.net")
        with World(
            zones, folder=Path(folder), one_write_at_a_time=True, call_seconds=0.03
        ) as world:
            world.leaves_records = True  # said in the figures
            return 0 if Soak(world, options.count, options.seed).run() else 1


if __name__ == "__main__":
    sys.exit(main())
