"""``certbot-dns-aliyun check``: would a certificate for these names be issued?

The way of a challenge is gone with a record of a value of its own, and the CA is not asked.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import time
from collections.abc import Sequence
from typing import Callable, TypeVar

from certbot_dns_aliyun import background
from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.commands import inputs, targets
from certbot_dns_aliyun.commands.ca_looks import check_caa, check_dnssec
from certbot_dns_aliyun.commands.findings import Findings, Report, Result
from certbot_dns_aliyun.commands.looks import (
    Name,
    check_account,
    check_clock,
    check_file,
    check_place,
    check_values,
    names_of,
)
from certbot_dns_aliyun.commands.stopping import Stopping
from certbot_dns_aliyun.commands.targets import Target
from certbot_dns_aliyun.commands.trial import Trial
from certbot_dns_aliyun.credentials.settings import Settings
from certbot_dns_aliyun.diagnosis.authority import caa_identities
from certbot_dns_aliyun.records.ledger import Ledger
from certbot_dns_aliyun.retrying import RetryBudget

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds without an answer after which a call is given up: somebody may be waiting. A run takes
#: two minutes.
_PATIENCE = 30.0


def run(options: argparse.Namespace) -> bool:
    """Check names, and print what was found.

    :returns: whether there is no problem
    :raises inputs.UsageError: for arguments that are of no use
    """
    asks_for_lineages = options.all or options.cert_names
    if bool(asks_for_lineages) == bool(names_of(options.domains)):
        raise inputs.UsageError("check takes names (-d), or lineages (--cert-name or --all).")
    if options.credentials:
        inputs.settings(options.credentials)
    inputs.public_dns(options.resolvers, options.name_servers or "").close()
    report = Report(options.json)
    lineages = targets.named(options) if asks_for_lineages else []
    adding = RetryBudget(_PATIENCE, report.notice)
    with Stopping() as stopping:
        if not asks_for_lineages:
            target = targets.of_command_line(options, report)
            _Check(options, target, adding).run(stopping)
        for lineage in lineages:
            of_lineage = targets.of_lineage(options, report, lineage)
            if of_lineage:
                _Check(options, of_lineage, adding).run(stopping)
    if report.is_empty:
        folder = inputs.folder(options.config_dir, "config")
        text = f"Certbot renews no certificate in {folder} by this plugin."
        Findings(report).add("", "lineage", Result.WARNING, text, time.monotonic())
    report.conclude()
    return report.are_well


class _Check:
    """The check of one certificate.

    :param adding: how long calls are repeated, the same for all: one dead API is waited for once
    """

    def __init__(self, options: argparse.Namespace, target: Target, adding: RetryBudget) -> None:
        self._options = options
        self._target = target
        self._findings = target.findings
        self._adding = adding
        self._config_dir = inputs.folder(options.config_dir, "config")

    def run(self, stopping: Stopping) -> None:
        """Check everything; whatever was added is removed, also after a signal.

        :raises inputs.UsageError: for what is wrong on the command line
        """
        target = self._target
        try:
            names = names_of(target.domains)
            settings = inputs.settings(target.credentials)
            self._dns = inputs.public_dns(target.resolvers, target.name_servers)
        except inputs.UsageError as error:
            if not target.is_lineage:
                raise
            self._findings.add("", "lineage", Result.PROBLEM, str(error), time.monotonic())
            return
        self._clients = Clients(settings)
        self._ledger = Ledger(
            self._clients,
            self._dns.places,
            self._config_dir,
            self._dns.is_public_zone,
            self._dns.place_by_resolver,
        )
        trial = Trial(target, self._dns, self._ledger, self._adding)
        try:
            try:
                trial.aside(lambda: self._go(names, settings, trial))
            finally:
                stopping.hold()
        finally:
            trial.end()
        stopping.release()

    def _go(self, names: Sequence[Name], settings: Settings, trial: Trial) -> None:
        target, findings, dns = self._target, self._findings, self._dns
        dns.look_up(name.validation_name for name in names)
        files = [target.credentials] if target.credentials else []
        self._each(lambda file: check_file(file, findings), files)
        self._each(
            lambda account: check_account(account, self._adding, findings), settings.accounts
        )
        hosts = list(dict.fromkeys(account.endpoint for account in settings.accounts))
        self._each(lambda host: check_clock(host, findings), hosts)
        self._each(
            lambda name: check_place(name, dns, self._ledger, target.insists, findings), names
        )
        identities = caa_identities(target.server)
        domains = [domain for name in names for domain in name.domains]
        self._each(
            lambda domain: check_caa(domain, dns, identities, target.account, findings), domains
        )
        self._each(lambda name: check_dnssec(name, dns, findings), names)
        hopeless = [name for name in names if name.is_hopeless]
        if self._options.read_only:
            _skip(names, "It is not proved, as --read-only writes nothing.", findings)
        else:
            _skip(hopeless, "A run would not add a record there.", findings)
            # Before its first run, Certbot's folder is not there, and the journal has to lie in it.
            with contextlib.suppress(OSError):
                os.makedirs(self._config_dir, 0o755, exist_ok=True)
            hopeful = [name for name in names if not name.is_hopeless]
            self._each(trial.run, [hopeful])
        self._each(lambda name: check_values(name, self._clients, self._adding, findings), names)

    def _each(self, look: Callable[[T], None], items: Sequence[T]) -> None:
        """Do something for all items at once; one that fails keeps no other from being done."""

        def guarded(item: T) -> None:
            try:
                look(item)
            except Exception as error:
                logger.debug("A look has failed", exc_info=True)
                text = f"This could not be looked into ({type(error).__name__})."
                self._findings.add("", "check", Result.PROBLEM, text, time.monotonic())

        background.concurrently(guarded, items)


def _skip(names: Sequence[Name], why: str, findings: Findings) -> None:
    for name in names:
        for check in ("add", "served", "remove"):
            findings.add(name.shown, check, Result.SKIPPED, why, time.monotonic())
