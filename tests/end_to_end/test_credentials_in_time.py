"""Temporary keys that run out, or are taken away, in the middle; services that fail for a while.

The clean-up comes minutes after the adding, in practice; here the name servers are some seconds
behind, and the keys live for less.
"""

from __future__ import annotations

import pytest

from tests.end_to_end.helpers import MakeWorld, actions, assert_issued, assert_refused, screen
from tests.end_to_end.kinds import (
    Kind,
    Prepared,
    a_credentials_uri,
    a_role,
    an_instance,
    ini,
    issue,
    prepared_for,
)
from tests.world import Key, World, until, zone_policy
from tests.world.cloud import Cloud
from tests.world.metadata import KEYS, TOKEN
from tests.world.sts import Role

pytestmark = pytest.mark.newest

TEMPORARY = [a_role, an_instance, a_credentials_uri]


def role_of(prepared: Prepared) -> Role:
    assert prepared.role is not None
    return prepared.role


@pytest.fixture
def slow(make_world: MakeWorld) -> World:
    """A world where there are at least four seconds between adding and clean-up."""
    return make_world(lags=(4.0, 0.2))


@pytest.mark.parametrize("kind", TEMPORARY)
def test_a_key_is_renewed_before_it_runs_out(slow: World, kind: Kind) -> None:
    prepared = prepared_for(Cloud(slow), kind)
    role_of(prepared).lifetime = 4.0
    assert_issued(issue(slow, prepared.settings), slow, "example.com")
    assert [call.code for call in slow.alidns.calls] == ["OK", "OK"], "no key was ever refused"
    assert len({call.key_id for call in slow.alidns.calls}) == 2


@pytest.mark.parametrize("kind", TEMPORARY)
def test_a_key_that_ran_out_before_its_time_is_replaced(slow: World, kind: Kind) -> None:
    prepared = prepared_for(Cloud(slow), kind)
    role_of(prepared).really = 3.0
    assert_issued(issue(slow, prepared.settings), slow, "example.com")
    assert "InvalidSecurityToken.Expired" in [call.code for call in slow.alidns.calls]


def test_a_token_of_the_file_that_runs_out_leaves_the_record_and_names_it(slow: World) -> None:
    slow.leaves_records = True
    key = slow.add_key(Key.temporary(policy=zone_policy("example.com")))
    run = slow.certbot.start(*slow.certonly("example.com", ini=slow.credentials_ini(key)))
    until(slow.records.made)
    key.token_expires = 0.0
    outcome = run.wait(60)
    (left,) = slow.records.left()
    assert "InvalidSecurityToken.Expired" in screen(outcome)
    assert left.value in screen(outcome)
    assert f"--RecordId {left.id}" in screen(outcome)


def test_a_session_that_is_revoked_is_begun_anew(slow: World) -> None:
    prepared = prepared_for(Cloud(slow), a_role)
    role = role_of(prepared)
    run = slow.certbot.start(*slow.certonly("example.com", ini=ini(slow, prepared.settings)))
    until(lambda: slow.records.made())
    role.revoke_sessions()
    assert_issued(run.wait(60), slow, "example.com")
    assert len(role.sessions) == 2


def test_a_role_that_is_deleted_meanwhile_leaves_the_record_and_names_it(slow: World) -> None:
    slow.leaves_records = True
    cloud = Cloud(slow)
    prepared = prepared_for(cloud, a_role)
    run = slow.certbot.start(*slow.certonly("example.com", ini=ini(slow, prepared.settings)))
    until(lambda: slow.records.made())
    role_of(prepared).revoke_sessions()
    cloud.sts.roles.clear()
    outcome = run.wait(60)
    (left,) = slow.records.left()
    assert f"--RecordId {left.id}" in screen(outcome)
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        (f"PUT {TOKEN}", {"kind": "code", "status": 500, "times": 2}),
        (f"GET {KEYS}", {"kind": "reset"}),
        (f"GET {KEYS}certbot", {"kind": "slow", "seconds": 0.8}),
        (f"GET {KEYS}certbot", {"kind": "slow", "seconds": 60}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_a_metadata_service_that_fails_for_a_while(
    world: World, what: str, fault: dict[str, object]
) -> None:
    cloud = Cloud(world)
    prepared = prepared_for(cloud, an_instance)
    assert cloud.metadata
    cloud.metadata.fault(what=what, **fault)
    outcome = issue(world, prepared.settings)
    assert_issued(outcome, world, "example.com")
    assert outcome.seconds < 45
    assert actions(world) == ["AddDomainRecord", "DeleteDomainRecord"]


def test_sts_that_fails_for_a_while(world: World) -> None:
    cloud = Cloud(world)
    prepared = prepared_for(cloud, a_role)
    cloud.sts.fault("code", code="ServiceUnavailable", status=503)
    cloud.sts.fault("code", code="Throttling.User", status=400)
    assert_issued(issue(world, prepared.settings), world, "example.com")
    assert len(cloud.sts.asked) == 3


@pytest.mark.parametrize("kind", ["scalar", "not_utf8", "redirect"])
def test_sts_that_talks_nonsense(world: World, kind: str) -> None:
    cloud = Cloud(world)
    prepared = prepared_for(cloud, a_role)
    cloud.sts.fault(kind, times=None, status=200 if kind != "redirect" else 302)
    assert_refused(issue(world, prepared.settings), role_of(prepared).arn, "gives no access key")


def test_a_metadata_service_that_is_silent_for_a_while(world: World) -> None:
    """That it is given up after two minutes shows tests/unit/test_credentials_library.py."""
    cloud = Cloud(world)
    prepared = prepared_for(cloud, an_instance)
    assert cloud.metadata
    cloud.metadata.web.black_hole()
    run = world.certbot.start(*world.certonly("example.com", ini=ini(world, prepared.settings)))
    connections = cloud.metadata.web.connections
    until(lambda: cloud.metadata and cloud.metadata.web.connections >= connections + 2)
    cloud.metadata.web.listen()
    outcome = run.wait(60)
    assert_issued(outcome, world, "example.com")
    assert "may be left" not in screen(outcome)
