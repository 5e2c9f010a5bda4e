"""The command `certbot-dns-aliyun check`, and its report, which must be as its schema says."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema

from tests.world import Outcome, World
from tests.world.certbot import ROOT, Argument

SCHEMA = ROOT / "docs" / "commands" / "check.schema.json"


def check(world: World, *arguments: Argument, ini: Path | None = None, **more: Any) -> Outcome:
    """For names of the command line."""
    ini = ini or world.credentials_ini()
    return check_lineages(world, "--credentials", ini, *arguments, **more)


def check_lineages(world: World, *arguments: Argument, **more: Any) -> Outcome:
    folders = ["--config-dir", world.certbot.config_dir, "--work-dir", world.certbot.work_dir]
    return world.certbot.plugin("check", *folders, *arguments, **more)


@functools.cache
def _validator() -> Any:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def report_of(outcome: Outcome) -> list[dict[str, Any]]:
    """All findings of a report, which is sound."""
    report = json.loads(outcome.stdout)
    _validator().validate(report)
    findings: list[dict[str, Any]] = report["findings"]
    problems = [each["text"] for each in findings if each["result"] == "problem"]
    warnings = [each["text"] for each in findings if each["result"] == "warning"]
    assert report["ok"] is not bool(problems)
    assert outcome.returncode == (1 if problems else 0), outcome
    assert report["first"] == next(iter(problems + warnings), None)
    return findings


def found(outcome: Outcome) -> dict[tuple[str, str], tuple[str, str]]:
    """Result and sentence of each check of each name."""
    return {
        (each["name"] or "", each["check"]): (each["result"], each["text"])
        for each in report_of(outcome)
    }
