"""What becomes of a run when one call goes wrong: what test_faults_matrix.py expects.

`python -m tests.end_to_end.fault_table` writes it down for readers, as docs/faults.rst.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.rst"

#: The call that goes wrong. A look-up is an AddDomainRecord to what turns out to be no zone.
PLACES = ("look-up", "add", "list", "delete")
ACTIONS = {
    "look-up": "AddDomainRecord",
    "add": "AddDomainRecord",
    "list": "DescribeDomainRecords",
    "delete": "DeleteDomainRecord",
}
#: Whether the server had acted when it went wrong.
MOMENTS = ("before", "after")
NO_CASE = "--"

#: The calls that it takes to get over it, by place and moment.
Calls = Mapping[tuple[str, str], str]


def _calls(look_up: str, add: str, list_: str, delete: str) -> Calls:
    """Two texts divided by a bar are for before and after."""
    calls: dict[tuple[str, str], str] = {}
    for place, text in zip(PLACES, (look_up, add, list_, delete)):
        before, _, after = text.partition("|")
        calls[place, "before"], calls[place, "after"] = before, after or before
    return calls


#: Whether the server acted is not known, so a look comes before an add is repeated.
LOOK = _calls("list, add", "list, add|list", "list", "delete")
#: The server says that it did nothing.
AGAIN = _calls(f"add|{NO_CASE}", f"add|{NO_CASE}", f"list|{NO_CASE}", f"delete|{NO_CASE}")
#: The reply comes, late.
NONE = _calls(*[f"{NO_CASE}|none"] * len(PLACES))


@dataclass(frozen=True)
class Passing:
    """A fault that passes. Its zone is its own, so that one certificate holds all faults."""

    what: str
    kind: str
    calls: Calls = field(default_factory=lambda: LOOK)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        return "-".join(re.findall("[a-z0-9]+", self.what.lower())) + ".example"


def _code(code: str, status: int, calls: Calls = LOOK, header: str = "") -> Passing:
    name, _, value = header.partition(": ")
    headers = {name: value} if header else {}
    what = f"{code} ({', '.join([str(status), *headers])})"
    return Passing(what, "code", calls, {"code": code, "status": status, "headers": headers})


PASSING = (
    _code("Throttling", 400, AGAIN),
    _code("Throttling.User", 400, AGAIN),
    _code("Throttling.Api", 429, AGAIN, "Retry-After: 1"),
    _code("Throttling.User", 400, AGAIN, "x-acs-retry-after: 700"),
    _code("Rejected.Throttling", 400, AGAIN),
    _code("LastOperationNotFinished", 400, AGAIN),
    _code("RecordForbidden.DNSChange", 400, AGAIN),
    _code("ServiceUnavailable", 503),
    _code("InternalError", 500),
    _code("InternalError", 400),
    _code("UnKnownError", 400),
    _code("SignatureNonceUsed", 400),
    Passing("connection reset", "reset"),
    Passing("connection closed", "close"),
    Passing("no reply at all", "hang"),
    Passing("a reply that takes 2 s", "slow", NONE, {"seconds": 2}),
    Passing("HTML with status 502", "html"),
    Passing("HTML with status 200", "html", LOOK, {"status": 200}),
    Passing("an empty body", "empty"),
    Passing("a body not in UTF-8", "not_utf8"),
    Passing("a number for an object", "scalar"),
    Passing("an empty object", "body", LOOK, {"body": {}}),
    Passing("a body of 10 MB", "huge"),
    Passing("a redirect", "redirect"),
    Passing("a TLS alert", "alert"),
    Passing("a reply without TLS", "plain"),
    Passing("an end without TLS's own", "ragged"),
    Passing("half a body", "half"),
    Passing("half a body, without TLS's end", "half_ragged"),
    Passing("half a body, then a reset", "half_reset"),
    Passing("100 Continue without end", "continues"),
    Passing("a header without end", "headers"),
    Passing("a chunk extension without end", "extensions"),
    Passing("trailers without end", "trailers"),
)


@dataclass(frozen=True)
class Lasting:
    """A code that stays, from one place on: no repetition helps, the user is told.

    :ivar says: what the user reads, wherever the code stops something
    :ivar outcomes: for add, list and delete, what is issued and what is left
    """

    code: str
    says: str
    outcomes: tuple[str, str, str]


ISSUED = "issued"
ISSUED_NAMED = "issued; record named"
REFUSED = "refused"
REFUSED_NAMED = "refused; record named"

LASTING = (
    Lasting(
        "InvalidAccessKeyId.NotFound",
        "Alibaba Cloud does not know the id of",
        (REFUSED, REFUSED_NAMED, ISSUED_NAMED),
    ),
    Lasting(
        "SignatureDoesNotMatch",
        "does not belong to its id",
        (REFUSED, REFUSED_NAMED, ISSUED_NAMED),
    ),
    Lasting(
        "Forbidden.RAM",
        "lacks the permission alidns:",
        (REFUSED, ISSUED_NAMED, ISSUED_NAMED),
    ),
    Lasting(
        "QuotaExceeded.Record",
        "has reached its limit of records",
        (REFUSED, REFUSED_NAMED, ISSUED_NAMED),
    ),
)

_INTRODUCTION = """\
When a call goes wrong
======================

The tests make each kind of call go wrong in each of these ways, under the real Certbot, before
the server acts and after it has acted. These tables are what they check.

Faults that pass
----------------

The certificate is issued, no record of ours is left, and no other is touched. The cells tell which
calls it takes to get there, before / after the server acted. A *look-up* is an attempt to add to
what turns out to be no zone, where public DNS does not tell the zone; *list* comes only after an
add whose reply was lost. ``--`` is no case: the server says that it did not act.

"""

_BETWEEN = """
Faults that last
----------------

From the call on that the column names, the API gives this answer to all calls of its kind. None
is repeated. The user reads the sentence; a record that cannot be removed is named with its zone,
RR, value, and id or the console's address, and the next run removes it if it may by then.

"""


def document() -> str:
    """docs/faults.rst."""
    passing = [["Fault", *PLACES]]
    for fault in PASSING:
        passing.append([fault.what, *(_both(fault.calls, place) for place in PLACES)])
    lasting = [["Code", *PLACES[1:], "What the user reads"]]
    lasting += [[each.code, *each.outcomes, f"... {each.says} ..."] for each in LASTING]
    return _INTRODUCTION + _table(passing) + _BETWEEN + _table(lasting)


def _both(calls: Calls, place: str) -> str:
    before, after = (calls[place, moment] for moment in MOMENTS)
    return before if before == after else f"{before} / {after}"


def _table(rows: list[list[str]]) -> str:
    """A simple table of reStructuredText."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    rule = "  ".join("=" * width for width in widths)
    texts = [rule, lines[0], rule, *lines[1:], rule]
    return "".join(text.rstrip() + "\n" for text in texts)


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document())
    print(document())
