"""What several end-to-end tests ask of a world and of a run."""

from __future__ import annotations

import configparser
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.world import Outcome, Record, World
from tests.world.resolver import FOR_THE_CA

MakeWorld = Callable[..., World]

RECORD = "_acme-challenge.example.com"
#: Whether the property tests are to try far more.
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"


def screen(outcome: Outcome) -> str:
    """What the user saw, however the lines were broken."""
    return " ".join(outcome.text.split())


def assert_issued(outcome: Outcome, world: World, *names: str) -> None:
    """The run succeeded, and the newest lineage's certificate is for exactly these names."""
    assert outcome.ok, outcome
    assert world.certbot.names(names[0].replace("*.", "")) == sorted(names)
    assert not world.records.left()


def assert_refused(outcome: Outcome, *words: str) -> None:
    """The run failed, and said all of this, as a sentence and not as a traceback."""
    assert not outcome.ok, outcome
    for word in words:
        assert word in screen(outcome), outcome
    assert "unexpected error" not in outcome.text, outcome
    assert "Traceback" not in outcome.text, outcome


def actions(world: World) -> list[str]:
    """The API actions that were called, in order."""
    return [call.action for call in world.alidns.calls]


def values_at(world: World, rr: str, zone: str = "example.com") -> list[str]:
    """The values that stand at an RR now."""
    return [record.value for record in world.records.zones[zone].beside(rr)]


def ca_asked_at(world: World, name: str = RECORD) -> float:
    """When the CA looked for a validation name for the first time."""
    return min(query.at for query in world.resolver.asked(name, "TXT", FOR_THE_CA))


def served_everywhere_at(made: list[Record], slowest_lag: float) -> float:
    """When the slowest name server began to serve the last of some records."""
    return max(record.added_at for record in made) + slowest_lag


def seconds_waited(world: World) -> float:
    """From the last record added to the first one removed."""
    made = world.records.made()
    removed = [record.removed_at for record in made if record.removed_at is not None]
    return min(removed) - max(record.added_at for record in made)


def copy_lineage(world: World, name: str, copy: str) -> None:
    """A lineage like another one, under a name of its own."""
    config = world.certbot.config_dir
    shutil.copytree(config / "archive" / name, config / "archive" / copy)
    live = config / "live" / copy
    live.mkdir()
    for kind in ("cert", "chain", "fullchain", "privkey"):
        (live / f"{kind}.pem").symlink_to(f"../../archive/{copy}/{kind}1.pem")
    renewal = world.certbot.renewal_file(name).read_text()
    text = re.sub(rf"/(live|archive)/{re.escape(name)}", rf"/\1/{copy}", renewal)
    world.certbot.renewal_file(copy).write_text(text)


def renewal_parameters(world: World, lineage: str = "example.com") -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read_string("[top]\n" + world.certbot.renewal_file(lineage).read_text())
    return dict(parser["renewalparams"])


def write_as_2_0_0_did(file: Path, credentials: Path, seconds: int = 120) -> None:
    """What 2.0.0 wrote for an option of each kind that it had."""
    kept = [line for line in file.read_text().splitlines() if not line.startswith("dns_aliyun")]
    kept += [
        f"dns_aliyun_credentials = {credentials}",
        f"dns_aliyun_propagation_seconds = {seconds}",
    ]
    file.write_text("\n".join(kept) + "\n")
