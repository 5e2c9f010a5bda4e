"""Removing what earlier runs left when they were killed.

Only who can see a zone may say that nothing is left in it: who may list its records, or has the
very access key that was to add them. What the others hear (no such zone, no such record) would be
the same about a record that stands in another account.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Set
from typing import Callable

from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.errors import PASSING, AlidnsError, Verdict, sentence
from certbot_dns_aliyun.names import full_name
from certbot_dns_aliyun.records.folder import Folder
from certbot_dns_aliyun.records.journal import Journal, Known, RecordKey
from certbot_dns_aliyun.records.words import by_hand, cannot_list
from certbot_dns_aliyun.retrying import RetryBudget

logger = logging.getLogger(__name__)

#: Seconds that the certificate of today waits for the records of yesterday, at most.
_LONGEST = 60.0
#: How often the user is told of a record that stays; later runs go on trying.
_TELLINGS = 2
#: Seconds, 90 days, after which all lineages have had their turn, with all access keys.
_FORGOTTEN = 90 * 24 * 60 * 60
_NAMED = 10


class Recovery:
    """What one run does about the records of earlier ones, as far as its access keys may.

    :param clients: the API, for each zone
    :param budget: how long calls are repeated
    :param notify: tells the user something
    :param wanted: the records that this run is about to add
    :param adopt: takes one of those over as this run's, with its id, if that is known, and whether
        a call may be under way that adds it once more
    """

    def __init__(
        self,
        clients: Clients,
        budget: RetryBudget,
        notify: Callable[[str], None],
        wanted: Set[RecordKey],
        adopt: Callable[[RecordKey, str | None, bool], None],
    ) -> None:
        self._clients = clients
        self._budget = budget
        self._notify = notify
        self._wanted = wanted
        self._adopt = adopt
        self._until = time.monotonic() + _LONGEST
        self._refused: dict[str, AlidnsError] = {}
        self._in_vain: set[str] = set()
        self._removed: list[str] = []
        self._postponed = 0

    def go_through(self, folder: Folder) -> None:
        """Remove what the journals in a folder list, and tell what became of it."""
        for journal in Journal.abandoned(folder):
            records = journal.open_records.items()
            for key, known in sorted(records, key=lambda each: each[1].may_come_again):
                self._see_to(journal, key, known)
            journal.close()
        self._tell()

    def _see_to(self, journal: Journal, key: RecordKey, known: Known) -> None:
        """Remove one record, or say why not."""
        if key in self._wanted and (not known.owner or self._is_own(journal, key, known)):
            self._adopt(key, known.record_id, journal.until_settled(known) > 0)
            journal.gone(key)
            return
        if key.zone in self._in_vain or self._has_to_end():
            self._postponed += 1
            return
        name = full_name(key.rr, key.zone)
        what = f"The TXT record {name} = {key.value} of an earlier run"
        try:
            was_there = self._remove(journal, key, known)
        except AlidnsError as error:
            if self._budget.called_off:
                self._postponed += 1
                return
            if self._never_was(journal, key, known, error):
                journal.gone(key)
            else:
                self._warn(journal, key, known, sentence(f"{what} could not be removed", error))
                if error.is_about_one_name:
                    self._forget_in_time(journal, key, known)
            if error.verdict in PASSING:
                self._in_vain.add(key.zone)
            elif error.verdict is Verdict.NOT_HERE:  # what is denied may be so for one id alone
                self._refused[key.zone] = error
            return
        if was_there is None:
            why = cannot_list(key.zone)
            self._warn(journal, key, known, f"{what} may be left: {why}.")
            self._forget_in_time(journal, key, known)
            return
        if was_there:
            self._removed.append(name)
            logger.info("%s is removed", what)
        journal.gone(key)

    def _forget_in_time(self, journal: Journal, key: RecordKey, known: Known) -> None:
        """Forget a record that another run can do no more about than this one."""
        if known.tellings >= _TELLINGS and journal.age > _FORGOTTEN:
            journal.gone(key)

    def _has_to_end(self) -> bool:
        return self._budget.called_off or time.monotonic() >= self._until

    def _remove(self, journal: Journal, key: RecordKey, known: Known) -> bool | None:
        """Remove one record of a run that does no more.

        :returns: whether it was there; None if there is no telling
        """
        if key.zone in self._refused:
            raise self._refused[key.zone]
        seconds = journal.until_settled(known)
        if seconds > 0:
            # As long as it stands, no late call can add it once more.
            self._notify(
                f"Waiting {seconds:.0f} seconds: a call of a run that was killed may be under way"
            )
            self._budget.sleep(seconds)
        client = self._clients.client_for(key.zone)
        found = client.find(key.zone, key.rr, key.value, self._budget)
        if client.may_list(key.zone):
            if found:
                client.delete(key.zone, found, self._budget)
            return bool(found)
        if known.record_id:
            if client.delete(key.zone, known.record_id, self._budget):
                return True
            # A late call may have added it once more, with another id.
            if self._is_own(journal, key, known) and not known.may_come_again:
                return False
        return None

    def _is_own(self, journal: Journal, key: RecordKey, known: Known) -> bool:
        """Tell whether the account that was to add a record is the one that we ask, for sure."""
        return journal.is_of(known, self._clients.identity_for(key.zone))

    def _never_was(
        self, journal: Journal, key: RecordKey, known: Known, error: AlidnsError
    ) -> bool:
        """Tell whether a zone that was only tried is none: the account that was asked says so."""
        return (
            error.verdict is Verdict.NOT_HERE
            and not known.zone_is_known
            and self._is_own(journal, key, known)
        )

    def _warn(self, journal: Journal, key: RecordKey, known: Known, left: str) -> None:
        if known.tellings >= _TELLINGS:
            logger.info("%s", left)
            return
        end = " This is not told again." if known.tellings + 1 == _TELLINGS else ""
        hand = by_hand(key.zone, key.rr, known.record_id, may_be_none=not known.zone_is_known)
        logger.warning("%s%s%s", left, hand, end)
        journal.told(key)

    def _tell(self) -> None:
        names = list(dict.fromkeys(self._removed))
        if names:
            first = ", ".join(names[:_NAMED])
            more = f" and {len(names) - _NAMED} more names" if len(names) > _NAMED else ""
            self._notify(f"Removed TXT records that an earlier run had left: {first}{more}")
        number = self._postponed
        if number:
            logger.warning(
                "TXT records of earlier runs are left to the next run (%d), as their journal says.",
                number,
            )
