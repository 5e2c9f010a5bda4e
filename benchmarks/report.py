"""Turn what was measured into tables and pictures, for docs/ and the README."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import pictures
from benchmarks.cases import FAR, LAGS, LATENCIES, ONE_WRITE, SIZES, USUAL, Case
from benchmarks.contenders import CONTENDERS, FLOOR, OURS, PEERS, PLAIN

Run = dict[str, Any]
IMAGES = ("speed", "growth")


class Runs:
    """The runs of the table, by contender and case."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs: dict[tuple[str, Case], list[Run]] = {}
        for run in runs:
            self._runs.setdefault((run["contender"], Case.of(run["case"])), []).append(run)

    def of(self, contender: str, case: Case) -> list[Run]:
        """Give the runs that obtained the certificate."""
        return [run for run in self._runs.get((contender, case), []) if run["ok"]]

    def measured(self, contender: str, case: Case) -> int:
        """Give the number of runs, whatever came of them."""
        return len(self._runs.get((contender, case), []))

    def failed(self, contender: str, case: Case) -> bool:
        """Tell whether there were runs, and none obtained the certificate."""
        return self.measured(contender, case) > 0 and not self.of(contender, case)

    def typical(self, contender: str, case: Case, what: str) -> float | None:
        """Give the median of one figure; None if nothing was measured."""
        return median_of(self.of(contender, case), what)

    def above_floor(self, contender: str, case: Case) -> float | None:
        """Give the seconds above the floor of the same measurement."""
        floor, seconds = (
            self.typical(FLOOR, case.floor, "seconds"),
            self.typical(contender, case, "seconds"),
        )
        return None if floor is None or seconds is None else seconds - floor


def median_of(runs: Sequence[Run], what: str) -> float | None:
    """Give the median of one figure of some runs."""
    return median(run[what] for run in runs) if runs else None


def write(results: dict[str, Any], folder: Path) -> None:
    """Write everything that can be said into a folder."""
    found = {part: measured["found"] for part, measured in results["parts"].items()}
    blocks = {"made": [_made(results)]}
    if "table" in found:
        runs = Runs(found["table"])
        blocks["speed"] = _speed(runs, results["not_measured"])
        blocks["costs"] = _costs(runs)
    if "far" in found:
        runs = Runs(found["far"])
        blocks["far"] = _far(runs)
        summary = _summary(runs)
        blocks["summary"] = table(*summary)
        blocks["summary-in-chinese"] = table(*in_chinese(summary))
        pictures.draw_speed(runs, folder / "speed.svg")
    if "growth" in found:
        blocks["growth"] = _growth(found["growth"])
        pictures.draw_growth(found["growth"], folder / "growth.svg")
    if "startup" in found:
        blocks["startup"] = _startup(found["startup"])
    if "breakdown" in found:
        blocks["breakdown"] = _breakdown(found["breakdown"])
    text = "".join(
        f".. begin {name}\n\n" + "\n".join(lines) + f"\n\n.. end {name}\n\n"
        for name, lines in blocks.items()
    )
    (folder / "speed.rst").write_text(text)


def publish(folder: Path, root: Path) -> None:
    """Put what was written into the pages that have a place for it, and the pictures beside."""
    blocks = re.findall(
        r"^\.\. begin (\S+)\n(.*?)^\.\. end \1\n",
        (folder / "speed.rst").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    for page in (root / "docs" / "speed.rst", root / "README.rst", root / "README.zh-CN.rst"):
        text = page.read_text() if page.exists() else ""
        new = text
        for name, block in blocks:
            place = rf"(^\.\. begin {name}\n).*?(^\.\. end {name}\n)"
            new = re.sub(
                place,
                lambda found, block=block: found[1] + block + found[2],
                new,
                flags=re.DOTALL | re.MULTILINE,
            )
        if new != text:
            page.write_text(new)
    (root / "docs" / "images").mkdir(exist_ok=True)
    for name in IMAGES:
        for image in folder.glob(f"{name}.*svg"):
            shutil.copy(image, root / "docs" / "images" / image.name)


def _made(results: dict[str, Any]) -> str:
    versions = dict(results["versions"])
    cores, python, certbot = (versions.pop(key) for key in ("cores", "Python", "certbot"))
    ours = versions.pop(OURS)
    others = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Measured {_when(results['parts'])}: Certbot {certbot}, certbot-dns-aliyun {ours}, "
        f"{others}; Python {python}, {cores} cores."
    )


def _when(parts: dict[str, Any]) -> str:
    """Say when what was measured: in one go, or part by part."""
    together: dict[str, list[str]] = {}
    for part, measured in parts.items():
        how = "with few runs" if measured["quick"] else f"in {measured['minutes']:.0f} minutes"
        together.setdefault(f"{measured['made']} {how}", []).append(part)
    if len(together) == 1:
        return next(iter(together))
    return "; ".join(f"{', '.join(those)} {when}" for when, those in together.items())


def _speed(runs: Runs, not_measured: dict[str, str]) -> list[str]:
    lines = []
    for group in (SIZES, ONE_WRITE, LAGS, LATENCIES):
        cases = [case for case in group if runs.measured(OURS, case)]
        if cases:
            shared, own = _told_apart(cases)
            rows = [[name, *_speed_row(runs, case)] for name, case in zip(own, cases)]
            head = ["Case", "floor", "ours", *map(_short, PEERS), "times"]
            lines += [f"{shared[0].upper()}{shared[1:]}:", "", *table(head, *rows), ""]
    lines += [f"{name} was not measured: {why}" for name, why in not_measured.items() if why]
    return lines


def _told_apart(cases: Sequence[Case]) -> tuple[str, list[str]]:
    """Give what is the same in all cases, and what each has of its own."""
    parts = [(case.what, *case.where.split("; ")) for case in cases]
    same = [len(set(column)) == 1 for column in zip(*parts)]
    same[0] = same[0] and len(cases) > 1
    shared = "; ".join(part for part, is_shared in zip(parts[0], same) if is_shared)
    own = ["; ".join(p for p, is_shared in zip(part, same) if not is_shared) for part in parts]
    return shared, own


def _speed_row(runs: Runs, case: Case) -> list[str]:
    ours = runs.above_floor(OURS, case)
    peers = [runs.above_floor(name, case.of_peers) for name in PEERS]
    best = min((seconds for seconds in peers if seconds is not None), default=None)
    return [
        _number(runs.typical(FLOOR, case.floor, "seconds"), 1),
        _own(runs, case, ours),
        *(
            "refused" if runs.failed(name, case.of_peers) else _number(seconds, 1)
            for name, seconds in zip(PEERS, peers)
        ),
        _number(best / ours if best and ours else None, 1),
    ]


def _own(runs: Runs, case: Case, seconds: float | None) -> str:
    """Give the seconds of ours, and how many of the runs they are from if some failed."""
    ok, measured = len(runs.of(OURS, case)), runs.measured(OURS, case)
    if measured and not ok:
        return "failed"
    return _number(seconds, 2) + (f" ({ok} of {measured} runs)" if ok < measured else "")


def _far(runs: Runs) -> list[str]:
    """Give the table of far name servers: the others' figures are the same for one order."""
    head = ["Order", "RTT, ms", "lost", "floor", "ours", "less lag", "questions", "budget"]
    rows = []
    for case in FAR:
        if not runs.measured(OURS, case):
            continue
        seconds = runs.above_floor(OURS, case)
        floor, ours, *others = _speed_row(runs, case)
        rows.append(
            [
                case.what,
                f"{1000 * case.rtt:.0f}",
                f"{100 * case.lost:.0f} %",
                floor,
                ours,
                _number(None if seconds is None else seconds - case.lag, 2),
                _number(runs.typical(OURS, case, "questions"), 0),
                str(case.budget),
                *others,
            ]
        )
    return table([*head, *map(_short, PEERS), "times"], *rows)


def _summary(runs: Runs) -> list[list[str]]:
    """Give the rows of the table for the README: what a user meets."""
    head = ["Order", "certbot-dns-aliyun 3", *map(_short, PEERS), "times faster"]
    cases = [case for case in USUAL if runs.measured(OURS, case)]
    return [head, *([case.what, *_speed_row(runs, case)[1:]] for case in cases)]


def in_chinese(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Give the same rows for the README in Chinese."""
    words = re.compile("|".join(_CHINESE))
    return [[words.sub(lambda at: _CHINESE[at[0]], cell) for cell in row] for row in rows]


_CHINESE = {
    "Order": "申请",
    "times faster": "倍数",
    "apex and wildcard": "主域名和通配符",
    "names": "个名称",
    "name": "个名称",
    "refused": "被拒绝",
    "failed": "失败",
}


def _costs(runs: Runs) -> list[str]:
    head = ["Order", "Plugin", "calls", "connections", "DNS queries", "CPU s", "peak MiB"]
    rows = []
    for case in (SIZES[0], SIZES[1], SIZES[2], SIZES[3], ONE_WRITE[3]):
        for name in (FLOOR, OURS, *PEERS):
            at = case.floor if name == FLOOR else case
            if not runs.of(name, at):
                continue
            what = case.what + (", one write at a time" if case.one_write else "")
            rows.append(
                [
                    what,
                    {FLOOR: "floor", OURS: "ours"}.get(name, _short(name)),
                    _number(runs.typical(name, at, "calls"), 0),
                    _number(runs.typical(name, at, "connections"), 0),
                    _number(runs.typical(name, at, "queries"), 0),
                    _number(runs.typical(name, at, "cpu"), 2),
                    _number(runs.typical(name, at, "memory"), 0),
                ]
            )
    return table(head, *rows)


def _growth(orders: list[Run]) -> list[str]:
    head = ["Names", "Zones", "look-ups", "adding", "waiting", "removing", "calls", "busiest s"]
    head += ["questions", "budget", "busiest s", "CPU s", "peak MiB"]
    rows = []
    for run in orders:
        case = Case.of(run["case"])
        phases = [_number(run[phase], 2) for phase in ("prepare", "add", "wait", "remove")]
        names = f"{case.names}" + (" (no rate limit)" if run["rate"] else "")
        names += f" (throttled {case.throttled:.0f} s)" if case.throttled else ""
        counts = [str(run["calls"]), str(run["busiest_second_of_calls"])]
        counts += [str(run["questions"]), str(case.budget), str(run["busiest_second_of_questions"])]
        cost = [_number(run["cpu"], 1), _number(run["memory"], 0)]
        rows.append([names, str(case.zones), *phases, *counts, *cost])
    return table(head, *rows)


def _startup(starts: list[Run]) -> list[str]:
    commands = list(dict.fromkeys(start["command"] for start in starts))
    contenders = list(dict.fromkeys(start["contender"] for start in starts))
    typical = {
        (command, contender): median(
            start["cpu"]
            for start in starts
            if (start["command"], start["contender"]) == (command, contender)
        )
        for command in commands
        for contender in contenders
    }
    rows = []
    for contender in contenders:
        own = [typical[command, contender] for command in commands]
        added = [cpu - typical[command, PLAIN.name] for cpu, command in zip(own, commands)]
        label = {PLAIN.name: "Certbot alone", OURS: "with ours"}.get(
            contender, f"with {_short(contender)}"
        )
        shown = own if contender == PLAIN.name else added
        sign = "" if contender == PLAIN.name else "+"
        rows.append([label, *(f"{1000 * cpu:{sign}.0f} ms" for cpu in [*shown, sum(shown)])])
    return table(["CPU time", *(f"``{c}``" for c in commands), "together"], *rows)


def _breakdown(moments: list[tuple[str, float]]) -> list[str]:
    began = [0.0, *(at for _, at in moments)]
    rows = [
        [what, f"{1000 * before:.0f}", f"{1000 * (at - before):.0f}"]
        for before, (what, at) in zip(began, moments)
    ]
    return table(["What", "begins at, ms", "takes, ms"], *rows)


def _short(name: str) -> str:
    """Give a name for a narrow column: without what all begin with, but not just as ours."""
    if name == "certbot-dns-aliyun":
        name = f"{name} {CONTENDERS[name].pinned}"
    return name.replace("certbot-dns-", "")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def table(head: Sequence[str], *rows: Sequence[str]) -> list[str]:
    """Lay out a simple table (docutils: an empty first column would continue the row above)."""
    widths = [max(map(_width, column)) for column in zip(head, *rows)]
    rule = " ".join("=" * width for width in widths)

    def line(cells: Sequence[str]) -> str:
        padded = [cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths)]
        return " ".join(padded).rstrip()

    return [rule, line(head), rule, *map(line, rows), rule]


def _width(text: str) -> int:
    """Give the columns of a text; docutils takes a Chinese character for two of them."""
    return len(text) + sum(unicodedata.east_asian_width(each) in "FW" for each in text)
