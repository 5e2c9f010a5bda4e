"""Credentials that cannot be: what the user reads, and that no call was made."""

from __future__ import annotations

import json
import re

import pytest

from tests.end_to_end.helpers import assert_issued, assert_refused, screen
from tests.end_to_end.kinds import (
    Kind,
    a_credentials_uri,
    a_key,
    a_profile,
    a_profile_of_an_instance,
    a_role,
    an_instance,
    issue,
    key_of,
    oidc,
    prepared_for,
    write_cli_config,
    write_home_file,
)
from tests.world import World
from tests.world.cloud import Cloud
from tests.world.ram import Key, zone_policy

pytestmark = pytest.mark.newest


def test_settings_of_two_kinds_cost_no_call(world: World) -> None:
    """More of these are in tests/unit/test_credentials_kinds.py."""
    outcome = issue(world, {"profile": "certs", "credentials_uri": "http://localhost:8080/"})
    assert_refused(outcome, "dns_aliyun_credentials_uri and dns_aliyun_profile", "aliyun.ini")
    assert not world.alidns.calls


def without_extra(world: World) -> dict[str, str]:
    """An environment in which the extra's packages are not installed, so to say."""
    folder = world.folder / "shadow" / "alibabacloud_credentials"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError\n")
    return {"PYTHONPATH": str(folder.parent)}


def test_without_the_extra_the_command_that_installs_it_is_told(world: World) -> None:
    settings = {"profile": "certs"}
    outcome = issue(world, settings, env=without_extra(world))
    command = r"install them with: \S+/bin/python\S* -m pip install '?certbot-dns-aliyun\[creden"
    assert_refused(outcome)
    assert re.search(command, screen(outcome)), outcome


def test_without_the_extra_a_key_is_enough(world: World) -> None:
    settings = prepared_for(Cloud(world), a_key).settings
    assert_issued(issue(world, settings, env=without_extra(world)), world, "example.com")


def test_a_role_that_does_not_exist(world: World) -> None:
    cloud = Cloud(world)
    settings = prepared_for(cloud, a_role).settings
    settings["role_arn"] += "-nope"
    user = world.add_key(Key())
    outcome = issue(world, {**settings, **key_of(user)})
    assert_refused(outcome, "role/certbot-nope", "EntityNotExist.Role")
    assert not world.alidns.calls


def test_a_user_who_may_not_assume_the_role(world: World) -> None:
    cloud = Cloud(world)
    role = cloud.role()
    user = world.add_key(Key(zone_policy("example.com")))
    outcome = issue(world, {**key_of(user), "role_arn": role.arn})
    assert_refused(outcome, "NoPermission", f"sts:AssumeRole on {role.arn}")


def test_a_role_of_a_partner_without_its_external_id(world: World) -> None:
    cloud = Cloud(world)
    condition = {"StringEquals": {"sts:ExternalId": "partner-7"}}
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Condition": condition}
    trusts = {"Statement": [{**statement, "Principal": {"RAM": ["acs:ram::1:root"]}}]}
    role = cloud.role(trusts=trusts)
    settings = {**key_of(cloud.user(role)), "role_arn": role.arn}
    assert_refused(issue(world, settings), "NoPermission", role.arn)
    assert_issued(issue(world, {**settings, "external_id": "partner-7"}), world, "example.com")


def test_a_wrong_secret_of_the_key_that_assumes_a_role(world: World) -> None:
    settings = prepared_for(Cloud(world), a_role).settings
    settings["access_key_secret"] = Key().secret
    assert_refused(issue(world, settings), settings["role_arn"], "SignatureDoesNotMatch")


def test_an_oidc_token_that_is_not_there(world: World) -> None:
    settings = prepared_for(Cloud(world), oidc).settings
    settings["oidc_token_file"] = "/var/run/secrets/nowhere"
    assert_refused(issue(world, settings), "/var/run/secrets/nowhere", "No such file")


def test_an_oidc_token_that_the_provider_did_not_give(world: World) -> None:
    cloud = Cloud(world)
    settings = prepared_for(cloud, oidc).settings
    cloud.sts.tokens.clear()
    assert_refused(issue(world, settings), "AuthenticationFail.OIDCToken.Invalid")


def test_a_profile_that_does_not_exist(world: World) -> None:
    prepared_for(Cloud(world), a_profile)
    outcome = issue(world, {"profile": "nope"})
    assert_refused(outcome, "the profile nope of the aliyun CLI", "gives no access key")


def test_a_credentials_uri_where_nothing_is(world: World) -> None:
    cloud = Cloud(world)
    settings = prepared_for(cloud, a_credentials_uri).settings
    outcome = issue(world, {"credentials_uri": settings["credentials_uri"] + "x"})
    assert_refused(outcome, "the credentials URI", "HTTP status 404")


def test_a_machine_that_is_no_instance(world: World) -> None:
    Cloud(world)
    outcome = issue(world, {"ecs_ram_role": ""})
    assert_refused(outcome, "no ECS instance")


def test_an_instance_without_a_role(world: World) -> None:
    Cloud(world).instance(None)
    assert_refused(issue(world, {"ecs_ram_role": ""}), "the ECS instance", "HTTP status 404")


@pytest.mark.parametrize("kind", [an_instance, a_profile_of_an_instance])
def test_an_instance_with_another_role_is_not_asked_by_imdsv1(world: World, kind: Kind) -> None:
    """Alibaba's library would fall back to requests without a token."""
    cloud = Cloud(world)
    settings = prepared_for(cloud, kind).settings
    assert cloud.metadata
    cloud.metadata.role = None
    if "ecs_ram_role" in settings:
        settings["ecs_ram_role"] = "other"
    outcome = issue(world, settings)
    assert_refused(outcome, "HTTP status 404: the instance has no such role")
    assert set(cloud.metadata.statuses()) == {200, 404}, "403 is for those who have no token"


def test_a_command_of_a_profile_is_run_from_a_file_of_our_own_alone(world: World) -> None:
    """It is run as the user who runs Certbot, most often root."""
    key = world.add_key(Key(zone_policy("example.com")))
    given = {"mode": "AK", "access_key_id": key.id, "access_key_secret": key.secret}
    path = write_home_file(world, "given.json", json.dumps(given))
    ran = world.folder / "ran"
    command = f"sh -c 'touch {ran}; cat {path}'"
    config = write_cli_config(world, certs={"mode": "External", "process_command": command})
    before = config.read_text()

    config.chmod(0o666)
    outcome = issue(world, {"profile": "certs"})
    assert_refused(outcome, f"others can change what it reads ({config} can be written by others)")
    assert not ran.exists()

    config.chmod(0o600)
    assert_issued(issue(world, {"profile": "certs"}), world, "example.com")
    assert ran.exists()
    assert config.read_text() == before
