"""Follow one address of a name server, until it has been seen to serve every record of a zone.

A lost question says nothing, and is asked again. An answer with authority and with all values shows
that one machine behind the address serves them; one without them, that one does not. So each record
is asked for until it was seen once, and when all were, a sample of questions at once, each from a
fresh source port and so perhaps to another machine, must be answered well without exception
(:mod:`certbot_dns_aliyun.propagation.sample`). Two thirds of it are about the record that was added
last, which a machine that is late has last. The first answer for a record that is due is a part of
it, good or bad; not those of who goes on asking until one is good.

When a record is due is learnt: one address is asked often, the others seldom, until one has served
something; from then on a record is asked for when it is as old as others were when they were seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

from certbot_dns_aliyun.propagation.awake import AwakeClock
from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.interception import obstacle
from certbot_dns_aliyun.propagation.question import NameServer, Outcome, Reply
from certbot_dns_aliyun.propagation.sample import Following, Sample

logger = logging.getLogger(__name__)

#: Seconds for which a sample waits for zones that have not been seen.
_OTHER_ZONES = 1.0
#: Questions of the last look at an address whose sample is not fresh.
_LAST_LOOK = 4
#: Questions of a sample at once, to begin with; the next ones are more or less.
_FIRST_BURST = 24

#: Seconds between two looks at an address that lacks a record, and their share of the time waited.
_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_PAUSE_SHARE = 0.05
#: Seconds to which the lag is worth knowing.
_PRECISION = 0.1
#: Seconds at least that nothing is done when nothing is due.
_SHORTEST_REST = 0.01
#: How many times as long they are where another address of the zone is asked often, and the seconds
#: where that address itself is, for another zone.
_SELDOM = 3
_RELIEF = 5.0

#: What an address is asked at once, and the seconds between, that answered once and then leaves
#: most of many questions without an answer, as name servers do that limit their rate; less with
#: each step of restraint.
_RESTRAINED = ((1000, 0.0), (16, 1.0), (4, 2.0), (1, 4.0))
_MANY = 8

#: What machines do that do not have the zone, as one that is new, while others behind the same
#: address serve it.
_WITHOUT_THE_ZONE = frozenset({Outcome.REFUSING, Outcome.NOT_AUTHORITATIVE, Outcome.REFERRING})

#: Seconds, and looks, for which an address must have stayed without an authoritative answer until
#: it holds up the others no longer.
_GRACE = 8.0
_LOOKS = 3

#: Values of one name from which on a server may be one that gives no more (users of Alidns report
#: eight), and seconds after which that is not taken for a server that is late.
_CAP = 8
_CAPPED_AFTER = 10.0
#: Values of one name that are kept.
_MOST_KNOWN = 5000


@dataclass(frozen=True)
class Wanted:
    """What must be served at a name.

    :param values: all its values
    :param added_at: monotonic time at which the last of them was added
    """

    values: frozenset[str]
    added_at: float


@dataclass
class Cap:
    """Answers for one name that hold many values, and not all.

    :ivar size: the values in each of them
    :ivar known: the values that stand at the name: those wanted, and those seen
    :ivar seen: the values in any of the answers
    """

    size: int
    known: set[str]
    since: float
    seen: set[str] = field(default_factory=set)


class Follower:
    """One address of a zone's name servers, and what it has been seen to serve.

    :param zone: the zone, as public DNS names it
    :param wanted: for each name what must be served there, in the order of adding
    :param clock: by which patience is measured
    :param sharing: how many zones this address is followed for
    :param is_trusted: whether the user named it, so that it needs no proof to be a name server
    :param server: the address by the name that it has in this zone; None for that of the contact
    :param changed: called when what is known of it changes
    :ivar missing: the names that it has not been seen to serve since it last lacked them
    :ivar sample: the sample that is under way, or by which it is complete; None without one, or
        if an answer to one of the zones that share it lacked a value
    :ivar seen_at: monotonic time at which it had been seen to serve everything
    :ivar is_complete: whether it serves everything, by a whole sample
    :ivar complete_at: since when, by the clock
    :ivar sampled_at: monotonic time of the last good answer to its part of a sample
    """

    def __init__(
        self,
        contact: Contact,
        zone: str,
        wanted: dict[str, Wanted],
        clock: AwakeClock,
        sharing: int = 1,
        is_trusted: bool = False,
        server: NameServer | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.contact = contact
        self.server = server or contact.server
        self.missing = dict.fromkeys(wanted)
        self.is_complete = False
        self.sample: Sample | None = None
        self.seen_at = self.complete_at = self.sampled_at = 0.0
        self.authoritative_at: float | None = None
        self.outcome: Outcome | None = None
        self.is_eager = False
        #: The least lag of any address of the zone, once one has served something.
        self.zone_lag: float | None = None
        self._zone = zone
        self._wanted = wanted
        self._untried = set(wanted)
        self._last = max(wanted, key=lambda name: wanted[name].added_at)
        # Good answers in a row that are a part of a sample: whether about the last record.
        self._good: Counter[bool] = Counter()
        self._counted_since = 0.0
        self._clock = clock
        self._sharing = sharing
        self._is_trusted = is_trusted
        self._changed = changed
        self._began = clock.now()
        self._lag: float | None = None
        self._asked_at: float | None = None
        self._restraint = 0
        self._unanswered_since: float | None = None
        self._unanswered_looks = 0
        self._is_turned_away = False
        self._caps: dict[str, Cap] = {}
        self._stirred = asyncio.Event()

    @property
    def shortcoming(self) -> str:
        """What it does in place of serving everything, for a person to read."""
        for cap in self.caps.values():
            return f"gives only {cap.size} of at least {len(cap.known)} TXT values at one name"
        if self.outcome is Outcome.AUTHORITATIVE:
            return "does not serve the value yet"
        outcome = self.outcome or Outcome.SILENT
        return str(outcome.value)

    @property
    def caps(self) -> dict[str, Cap]:
        """The names of which it seems never to give all values."""
        now = self._clock.now()
        return {
            name: cap
            for name, cap in self._caps.items()
            if len(cap.seen) > cap.size or now - cap.since >= _CAPPED_AFTER
        }

    @property
    def is_unasked(self) -> bool:
        """Whether nobody has asked it for this zone yet, though it has answered for others."""
        return self.outcome is None and self.contact.has_answered

    def is_out(self) -> bool:
        """Tell whether there has been no authoritative answer for too long to wait for one."""
        if self.outcome is Outcome.INTERCEPTED:
            return True
        if self.outcome is Outcome.UNREACHABLE and self.authoritative_at is None:
            return True
        return (
            self._unanswered_since is not None
            and self._unanswered_looks >= _LOOKS
            and self._clock.now() - self._unanswered_since >= _GRACE
        )

    def stir(self) -> None:
        """Let it see whether there is something to ask for now."""
        self._stirred.set()

    async def run(self) -> None:
        """Ask for what it lacks, until cancelled; rest while it lacks nothing."""
        self.contact.followers.append(self)
        try:
            if await self._is_a_name_server():
                await self._follow()
        finally:
            self.contact.followers.remove(self)
            if self.contact.scout is self:
                self.contact.scout = None
            if self.sample:
                for each in self._those_in(self.sample):
                    each.stir()

    async def _follow(self) -> None:
        while True:
            self._stirred.clear()
            names = self._due()
            if self.is_complete or (self.missing and not names):
                await self._rest(None if self.is_complete else self._until_due())
                continue
            is_first = self._asked_at is None
            self._asked_at = self._clock.now()
            if is_first and not self._scouts():
                await self._rest(self._long_pause())
                continue
            denied, answered = (await self._ask(names)) if names else (False, 1)
            if not self.missing:
                denied = await self._take_sample()
            pause = _RESTRAINED[self._restraint][1]
            # A lost question has taken its time already.
            if denied or (not answered and self._clock.now() - self._asked_at < _SHORTEST_PAUSE):
                pause = max(pause, self._pause())
            late = self._lateness() if self._scouts() else math.inf
            if denied and late > pause and self._sharing > 1:
                await self._rest(max(pause, min(late, self._long_pause())))
            elif pause:
                await asyncio.sleep(pause)

    def _scouts(self) -> bool:
        """Ask for other zones, too, if nobody does; tell whether it does, or nobody need.

        What the scout sees first stirs the others.
        """
        if self.contact.lag is None and self.contact.scout is None:
            self.contact.scout = self
        return self.contact.lag is not None or self.contact.scout is self

    def _lateness(self) -> float:
        """Give the seconds for which a record has been due, if all took as long as the first."""
        if self.contact.lag is None or self.is_eager or not self.missing:
            return 0.0
        oldest = min(self._wanted[name].added_at for name in self.missing)
        return time.monotonic() - oldest - self.contact.lag

    async def look_again(self) -> None:
        """Ask for some records once more: the last sample is not fresh."""
        lots = random.sample(range(max(self._sharing, _LAST_LOOK)), _LAST_LOOK)
        asked = sum(lot % self._sharing == 0 for lot in lots)  # all zones together ask that many
        heard = 0
        while asked and self.is_complete and not self.is_out():
            names = random.sample(list(self._wanted), min(asked, len(self._wanted)))
            denied, answered = await self._ask([*names, *names[:1] * (asked - len(names))])
            heard += answered
            if denied or 2 * heard >= asked:
                self.sampled_at = time.monotonic()
                return
            await asyncio.sleep(max(_RESTRAINED[self._restraint][1], self._pause()))

    async def _is_a_name_server(self) -> bool:
        while not self._is_trusted:
            outcome = await obstacle(self.contact, self._zone)
            if outcome is None:
                break
            self._note([Reply(outcome)])
            if outcome is Outcome.INTERCEPTED:
                self._changed()
                return False
            await asyncio.sleep(self._pause())
        return True

    def _due(self) -> list[str]:
        """Give the names to ask for now."""
        lag = self._least_lag()
        if lag is None:
            return list(self.missing)[:1] if self.is_eager or self._until_relief() <= 0 else []
        now = time.monotonic()
        ages = {name: now - self._wanted[name].added_at for name in self.missing}
        due = [name for name, age in ages.items() if age >= lag]
        due += self._younger({name: age for name, age in ages.items() if age < lag}, lag)
        return due[: _RESTRAINED[self._restraint][0]]

    def _younger(self, ages: dict[str, float], lag: float) -> list[str]:
        """Give a record to ask for although it is not due: the lag may be less than what is known.

        The first record that is seen may have been served for long; and records may come in
        batches, however old each of them is.
        """
        if not ages or min(ages.values()) > lag - _PRECISION:
            return []  # all are due in a moment
        between = [name for name, age in ages.items() if age > self.contact.too_young]
        if between and lag - self.contact.too_young > _PRECISION:
            middle = (self.contact.too_young + lag) / 2
            return [min(between, key=lambda name: abs(ages[name] - middle))]
        if self._clock.now() >= self.contact.youngest_at:
            self.contact.youngest_at = self._clock.now() + 4 * self._pause()
            return [min(ages, key=lambda name: ages[name])]
        return []

    def _least_lag(self) -> float | None:
        known = (self._lag, self.contact.lag, self.zone_lag)
        return next((lag for lag in known if lag is not None), None)

    def _until_due(self) -> float:
        lag = self._least_lag()
        if lag is None:
            return self._until_relief()
        oldest = min(self._wanted[name].added_at for name in self.missing)
        until_oldest = oldest + lag - time.monotonic()
        until_youngest = self.contact.youngest_at - self._clock.now()
        return min(until_oldest, until_youngest) if until_youngest > 0 else until_oldest

    def _until_relief(self) -> float:
        """Give the seconds until an address is asked that is not the one asked often."""
        if self._sharing > 1:
            return (self._asked_at or self._began) + _RELIEF - self._clock.now()
        return (self._asked_at or 0.0) + _SELDOM * self._pause() - self._clock.now()

    def _pause(self) -> float:
        waited = self._clock.now() - self._began
        return min(max(_PAUSE_SHARE * waited, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def _long_pause(self) -> float:
        """Give the pause of those of many zones that leave the asking to another one."""
        return min(self._sharing * self._pause(), _RELIEF)

    async def _rest(self, seconds: float | None) -> None:
        if seconds is not None:
            seconds = max(seconds, _SHORTEST_REST)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), seconds)

    async def _take_sample(self) -> bool:
        """Ask many times at once; the address is complete if no answer lacks a value.

        :returns: whether one did, to this zone or to another one that shares the sample
        """
        sample = await self._join()
        few = 2 * self._restraint
        # Where one of them is known to be late, few questions mostly show that.
        burst = max(_MANY // sample.zones, 1) if self.contact.disagrees else _FIRST_BURST
        refused_at = math.inf
        while self.sample is sample:
            answers = sample.answers(self.contact.disagrees, few)
            of_others = min(self._good[False], answers // 3)
            lacks = answers - of_others - self._good[True]
            if lacks <= 0:
                break
            burst = min(burst, lacks)
            count = min(burst // 3, answers // 3 - of_others)
            others = random.choices(list(self._wanted), k=count)  # noqa: S311, no secret
            _, answered = await self._ask([*others, *[self._last] * (burst - count)])
            if self._is_turned_away:
                refused_at = min(refused_at, self._clock.now())
            if self._is_turned_away and self._clock.now() - refused_at < _GRACE:
                # Some machines may get the zone in a moment, as others have it.
                self._good.clear()
                burst = _MANY
                await asyncio.sleep(_LONGEST_PAUSE)
            elif 2 * answered >= burst:
                burst *= 2
            else:
                await asyncio.sleep(max(_RESTRAINED[self._restraint][1], _SHORTEST_PAUSE))
                burst = max(burst >> 2, 1)
        self.sampled_at = time.monotonic()
        await self._finish(sample)
        if self.sample is not sample:
            return True
        self.is_complete, self.complete_at = True, self._clock.now()
        self._changed()
        return False

    async def _join(self) -> Sample:
        """Take a sample with the zones at this address that are seen in a moment, too."""
        contact = self.contact
        if contact.sample is None:
            contact.sample = Sample(self._clock.now())
        self.sample = sample = contact.sample
        while not sample.zones:
            left = sample.began + _OTHER_ZONES - self._clock.now()
            if left <= 0 or all(each.sample for each in contact.followers):
                sample.unfinished = self._those_in(sample)
                contact.sample, sample.zones = None, len(sample.unfinished)
                for each in sample.unfinished:
                    each.stir()
            else:
                self._stirred.clear()
                await self._rest(left)
        return sample

    async def _finish(self, sample: Sample) -> None:
        """Wait until the other zones of a sample have their parts of it, too, or it is void."""
        sample.unfinished.remove(self)
        for other in self._those_in(sample):
            other.stir()
        while self.sample is sample and any(
            each in self.contact.followers and not each.is_out() for each in sample.unfinished
        ):
            self._stirred.clear()
            await self._rest(_LONGEST_PAUSE)

    def _those_in(self, sample: Sample | None) -> list[Following]:
        return [each for each in self.contact.followers if each.sample is sample]

    async def _ask(self, names: Sequence[str]) -> tuple[bool, int]:
        """Ask for names, all at once, and note what is served.

        :returns: whether an answer lacked a value, and how many there were with authority
        """
        asked_at = time.monotonic()
        replies = await asyncio.gather(*(self.contact.ask(name) for name in names))
        self._note(replies)
        now, before, lag = time.monotonic(), len(self.missing), self.contact.lag
        denied = []
        for name, reply in zip(names, replies):
            age = now - self._wanted[name].added_at
            is_due = name in self._untried and lag is not None and age >= lag
            counts = name not in self.missing or is_due
            if self._is_served(name, reply):
                self._good[name == self._last] += counts and asked_at >= self._counted_since
                self._seen(name, age)
            elif reply.outcome is Outcome.AUTHORITATIVE:
                denied.append((name, age, counts))
            if is_due and reply.outcome is Outcome.AUTHORITATIVE:
                self._untried.remove(name)
        # After all that was seen: of several answers for one name the worst counts.
        for name, age, counts in denied:
            self._denied(name, age, counts)
        if len(self.missing) != before:
            self.seen_at = now
            self._changed()
        return bool(denied), sum(reply.outcome is Outcome.AUTHORITATIVE for reply in replies)

    def _is_served(self, name: str, reply: Reply) -> bool:
        if len(reply.values) >= _CAP:
            cap = self._caps.get(name)
            if cap is None or cap.size != len(reply.values):
                cap = Cap(len(reply.values), set(self._wanted[name].values), self._clock.now())
                self._caps[name] = cap
            if len(cap.known) < _MOST_KNOWN:  # else somebody makes them up
                cap.seen |= reply.values
                cap.known |= reply.values
        return self._wanted[name].values <= reply.values

    def _seen(self, name: str, age: float) -> None:
        is_late = self._lag is not None and name in self.missing
        self.missing.pop(name, None)
        known, self.contact.lag = self.contact.lag, min(age, self.contact.lag or age)
        if known is None or is_late:  # other zones that are late often come with it
            for each in self.contact.followers:
                each.stir()
        if self._lag is not None:
            self._lag = min(self._lag, age)
        if age < self.contact.too_young:
            self.contact.too_young = 0.0

    def start_over(self) -> None:
        """Count good answers anew, in another sample; what was asked before counts no more."""
        self._good.clear()
        self._counted_since = time.monotonic()
        if self.sample and self.sample.zones:
            self.sample, self.is_complete = None, False
            self.stir()

    def _denied(self, name: str, age: float, counts: bool) -> None:
        if counts:
            still = (self.sample, self.contact.sample)
            for each in self.contact.followers:
                if each.sample in still:
                    each.start_over()
        if name not in self.missing:
            # It was served by another machine, or has vanished since.
            self.missing = {each: None for each in self._wanted if each in {*self.missing, name}}
            self.is_complete = False
            self.contact.disagrees = True
            self.stir()
        self.contact.too_young = max(self.contact.too_young, age)
        lag = self._least_lag()
        if lag is not None and age >= lag:
            self._lag = age + self._pause()

    def _note(self, replies: Sequence[Reply]) -> None:
        telling = [r for r in replies if r.outcome is Outcome.AUTHORITATIVE] or replies
        outcome = telling[-1].outcome
        if outcome is not self.outcome:
            logger.debug("Name server %s %s", self.server, outcome.value)
        self.outcome = outcome
        silent = sum(reply.outcome is Outcome.SILENT for reply in replies)
        if 2 * silent > len(replies) >= _MANY and self.authoritative_at is not None:
            self._restraint = min(self._restraint + 1, len(_RESTRAINED) - 1)
        elif not silent:
            self._restraint = max(self._restraint - 1, 0)
        self._is_turned_away = any(reply.outcome in _WITHOUT_THE_ZONE for reply in replies)
        if outcome is Outcome.AUTHORITATIVE:
            self.authoritative_at = self._clock.now()
            self._unanswered_since, self._unanswered_looks = None, 0
        else:
            self._unanswered_looks += 1
            if self._unanswered_since is None:
                self._unanswered_since = self._clock.now()
