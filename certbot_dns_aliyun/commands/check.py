"""``certbot-dns-aliyun check``: would a certificate for these names be issued?

The way of a challenge is gone with a record of a value of its own, and the CA is not asked.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import time
from collections.abc import Iterator, Sequence

from certbot import errors

from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.background import concurrently, first_interrupt_waits
from certbot_dns_aliyun.commands import inputs
from certbot_dns_aliyun.commands.findings import Findings, Result
from certbot_dns_aliyun.commands.looks import (
    PATIENCE,
    Name,
    check_account,
    check_caa,
    check_dnssec,
    check_file,
    check_place,
    check_values,
    names_of,
)
from certbot_dns_aliyun.propagation import words
from certbot_dns_aliyun.propagation.public_dns import PublicDns
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch
from certbot_dns_aliyun.records.ledger import Ledger
from certbot_dns_aliyun.retrying import RetryBudget

logger = logging.getLogger(__name__)

#: Seconds for another provider's name servers, after those of Alibaba Cloud DNS serve all.
_OTHER_PROVIDERS = 60.0


def run(options: argparse.Namespace) -> bool:
    """Check names, and print what was found.

    :returns: whether there is no problem
    :raises inputs.UsageError: for arguments that are of no use
    """
    names = names_of(options.domains)
    if not names:
        raise inputs.UsageError("check needs a name (-d).")
    settings = inputs.settings(options.credentials)
    findings = Findings(options.json)
    if options.credentials:
        check_file(options.credentials, findings)
    dns = inputs.public_dns(options.resolvers, options.name_servers)
    with _terminated_like_interrupted():
        try:
            dns.look_up(name.validation_name for name in names)
            concurrently(lambda account: check_account(account, findings), settings.accounts)
            concurrently(lambda name: check_place(name, dns, findings), names)
            check_caa(names, dns, options.server, findings)
            check_dnssec(names, dns, findings)
            clients = Clients(settings)
            if options.read_only:
                concurrently(lambda name: check_values(name, clients, findings), names)
                _skip_writing(names, findings)
            else:
                config_dir = inputs.folder(options.config_dir, "config")
                ledger = Ledger(
                    clients, dns.places, config_dir, dns.is_public_zone, dns.place_by_resolver
                )
                wanted = [name for name in names if not name.is_hopeless]
                _Trial(options, wanted, dns, ledger, clients, findings).run()
        finally:
            dns.close()
    findings.conclude()
    return findings.are_well


class _Trial:
    """One record for each name, added, waited for, and removed."""

    def __init__(
        self,
        options: argparse.Namespace,
        names: Sequence[Name],
        dns: PublicDns,
        ledger: Ledger,
        clients: Clients,
        findings: Findings,
    ) -> None:
        self._options = options
        self._names = names
        self._dns = dns
        self._ledger = ledger
        self._clients = clients
        self._findings = findings
        self._budget = RetryBudget(PATIENCE)

    def run(self) -> None:
        """Go all the way; whatever was added is removed, also after Ctrl-C."""
        try:
            self._ledger.recover(self._budget)
            self._ledger.plan((name.validation_name, name.value) for name in self._names)
            concurrently(self._add, self._names)
            self._wait()
            concurrently(
                lambda name: check_values(name, self._clients, self._findings), self._names
            )
        finally:
            self._budget.call_off()
            self._budget = RetryBudget(PATIENCE)
            with first_interrupt_waits():
                concurrently(self._remove, self._names)
            for left in self._ledger.close():
                logger.warning("%s", left)

    def _add(self, name: Name) -> None:
        since = time.monotonic()
        try:
            name.zone = self._ledger.add(name.validation_name, name.value, self._budget)
        except errors.PluginError as error:
            self._findings.add(name.shown, "add", Result.PROBLEM, str(error), since)
        else:
            text = f"A TXT record was added to the zone {name.zone}."
            self._findings.add(name.shown, "add", Result.OK, text, since)

    def _wait(self) -> None:
        options, since = self._options, time.monotonic()
        served = self._ledger.added()
        if not served:
            return
        if options.wait_for == "nothing":
            for name in self._names:
                text = "No name server was asked, as --wait-for nothing says."
                self._findings.add(name.shown, "served", Result.SKIPPED, text, since)
            return
        others = 0.0 if options.wait_for == "alidns" else _OTHER_PROVIDERS
        limits = Limits(options.wait_limit, options.propagation_seconds, others)
        watches, end = self._dns.watch(served, limits)
        end.result()
        places = {(each.place.chain[0], each.value): each.place for each in served}
        for name in self._names:
            place = places.get((name.validation_name, name.value))
            for watch in watches:
                if place and watch.is_about([place.name]):
                    self._tell(name, watch, since)

    def _tell(self, name: Name, watch: ZoneWatch, since: float) -> None:
        result, text = Result.OK, ""
        try:
            words.conclude(watch, time.monotonic() - since)
        except errors.PluginError as error:
            result, text = Result.PROBLEM, str(error)
        if watch.is_blind:
            result, text = Result.WARNING, f"No name server of {watch.zone} could be asked."
        elif not text and watch.lacking:
            result, text = Result.WARNING, f"Some name servers lack the record: {watch.lacking}."
        elif not text:
            slowest = max(watch.followers, key=lambda follower: follower.complete_at)
            text = (
                f"{len(watch.complete)} addresses of the name servers of {watch.zone} serve it, "
                f"{slowest.server} last."
            )
        self._findings.add(name.shown, "served", result, text, since)

    def _remove(self, name: Name) -> None:
        since = time.monotonic()
        left = self._ledger.remove(name.validation_name, name.value, self._budget)
        if left:
            self._findings.add(name.shown, "remove", Result.PROBLEM, left, since)
        elif name.zone:
            text = "The TXT record was removed again."
            self._findings.add(name.shown, "remove", Result.OK, text, since)


def _skip_writing(names: Sequence[Name], findings: Findings) -> None:
    for name in names:
        for check in ("add", "served", "remove"):
            text = "It is not proved, as --read-only writes nothing."
            findings.add(name.shown, check, Result.SKIPPED, text, time.monotonic())


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end it as Ctrl-C does, so that the records are removed."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
