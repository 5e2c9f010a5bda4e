"""``certbot-dns-aliyun stale``: validation records that were left long ago, and their removal.

A record goes only if it is at an ``_acme-challenge`` name, has the form of an ACME value, is older
than was asked for, is in no run's journal, and still is all that when it is read again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from certbot import errors

from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.alidns.client import Listed
from certbot_dns_aliyun.background import concurrently
from certbot_dns_aliyun.commands import inputs
from certbot_dns_aliyun.commands.places import place_of
from certbot_dns_aliyun.dns01 import DIGEST, LABEL
from certbot_dns_aliyun.errors import AlidnsError, sentence
from certbot_dns_aliyun.names import full_name, is_spelled
from certbot_dns_aliyun.propagation.live_line import LiveLine
from certbot_dns_aliyun.records.journal import Journal
from certbot_dns_aliyun.retrying import RetryBudget

_DAY = 24 * 60 * 60
#: Seconds without one call that got somewhere, after which it is given up.
_PATIENCE = 30.0


@dataclass(eq=False)
class _Zone:
    """A zone of an account, and what was found there.

    :ivar removed: ids of the records that are gone
    :ivar changed: ids of those that somebody changed meanwhile
    """

    name: str
    stale: list[Listed] = field(default_factory=list)
    ageless: list[Listed] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)

    @property
    def left(self) -> list[Listed]:
        """The stale records that are still there."""
        settled = self.removed | self.changed
        return [record for record in self.stale if record.record_id not in settled]


def run(options: argparse.Namespace) -> bool:
    """List stale records, and remove them if that is wanted.

    :returns: whether none remains
    :raises inputs.UsageError: for arguments that are of no use
    """
    asks = options.remove and not options.yes
    if asks and (options.json or not sys.stdin.isatty()):
        raise inputs.UsageError("--remove needs --yes where nobody can be asked.")
    given = [inputs.name_of(zone) for zone in options.zones]
    names = inputs.validation_names(options.domains)
    if not names and not given:
        raise inputs.UsageError("stale needs a name (-d) or a zone (--zone).")
    search = _Search(options)
    named = _zones_of(names, options.resolvers, search.problems)
    try:
        concurrently(search.look_into, list(dict.fromkeys([*given, *named])))
        zones = search.found()
        for zone in zones:
            if not options.json:
                _list(zone)
            if options.remove and zone.stale and (not asks or _agreed(zone)):
                search.remove(zone)
    finally:
        search.budget.call_off()
    _report(options, zones, search.problems)
    return not search.problems and not any(zone.left for zone in zones)


class _Search:
    """Finds and removes stale records in the accounts that the credentials are for.

    :ivar problems: sentences about what could not be done
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.budget = RetryBudget(_PATIENCE)
        self.problems: list[str] = []
        self._clients = Clients(inputs.settings(options.credentials))
        self._made_before = time.time() - options.older_than * _DAY
        keys = Journal.listed(inputs.folder(options.config_dir, "config"))
        self._in_use = {(full_name(key.rr, key.zone), key.value) for key in keys}
        self._zones: dict[str, _Zone] = {}

    def found(self) -> list[_Zone]:
        """Give the zones that were looked into, by their names."""
        return [self._zones[name] for name in sorted(self._zones)]

    def look_into(self, zone: str) -> None:
        """Find the stale records of a zone."""
        try:
            listed = self._clients.client_for(zone).list_txt(zone, LABEL, self.budget)
        except AlidnsError as error:
            self.problems.append(sentence(f"The records of {zone} could not be listed", error))
            return
        found = self._zones[zone] = _Zone(zone)
        for record in listed:
            if is_validation(record) and not self._is_in_use(record, zone):
                if record.changed_at is None:
                    found.ageless.append(record)
                elif record.changed_at < self._made_before:
                    found.stale.append(record)

    def _is_in_use(self, record: Listed, zone: str) -> bool:
        spelled = full_name(record.rr, zone)
        return any(
            value == record.value and is_spelled(spelled, name) for name, value in self._in_use
        )

    def remove(self, zone: _Zone) -> None:
        """Remove the stale records of a zone, each after a last look at it."""
        line, budget = LiveLine(True), RetryBudget(_PATIENCE)
        client = self._clients.client_for(zone.name)

        def remove(record: Listed) -> None:
            now = client.list_txt(zone.name, record.rr, budget, record.value)
            if record in now:
                client.delete(zone.name, record.record_id, budget)
            is_changed = record not in now and record.record_id in {e.record_id for e in now}
            (zone.changed if is_changed else zone.removed).add(record.record_id)
            line.write(f"{len(zone.removed)} of {len(zone.stale)} removed from {zone.name}")

        try:
            concurrently(remove, zone.stale)
        except AlidnsError as error:
            what = f"Stale TXT records of {zone.name} could not be removed"
            self.problems.append(sentence(what, error))
        finally:
            budget.call_off()
            line.clear()


def is_validation(record: Listed) -> bool:
    """Tell whether a record is at a validation name, or below one, and looks like an ACME value."""
    labels = record.rr.lower().split(".")
    return record.rr.isprintable() and LABEL in labels and bool(DIGEST.fullmatch(record.value))


def _zones_of(names: Collection[str], resolvers: str, problems: list[str]) -> list[str]:
    """Give the zones that take the records of names, as public DNS has it."""
    if not names:
        return []
    zones = []
    dns = inputs.public_dns(resolvers)
    try:
        dns.look_up(names)
        for name in names:
            try:
                zones.append(place_of(dns, name).zone)
            except errors.PluginError as error:
                problems.append(str(error))
    finally:
        dns.close()
    return [zone for zone in zones if zone]


def _list(zone: _Zone) -> None:
    for record in zone.stale:
        print(f"{zone.name}  {record.rr}  {record.value}  {_days(record)} days old")
    for record in zone.ageless:
        print(f"{zone.name}  {record.rr}  {record.value}  of unknown age, not removed")


def _days(record: Listed) -> int:
    return int((time.time() - (record.changed_at or 0.0)) / _DAY)


def _agreed(zone: _Zone) -> bool:
    question = f"Remove these {len(zone.stale)} TXT records from {zone.name}? [y/N] "
    with contextlib.suppress(EOFError):
        return input(question).strip().lower() in ("y", "yes")
    return False


def _report(options: argparse.Namespace, zones: Sequence[_Zone], problems: list[str]) -> None:
    if options.json:
        report = {
            "older_than_days": options.older_than,
            "records": [each for zone in zones for each in _as_json(zone)],
            "problems": problems,
        }
        print(json.dumps(report, indent=2))
        return
    for problem in problems:
        print(problem, file=sys.stderr)
    removed = sum(len(zone.removed) for zone in zones)
    left = sum(len(zone.left) for zone in zones)
    if removed:
        print(f"{removed} stale TXT records are gone.")
    if left and not options.remove:
        print(f"{left} stale TXT records are left; --remove removes them.")
    elif left:
        print(f"{left} stale TXT records are left.")
    elif not removed and not problems:
        print("No stale TXT record was found.")


def _as_json(zone: _Zone) -> Iterator[dict[str, Any]]:
    for record in [*zone.stale, *zone.ageless]:
        changed_at = record.changed_at
        yield {
            "zone": zone.name,
            "rr": record.rr,
            "value": record.value,
            "record_id": record.record_id,
            "changed": changed_at
            and datetime.fromtimestamp(changed_at, timezone.utc).isoformat(timespec="seconds"),
            "removed": record.record_id in zone.removed,
        }
