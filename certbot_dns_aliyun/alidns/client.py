"""Add, find and remove TXT records, through everything that an unattended run meets.

Calls are repeated as long as the phase's budget lasts. Adding is not idempotent and has no token
that would make it so: after a reply that got lost, the record is looked for before it is added
again. https://help.aliyun.com/document_detail/29739.html
"""

from __future__ import annotations

import functools
import logging
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, TypeVar

import tenacity

from certbot_dns_aliyun.alidns import requests
from certbot_dns_aliyun.alidns.call import send
from certbot_dns_aliyun.alidns.pace import Rate, ZoneGate
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.errors import PASSING, AlidnsError, NotCalled, Verdict
from certbot_dns_aliyun.journeys import CONNECTIONS
from certbot_dns_aliyun.names import full_name, is_spelled, to_ascii, to_unicode
from certbot_dns_aliyun.retrying import RetryBudget
from certbot_dns_aliyun.unanswered import Lost

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds before the second try of a call; doubled for each further one, and shortened at random.
#: After too many calls it is the rate, which all calls share, that makes them wait.
_FIRST_WAIT = {Verdict.BUSY: 0.2, Verdict.SLOW_DOWN: 0.0}
_FIRST_WAIT_ELSE = 1.0
_LONGEST_WAIT = 10.0
_LONGEST_WAIT_ASKED_FOR = 60.0

#: Verdicts that another key may not get; RAM revokes the sessions of a role by denying all.
_KEY_AT_FAULT = (Verdict.RENEW, Verdict.DENIED)

#: Verdicts that leave no doubt about earlier tries: the record cannot be there.
_NOT_THERE = (Verdict.NOT_HERE, Verdict.CONFLICT)

#: Verdicts after which no other add to the zone is made.
_NO_ADDS = (Verdict.NOT_HERE, Verdict.DENIED)

#: Verdicts that another spelling of the zone's name may not get.
_OF_THE_SPELLING = (Verdict.NOT_HERE, Verdict.DENIED)

#: 20,000 records that contain one validation name's RR and value: no zone has them.
_PAGES = 40
#: Nor has one 100,000 at validation names.
_ALL_PAGES = 200


@dataclass(frozen=True)
class Added:
    """A record that stands in the zone now.

    :ivar record_id: its id; None if the API did not tell it
    :ivar ours: whether we made it; if not, it was there before
    :ivar may_come_again: whether a try that got no reply in time may be carried out yet, once this
        record is gone
    """

    record_id: str | None
    ours: bool
    may_come_again: bool = False


@dataclass(frozen=True)
class Listed:
    """A TXT record that the API lists.

    :ivar rr: as the API spells it, in A-labels or U-labels
    :ivar changed_at: when it was made, or changed last, in seconds since 1970; None if not told
    """

    record_id: str
    rr: str
    value: str
    changed_at: float | None


class Client:
    """The records of one account, for one run.

    Its methods may be called from several threads; all of them wait as long as the budget lasts
    that they are given, and all raise :class:`~certbot_dns_aliyun.errors.AlidnsError`. Zones are
    given as A-labels.

    :param source: gives the access key that signs the next call
    :param host: the API's host
    """

    def __init__(self, source: KeySource, host: str) -> None:
        self._source = source
        self._host = host
        self._rate = Rate()
        self._gates: dict[str, ZoneGate] = {}
        self._lock = threading.Lock()
        self._unlistable: set[str] = set()
        #: By which of its forms the API knows a zone, once it has said so.
        self._spellings: dict[str, str] = {}
        self._refused_adds: dict[str, AlidnsError] = {}

    def add(
        self,
        zone: str,
        rr: str,
        value: str,
        budget: RetryBudget,
        calling: Callable[[], None] = lambda: None,
    ) -> Added:
        """Add a TXT record, unless it is there already.

        An error's ``maybe_done`` tells whether the record may stand in the zone all the same,
        ``maybe_late`` whether it may yet come to stand there, and ``may_come_again`` whether even
        if it is found.

        :param calling: is called just before each try that may add it
        """
        doubtful, unanswered = 0, 0
        written_rr = rr

        def found(record_id: str | None) -> Added:
            # Whichever of the tries it is that made it, the others may still be carried out.
            return Added(record_id, doubtful > 0, may_come_again=unanswered > 0 and doubtful > 1)

        def once() -> Added:
            nonlocal doubtful, unanswered, written_rr
            if doubtful and self.may_list(zone):
                record_id = self.find(zone, rr, value, budget)
                if record_id:
                    return found(record_id)
            rr_now = written_rr

            def request(spelled: str) -> Any:
                calling()
                return requests.add_record(spelled, rr_now, value)

            try:
                send = functools.partial(self._send_about, zone, request, budget)
                reply = self._write(zone, send, budget, is_add=True)
            except AlidnsError as error:
                # Which form an RR with international labels must have is documented nowhere.
                if error.code == "SubDomainInvalid.RR" and written_rr != to_unicode(rr):
                    written_rr = to_unicode(rr)
                    return once()
                if error.verdict is Verdict.DUPLICATE:
                    return found(self.find(zone, rr, value, budget) if doubtful else None)
                doubtful += error.maybe_done
                unanswered += error.maybe_done and error.code is Lost.NO_REPLY
                raise
            record_id = _record_id(reply)
            if not record_id:
                doubtful += 1
                raise AlidnsError(
                    Lost.NO_REPLY_OF_THIS_KIND, "AddDomainRecord", host=self._host, zone=zone
                )
            return Added(record_id, ours=True, may_come_again=unanswered > 0)

        try:
            return self._persist(once, zone, budget)
        except AlidnsError as error:
            maybe_done = doubtful > 0 and error.verdict not in _NOT_THERE
            maybe_late = maybe_done and unanswered > 0
            raise error.with_(
                maybe_done=maybe_done,
                maybe_late=maybe_late,
                may_come_again=maybe_late and doubtful > 1,
            ) from None

    def may_list(self, zone: str) -> bool:
        """Tell whether the API has not yet said that the access key may not list a zone."""
        return zone not in self._unlistable

    def find(self, zone: str, rr: str, value: str, budget: RetryBudget) -> str | None:
        """Give the id of the TXT record with exactly this RR and value.

        :returns: None if there is none, or if the access key may not list records
        """
        if not self.may_list(zone):
            return None
        try:
            for record in self._list_all(zone, rr, value, _PAGES, budget):
                if _is(record, rr, value):
                    return _record_id(record)
        except AlidnsError as error:
            if error.verdict is not Verdict.DENIED:
                raise
            logger.debug("The access key may not list the records of %s", zone)
            self._unlistable.add(zone)
        return None

    def list_txt(self, zone: str, rr: str, budget: RetryBudget, value: str = "") -> list[Listed]:
        """List the TXT records whose RR and value contain some text, each once."""
        found = (_listed(record) for record in self._list_all(zone, rr, value, _ALL_PAGES, budget))
        return list({record.record_id: record for record in found if record}.values())

    def everything(self, zone: str, budget: RetryBudget) -> list[tuple[str, str, str]]:
        """Give owner, type and value of each record of a zone."""
        try:
            return [
                (_owner(record, zone), str(record.get("Type", "")).upper(), str(record["Value"]))
                for record in self._pages(zone, requests.list_all_records, _ALL_PAGES, budget)
                if "Value" in record
            ]
        except AlidnsError as error:
            raise error.with_(maybe_done=False) from None

    def delete(self, zone: str, record_id: str, budget: RetryBudget) -> bool:
        """Delete a record.

        :returns: False if the API knows no such record: it is gone already, or another account's
        """
        # It does not name the zone, so it teaches nothing about how the API spells that.
        request = functools.partial(requests.delete_record, record_id)
        send = functools.partial(self._send, zone, request, budget)

        def once() -> bool:
            try:
                self._write(zone, send, budget)
            except AlidnsError as error:
                if error.verdict is not Verdict.GONE:
                    raise
                return False
            return True

        return self._persist(once, zone, budget)

    def _list_all(
        self, zone: str, rr: str, value: str, most: int, budget: RetryBudget
    ) -> Iterator[dict[str, Any]]:
        return self._pages(
            zone,
            lambda spelled, page: requests.list_records(spelled, rr, value, page),
            most,
            budget,
        )

    def _pages(
        self, zone: str, request: Callable[[str, int], Any], most: int, budget: RetryBudget
    ) -> Iterator[dict[str, Any]]:
        """Give the records of all pages, or of so many at most, as the API has them."""
        for page in range(1, most + 1):
            of_page = functools.partial(_of_page, request, page)
            once = functools.partial(self._send_about, zone, of_page, budget)
            reply = self._persist(once, zone, budget)
            records = _records(reply)
            yield from records
            total = reply.get("TotalCount")
            if not records or (isinstance(total, int) and page * requests.PAGE_SIZE >= total):
                return

    def _write(
        self,
        zone: str,
        send: Callable[[], dict[str, Any]],
        budget: RetryBudget,
        is_add: bool = False,
    ) -> dict[str, Any]:
        """Make one call that changes a zone, when it is its turn.

        An add to a zone that has refused one is not made again; deletes always are.
        """
        gate = self._gate(zone)
        with gate.turn(budget) as turn:
            if is_add and zone in self._refused_adds:
                raise self._refused_adds[zone].with_()
            self._raise_if_given_up(zone, budget)  # by others, while this one waited
            try:
                reply = send()
            except AlidnsError as error:
                if error.verdict is Verdict.BUSY:
                    gate.was_busy(turn.was_alone)
                    budget.failed(error)
                elif error.is_about_one_name:  # so it was not busy
                    budget.answered(zone)
                if is_add and error.verdict in _NO_ADDS:
                    self._refused_adds[zone] = error
                raise error from None
            budget.answered(zone)
            return reply

    def _gate(self, zone: str) -> ZoneGate:
        with self._lock:
            return self._gates.setdefault(zone, ZoneGate(self._share))

    def _share(self) -> int:
        """Give the writes at once to a zone that has work: more would only take connections."""
        busy = sum(gate.has_work for gate in list(self._gates.values()))
        return max(1, CONNECTIONS // busy)

    def _send_about(
        self, zone: str, request: Callable[[str], Any], budget: RetryBudget
    ) -> dict[str, Any]:
        """Make one call about a zone, or two until it is clear how the API spells its name.

        U-labels were right for years, and A-labels have been seen to be; it is documented nowhere.

        :param request: makes the request from the zone's name as the API is to read it
        """
        refusals: list[AlidnsError] = []
        known = self._spellings.get(zone)
        for form in [known] if known else dict.fromkeys((to_unicode(zone), zone)):
            try:
                reply = self._send(zone, functools.partial(request, form), budget)
            except AlidnsError as error:
                refusals.append(error)
                if error.verdict not in _OF_THE_SPELLING:
                    raise
            else:
                self._spellings[zone] = form
                return reply
        # RAM judges by the name as it was sent: a zone may be there by a name that it forbids.
        raise next((r for r in refusals if r.verdict is Verdict.DENIED), refusals[0])

    def _send(self, zone: str, request: Callable[[], Any], budget: RetryBudget) -> dict[str, Any]:
        """Make one call, or two if the access key can be renewed in between."""
        sent_at = self._rate.wait(budget)
        if budget.called_off:
            raise AlidnsError(NotCalled.CALLED_OFF, zone=zone)
        try:
            key = self._key()
            try:
                reply = send(request(), key, self._host)
            except AlidnsError as error:
                if error.verdict not in _KEY_AT_FAULT or not self._renew(key, error):
                    raise
                reply = send(request(), self._key(), self._host)
        except AlidnsError as error:
            if error.verdict is Verdict.SLOW_DOWN:
                self._rate.slow_down(sent_at)
            error = error.with_(zone=zone, origin=error.origin or self._source.origin)
            if error.verdict is Verdict.BUSY or error.verdict not in PASSING:
                budget.answered(self._host, self._source.origin)
            else:
                budget.failed(error)
            raise error from None
        budget.answered(self._host, self._source.origin)
        return reply

    def _key(self) -> AccessKey:
        try:
            return self._source.get()
        except AlidnsError as error:  # in which no call to the API has any part
            raise error.with_(maybe_done=False) from None

    def _renew(self, key: AccessKey, error: AlidnsError) -> bool:
        """Get another key in place of one that an error is about; tell whether there is one."""
        try:
            return self._source.renew(key)
        except AlidnsError as failure:
            if error.verdict is not Verdict.DENIED:
                raise
            # The key is good as far as anybody knows, and that it may not do this is the answer.
            logger.debug("No other access key from %s: %s", self._source.origin, failure)
            return False

    def _raise_if_given_up(self, zone: str, budget: RetryBudget) -> None:
        """Raise the failure of what a call about a zone depends on; that call is not made."""
        given_up = budget.given_up(self._host, self._source.origin, zone)
        if given_up:
            raise given_up.with_(zone=zone, maybe_done=False)

    def _persist(self, once: Callable[[], T], zone: str, budget: RetryBudget) -> T:
        """Make a call again and again until it succeeds, is refused, or the budget is spent."""
        self._raise_if_given_up(zone, budget)
        first_failure = 0.0

        # Older versions of tenacity want the parameter to have this very name.
        def is_spent(retry_state: tenacity.RetryCallState) -> bool:
            nonlocal first_failure
            first_failure = first_failure or time.monotonic()
            return budget.is_spent(_failure(retry_state), first_failure, retry_state.attempt_number)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_passing),
            stop=is_spent,
            wait=_wait,
            sleep=budget.sleep,
            reraise=True,
        )
        return retrying(once)


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, AlidnsError) and error.verdict in PASSING


def _failure(retry_state: Any) -> AlidnsError:
    """Give the error that a call has failed with, one of those that may pass."""
    error: AlidnsError = retry_state.outcome.exception()
    return error


def _wait(retry_state: tenacity.RetryCallState) -> float:
    """Give the seconds to wait before the next try: exponential, with jitter, or as asked for."""
    error = _failure(retry_state)
    first = _FIRST_WAIT.get(error.verdict, _FIRST_WAIT_ELSE)
    longest = min(first * 2 ** (retry_state.attempt_number - 1), _LONGEST_WAIT)
    asked_for = min(error.retry_after or 0.0, _LONGEST_WAIT_ASKED_FOR)
    return max(asked_for, random.uniform(longest / 2, longest))  # noqa: S311, no secret


def _records(reply: dict[str, Any]) -> list[dict[str, Any]]:
    body = reply.get("DomainRecords")
    records = body.get("Record") if isinstance(body, dict) else None
    return [r for r in records if isinstance(r, dict)] if isinstance(records, list) else []


def _listed(record: dict[str, Any]) -> Listed | None:
    record_id, rr, value = _record_id(record), record.get("RR"), record.get("Value")
    is_txt = str(record.get("Type")).upper() == "TXT"
    if not (record_id and isinstance(rr, str) and isinstance(value, str) and is_txt):
        return None
    made, changed = (_seconds(record.get(f"{what}Timestamp")) for what in ("Create", "Update"))
    return Listed(record_id, rr, value, max(made, changed or made) if made else None)


def _seconds(milliseconds: object) -> float | None:
    text = str(milliseconds)
    return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) < 16 else None


def _of_page(request: Callable[[str, int], Any], page: int, spelled: str) -> Any:
    return request(spelled, page)


def _owner(record: dict[str, Any], zone: str) -> str:
    """Give the name at which a record stands; nothing where it can be none."""
    try:
        return full_name(to_ascii(str(record.get("RR", ""))), zone)
    except UnicodeError:
        return ""


def _is(record: dict[str, Any], rr: str, value: str) -> bool:
    listed_rr = str(record.get("RR", ""))
    return (
        str(record.get("Type")).upper() == "TXT"
        and record.get("Value") == value
        and is_spelled(listed_rr, rr)
    )


def _record_id(reply: dict[str, Any]) -> str | None:
    """Give a record id: digits, which the API sends as a string."""
    text = str(reply.get("RecordId"))
    return text if text.isascii() and text.isdigit() and len(text) <= 32 else None
