"""Every fault at every call: the certificate is issued or the sentence is right, and the zones
are as they were. What is expected stands in fault_table.py, and for readers in docs/faults.rst."""

from __future__ import annotations

import pytest

from tests.end_to_end.helpers import MakeWorld
from tests.world import Key, Server, World, zone_policy

from . import fault_table as table

SHORT = {action: word for word, action in table.ACTIONS.items()}  # "add" is after "look-up"

pytestmark = pytest.mark.newest


def name_of(zone: str) -> str:
    return f"_acme-challenge.{zone}"


@pytest.mark.parametrize("moment", table.MOMENTS)
@pytest.mark.parametrize("place", table.PLACES)
def test_faults_that_pass_cost_calls_but_no_certificate(
    make_world: MakeWorld, place: str, moment: str
) -> None:
    rows = [row for row in table.PASSING if row.calls[place, moment] != table.NO_CASE]
    zones = [row.zone for row in rows]
    servers = [Server(lag=0.2), Server(lag=0.3)]
    world = make_world(dict.fromkeys(zones, servers), keys=[Key(zone_policy(*zones))])
    for row in rows:
        world.records.add_stranger(row.zone, "_acme-challenge", "a stranger's value")
        plan(world, row, place, moment)

    outcome = world.issue(*zones, options=["--dns-aliyun-propagation-seconds", 2])

    assert outcome.ok, str(outcome)
    assert world.certbot.names(zones[0]) == sorted(zones)
    observed = {row.what: taken(world, row.zone, place) for row in rows}
    print(f"\n{place}, {moment} the server acts")
    print("\n".join(f"  {what:40} {calls}" for what, calls in observed.items()))
    assert observed == {row.what: row.calls[place, moment] for row in rows}
    assert all(len(world.records.made(row.zone)) == 1 for row in rows)
    assert "left" not in outcome.stderr, str(outcome)


def plan(world: World, row: table.Passing, place: str, moment: str) -> None:
    zone = row.zone
    if place == "look-up":  # then public DNS must not tell the zone
        world.resolver.lie(zone, "SOA")
        world.resolver.lie("example", "NS")
        zone = name_of(zone)
    if place == "list":
        world.alidns.fault("reset", "AddDomainRecord", moment="after", zone=zone)
    world.alidns.fault(row.kind, table.ACTIONS[place], moment=moment, zone=zone, **row.more)


def taken(world: World, zone: str, place: str) -> str:
    """The calls that the fault made necessary, up to where things went on as ever."""
    about = name_of(zone) if place == "look-up" else zone
    calls = [call for call in world.alidns.calls if call.zone == about]
    hit = next(c for c in calls if c.fault and c.action == table.ACTIONS[place])
    later = [call.action for call in calls[calls.index(hit) + 1 :]]
    if place != "delete":
        later = [action for action in later if action != "DeleteDomainRecord"]
    return ", ".join(SHORT[action] for action in later) or "none"


#: Each code at one place, and one code at each; the others are much alike.
LASTING = [
    pytest.param(
        row,
        place,
        marks=() if place == "delete" or row is table.LASTING[0] else pytest.mark.nightly,
        id=f"{row.code}-{place}",
    )
    for row in table.LASTING
    for place in table.PLACES[1:]
]


@pytest.mark.parametrize(("row", "place"), LASTING)
def test_what_lasts_is_told_and_what_is_left_is_named(
    world: World, row: table.Lasting, place: str
) -> None:
    expected = row.outcomes[table.PLACES.index(place) - 1]
    world.records.add_stranger("example.com", "_acme-challenge", "a stranger's value")
    if place == "list":
        world.alidns.fault("reset", "AddDomainRecord", moment="after")
    world.alidns.fault("code", table.ACTIONS[place], times=None, code=row.code)

    outcome = world.issue("example.com")

    observed = "issued" if outcome.ok else "refused"
    left = world.records.left()
    for record in left:
        observed += "; record named"
        assert names(record, outcome.text), str(outcome)
    assert observed == expected, str(outcome)
    says = (
        row.says
        if (row.code, place) != ("Forbidden.RAM", "list")
        else "alidns:DescribeDomainRecords"
    )
    assert says in outcome.text, str(outcome)
    assert len(world.alidns.calls_of(table.ACTIONS[place])) <= 3
    if left:
        world.alidns.faults.clear()
        assert world.issue("other.example.com").ok
        assert not world.records.left()


def names(record: object, text: str) -> bool:
    zone, rr, value = record.zone, record.rr, record.value  # type: ignore[attr-defined]
    where = record.id in text or "https://dns.console.aliyun.com/" in text  # type: ignore[attr-defined]
    return all(word in text for word in (zone, rr, value)) and where


def test_the_table_in_the_documentation_is_this_one() -> None:
    assert table.DOCUMENT.read_text() == table.document()
