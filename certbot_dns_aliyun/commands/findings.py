"""What a check has found about names, told to people or to machines."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from certbot_dns_aliyun.guide import entry_of
from certbot_dns_aliyun.legible import legible
from certbot_dns_aliyun.propagation.live_line import LiveLine


class Result(Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


_COLOURS = {
    Result.OK: "\x1b[32m",
    Result.WARNING: "\x1b[33m",
    Result.PROBLEM: "\x1b[1;31m",
    Result.SKIPPED: "\x1b[36m",
}
_NO_COLOUR = "\x1b[0m"


@dataclass(frozen=True)
class Finding:
    """One check of one name.

    :ivar lineage: Certbot's name of the certificate; empty for names of the command line
    :ivar name: the name; empty for what is about all of them
    :ivar check: what was checked, a word
    :ivar text: a sentence about it
    :ivar seconds: how long it took
    """

    lineage: str
    name: str
    check: str
    result: Result
    text: str
    seconds: float


class Report:
    """All findings, in the order in which they come; several threads may add to them.

    :param is_for_machines: whether they are printed as JSON, at the end
    """

    def __init__(self, is_for_machines: bool) -> None:
        self._is_for_machines = is_for_machines
        self._lock = threading.Lock()
        self._all: list[Finding] = []
        self._line = LiveLine(not is_for_machines)
        self._is_coloured = _takes_colours()

    @property
    def is_empty(self) -> bool:
        """Whether there is no finding at all."""
        return not self._all

    @property
    def are_well(self) -> bool:
        """Whether there is no problem."""
        return not any(finding.result is Result.PROBLEM for finding in self._all)

    def add(self, finding: Finding) -> None:
        """Note a finding, and print it."""
        with self._lock:
            self._all.append(finding)
            if not self._is_for_machines:
                about = f"{finding.name}: " if finding.name else ""
                self._print(f"{self._word(finding.result)}{about}{finding.check}: {finding.text}")

    def head(self, text: str) -> None:
        """Print what the next findings are about, for people."""
        with self._lock:
            if not self._is_for_machines:
                self._print(text)

    def progress(self, text: str) -> None:
        """Show at a terminal, until there is more to tell, what is going on."""
        with self._lock:
            self._line.write(text)

    def notice(self, text: str) -> None:
        """Tell what goes on, outside of the report."""
        with self._lock:
            self._line.clear()
            print(legible(text), file=sys.stderr, flush=True)

    def conclude(self) -> None:
        """Print what to do first, or everything for machines."""
        first = next(self._of((Result.PROBLEM, Result.WARNING)), None)
        if self._is_for_machines:
            report = {
                "ok": self.are_well,
                "first": first.text if first else None,
                "findings": [
                    {
                        "lineage": each.lineage or None,
                        "name": each.name or None,
                        "check": each.check,
                        "result": each.result.value,
                        "text": each.text,
                        "entry": entry_of(each.text),
                        "seconds": round(each.seconds, 3),
                    }
                    for each in self._all
                ],
            }
            print(json.dumps(report, indent=2))
            return
        well = "Nothing stands in the way."
        if any(self._of([Result.SKIPPED])):
            well = "No problem was found, but not all was checked."
        lineage = f"(lineage {first.lineage}) " if first and first.lineage else ""
        if first is None:
            self._print(well)
        elif first.result is Result.WARNING:
            self._print(f"{well[:-1]}; look at this first: {lineage}{first.text}")
        else:
            self._print(f"To do first: {lineage}{first.text}")

    def _word(self, result: Result) -> str:
        word = f"{result.value:8}"
        return f"{_COLOURS[result]}{word}{_NO_COLOUR}" if self._is_coloured else word

    def _print(self, text: str) -> None:
        self._line.clear()
        coloured, end, rest = text.rpartition(_NO_COLOUR)
        print(coloured + end + legible(rest), flush=True)

    def _of(self, results: Iterable[Result]) -> Iterator[Finding]:
        for result in results:
            yield from (finding for finding in self._all if finding.result is result)


class Findings:
    """Findings about the names of one certificate.

    :param lineage: Certbot's name of it; empty for names of the command line
    :ivar are_over: whether no more are taken
    """

    def __init__(self, report: Report, lineage: str = "") -> None:
        self.report = report
        self._lineage = lineage
        self.are_over = False

    def add(self, name: str, check: str, result: Result, text: str, since: float) -> None:
        """Note a finding, unless the checks are over.

        :param since: monotonic time at which the check began
        """
        if not self.are_over:
            seconds = time.monotonic() - since
            self.report.add(Finding(self._lineage, name, check, result, text, seconds))

    def end(self) -> None:
        """Take no more: what was under way when somebody wanted an end has failed for that."""
        self.are_over = True


def _takes_colours() -> bool:
    """Tell whether standard output shows colours, and may (https://no-color.org)."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not is_plain
