"""What somebody else put into the zone stays there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.end_to_end.helpers import MakeWorld, assert_issued, values_at
from tests.world import Key, World, until

OTHERS = ["another host's validation value", "google-site-verification=abc", "v=spf1 -all"]


def at_each_add(
    world: World,
    patch: pytest.MonkeyPatch,
    before: Callable[[str, str], None] = lambda rr, value: None,
    after: Callable[[str, str], None] = lambda rr, value: None,
) -> None:
    """Do something with RR and value of AddDomainRecord, before or after the API acts on it."""
    act = world.alidns.actions.act

    def act_among_others(action: str, key: Key, params: Mapping[str, str]) -> dict[str, Any]:
        if action != "AddDomainRecord":
            return act(action, key, params)
        before(params["RR"], params["Value"])
        reply = act(action, key, params)
        after(params["RR"], params["Value"])
        return reply

    patch.setattr(world.alidns.actions, "act", act_among_others)


@pytest.mark.newest
def test_other_values_at_the_validation_name_stay(world: World) -> None:
    world.records.add_strangers("example.com", [("_acme-challenge", value) for value in OTHERS])
    outcome = world.issue("example.com", "*.example.com")
    assert_issued(outcome, world, "example.com", "*.example.com")
    assert values_at(world, "_acme-challenge") == OTHERS


def test_a_value_that_was_there_already_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[str] = []

    def put_it_there(rr: str, value: str) -> None:
        put.append(value)
        world.records.add_stranger("example.com", rr, value)

    at_each_add(world, monkeypatch, before=put_it_there)
    assert_issued(world.issue("example.com"), world, "example.com")
    assert len(put) == 1
    assert values_at(world, "_acme-challenge") == put
    assert not world.records.made()


@pytest.mark.newest
def test_of_two_values_only_the_one_that_was_there_already_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[str] = []

    def put_one_there(rr: str, value: str) -> None:
        if not put:
            put.append(value)
            world.records.add_stranger("example.com", rr, value)

    at_each_add(world, monkeypatch, before=put_one_there)
    outcome = world.issue("example.com", "*.example.com")
    assert_issued(outcome, world, "example.com", "*.example.com")
    assert values_at(world, "_acme-challenge") == put


@pytest.mark.newest
def test_values_that_resemble_ours_stay_when_ours_must_be_looked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API's search is fuzzy and blind to case, and lists the newest first."""

    def surround(rr: str, value: str) -> None:
        for other in (value + "x", "x" + value, value.swapcase()):
            world.records.add_stranger("example.com", rr, other)
            world.records.add_stranger("example.com", rr + ".www", other)
        world.records.add_stranger("example.com", rr + "x", value)
        world.records.add_stranger("example.com", "x" + rr, value)

    at_each_add(world, monkeypatch, after=surround)
    world.alidns.fault("close", "AddDomainRecord", moment="after")
    assert_issued(world.issue("example.com"), world, "example.com")
    assert len(values_at(world, "_acme-challenge")) == 3


@pytest.mark.newest
def test_other_types_at_the_validation_name_stay(world: World) -> None:
    world.records.add_stranger("example.com", "_acme-challenge", "127.0.0.9", type="A")
    world.records.add_stranger("example.com", "_acme-challenge", "mail.example.net", type="MX")
    assert_issued(world.issue("example.com"), world, "example.com")
    assert len(values_at(world, "_acme-challenge")) == 2


@pytest.mark.newest
def test_what_somebody_adds_while_we_wait_stays(make_world: MakeWorld) -> None:
    world = make_world(lags=(1.0,))
    run = world.certbot.start(*world.certonly("example.com"))
    until(lambda: world.records.made())
    world.records.add_stranger("example.com", "_acme-challenge", "of another host")
    assert_issued(run.wait(), world, "example.com")
    assert values_at(world, "_acme-challenge") == ["of another host"]
