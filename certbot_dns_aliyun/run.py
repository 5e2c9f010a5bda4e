"""One order's run, from the first look-up to the last record removed.

All that a run knows and holds (records, connections to name servers, threads) is in here, and goes
with it: `certbot renew` makes one run after another in one process.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Callable

from certbot.display import util as display_util

from certbot_dns_aliyun.background import Aside, concurrently
from certbot_dns_aliyun.credentials.settings import Settings
from certbot_dns_aliyun.journeys import JOURNEYS
from certbot_dns_aliyun.names import is_plain, is_possible
from certbot_dns_aliyun.propagation import words
from certbot_dns_aliyun.propagation.delegation import BadChainError, Place
from certbot_dns_aliyun.propagation.esa import refuse_esa
from certbot_dns_aliyun.propagation.live_line import LiveLine
from certbot_dns_aliyun.propagation.public_dns import PublicDns
from certbot_dns_aliyun.propagation.wait import wait_until_served
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch
from certbot_dns_aliyun.refusals import OneNameError, go_on_without
from certbot_dns_aliyun.retrying import PATIENCE, RetryBudget

if TYPE_CHECKING:
    from certbot_dns_aliyun.diagnosis.refusal import Refusal
    from certbot_dns_aliyun.records.ledger import Ledger

logger = logging.getLogger(__name__)

#: A challenge's domain, and name and value of the TXT record that answers it.
Challenge = tuple[str, str, str]

#: Seconds without an answer after which removing an earlier run's records is left to the next run.
SHORT_PATIENCE = 20.0
#: Seconds that calls under way get once the run is to end: a reply tells a record's id.
LAST_CALLS = 5.0
#: Seconds after which what was under way when clean-up began has surely ended, calls included.
UNDER_WAY = 20.0
#: Seconds for another provider's name servers, after those of Alibaba Cloud DNS serve all.
OTHER_PROVIDERS = 60.0


class Run:
    """Adds, watches and removes the records of one order.

    :param settings: the access keys
    :param resolvers: resolvers to ask, as a person lists them; empty for the machine's own
    :param name_servers: name servers to ask for the records, likewise; empty for each zone's own
    :param config_dir: Certbot's config folder; the journal is kept there
    :param insists: whether the records are to be added whoever serves their zones; so it is, too,
        where name servers are listed
    :param allows_subset: whether a name whose record cannot be added is left out, if others can be
    :raises certbot.errors.PluginError: if a list holds something else
    """

    def __init__(
        self,
        settings: Settings,
        resolvers: str,
        name_servers: str,
        config_dir: str,
        insists: bool = False,
        allows_subset: bool = False,
    ) -> None:
        self._dns = PublicDns.of_lists(resolvers, name_servers, options="dns-aliyun-")
        self._settings = settings
        self._config_dir = config_dir
        self._insists = insists or bool(name_servers)
        self._allows_subset = allows_subset
        self._left_out: dict[str, OneNameError] = {}
        self._recovering = RetryBudget(SHORT_PATIENCE, _tell)
        # Adding keeps its budget: what is about to be added when clean-up begins is called off.
        self._adding = self._budget = RetryBudget(PATIENCE, _tell, self._recovering)
        self._ledger: Ledger | None = None
        self._watches: list[ZoneWatch] = []
        self._aside = Aside()
        self._interrupted: threading.Event | None = None

    def prepare(self, records: Sequence[Challenge]) -> list[Challenge]:
        """Look up zones and name servers; remove what a killed run left; note what comes next.

        :returns: the records to add, which are all of them, or those that are not left out
        :raises OneNameError: for a name that DNS cannot hold, and for a zone in which nobody would
            see the record
        """
        wanted = self._fit(records, _refuse_impossible)
        self._dns.look_up(name for _, name, _ in wanted)
        ledger = self._open_ledger()
        ledger.recover(self._recovering, [(name, value) for _, name, value in wanted])
        if not self._insists:
            wanted = self._fit(wanted, self._refuse_esa)
        wanted = self._fit(wanted, lambda _, name: ledger.refuse([name]))
        ledger.plan((name, value) for _, name, value in wanted)
        return wanted

    def _fit(
        self, records: Sequence[Challenge], refuse: Callable[[str, str], None]
    ) -> list[Challenge]:
        """Give the records whose domain and name are not refused."""
        fit = []
        for record in records:
            domain, name, _ = record
            try:
                refuse(domain, name)
            except OneNameError as error:
                self._leave_out(name, error)
            else:
                fit.append(record)
        return fit

    def _leave_out(self, name: str, error: OneNameError) -> None:
        if not self._allows_subset:
            raise error
        self._left_out[name] = error

    def _refuse_esa(self, _: str, name: str) -> None:
        with contextlib.suppress(BadChainError):  # of which the adding will tell
            refuse_esa(self._dns.places(name)[0])

    def add(self, name: str, value: str) -> None:
        """Add a TXT record, or leave it out.

        :raises certbot.errors.PluginError: if it cannot be added
        """
        try:
            self._open_ledger().add(name, value, self._adding)
        except OneNameError as error:
            self._leave_out(name, error)

    def go_on_without_those_left_out(self) -> None:
        """Warn of names whose records could not be added.

        :raises OneNameError: if that is so of all of them
        """
        if self._left_out and not self._open_ledger().added():
            raise next(iter(self._left_out.values()))
        for error in self._left_out.values():
            go_on_without(error)

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            # It brings in the SDK, which takes its time to import; DNS may answer meanwhile.
            from certbot_dns_aliyun.accounts import Clients
            from certbot_dns_aliyun.records.ledger import Ledger

            self._ledger = Ledger(
                Clients(self._settings),
                self._dns.places,
                self._config_dir,
                self._dns.is_public_zone,
                self._dns.place_by_resolver,
                display_util.notify,
            )
        return self._ledger

    def rounds(self, records: Sequence[Challenge]) -> list[list[Challenge]]:
        """Split records into those that CNAMEs lead elsewhere, or may, and the others.

        The former go first: where they may not be added, nothing has been added yet.
        """
        led: list[Challenge] = []
        others: list[Challenge] = []
        for record in records:
            (led if self._is_led(record[1]) else others).append(record)
        return [some for some in (led, others) if some]

    def _is_led(self, name: str) -> bool:
        try:
            place = self._dns.places(name)[0]
        except BadChainError:
            return True
        return place.is_led or bool(place.unread)

    def wait_until_served(
        self, longest: float, blind: float, alidns_alone: bool, quiet: bool = False
    ) -> None:
        """Wait until all name servers serve all records that were added.

        :param longest: seconds at most, if name servers answer without the value
        :param blind: seconds, if no name server can be asked
        :param alidns_alone: whether another provider's name servers do not count
        :param quiet: whether no progress is shown at a terminal
        :raises certbot.errors.PluginError: if a value is served nowhere when the time is up
        """
        limits = Limits(longest, blind, 0.0 if alidns_alone else OTHER_PROVIDERS)
        self._watches = wait_until_served(
            self._dns,
            self._open_ledger().added(),
            limits,
            LiveLine(not quiet),
            self._allows_subset,
        )

    def pause(self, seconds: float) -> None:
        """Wait some seconds, without asking any name server."""
        display_util.notify(f"Waiting {seconds:.0f} seconds for DNS changes to propagate")
        self._adding.sleep(seconds)

    def begin_cleanup(self, interrupted: threading.Event | None = None) -> None:
        """End whatever still goes on; from now on, records are removed.

        :param interrupted: set when the user wants an end, which has to wait until all is done
        """
        self._interrupted = interrupted
        if self._ledger and not self._aside.is_at_rest:  # a signal is what ended the run
            self._ledger.hurry()
        self._adding.call_off()
        self._recovering.call_off()
        self._dns.close()
        JOURNEYS.hurry(LAST_CALLS)
        self._aside.wait(UNDER_WAY, self._tell_that_it_goes_on)
        self._budget = RetryBudget(PATIENCE, _tell)

    def remove(self, name: str, value: str) -> None:
        """Remove a TXT record, if this run added it; warn if it cannot be removed."""
        if self._ledger is None:
            return
        try:
            left = self._ledger.remove(name, value, self._budget)
        except Exception as error:  # one record must not keep the others from being removed
            left = f"The TXT record {name} = {value} may be left ({type(error).__name__})."
        if left:
            logger.warning("%s", left)

    def hint(
        self, refusals: Sequence[Refusal], directory: str, ordered: Collection[str] = ()
    ) -> str:
        """Tell why the CA may have refused challenges, by what it said and by what DNS says.

        :param directory: URL of the CA's directory
        :param ordered: the names of the certificate, wildcards with ``*.``; none if not known
        """
        told = [
            f"No TXT record was added for {refusal.domain}, for the reason given above."
            for refusal in refusals
            if refusal.name in self._left_out
        ]
        others = [refusal for refusal in refusals if refusal.name not in self._left_out]
        if others:
            self.aside(lambda: told.append(self._explain(others, directory, ordered)))
        return " ".join(told)

    def _explain(
        self, refusals: Sequence[Refusal], directory: str, ordered: Collection[str]
    ) -> str:
        try:
            from certbot_dns_aliyun.diagnosis.hints import explain

            return explain(refusals, self._dns, self._above, self._served, directory, ordered)
        except Exception as error:  # a hint must not hide the CA's own words
            logger.debug("What the CA said could not be looked into (%s)", type(error).__name__)
            return self._served([refusal.name for refusal in refusals])

    def _places(self, name: str) -> list[Place]:
        try:
            return self._dns.places(name)
        except BadChainError:
            return []

    def _above(self, name: str) -> list[str]:
        return [each for place in self._places(name) for each in place.above]

    def _served(self, names: Sequence[str], from_elsewhere: bool = False) -> str:
        if not self._watches:
            return words.hint_without_wait()
        at = {link for name in names for place in self._places(name) for link in place.chain}
        watches = [watch for watch in self._watches if watch.is_about(at)]
        return " ".join(words.hint(watch, from_elsewhere) for watch in watches)

    def aside(self, do: Callable[[], None]) -> None:
        """Do something in a thread of its own; this one only waits, and may be interrupted."""
        self._aside.do(do)

    def concurrently(
        self, do: Callable[[str, str, str], None], records: Sequence[Challenge]
    ) -> None:
        """Do something for all records at once; the first failure calls off the rest."""
        budget = self._budget  # by the time that adding fails, that of the clean-up may be there
        try:
            concurrently(lambda record: do(*record), records, self._tell_that_it_goes_on)
        except BaseException:
            budget.call_off()
            raise

    def _tell_that_it_goes_on(self) -> None:
        if self._interrupted and self._interrupted.is_set():
            self._interrupted = None
            display_util.notify("Removing the TXT records first; Ctrl-C leaves them there")

    def close(self) -> None:
        """End the run's threads; warn of records that nobody has removed."""
        self._budget.call_off()
        self._dns.close()
        for left in self._ledger.close() if self._ledger else ():
            logger.warning("%s", left)


def _tell(text: str) -> None:
    """Show the user a sentence; a call must not fail because the screen is gone."""
    with contextlib.suppress(OSError, ValueError):
        display_util.notify(text)


def _refuse_impossible(domain: str, name: str) -> None:
    if not is_possible(name):
        raise OneNameError(
            f"{domain} cannot be validated by DNS: {name} is longer than a name may be."
        )
    if not is_plain(name):
        raise OneNameError(
            f"{domain} cannot be validated by DNS: no name at Alibaba Cloud DNS has other "
            "characters than letters, digits, hyphens and underscores."
        )
