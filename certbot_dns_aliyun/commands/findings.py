"""What a check has found about names, told to people or to machines."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum


class Result(Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One check of one name.

    :ivar name: the name; empty for what is about all of them
    :ivar check: what was checked, a word
    :ivar text: a sentence about it
    :ivar seconds: how long it took
    """

    name: str
    check: str
    result: Result
    text: str
    seconds: float


class Findings:
    """Findings in the order in which they come; several threads may add to them.

    :param is_for_machines: whether they are printed as JSON, at the end
    """

    def __init__(self, is_for_machines: bool) -> None:
        self._is_for_machines = is_for_machines
        self._lock = threading.Lock()
        self._all: list[Finding] = []

    @property
    def are_well(self) -> bool:
        """Whether there is no problem."""
        return not any(finding.result is Result.PROBLEM for finding in self._all)

    def add(self, name: str, check: str, result: Result, text: str, since: float) -> None:
        """Note a finding, and print it.

        :param since: monotonic time at which the check began
        """
        finding = Finding(name, check, result, text, time.monotonic() - since)
        with self._lock:
            self._all.append(finding)
            if not self._is_for_machines:
                about = f"{name}: " if name else ""
                print(f"{result.value:8}{about}{check}: {text}", flush=True)

    def conclude(self) -> None:
        """Print what to do first, or everything for machines."""
        first = next(self._of((Result.PROBLEM, Result.WARNING)), None)
        if self._is_for_machines:
            report = {
                "ok": self.are_well,
                "first": first.text if first else None,
                "findings": [
                    {
                        "name": each.name or None,
                        "check": each.check,
                        "result": each.result.value,
                        "text": each.text,
                        "seconds": round(each.seconds, 3),
                    }
                    for each in self._all
                ],
            }
            print(json.dumps(report, indent=2))
        elif first is None:
            print("Nothing stands in the way.")
        elif first.result is Result.WARNING:
            print(f"Nothing stands in the way; look at this first: {first.text}")
        else:
            print(f"To do first: {first.text}")

    def _of(self, results: Iterable[Result]) -> Iterator[Finding]:
        for result in results:
            yield from (finding for finding in self._all if finding.result is result)
