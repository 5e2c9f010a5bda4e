"""Without --dns-aliyun-credentials: the places where Alibaba's own tools look, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.helpers import assert_issued, assert_refused, screen
from tests.end_to_end.kinds import (
    issue_without_file,
    write_cli_config,
    write_home_file,
)
from tests.world import Key, World, zone_policy
from tests.world.cloud import PROVIDER, TRUSTS_OIDC, Cloud

pytestmark = pytest.mark.newest

NO_METADATA = {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}


def a_key(world: World) -> Key:
    return world.add_key(Key(zone_policy("example.com")))


def variables(key: Key) -> dict[str, str]:
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": key.id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": key.secret,
        **({"ALIBABA_CLOUD_SECURITY_TOKEN": key.token} if key.token else {}),
    }


def write_profile(world: World, key: Key) -> None:
    profile = {"mode": "AK", "access_key_id": key.id, "access_key_secret": key.secret}
    write_cli_config(world, default=profile)


def write_credentials_file(world: World, key: Key, name: str = ".alibabacloud/credentials.ini"):
    text = f"[default]\ntype = access_key\naccess_key_id = {key.id}\n"
    return write_home_file(world, name, text + f"access_key_secret = {key.secret}\n")


def test_a_key_of_the_environment_issues_and_renews(world: World) -> None:
    key = a_key(world)
    outcome = issue_without_file(world, **variables(key))
    assert_issued(outcome, world, "example.com")
    assert "Using the credentials of the variables ALIBABA_CLOUD_ACCESS_KEY_ID" in screen(outcome)
    assert "dns_aliyun_credentials" not in world.certbot.renewal_file("example.com").read_text()

    outcome = world.certbot.run("renew", "--force-renewal", env=variables(key))
    assert_issued(outcome, world, "example.com")
    assert {call.key_id for call in world.alidns.calls} == {key.id}

    outcome = world.certbot.run("renew", "--force-renewal", env=NO_METADATA)
    assert_refused(outcome, "No Alibaba Cloud credentials were found")


def test_a_temporary_key_of_the_environment(world: World) -> None:
    key = world.add_key(Key.temporary(policy=zone_policy("example.com")))
    assert_issued(issue_without_file(world, **variables(key)), world, "example.com")


def test_oidc_comes_from_the_variables_that_ack_sets(world: World) -> None:
    cloud = Cloud(world)
    role = cloud.role(trusts=TRUSTS_OIDC)
    token = world.write_ini(cloud.oidc_token().encode(), "oidc-token")
    env = {
        "ALIBABA_CLOUD_ROLE_ARN": role.arn,
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": PROVIDER,
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token),
    }
    outcome = issue_without_file(world, **env)
    assert_issued(outcome, world, "example.com")
    assert "Using the credentials of OIDC" in screen(outcome)
    assert world.certbot.run("renew", "--force-renewal", env=env).ok
    assert len(role.sessions) == 2


def test_the_current_profile_of_the_aliyun_cli(world: World) -> None:
    key = a_key(world)
    write_profile(world, key)
    outcome = issue_without_file(world)
    assert_issued(outcome, world, "example.com")
    assert "Using the credentials of ~/.aliyun/config.json" in screen(outcome)
    assert world.certbot.run("renew", "--force-renewal").ok


def test_the_credentials_file_of_the_other_tools(world: World) -> None:
    write_credentials_file(world, a_key(world))
    outcome = issue_without_file(world)
    assert_issued(outcome, world, "example.com")
    assert "Using the credentials of ~/.alibabacloud/credentials.ini" in screen(outcome)


def test_the_credentials_file_may_be_elsewhere(world: World) -> None:
    path = write_credentials_file(world, a_key(world), "elsewhere.ini")
    outcome = issue_without_file(world, ALIBABA_CLOUD_CREDENTIALS_FILE=str(path))
    assert_issued(outcome, world, "example.com")
    assert f"Using the credentials of {path}" in screen(outcome)


def test_the_role_of_the_instance(world: World) -> None:
    cloud = Cloud(world)
    role = cloud.role()
    cloud.instance(role)
    outcome = issue_without_file(world)
    assert_issued(outcome, world, "example.com")
    assert "Using the credentials of the role of the ECS instance" in screen(outcome)
    assert world.certbot.run("renew", "--force-renewal").ok


def test_a_metadata_service_that_fails_for_a_moment_is_asked_again(world: World) -> None:
    cloud = Cloud(world)
    cloud.instance(cloud.role()).fault("code", status=500, times=2)
    assert_issued(issue_without_file(world), world, "example.com")


def test_the_credentials_uri(world: World) -> None:
    cloud = Cloud(world)
    uri = cloud.uri(cloud.role()).uri
    outcome = issue_without_file(world, ALIBABA_CLOUD_CREDENTIALS_URI=uri, **NO_METADATA)
    assert_issued(outcome, world, "example.com")
    assert "the variable ALIBABA_CLOUD_CREDENTIALS_URI" in screen(outcome)


def test_the_first_link_that_has_a_key_counts(world: World) -> None:
    """The environment before the CLI's profile, and the profile before the instance."""
    cloud = Cloud(world)
    metadata = cloud.instance(cloud.role())
    of_profile, of_environment = a_key(world), a_key(world)
    write_profile(world, of_profile)
    assert issue_without_file(world, **variables(of_environment)).ok
    assert {call.key_id for call in world.alidns.calls} == {of_environment.id}
    assert world.certbot.run("renew", "--force-renewal").ok
    assert {call.key_id for call in world.alidns.calls} == {of_environment.id, of_profile.id}
    assert not metadata.asked


def test_a_broken_link_is_passed_over(world: World) -> None:
    write_home_file(world, ".aliyun/config.json", "{ not JSON")
    write_credentials_file(world, a_key(world))
    assert_issued(issue_without_file(world), world, "example.com")


def test_links_can_be_switched_off(world: World) -> None:
    cloud = Cloud(world)
    metadata = cloud.instance(cloud.role())
    write_profile(world, a_key(world))
    off = {"ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "true", **NO_METADATA}
    assert_refused(issue_without_file(world, **off), "No Alibaba Cloud credentials were found")
    assert not metadata.asked


def test_with_nothing_found_all_that_was_tried_is_listed(world: World) -> None:
    outcome = issue_without_file(world)
    assert_refused(
        outcome,
        "--dns-aliyun-credentials",
        "no variables ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        "no file ~/.aliyun/config.json",
        "no file ~/.alibabacloud/credentials.ini",
        "this machine is no ECS instance",
        "no variable ALIBABA_CLOUD_CREDENTIALS_URI",
    )
    assert outcome.seconds < 45
    assert not world.alidns.calls


def test_somebody_who_sits_there_is_asked_for_the_file(world: World) -> None:
    ini = world.credentials_ini()
    outcome = world.certbot.run(
        *("certonly", "-a", "dns-aliyun", "-d", "example.com"), input=f"{ini}\n", interactive=True
    )
    assert_issued(outcome, world, "example.com")


def test_half_a_key_in_the_environment_is_no_key(world: World) -> None:
    env = {"ALIBABA_CLOUD_ACCESS_KEY_ID": a_key(world).id, **NO_METADATA}
    assert_refused(issue_without_file(world, **env), "No Alibaba Cloud credentials were found")


#: A user whom the system does not know and who has no home, as OpenShift runs containers.
HOMELESS = """
import os, pwd

def unknown(uid):
    raise KeyError(uid)

pwd.getpwuid = unknown
os.environ.pop("HOME")
"""


def test_a_user_without_a_home(world: World, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOMELESS)
    env = {"PYTHONPATH": str(tmp_path), **NO_METADATA}
    outcome = issue_without_file(world, **env)
    assert_refused(outcome, "no home folder for ~/.aliyun/config.json")
    path = write_credentials_file(world, a_key(world), "elsewhere.ini")
    outcome = issue_without_file(world, ALIBABA_CLOUD_CREDENTIALS_FILE=str(path), **env)
    assert_issued(outcome, world, "example.com")


def test_a_key_of_the_environment_that_no_call_can_carry(world: World) -> None:
    env = {**variables(a_key(world)), **NO_METADATA}
    env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] += "\udcff"
    assert_refused(issue_without_file(world, **env), "a character that no key has")
    assert not world.alidns.calls
