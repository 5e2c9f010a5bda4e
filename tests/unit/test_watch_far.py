"""Waiting for name servers as they are: far, on lossy lines, with many addresses, and odd."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Coroutine
from typing import Any, Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certbot_dns_aliyun.propagation.question import NameServer, Outcome
from certbot_dns_aliyun.propagation.watch import Limits
from certbot_dns_aliyun.propagation.wire import Way
from certbot_dns_aliyun.propagation.words import progress_line
from tests.unit.fake_servers import Server, Servers, Serves, after, between
from tests.unit.fake_time import START, Clock
from tests.unit.watching import ZoneWatch, a_watch, nothing_else, watching

LIMITS = Limits(longest=600, blind=30, others=60)
YES, SILENT = Outcome.AUTHORITATIVE, Outcome.SILENT
LAGS = (1.0, 2.0)
#: Records are added one after the other; Alidns takes some fifty a second.
APART = 0.02


def name_of(number: int) -> str:
    return f"_acme-challenge.host{number}.example.com"


def watch(
    clock: Clock, servers: list[Server], names: int = 1, values: int = 1, **more: Any
) -> tuple[ZoneWatch, Servers]:
    """Watches servers with two names, from the moment at which the last record is in the zone."""
    wanted = {
        name_of(i): frozenset(f"value-{i}-{each:02d}" for each in range(values))
        for i in range(names)
    }
    added_at = {name: START + number * APART for number, name in enumerate(wanted)}
    addresses = [f"192.0.2.{i + 1}" for i in range(len(servers))]
    fake = Servers(clock, wanted, dict(zip(addresses, servers)), added_at=added_at)
    named = [
        NameServer(f"dns{1 + 2 * i // len(servers)}.hichina.com", address)
        for i, address in enumerate(addresses)
    ]
    clock.now = max(added_at.values())
    zone = a_watch(named, wanted, more.pop("limits", LIMITS), added_at=added_at, **more)
    with fake.in_place():
        clock.run(watching(zone))
    return zone, fake


def far_away(seconds: float, loss: float, addresses: int = 16) -> list[Server]:
    return [
        Server([after(LAGS[2 * i // addresses])], seconds=seconds, loss=loss)
        for i in range(addresses)
    ]


@pytest.mark.parametrize("names", [1, 2, 10, 100])
@pytest.mark.parametrize("loss", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("seconds", [0.001, 0.03, 0.2])
def test_the_end_comes_soon_after_the_lag_and_takes_no_more_questions_than_promised(
    clock: Clock, seconds: float, loss: float, names: int
) -> None:
    zone, fake = watch(clock, far_away(seconds, loss), names)
    assert zone.served_since
    assert not zone.incomplete
    last_served = (names - 1) * APART + max(LAGS)
    assert last_served <= clock.elapsed < last_served + 0.6 + 10 * seconds + 20 * loss
    budget = names * 16 * 1.3 + 40 * 16
    assert fake.questions <= budget * (2 if loss else 1)


@pytest.mark.parametrize("names", [1, 2, 10, 100])
def test_the_budget_holds_for_two_addresses_too(clock: Clock, names: int) -> None:
    zone, fake = watch(clock, far_away(0.001, 0.0, addresses=2), names)
    assert zone.served_since
    assert fake.questions <= names * 2 * 1.3 + 40 * 2


def test_what_is_served_is_ticked_off_while_the_slowest_is_waited_for(clock: Clock) -> None:
    zone, fake = watch(clock, [Server([after(1.0)]), Server([after(30.0)])], names=100)
    assert zone.served_since
    at_the_end = [at for at in fake.servers["192.0.2.1"].times if at > 29.0]
    assert len(at_the_end) <= 8
    slow = fake.servers["192.0.2.2"]
    for number in range(0, 100, 10):
        first = slow.times[slow.names.index(name_of(number))]
        assert first <= 30.0 + number * APART + 3.0


def test_the_last_look_at_others_takes_no_round_trip_of_its_own(clock: Clock) -> None:
    """They are asked again while the slowest one is sampled."""
    _, fake = watch(clock, [Server([after(0.0)], seconds=0.5), Server([after(4.0)], seconds=0.5)])
    fast, slow = (server.times[-1] for server in fake.servers.values())
    assert clock.elapsed - slow < 0.7
    assert 0 < clock.elapsed - fast < 0.7


def test_a_look_that_has_become_old_meanwhile_is_taken_again(clock: Clock) -> None:
    """Sampling the slowest takes long, as most of its answers get lost."""
    servers = [Server([after(0.0)]), Server([after(4.0)], loss=0.9)]
    _, fake = watch(clock, servers)
    fast, slow = (server.times for server in fake.servers.values())
    assert slow[-1] - slow[0] > 5
    assert clock.elapsed - fast[-1] < 1.2


def test_nobody_is_asked_too_often(clock: Clock) -> None:
    _, fake = watch(clock, far_away(0.001, 0.05), names=100)
    every = sorted(at for server in fake.servers.values() for at in server.all_times)
    assert most_in_a_second(every) <= 1010
    assert max(most_in_a_second(s.all_times) for s in fake.servers.values()) <= 260


def most_in_a_second(times: list[float]) -> int:
    return max(sum(at <= each < at + 1.0 for each in times) for at in times)


def zones_at_the_same(
    servers: list[Server], clock: Clock, names: int, each: int, limits: Limits = LIMITS
) -> tuple[list[ZoneWatch], Servers, dict[ZoneWatch, float]]:
    """Zones with some of the names each, at the same servers; and when their watches ended."""
    at = {f"192.0.2.{i + 1}": server for i, server in enumerate(servers)}
    named = [NameServer("dns1.hichina.com", address) for address in at]
    wanted = {name_of(i): frozenset({f"value-{i}"}) for i in range(names)}
    added_at = {name: START + i * APART for i, name in enumerate(wanted)}
    contacts: dict[str, Any] = {}
    zones = [
        a_watch(
            named,
            {name: wanted[name] for name in list(wanted)[first : first + each]},
            limits,
            added_at,
            contacts=contacts,
            sharing=dict.fromkeys(at, names // each),
            second_opinion=nothing_else,
        )
        for first in range(0, names, each)
    ]
    ended: dict[ZoneWatch, float] = {}

    def noting(zone: ZoneWatch) -> Callable[[], Coroutine[Any, Any, None]]:
        run = zone.run

        async def noted() -> None:
            await run()
            ended[zone] = clock.elapsed

        return noted

    for zone in zones:
        zone.run = noting(zone)  # type: ignore[method-assign]
    fake = Servers(clock, wanted, at, added_at=added_at)
    with fake.in_place():
        clock.run(watching(*zones))
    return zones, fake, ended


@pytest.mark.parametrize("seconds", [0.001, 0.03, 0.2])
@pytest.mark.parametrize(("names", "each"), [(100, 10), (100, 1), (10, 1), (4, 2)])
def test_zones_that_share_their_name_servers_share_the_budget(
    clock: Clock, names: int, each: int, seconds: float
) -> None:
    zones, fake, _ = zones_at_the_same(far_away(seconds, 0.0), clock, names, each)
    assert all(zone.served_since for zone in zones)
    last_served = (names - 1) * APART + max(LAGS)
    assert last_served <= clock.elapsed < last_served + 0.6 + 10 * seconds
    assert fake.questions <= names * 16 * 1.3 + 40 * 16


@pytest.mark.parametrize(
    ("names", "each", "addresses"),
    [
        *[(1, 1, 1), (20, 20, 1), (100, 100, 1), (100, 100, 2)],
        *[(3, 1, 1), (8, 1, 1), (24, 1, 1), (24, 1, 2), (24, 2, 1), (60, 1, 1)],
    ],
)
def test_a_machine_that_is_late_is_hardly_ever_missed(
    names: int, each: int, addresses: int
) -> None:
    """However large the order is, and however many zones it has at the same addresses."""
    missed = 0
    for seed in range(20):
        random.seed(seed)
        by_chance, machines = random.Random(seed), [after(1.0)] * 3 + [after(6.0)]
        servers = [Server(machines, by_chance=by_chance) for _ in range(addresses)]
        clock = Clock()
        with clock.in_place():
            zones, _, ended = zones_at_the_same(servers, clock, names, each)
        late = (6.0 + number * APART for number in range(each - 1, names, each))
        missed += any(ended[zone] < served_at for zone, served_at in zip(zones, late))
    assert missed <= 1


@pytest.mark.parametrize(
    ("machines", "late"),
    [([after(10.0), after(13.0)], 13.0), ([after(1.0), after(5.0)], 5.0)],
    ids=["after_all_others", "one_machine"],
)
@pytest.mark.parametrize(("zones", "addresses"), [(2, 1), (2, 2), (10, 2), (10, 4)])
def test_what_is_served_of_other_zones_says_nothing_of_one(
    machines: list[Serves], late: float, zones: int, addresses: int
) -> None:
    """Each zone is copied by itself."""
    missed = 0
    for seed in range(10):
        random.seed(seed)
        by_chance, clock = random.Random(seed), Clock()
        servers = [
            Server([after(1.0)] * 2, by_chance=by_chance, machines_for={name_of(0): machines})
            for _ in range(addresses)
        ]
        with clock.in_place():
            (first, *_), _, ended = zones_at_the_same(servers, clock, zones, 1)
        assert first.served_since
        missed += ended[first] < late
    assert missed <= 2


def test_who_falls_silent_when_all_was_seen_holds_up_no_zone_longer_than_one(clock: Clock) -> None:
    """As name servers do that limit their rate."""
    dies = Server([after(1.0)], outcome=lambda elapsed: SILENT if elapsed > 1.3 else YES)
    zones, _, _ = zones_at_the_same([Server([after(1.0)]), dies], clock, 20, 1)
    assert all(zone.served_since for zone in zones)
    assert clock.elapsed < 13


@pytest.mark.parametrize("blind", [5, 30])
def test_a_zone_that_nobody_was_asked_for_yet_is_not_blind(clock: Clock, blind: int) -> None:
    """As long as one zone asks for all that share an address."""
    limits = Limits(longest=600, blind=blind, others=60)
    servers = [Server([after(9.0)]) for _ in range(2)]
    zones, _, _ = zones_at_the_same(servers, clock, 30, 1, limits)
    assert all(zone.served_since for zone in zones)


def test_zones_that_are_late_are_asked_for_less_and_less_often(clock: Clock) -> None:
    """One of them may have been there before, and show how soon a record can be served."""
    servers = [Server([after(30.0)], machines_for={name_of(0): [after(0.0)]}) for _ in range(4)]
    zones, fake, _ = zones_at_the_same(servers, clock, 30, 1)
    assert all(zone.served_since for zone in zones)
    assert 30.0 < clock.elapsed < 32.5
    assert fake.questions < 2500


@pytest.mark.parametrize("outcome", [Outcome.REFUSING, Outcome.NOT_AUTHORITATIVE])
def test_machines_that_do_not_have_the_zone_yet_are_waited_for_some_seconds(
    clock: Clock, outcome: Outcome
) -> None:
    number = itertools.count()
    server = Server(
        [after(1.0)],
        outcome=lambda elapsed: outcome if elapsed < 5.0 and next(number) % 2 else YES,
    )
    zone, _ = watch(clock, [server])
    assert zone.served_since
    assert 5.0 <= clock.elapsed < 8.0


@pytest.mark.parametrize("rate", [10, 20])
@pytest.mark.parametrize("over", [Outcome.REFUSING, Outcome.FAILING, SILENT])
def test_who_limits_its_rate_is_waited_for_some_seconds_however_it_says_so(
    clock: Clock, rate: int, over: Outcome
) -> None:
    servers = [Server([after(1.0)], rate_limit=rate, over_rate=over) for _ in range(2)]
    zone, fake = watch(clock, servers)
    assert zone.served_since
    assert clock.elapsed < 25
    assert fake.questions < 1000


@pytest.mark.parametrize(("names", "addresses", "lacking"), [(50, 2, 1), (50, 2, 3), (100, 1, 1)])
def test_a_machine_that_lacks_the_last_records_alone_is_hardly_ever_missed(
    names: int, addresses: int, lacking: int
) -> None:
    """It copies in batches, and one ended just before."""
    missed = 0
    for seed in range(20):
        random.seed(seed)
        by_chance, late = random.Random(seed), [after(10.0), *[after(1.0)] * 3]
        last = {name_of(number): late for number in range(names - lacking, names)}
        servers = [
            Server([after(1.0)], by_chance=by_chance, machines_for=last) for _ in range(addresses)
        ]
        clock = Clock()
        with clock.in_place():
            zones_at_the_same(servers, clock, names, names)
        missed += clock.elapsed < 10.0
    assert missed <= 2


def test_a_zone_that_no_address_serves_holds_up_no_other_at_the_same(clock: Clock) -> None:
    """It may be the one that asks for all of them."""
    servers = far_away(0.03, 0.0)
    for server in servers:
        server.served_at[name_of(0)] = 300.0
    (first, *others), _, ended = zones_at_the_same(servers, clock, 10, 1)
    assert ended[first] > 300
    assert max(ended[zone] for zone in others) < max(LAGS) + 2


def test_records_that_come_in_batches_are_seen_when_they_come(clock: Clock) -> None:
    """Some zones are copied every so many seconds, the oldest record and the youngest at once."""
    served_at = {name_of(number): 10.0 for number in range(100)}
    servers = [Server([after(0)], served_at=served_at) for _ in range(4)]
    zone, _ = watch(clock, servers, names=100)
    assert zone.served_since
    assert 10.0 <= clock.elapsed < 12.5


def test_one_datagram_that_gets_lost_costs_no_server_whose_tcp_is_closed(clock: Clock) -> None:
    lost = [3.0]

    def lose_one(elapsed: float) -> Outcome:
        if lost and elapsed > lost[0]:
            lost.pop()
            return Outcome.SILENT
        return Outcome.AUTHORITATIVE

    late = Server([after(20.0)], ways=[Way.UDP, Way.PLAIN], outcome=lose_one)
    zone, _ = watch(clock, [Server(), late])
    assert not lost
    assert not zone.incomplete
    assert 20.0 <= clock.elapsed < 23.0


@pytest.mark.parametrize("first", [Way.UDP, Way.TCP])
def test_the_other_way_is_gone_when_one_fails_and_back_again(clock: Clock, first: Way) -> None:
    second = {Way.UDP: Way.TCP, Way.TCP: Way.UDP}[first]
    server = Server([after(60.0)])
    server.ways_at = lambda elapsed: [first] if elapsed < 10 or elapsed > 30 else [second]
    zone, _ = watch(clock, [Server(), server])
    assert zone.served_since
    assert not zone.incomplete
    assert 60.0 <= clock.elapsed < 66.0


def test_an_answer_that_takes_longer_than_the_first_time_out_is_waited_for(clock: Clock) -> None:
    zone, _ = watch(clock, [Server([after(1.0)], seconds=1.8), Server()])
    assert zone.served_since
    assert not zone.incomplete
    assert clock.elapsed < 20


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.FAILING, "fails to answer (SERVFAIL)"),
        (Outcome.REFUSING, "refuses to answer (REFUSED)"),
        (Outcome.CUT, "none over TCP"),
    ],
)
def test_each_way_of_not_answering_has_its_own_words(
    clock: Clock, outcome: Outcome, words: str
) -> None:
    zone, _ = watch(clock, [Server(), Server(for_records=outcome)])
    assert zone.served_since
    assert words in zone.lacking
    assert clock.elapsed < 14


def test_a_failure_now_and_then_is_nothing(clock: Clock) -> None:
    flaky = Server(
        [after(5.0)],
        outcome=lambda elapsed: (
            Outcome.FAILING if int(elapsed * 10) % 3 == 0 else Outcome.AUTHORITATIVE
        ),
    )
    zone, _ = watch(clock, [Server(), flaky], names=5)
    assert zone.served_since
    assert not zone.incomplete
    assert clock.elapsed < 9


def test_what_answers_for_everybody_is_asked_for_no_record(clock: Clock) -> None:
    boxed = [Server(is_behind_a_middlebox=True) for _ in range(4)]
    zone, fake = watch(clock, boxed, second_opinion=nothing_else)
    assert zone.is_blind
    assert not any(server.times for server in fake.servers.values())
    assert "something in between" in zone.lacking
    assert 30 <= clock.elapsed < 32


def test_a_name_server_that_the_user_named_needs_no_proof(clock: Clock) -> None:
    _, fake = watch(clock, [Server()])
    (trusted,) = fake.servers.values()
    assert len(trusted.all_times) == len(trusted.times), "not even asked whether it is one"


@pytest.mark.parametrize("first", range(0, 20, 4))
def test_of_many_machines_none_is_missed_once_they_were_seen_to_disagree(
    clock: Clock, first: int
) -> None:
    """The usual sample asks about half of them: it finds one of the two that are late, or both."""
    machines = [after(1.0)] * 40
    machines[first], machines[first + 20] = after(5.0), after(10.0)
    zone, _ = watch(clock, [Server(machines)])
    assert zone.served_since
    assert 10.0 <= clock.elapsed < 14.0


def test_a_machine_that_is_late_is_waited_for_with_few_questions(clock: Clock) -> None:
    zone, fake = watch(clock, [Server([after(1.0), after(20.0)])])
    assert zone.served_since
    assert fake.questions < 800


@pytest.mark.parametrize(
    ("in_turn", "words"),
    [(True, "gives only 8 of at least 12 TXT values"), (False, "does not serve the value yet")],
)
def test_other_values_each_time_show_at_once_that_they_are_never_all_given(
    clock: Clock, in_turn: bool, words: str
) -> None:
    """The same ones each time may be those that a server has that is late."""
    capped = Server(most_values=8, in_turn=in_turn)
    zone, _ = watch(clock, [capped], values=12, limits=Limits(5.0, 5.0, 5.0))
    assert words in zone.lacking


@pytest.mark.parametrize("in_turn", [False, True], ids=["always_the_same", "in_turn"])
def test_a_server_that_gives_eight_values_and_no_more_is_told(clock: Clock, in_turn: bool) -> None:
    capped = [Server(most_values=8, in_turn=in_turn) for _ in range(4)]
    zone, _ = watch(clock, capped, values=12)
    assert not zone.served_since
    assert zone.unserved == {name_of(0)}
    assert zone.caps[name_of(0)].size == 8
    assert len(zone.caps[name_of(0)].known) == 12
    assert "gives only 8 of at least 12 TXT values" in zone.lacking
    assert clock.elapsed < 125, "they will not come"


def test_old_values_that_crowd_out_ours_are_told(clock: Clock) -> None:
    old = frozenset(f"a-value-of-2023-{number}" for number in range(9))
    zone, _ = watch(clock, [Server(most_values=8, others=old)])
    assert zone.caps[name_of(0)].size == 8
    assert len(zone.caps[name_of(0)].known) == 9, "those that it gives, and ours"
    assert zone.unserved == {name_of(0)}


def test_ours_are_not_waited_for_where_others_come_in_their_turn(clock: Clock) -> None:
    old = frozenset(f"a-value-of-2023-{number:02d}" for number in range(20))
    crowded = Server([after(9999)], most_values=8, in_turn=True, others=old)
    zone, _ = watch(clock, [crowded])
    assert zone.unserved == {name_of(0)}
    assert clock.elapsed < 125, "as long as for whatever may never come"


def test_many_values_that_are_merely_late_are_waited_for(clock: Clock) -> None:
    old = frozenset(f"a-value-of-2023-{number}" for number in range(9))
    zone, _ = watch(clock, [Server([after(200.0)], others=old)], values=12)
    assert zone.served_since
    assert 200 <= clock.elapsed < 206


@pytest.mark.parametrize("stops_at", [0.5, 5.0, 39.0, 120.0, 590.0])
def test_who_was_stopped_for_an_hour_looks_again_before_judging(
    clock: Clock, stops_at: float
) -> None:
    stops = [stops_at]

    def stand_still(elapsed: float) -> Outcome:
        if stops and elapsed >= stops[0]:
            stops.pop()
            clock.sleep(3600.0)
        return Outcome.AUTHORITATIVE

    servers = [Server([after(3000.0)], outcome=stand_still), Server([after(1.0)])]
    zone, _ = watch(clock, servers)
    assert not stops
    assert zone.served_since
    assert not zone.incomplete
    assert clock.elapsed < stops_at + 3605


def test_progress_names_the_slowest(clock: Clock) -> None:
    zone, _ = watch(clock, [Server(), Server([after(9999)])], names=3, limits=Limits(5.0, 5.0, 5.0))
    line = progress_line([zone], 5.0)
    assert line == "1 of 2 addresses serve all records, 5.0 s, waiting for dns2.hichina.com"


vices = st.fixed_dictionaries(
    {
        "machines": st.lists(st.floats(0, 40).map(after), min_size=1, max_size=3),
        "seconds": st.sampled_from([0.001, 0.03, 0.2, 0.8, 1.8]),
        "loss": st.sampled_from([0.0, 0.0, 0.05, 0.2, 0.4]),
        "ways": st.sampled_from([list(Way), [Way.UDP, Way.PLAIN], [Way.TCP], [Way.PLAIN], []]),
        "fails": st.sampled_from([None, (3, 6), (0, 2), (10, 25), (0, 10_000)]),
        "how": st.sampled_from([Outcome.FAILING, Outcome.REFUSING, Outcome.SILENT, Outcome.CUT]),
        "vanishes": st.sampled_from([None, None, (1.0, 9.0), (5.0, 30.0)]),
        "rate_limit": st.sampled_from([None, None, None, 20]),
    }
)


def vicious(vice: dict[str, Any]) -> Server:
    first, last = vice["fails"] or (math.inf, math.inf)
    machines = vice["machines"]
    if vice["vanishes"]:
        gone, back = vice["vanishes"]
        machines = [*machines, between((0.0, gone), (back, math.inf))]
    return Server(
        machines,
        outcome=lambda elapsed: vice["how"] if first <= elapsed < last else Outcome.AUTHORITATIVE,
        seconds=vice["seconds"],
        loss=vice["loss"],
        ways=vice["ways"],
        rate_limit=vice["rate_limit"],
    )


SLOW_AND_VANISHING = vicious(
    {
        "machines": [after(0.0)],
        "seconds": 1.8,
        "loss": 0.05,
        "ways": list(Way),
        "fails": None,
        "how": Outcome.FAILING,
        "vanishes": (5.0, 30.0),
        "rate_limit": None,
    }
)


@settings(max_examples=settings.default.max_examples // 2)
@example(servers=[SLOW_AND_VANISHING], names=1)
@given(servers=st.lists(vices.map(vicious), min_size=1, max_size=4), names=st.integers(1, 12))
def test_whatever_they_do_it_ends_in_time_and_never_says_served_too_early(
    servers: list[Server], names: int
) -> None:
    clock = Clock()
    with clock.in_place():
        limits = Limits(longest=120, blind=30, others=60)
        zone, fake = watch(clock, servers, names, limits=limits)
        assert clock.elapsed < 150
        complete = {server.address for server in zone.complete}
        if zone.served_since:
            assert complete
        for address, server in fake.servers.items():
            if zone.served_since and address in complete:
                # What vanishes while its answer is on the way, or none comes, nobody can know.
                ago = clock.elapsed if server.is_bad else server.seconds + 1.0
                looks = [max(clock.elapsed - part * ago / 100, 0.0) for part in range(101)]
                assert all(any(map(machine, looks)) for machine in server.machines)
            elif zone.served_since:
                assert server.is_bad, "nobody who answers may be left out"
