"""Each kind of credentials issues and renews, with nothing but what the renewal file holds."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.helpers import assert_issued
from tests.end_to_end.kinds import (
    KINDS,
    Kind,
    a_credentials_uri,
    a_profile_with_a_role,
    a_role,
    an_instance,
    issue,
    prepared_for,
)
from tests.world import World, present_certificate, zone_policy
from tests.world.cloud import TRUSTS_ACCOUNT, Cloud
from tests.world.metadata import TOKEN
from tests.world.sts import ADDRESS

pytestmark = pytest.mark.newest


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_issues_and_renews(world: World, kind: Kind) -> None:
    cloud = Cloud(world)
    prepared = prepared_for(cloud, kind)
    assert_issued(issue(world, prepared.settings), world, "example.com")
    first = world.certbot.certificate("example.com").serial_number
    renewal_file = world.certbot.renewal_file("example.com").read_text()
    ours = [line for line in renewal_file.splitlines() if line.startswith("dns_aliyun")]
    assert [line.partition(" = ")[0] for line in ours] == ["dns_aliyun_credentials"]

    outcome = world.certbot.run("renew", "--force-renewal")
    assert_issued(outcome, world, "example.com")
    assert world.certbot.certificate("example.com").serial_number != first
    assert {call.key_id for call in world.alidns.calls} <= set(prepared.key_ids)


def test_a_session_is_as_the_settings_say(world: World) -> None:
    """The policy has blanks in it, which its signature must cover as STS reads them."""
    trusts = json.loads(json.dumps(TRUSTS_ACCOUNT))
    trusts["Statement"][0]["Condition"] = {"StringEquals": {"sts:ExternalId": "partner-7"}}
    cloud = Cloud(world)
    role = cloud.role(zone_policy("example.com", "example.org"), trusts)
    settings = {
        "access_key": (key := cloud.user(role)).id,
        "access_key_secret": key.secret,
        "role_arn": role.arn,
        "role_session_name": "web-3@example",
        "external_id": "partner-7",
        "role_duration_seconds": "1800",
        "role_policy": json.dumps(zone_policy("example.com")),
        "sts_endpoint": "sts.aliyuncs.com:443",
    }
    assert_issued(issue(world, settings), world, "example.com")
    (asked,) = cloud.sts.asked
    assert asked.params["RoleSessionName"] == "web-3@example"
    assert asked.params["ExternalId"] == "partner-7"
    assert asked.params["DurationSeconds"] == "1800"
    assert role.sessions[0].narrowed_by == zone_policy("example.com")


def test_sts_may_be_called_at_another_host(world: World) -> None:
    cloud = Cloud(world)
    present_certificate(cloud.sts.tls, "sts-vpc.cn-hangzhou.aliyuncs.com")
    world.resolver.hosts["sts-vpc.cn-hangzhou.aliyuncs.com"] = ADDRESS
    settings = prepared_for(cloud, a_role).settings
    settings["sts_endpoint"] = "sts-vpc.cn-hangzhou.aliyuncs.com"
    assert_issued(issue(world, settings), world, "example.com")


@pytest.mark.parametrize("kind", [a_role, a_profile_with_a_role])
def test_a_run_asks_sts_once(world: World, kind: Kind) -> None:
    """However many threads there are, and however near its end a session of 15 minutes looks."""
    cloud = Cloud(world)
    names = [f"{letter}.example.com" for letter in "abcdefgh"]
    assert issue(world, prepared_for(cloud, kind).settings, *names).ok
    assert len(cloud.sts.asked) == 1
    assert len(world.alidns.calls) >= 16


def test_metadata_is_read_with_a_token_alone(world: World) -> None:
    cloud = Cloud(world)
    prepared = prepared_for(cloud, an_instance)
    assert_issued(issue(world, prepared.settings), world, "example.com")
    metadata = cloud.metadata
    assert metadata
    assert f"PUT {TOKEN}" in [asked.what for asked in metadata.asked]
    assert set(metadata.statuses()) == {200}


@pytest.mark.parametrize("kind", [an_instance, a_credentials_uri])
def test_keys_do_not_go_through_a_proxy_in_the_clear(world: World, kind: Kind) -> None:
    proxy = {"http_proxy": "http://192.0.2.1:3128"}
    settings = prepared_for(Cloud(world), kind).settings
    assert_issued(issue(world, settings, env=proxy), world, "example.com")
