"""The moments of a run at which it may be interrupted, and what the next run must do then."""

from __future__ import annotations

from pathlib import Path

from tests.world import Outcome, World, until
from tests.world.certbot import Run

NAMES = [f"n{number}.example.com" for number in range(6)]


def before_the_first_add(world: World) -> Run:
    world.resolver.behave("hang")
    run = world.certbot.start(*world.certonly(*NAMES))
    until(lambda: any(query.type == "SOA" for query in world.resolver.queries))
    assert not world.alidns.calls
    world.resolver.behave("ok")
    return run


def while_adding(world: World) -> Run:
    world.alidns.call_seconds = 0.7
    run = world.certbot.start(*world.certonly(*NAMES))
    until(lambda: len(world.records.made()) >= 2)
    return run


def while_waiting(world: World) -> Run:
    next(iter(world.nameservers.delegations["example.com"])).behaviour = "silent"
    run = world.certbot.start(*world.certonly(*NAMES))
    until(lambda: "Waiting until" in run.screen())
    return run


def while_deleting(world: World) -> Run:
    run = world.certbot.start(*world.certonly(*NAMES))
    until(lambda: len(world.records.made()) == len(NAMES))
    world.alidns.call_seconds, world.alidns.one_write_at_a_time = 0.4, True
    until(lambda: world.alidns.calls_of("DeleteDomainRecord"))
    return run


MOMENTS = [before_the_first_add, while_adding, while_waiting, while_deleting]


def journals(world: World) -> list[Path]:
    return list((world.certbot.config_dir / "dns-aliyun").glob("*.journal"))


def clean_up_by_the_next_run(world: World, set_aside: int = 0) -> Outcome:
    """Another lineage is issued, and all that the one before left is gone."""
    world.alidns.call_seconds, world.alidns.one_write_at_a_time = 0.0, False
    for server in world.nameservers.delegations["example.com"]:
        server.behaviour = "ok"
    outcome = world.issue("other.example.com")
    assert outcome.ok, str(outcome)
    assert not world.records.left(), str(outcome)
    assert not journals(world), str(outcome)
    assert "could not be removed" not in outcome.text, str(outcome)
    assert "may be left" not in outcome.text, str(outcome)
    return outcome
