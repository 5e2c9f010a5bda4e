"""Servers that never finish: a call has an end, and who asks a run to stop is heard."""

from __future__ import annotations

import signal
import time

import pytest

from tests.end_to_end.helpers import assert_issued
from tests.end_to_end.kinds import a_credentials_uri, a_role, an_instance, issue, prepared_for
from tests.end_to_end.moments import journals
from tests.world import World, until
from tests.world.cloud import Cloud
from tests.world.metadata import CredentialsUri

pytestmark = pytest.mark.newest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_is_heeded_while_a_reply_goes_on_for_ever(
    world: World, number: signal.Signals
) -> None:
    world.alidns.fault("headers", "AddDomainRecord", moment="after", times=None)
    run = world.certbot.start(*world.certonly("a.example.com", "b.example.com"))
    until(lambda: world.records.made())
    run.send(number)
    sent = time.monotonic()
    outcome = run.wait(60)
    assert not outcome.ok
    assert time.monotonic() - sent < 15
    assert not world.records.left(), str(outcome)
    assert not journals(world), str(outcome)
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize("fault", ["continues", "headers"])
def test_sts_that_never_finishes_once(world: World, fault: str) -> None:
    cloud = Cloud(world)
    prepared = prepared_for(cloud, a_role)
    cloud.sts.fault(fault)
    assert_issued(issue(world, prepared.settings), world, "example.com")
    assert len(cloud.sts.asked) == 2


def test_a_metadata_service_that_never_finishes_once(world: World) -> None:
    cloud = Cloud(world)
    prepared = prepared_for(cloud, an_instance)
    assert cloud.metadata
    cloud.metadata.fault("headers")
    outcome = issue(world, prepared.settings)
    assert_issued(outcome, world, "example.com")
    assert outcome.seconds < 45


def test_a_credentials_uri_that_never_finishes_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[CredentialsUri] = []
    make = Cloud.uri
    monkeypatch.setattr(Cloud, "uri", lambda *about: pages.append(make(*about)) or pages[0])
    prepared = prepared_for(Cloud(world), a_credentials_uri)
    pages[0].fault("extensions")
    outcome = issue(world, prepared.settings)
    assert_issued(outcome, world, "example.com")
    assert outcome.seconds < 45
