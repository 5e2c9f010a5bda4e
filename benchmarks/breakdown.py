"""Where the time of one run goes: from Certbot's log, and from what API and name servers saw.

``python -m benchmarks.breakdown`` prints it as JSON: what happened, and at which second.
"""

from __future__ import annotations

import json
import re
import time
from datetime import datetime

from benchmarks.cases import Case
from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.measure import a_world
from tests.world import World

_RECORD = "_acme-challenge.example.com"


def measure() -> list[tuple[str, float]]:
    """Give the moments of a run for one name, in seconds since its start."""
    case = Case(1)
    with a_world(case) as world:
        contender = CONTENDERS[OURS]
        ini = world.write_ini(contender.credentials(world.key))
        world.certbot.venv = contender.venv
        world.ca  # noqa: B018, starts the CA before the clock runs
        began, offset = time.monotonic(), time.time() - time.monotonic()
        outcome = world.certbot.run("certonly", *contender.options(ini), "-d", "example.com")
        assert outcome.ok, outcome
        said = {what: _logged(outcome.log_text, what) - offset for what in _SAID}
        moments = _moments(world, case, said)
        return [(what, at - began) for what, at in [*moments, (_LAST, began + outcome.seconds)]]


_SAID = (
    "Performing the following challenges",
    "Starting new HTTPS connection (1): alidns",
    "Waiting for verification",
    "Cleaning up challenges",
)
_LAST = "Certbot finalizes the order"


def _moments(world: World, case: Case, said: dict[str, float]) -> list[tuple[str, float]]:
    add, delete = world.alidns.calls
    (record,) = world.records.made()
    first_look = min(query.at for query in world.nameservers.asked(_RECORD))
    performing, connecting, waiting, cleaning = said.values()
    assert add.ended
    assert delete.ended
    return [
        ("Certbot starts, and orders", performing),
        ("imports for DNS; zone and name servers looked up", first_look),
        ("imports for the API; journal on disk", connecting),
        ("connection to the API", add.started),
        ("AddDomainRecord", add.ended),
        ("lag of the slower name server", record.added_at + case.lag),
        ("noticed, asked many times, told to Certbot", waiting),
        ("the CA validates, Certbot polls", cleaning),
        ("DeleteDomainRecord, with what is around it", delete.ended),
    ]


def _logged(log: str, what: str) -> float:
    found = re.search(rf"^(\S+ \S+),(\d+):\w+:\S+:{re.escape(what)}", log, re.MULTILINE)
    assert found, what
    moment = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S")
    return moment.timestamp() + int(found[2]) / 1000


if __name__ == "__main__":
    print(json.dumps(measure()))
