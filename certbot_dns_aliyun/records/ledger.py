"""Which records this run has made, so that it removes those and no others.

An entry is written before the call that adds its record is made; whatever becomes of that call, the
entry knows what there is to remove.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from enum import Enum
from typing import Callable

from certbot import errors

from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.alidns.client import Added, Client
from certbot_dns_aliyun.errors import AlidnsError, NotCalled, Verdict, sentence
from certbot_dns_aliyun.names import resource_record, zone_candidates
from certbot_dns_aliyun.propagation.delegation import BadChainError, Place
from certbot_dns_aliyun.propagation.esa import refuse_esa
from certbot_dns_aliyun.propagation.public_dns import Served
from certbot_dns_aliyun.propagation.target import Use, is_meant, listed_use
from certbot_dns_aliyun.records.folder import Folder
from certbot_dns_aliyun.records.journal import UNDER_WAY, Journal, RecordKey
from certbot_dns_aliyun.records.recovery import Recovery
from certbot_dns_aliyun.records.rule import Rule
from certbot_dns_aliyun.records.words import by_hand, cannot_list
from certbot_dns_aliyun.refusals import OneNameError
from certbot_dns_aliyun.retrying import RetryBudget

logger = logging.getLogger(__name__)

_LISTING = "DescribeDomainRecords"
#: Refusals that are no wonder where a CNAME leads elsewhere.
_OF_ANOTHER_PLACE = frozenset({Verdict.NOT_HERE, Verdict.DENIED, Verdict.CONFLICT})
#: Seconds between two looks for a record whose adding may still be under way at the API.
_SECOND_LOOK = 2.0
#: Seconds in which the API may still carry out a call that got no reply in time.
_LATE = 10.0


class State(Enum):
    """What an entry's record is to us."""

    NOT_THERE = "nothing of ours is in the zone"
    OURS = "we made it"
    PREEXISTING = "it was there before us"
    UNCLEAR = "we may have made it: the reply was lost"


@dataclass
class Entry:
    """A TXT record that the certificate needs.

    :ivar place: where it stands: at the validation name, or where a CNAME leads from there
    :ivar users: how many challenges count on it; a CA may ask for one value twice
    :ivar is_told: whether the user has been told that it is left
    :ivar added_at: monotonic time at which the API said that it is in the zone
    :ivar is_new: whether it was not there before this run
    :ivar settled_at: monotonic time from which no call that got no reply can add it any more
    :ivar may_come_again: whether one may even if the record is found
    :ivar added: resolves to the zone, once the record is in it
    :ivar doubts: the same record in zones that were tried before, and may have taken it
    """

    place: Place
    value: str
    users: int = 1
    zone: str = ""
    record_id: str | None = None
    state: State = State.NOT_THERE
    is_told: bool = False
    added_at: float = 0.0
    is_new: bool = True
    settled_at: float = 0.0
    may_come_again: bool = False
    added: Future[str] = field(default_factory=Future)
    doubts: list[Entry] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The record's name."""
        return self.place.name

    @property
    def rr(self) -> str:
        """The RR in the zone."""
        return resource_record(self.name, self.zone)

    @property
    def key(self) -> RecordKey:
        """What the journal knows it by."""
        return RecordKey(self.zone, self.rr, self.value)


class Ledger:
    """The records of one run.

    :param clients: the API, for each zone
    :param find_places: gives the places for a validation name, by public DNS
    :param config_dir: Certbot's config folder; the journal is kept there
    :param is_public_zone: tells whether a zone is that of a name for the world, too
    :param place_by_resolver: gives the place that the resolver knows behind one that was not read
    :param notify: tells the user something
    """

    def __init__(
        self,
        clients: Clients,
        find_places: Callable[[str], list[Place]],
        config_dir: str,
        is_public_zone: Callable[[str, str], bool] = lambda zone, name: True,
        place_by_resolver: Callable[[Place], Place | None] = lambda place: None,
        notify: Callable[[str], None] = logger.info,
    ) -> None:
        self._clients = clients
        self._rule = Rule(clients.settings)
        self._find_places = find_places
        self._is_public_zone = is_public_zone
        self._place_by_resolver = place_by_resolver
        self._notify = notify
        self._folder = Folder(config_dir)
        self._journal = Journal.of_this_run(self._folder)
        self._planned: set[RecordKey] = set()
        # The ids, as far as they are known, and whether a late call may add them once more.
        self._adopted: dict[RecordKey, tuple[str | None, bool]] = {}
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str], Entry] = {}
        self._listed: dict[str, list[tuple[str, str, str]]] = {}
        self._listing: dict[str, threading.Lock] = {}
        self._told: set[tuple[str, ...]] = set()
        self._is_in_a_hurry = False

    def recover(self, budget: RetryBudget, wanted: Iterable[tuple[str, str]] = ()) -> None:
        """Remove what earlier runs left when they were killed, as far as this access key may.

        :param wanted: names and values that are about to be added; those stay, as an old copy of a
            record that is removed and added again would pass for the new one
        """
        keys = self._keys(wanted)
        Recovery(self._clients, budget, self._notify, keys, self._adopt).go_through(self._folder)

    def _adopt(self, key: RecordKey, record_id: str | None, may_come_again: bool) -> None:
        self._note_adding([key])
        self._journal.added(key, record_id, may_come_again)
        self._adopted[key] = record_id, may_come_again

    def refuse(self, names: Iterable[str]) -> None:
        """Refuse where CNAMEs lead, if nothing may be added there, as far as DNS tells.

        :raises errors.PluginError: for the first such name
        """
        for name in names:
            with contextlib.suppress(BadChainError):  # of which the adding will tell
                place = self._find_places(name)[0]
                zone = place.zone or place.name
                if place.is_led:
                    self._rule.refuse_section(place, zone)
                # A zone that looks like another provider's is most likely none of the account's.
                if place.use and not place.use.unread and not place.is_elsewhere:
                    self._rule.refuse_use(place, zone, place.use)

    def plan(self, records: Iterable[tuple[str, str]]) -> None:
        """Note the names and values that are about to be added, in the zones that DNS names."""
        self._planned = self._keys(records) - self._adopted.keys()
        self._note_adding(self._planned)

    def _keys(self, records: Iterable[tuple[str, str]]) -> set[RecordKey]:
        keys = set()
        for name, value in records:
            with contextlib.suppress(BadChainError):  # of which the adding will tell
                place = self._find_places(name)[0]
                if place.zone:
                    keys.add(Entry(place, value, zone=place.zone).key)
        return keys

    def hurry(self) -> None:
        """Wait for no late call any more, as the user wants an end: the next run looks again."""
        self._is_in_a_hurry = True

    def close(self) -> list[str]:
        """End the run; returns a sentence about each record that nobody has removed."""
        for key in list(self._planned):
            self._journal.gone(key)
        self._journal.close()
        left = []
        for entry in [one for each in self._entries.values() for one in (each, *each.doubts)]:
            what = f"The TXT record {entry.name} = {entry.value}"
            if entry.users and not entry.added.done():
                left.append(f"{what} may be left, as it was being added." + self._by_hand(entry))
            elif entry.state in (State.OURS, State.UNCLEAR) and not entry.is_told:
                left.append(f"{what} is left." + self._by_hand(entry))
        return left

    def add(self, name: str, value: str, budget: RetryBudget) -> str:
        """Add a TXT record to the zone that takes it.

        :returns: the zone
        :raises errors.PluginError: if it cannot be added
        """
        with self._lock:
            entry = self._entries.get((name, value))
            if entry:
                entry.users += 1
            else:
                place = Place(name, None, (), (name,))
                mine = self._entries[name, value] = Entry(place, value)
        if entry:
            return entry.added.result()
        try:
            self._add_to_some_place(mine, budget)
        except BaseException as error:
            mine.added.set_exception(error)
            raise
        mine.added.set_result(mine.zone)
        return mine.zone

    def added(self) -> list[Served]:
        """List the records that are in their zones."""
        with self._lock:
            entries = [
                entry
                for entry in self._entries.values()
                if entry.state in (State.OURS, State.PREEXISTING)
            ]
        # What was there before must not pass for the last one, which name servers have last.
        oldest = min((entry.added_at for entry in entries), default=0.0)
        return [
            Served(e.place, e.value, e.zone, e.added_at if e.is_new else oldest) for e in entries
        ]

    def remove(self, name: str, value: str, budget: RetryBudget) -> str | None:
        """Remove a record that :meth:`add` added, with its last user.

        :returns: a sentence about what may be left behind, if anything may
        """
        with self._lock:
            entry = self._entries.get((name, value))
            if not entry:
                return None
            entry.users -= 1
            if entry.users != 0:
                return None
        was_taken = entry.state in (State.OURS, State.PREEXISTING)
        told = [self._remove(entry, budget)]
        for doubt in entry.doubts:
            left = self._remove(doubt, budget)
            if left and was_taken and doubt.zone == doubt.name:  # which hardly ever is a zone
                logger.info("%s", left)
                self._journal.gone(doubt.key)
            else:
                told.append(left)
        return " ".join(left for left in told if left) or None

    def _add_to_some_place(self, entry: Entry, budget: RetryBudget) -> None:
        try:
            places = self._find_places(entry.name)
        except BadChainError as error:
            raise OneNameError(error.advice) from None
        refused = []
        for place in places:
            refusals = self._add_at(place, entry, budget)
            if not refusals:
                return
            refused.append((place, refusals))
            if entry.state is State.UNCLEAR:  # so it is here that there is something to remove
                raise self._cannot_add(place, refusals) from None
        # Only a record that excludes it shows that the CNAME is no wildcard's, and meant.
        is_led = refused[0][1][-1].verdict is Verdict.CONFLICT
        place, refusals = refused[-1 if is_led else 0]
        while place.unread:
            further = self._look_behind(place)
            if further is None:
                break
            place, refusals = further, self._add_at(further, entry, budget)
            if not refusals:
                return
        raise self._cannot_add(place, refusals) from None

    def _look_behind(self, place: Place) -> Place | None:
        """Give the place behind one that was not read, now that the API has refused that one."""
        try:
            further = self._place_by_resolver(place)
        except BadChainError as error:
            raise OneNameError(error.advice) from None
        if further and further.is_of_esa_certificate:
            refuse_esa(further)
        return further

    def _add_at(self, place: Place, entry: Entry, budget: RetryBudget) -> list[AlidnsError]:
        """Add a record at a place; returns the refusals of all zones if none takes it."""
        entry.place = place
        if not zone_candidates(place.name):
            raise OneNameError(
                f"A CNAME record leads from {' to '.join(place.chain)}, which is in no zone "
                "that could hold a TXT record; correct it."
            )
        return self._add_to_some_zone(entry, budget)

    def _add_to_some_zone(self, entry: Entry, budget: RetryBudget) -> list[AlidnsError]:
        """Add a record to the first zone that takes it; returns the refusals if none does."""
        refusals: list[AlidnsError] = []
        guess = entry.place.zone
        for zone in zone_candidates(entry.name, guess):
            entry.zone = zone
            try:
                self._refuse_at(entry.place, zone, budget)
                self._note_adding([entry.key], zone_is_known=zone == guess)
                self._planned.discard(entry.key)
                client = self._clients.client_for(zone)
                added = client.add(zone, entry.rr, entry.value, budget, self._journal.calling)
            except AlidnsError as error:
                # What the key may not touch may be no zone at all, unless public DNS says it is.
                may_be_none = error.verdict is Verdict.NOT_HERE or (
                    error.verdict is Verdict.DENIED
                    and not (zone == guess and self._is_zone_of_the_world(entry.place))
                )
                is_adopted = entry.key in self._adopted
                if is_adopted or (error.maybe_done and may_be_none):
                    record_id, _ = self._adopted.get(entry.key, (None, False))
                    doubt = Entry(entry.place, entry.value, zone=zone, record_id=record_id)
                    doubt.added.set_result(zone)
                    entry.doubts.append(doubt)
                    _doubt(doubt, error)
                elif not error.maybe_done:
                    self._journal.gone(entry.key)
                else:
                    _doubt(entry, error)
                refusals.append(error)
                if may_be_none:
                    continue
                if error.verdict in (Verdict.CONFLICT, Verdict.DENIED):
                    return refusals
                raise self._cannot_add(entry.place, [error]) from None
            entry.added_at, entry.is_new = time.monotonic(), added.ours
            late = _LATE
            if entry.key in self._adopted:
                record_id, may_come_again = self._adopted[entry.key]
                may_come_again = added.may_come_again or may_come_again
                late, added = UNDER_WAY, Added(added.record_id or record_id, True, may_come_again)
            entry.settled_at = entry.added_at + late if added.may_come_again else 0.0
            entry.record_id = added.record_id
            entry.state = State.OURS if added.ours else State.PREEXISTING
            if added.ours:
                self._journal.added(entry.key, added.record_id, added.may_come_again)
            else:
                self._journal.gone(entry.key)
            logger.debug("TXT record %s in zone %s: %s", entry.name, zone, entry.state.value)
            self._tell(entry.place, zone)
            return []
        return refusals

    def _refuse_at(self, place: Place, zone: str, budget: RetryBudget) -> None:
        """Refuse a place to which a CNAME leads, if a zone may not take a record there.

        :raises errors.PluginError: if it may not
        :raises AlidnsError: if only the API could tell, and does not
        """
        if not place.is_led:
            return
        self._rule.refuse_section(place, zone)
        if self._rule.needs_use(place, zone):
            try:
                self._rule.refuse_use(place, zone, self._use_of(place, zone, budget))
            except errors.PluginError:
                if place.is_elsewhere:
                    self._records_of(zone, budget)  # who has no such zone says so instead
                raise

    def _use_of(self, place: Place, zone: str, budget: RetryBudget) -> Use:
        known = place.use if place.use and not place.use.unread else None
        if known and not place.is_hearsay:
            return known
        # What the API says of its own zone is beyond the reach of who lies in DNS.
        try:
            return listed_use(zone, place.name, self._records_of(zone, budget))
        except AlidnsError as error:
            if error.verdict is not Verdict.DENIED:
                raise
            if known:
                return known
            if is_meant(place.name):
                return Use()  # nobody tells, and its name says what it is for
            raise

    def _records_of(self, zone: str, budget: RetryBudget) -> list[tuple[str, str, str]]:
        with self._lock:
            listing = self._listing.setdefault(zone, threading.Lock())
        with listing:
            if zone not in self._listed:
                self._listed[zone] = self._clients.client_for(zone).everything(zone, budget)
            return self._listed[zone]

    def _tell(self, place: Place, zone: str) -> None:
        """Say what is written where because of a CNAME, once."""
        if not place.is_led or (*place.chain, zone) in self._told:
            return
        self._told.add((*place.chain, zone))
        chain, doubt = " -> ".join(place.chain), ""
        if place.is_hearsay:
            doubt = ", as the resolver of this machine says"
        elif place.is_unconfirmed:
            doubt = ", which no name server has confirmed over TCP"
        self._notify(
            f"Because of a CNAME record ({chain}{doubt}), the TXT record for {place.chain[0]} is "
            f"added as {place.name} in the zone {zone}"
        )

    def _cannot_add(self, place: Place, refusals: list[AlidnsError]) -> errors.PluginError:
        error = _cannot_add(place, refusals)
        unseen = [e.zone for e in refusals if e.action == _LISTING and e.verdict is Verdict.DENIED]
        if not unseen or (place.use and not place.use.unread):
            return error
        zone = str(place.zone) if place.zone in unseen else unseen[-1]
        return type(error)(f"{error} {self._rule.way_out(place, zone)}")

    def _note_adding(self, keys: Iterable[RecordKey], zone_is_known: bool = True) -> None:
        self._journal.adding(
            {key: self._clients.identity_for(key.zone) for key in keys}, zone_is_known
        )

    def _is_zone_of_the_world(self, place: Place) -> bool:
        return not place.is_elsewhere or self._is_public_zone(str(place.zone), place.name)

    def _remove(self, entry: Entry, budget: RetryBudget) -> str | None:
        if not entry.added.done():
            wait([entry.added], UNDER_WAY)
            if not entry.added.done():
                entry.state = State.UNCLEAR
        if entry.state in (State.NOT_THERE, State.PREEXISTING):
            return None
        left = self._delete(entry, budget)
        if not left:
            if entry.settled_at <= time.monotonic():  # else the next run looks again
                self._journal.gone(entry.key)
            entry.state = State.NOT_THERE
        entry.is_told = left is not None
        return left

    def _delete(self, entry: Entry, budget: RetryBudget) -> str | None:
        what = f"The TXT record {entry.name} = {entry.value}"
        try:
            client = self._clients.client_for(entry.zone)
            record_id = entry.record_id or self._look_twice(client, entry, budget)
            if record_id:
                # As long as it stands, no late call can add it once more.
                if not self._is_in_a_hurry:
                    budget.sleep(entry.settled_at - time.monotonic())
                client.delete(entry.zone, record_id, budget)
                return None
            if entry.state is State.UNCLEAR and client.may_list(entry.zone):
                return None
        except AlidnsError as error:
            if error.verdict is Verdict.NOT_HERE and not entry.record_id:
                entry.settled_at = 0.0
                return None  # there is no such zone, so nothing in it
            return sentence(f"{what} could not be removed", error) + self._by_hand(entry)
        return (
            f"{what} may be left: its id never arrived, and {cannot_list(entry.zone)}."
            + self._by_hand(entry)
        )

    def _look_twice(self, client: Client, entry: Entry, budget: RetryBudget) -> str | None:
        record_id = client.find(entry.zone, entry.rr, entry.value, budget)
        if record_id:
            if not entry.may_come_again:
                entry.settled_at = 0.0  # this is what was lost
        elif client.may_list(entry.zone):
            until_settled = 0.0 if self._is_in_a_hurry else entry.settled_at - time.monotonic()
            budget.sleep(max(_SECOND_LOOK, until_settled))
            record_id = client.find(entry.zone, entry.rr, entry.value, budget)
        return record_id

    def _by_hand(self, entry: Entry) -> str:
        may_be_none = entry.state is State.UNCLEAR and (
            entry.zone != entry.place.zone or entry.place.is_elsewhere
        )
        is_listed = self._journal.lists(entry.key)
        return by_hand(entry.zone, entry.rr, entry.record_id, may_be_none, is_listed)


def _doubt(entry: Entry, error: AlidnsError) -> None:
    """Note that an entry's record may stand in its zone, or come to stand there."""
    entry.state = State.UNCLEAR
    if error.maybe_late:
        entry.settled_at = time.monotonic() + _LATE
        entry.may_come_again = error.may_come_again


def _cannot_add(place: Place, refusals: list[AlidnsError]) -> errors.PluginError:
    """Say why no zone took the record: in the words about the likeliest zone.

    That is the one that public DNS names; failing that, the shortest that may exist.
    """
    telling = next(
        (error for error in refusals if error.zone == place.zone),
        next((e for e in reversed(refusals) if e.verdict is not Verdict.NOT_HERE), refusals[-1]),
    )
    others = [e.zone for e in refusals if e is not telling and not e.zone.startswith("_")]
    if telling.code is NotCalled.NO_ACCOUNT:
        others = []
    if others and telling.verdict is Verdict.NOT_HERE:
        telling = telling.with_(zone=f"{telling.zone} (or {', '.join(others)})")
    elif others and telling.zone != place.zone:
        zones = ", ".join(error.zone for error in refusals)
        telling = telling.with_(zone=f"ZONE, where ZONE is the one of {zones} that is hosted")
    led = f" (a CNAME leads there: {' -> '.join(place.chain)})" if place.is_led else ""
    # The record may belong into another zone, of which the refusal then says nothing.
    is_unread = place.unread and telling.verdict in _OF_ANOTHER_PLACE
    unread = (
        f"whether a CNAME record stands at {place.name} is not known, as {place.unread}; check "
        "that this machine reaches name servers on port 53 and has a resolver that works, and run "
        "Certbot again"
    )
    if is_unread and telling.code is not NotCalled.NO_ACCOUNT:
        is_here = telling.verdict is not Verdict.NOT_HERE
        elsewhere = "" if is_here else "; the zone may be in another account than that of the key"
        return OneNameError(
            f"The TXT record {place.name} could not be added{led}: no zone took it"
            f"{telling.details}{elsewhere}, and {unread}."
        )
    names = ", ".join(sorted({server.name for server in place.servers}))
    zone = f" to the zone {place.zone}, where public DNS has it (at {names})"
    what = (
        f"The TXT record {place.name} could not be added{zone if place.is_elsewhere else ''}{led}"
    )
    by_hand = (
        f" Or remove the CNAME record at {place.chain[-2]}, if it is not meant to lead there."
        if led and not place.is_hearsay
        else ""
    )
    kind = OneNameError if telling.is_about_one_name else errors.PluginError
    return kind(sentence(what, telling) + by_hand + (f" But {unread}." if is_unread else ""))
