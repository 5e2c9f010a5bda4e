"""One record for each name of a certificate: added, waited for, and removed again."""

from __future__ import annotations

import concurrent.futures
import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Callable

from certbot import errors

from certbot_dns_aliyun import background
from certbot_dns_aliyun.commands.findings import Result
from certbot_dns_aliyun.commands.looks import Name
from certbot_dns_aliyun.commands.targets import Target
from certbot_dns_aliyun.journeys import JOURNEYS
from certbot_dns_aliyun.propagation import words
from certbot_dns_aliyun.propagation.public_dns import PublicDns, Served
from certbot_dns_aliyun.propagation.question import NameServer, Outcome
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch
from certbot_dns_aliyun.records.ledger import Ledger
from certbot_dns_aliyun.retrying import PATIENCE, RetryBudget
from certbot_dns_aliyun.run import LAST_CALLS, OTHER_PROVIDERS, SHORT_PATIENCE, UNDER_WAY

logger = logging.getLogger(__name__)


class Trial:
    """The way of a challenge as :class:`~certbot_dns_aliyun.run.Run` goes it, name by name.

    :param adding: how long calls are repeated, the same for all certificates: one dead API is
        waited for once
    """

    def __init__(self, target: Target, dns: PublicDns, ledger: Ledger, adding: RetryBudget) -> None:
        self._target = target
        self._findings = target.findings
        self._dns = dns
        self._ledger = ledger
        self._adding = adding
        self._recovering = RetryBudget(SHORT_PATIENCE)
        self._removing = RetryBudget(PATIENCE)
        self._names: Sequence[Name] = ()
        self._seen_by_registry: set[str] = set()
        self._aside = background.Aside()

    def aside(self, do: Callable[[], None]) -> None:
        """Do something in a thread; this one, which signals strike, does nothing but wait."""
        self._aside.do(do)

    def run(self, names: Sequence[Name]) -> None:
        """Add records, and wait until they are served. To be followed by :meth:`end`."""
        self._ledger.recover(self._recovering)
        if self._adding.called_off:
            return
        self._names = names
        self._ledger.plan((name.validation_name, name.value) for name in names)
        count = itertools.count(1)

        def add(name: Name) -> None:
            self._add(name)
            self._findings.report.progress(f"Adding records: {next(count)} of {len(names)}")

        background.concurrently(add, names)
        self._wait()

    def end(self) -> None:
        """Call off what is under way, if anything is, and remove all that was added."""
        if not self._aside.is_at_rest:
            self._findings.end()
            self._ledger.hurry()
            self._adding.call_off()
            self._recovering.call_off()
            self._dns.close()
            JOURNEYS.hurry(LAST_CALLS)
            self._aside.wait(UNDER_WAY)
        self._dns.close()
        try:
            background.concurrently(self._remove, self._names)
        finally:
            self._removing.call_off()
            for left in self._ledger.close():
                logger.warning("%s", left)

    def _add(self, name: Name) -> None:
        since = time.monotonic()
        try:
            name.zone = self._ledger.add(name.validation_name, name.value, self._adding)
        except errors.PluginError as error:
            self._findings.add(name.shown, "add", Result.PROBLEM, str(error), since)
        else:
            text = f"A TXT record was added to the zone {name.zone}."
            self._findings.add(name.shown, "add", Result.OK, text, since)

    def _wait(self) -> None:
        target, since = self._target, time.monotonic()
        present = self._ledger.added()
        if target.wait_for == "nothing":
            for name in self._names:
                text = "No name server was asked, as --wait-for nothing says."
                self._findings.add(name.shown, "served", Result.SKIPPED, text, since)
            return
        served = self._as_ca_sees(present)
        others = 0.0 if target.wait_for == "alidns" else OTHER_PROVIDERS
        limits = Limits(target.wait_limit, target.blind, others)
        watches, end = self._dns.watch(served, limits)
        while watches and not end.done():
            concurrent.futures.wait([end], timeout=0.25)
            waited = time.monotonic() - since
            self._findings.report.progress(words.progress_line(watches, waited))
        end.result()
        at = {(each.place.chain[0], each.value): each.place for each in served}
        for name in self._names:
            place = at.get((name.validation_name, name.value))
            if place is None:
                text = "There is no record to wait for."
                self._findings.add(name.shown, "served", Result.SKIPPED, text, since)
                continue
            for watch in watches:
                if watch.is_about([place.name]):
                    self._tell(name, place.name, watch, limits, since)

    def _as_ca_sees(self, present: Sequence[Served]) -> list[Served]:
        """Give the name servers that the registry names, where the resolver names others.

        A run asks those as well if the others do not serve the records; the CA asks no others.
        """
        if self._target.name_servers:
            return list(present)
        seen: dict[str, tuple[str | None, list[NameServer]]] = {}

        def look(name: str) -> None:
            seen[name] = self._dns.by_registry(name)

        background.concurrently(look, list({each.place.name for each in present}))
        served = []
        for each in present:
            zone, servers = seen[each.place.name]
            at = {server.address for server in servers}
            if zone and at:
                self._seen_by_registry.add(zone)
            if zone and at and at.isdisjoint(server.address for server in each.place.servers):
                place = replace(each.place, zone=zone, servers=tuple(servers))
                each = replace(each, place=place)
            served.append(each)
        return served

    def _tell(self, name: Name, at: str, watch: ZoneWatch, limits: Limits, since: float) -> None:
        waited = time.monotonic() - since
        unserved = dict(zip(sorted(watch.unserved), words.conclude(watch, waited)))
        notices = "".join(f"{each}. " for each in words.notices(watch, waited, True, limits))
        if watch.is_blind:
            result = Result.PROBLEM if self._is_dead(watch) else Result.WARNING
            text = notices.strip()
        elif at in unserved:
            result, text = Result.PROBLEM, f"{notices}{unserved[at]}"
        elif watch.lacking:
            result = Result.WARNING
            text = f"{notices}Not all name servers serve it: {watch.lacking}."
        else:
            slowest = max(watch.followers, key=lambda follower: follower.complete_at)
            result = Result.OK
            text = (
                f"{len(watch.complete)} addresses of the name servers of {watch.zone} serve it, "
                f"{slowest.server} last."
            )
        self._findings.add(name.shown, "served", result, text, since)

    def _is_dead(self, watch: ZoneWatch) -> bool:
        """Tell whether nobody gets an answer of a zone, and not this machine alone.

        Those above it have answered this machine.
        """
        outcomes = {follower.outcome for follower in watch.followers}
        return watch.is_absent or (
            watch.zone in self._seen_by_registry and Outcome.INTERCEPTED not in outcomes
        )

    def _remove(self, name: Name) -> None:
        since = time.monotonic()
        try:
            left = self._ledger.remove(name.validation_name, name.value, self._removing)
        except Exception as error:  # one record must not keep the others from being removed
            left = f"The TXT record of {name.validation_name} may be left ({type(error).__name__})."
        if left and self._findings.are_over:
            logger.warning("%s", left)
        elif left:
            self._findings.add(name.shown, "remove", Result.WARNING, left, since)
        elif name.zone:
            text = "The TXT record was removed again."
            self._findings.add(name.shown, "remove", Result.OK, text, since)
