"""What an installed plugin adds to a start of Certbot that needs none, in CPU time.

``python -m benchmarks.startup RUNS`` prints it as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.contenders import CONTENDERS, FLOOR, OURS, PEERS, PLAIN, Contender
from benchmarks.measure import a_world, cost_of
from tests.world import World

COMMANDS = {
    "certbot --version": ["--version"],
    "certbot plugins": ["plugins"],
    "certbot renew, nothing due": ["renew"],
}


def measure(runs: int) -> list[dict[str, object]]:
    """Run each command with each contender in turns, so that all meet the same machine.

    Those of others, whose additions are large, are run five times.
    """
    ours = [PLAIN, CONTENDERS[OURS]]
    others = [CONTENDERS[name] for name in PEERS if not CONTENDERS[name].why_not]
    found = []
    with a_world(Case(1), ca_validates=False) as world:
        world.certbot._check = lambda outcome: None
        _make_lineage(world)
        for number in range(runs):
            for contender in ours if number % 4 else [*ours, *others]:
                for title, command in COMMANDS.items():
                    cpu = _cpu(world, contender, command)
                    found.append({"command": title, "contender": contender.name, "cpu": cpu})
    return found


def _make_lineage(world: World) -> None:
    """Make a lineage that `certbot renew` finds, and finds not due."""
    nothing = CONTENDERS[FLOOR]
    world.certbot.venv = nothing.venv
    command = ["certonly", *nothing.options(Path()), "-d", "example.com"]
    outcome = world.certbot.run(*command, env=nothing.environment)
    assert outcome.ok, outcome
    file = world.certbot.renewal_file("example.com")
    file.write_text(re.sub("authenticator = .*", "authenticator = dns-aliyun", file.read_text()))


def _cpu(world: World, contender: Contender, command: list[str]) -> float:
    world.certbot.venv = contender.venv
    run = world.certbot.start(*command)
    cost = cost_of(run.process)
    outcome = run.wait()
    assert outcome.ok, outcome
    return cost["cpu"]


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
