"""STS, the metadata service and the credentials URI are as strict as the real ones."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid
from datetime import datetime, timezone

import pytest

from tests.world import EVERYTHING, Key, World, rpc
from tests.world.ca import certificates
from tests.world.cloud import PROVIDER, TRUSTS_OIDC, Cloud
from tests.world.metadata import ADDRESS, KEYS, TOKEN
from tests.world.sts import HOST, Role


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    context = ssl.create_default_context()
    certificates().configure_trust(context)
    wanted = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310
    try:
        reply = urllib.request.urlopen(wanted, context=context, timeout=5)  # noqa: S310
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    return reply.status, reply.read().decode()


def assume(role: Role, key: Key | None, secret: str = "", **more: str) -> tuple[int, dict]:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    params = {
        "Action": "AssumeRole" if key else "AssumeRoleWithOIDC",
        "Version": "2015-04-01",
        "Format": "JSON",
        "Timestamp": now,
        "RoleArn": role.arn,
        "RoleSessionName": "test",
        **more,
    }
    if key:
        params.update(AccessKeyId=key.id, SignatureNonce=str(uuid.uuid4()))
        params["Signature"] = rpc.signature("GET", params, secret or key.secret)
    status, text = ask(f"https://{HOST}/?{urllib.parse.urlencode(params)}")
    return status, json.loads(text)


@pytest.fixture
def cloud(world: World) -> Cloud:
    return Cloud(world)


def test_a_user_who_may_gets_a_session_of_the_role(world: World, cloud: Cloud) -> None:
    role = cloud.role()
    status, body = assume(role, cloud.user(role))
    assert status == 200
    key = world.alidns.keys[body["Credentials"]["AccessKeyId"]]
    assert key.allows("alidns:AddDomainRecord", ["acs:alidns::1:domain/example.com"])
    assert not key.allows("sts:AssumeRole", [role.arn])
    assert body["Credentials"]["SecurityToken"] == key.token


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"DurationSeconds": "60"}, "InvalidParameter.DurationSeconds"),
        ({"DurationSeconds": "43200"}, "InvalidParameter.DurationSeconds"),
        ({"Policy": "{"}, "InvalidParameter.PolicyGrammar"),
        ({"Timestamp": "2020-01-01T00:00:00Z"}, "InvalidTimeStamp.Expired"),
        ({"RoleArn": "acs:ram::1:role/other"}, "NoPermission"),
    ],
)
def test_sts_refuses(cloud: Cloud, change: dict[str, str], code: str) -> None:
    role = cloud.role()
    status, body = assume(role, cloud.user(role), **change)
    assert status >= 400
    assert body["Code"] == code


def test_a_stranger_may_not_assume_a_role(world: World, cloud: Cloud) -> None:
    stranger = world.add_key(Key(EVERYTHING, account="2"))
    assert assume(cloud.role(), stranger)[1]["Code"] == "NoPermission"


def test_a_session_ends_and_can_be_revoked(world: World, cloud: Cloud) -> None:
    role = cloud.role()
    session = role.begin_session(3600)
    session.check_usable(session.token)
    role.revoke_sessions()
    assert not session.allows("alidns:AddDomainRecord", ["acs:alidns::1:domain/example.com"])
    role.lifetime = -1
    ended = role.begin_session(3600)
    with pytest.raises(rpc.ApiError, match=r"InvalidSecurityToken\.Expired"):
        ended.check_usable(ended.token)


def test_oidc_needs_a_token_of_the_provider_that_is_trusted(cloud: Cloud) -> None:
    role = cloud.role(trusts=TRUSTS_OIDC)
    token = cloud.oidc_token()
    given = {"OIDCProviderArn": PROVIDER, "OIDCToken": token}
    assert assume(role, None, **given)[0] == 200
    assert assume(role, None, **{**given, "OIDCToken": token + "x"})[0] == 400
    assert assume(role, None, **{**given, "OIDCProviderArn": PROVIDER + "x"})[0] == 403


def test_the_metadata_service_says_nothing_without_a_token(cloud: Cloud) -> None:
    cloud.instance(cloud.role())
    assert ask(f"http://{ADDRESS}{KEYS}")[0] == 403
    assert ask(f"http://{ADDRESS}{TOKEN}", "PUT")[0] == 400
    seconds = {"X-aliyun-ecs-metadata-token-ttl-seconds": "60"}
    _, token = ask(f"http://{ADDRESS}{TOKEN}", "PUT", **seconds)
    with_token = {"X-aliyun-ecs-metadata-token": token}
    assert ask(f"http://{ADDRESS}{KEYS}", **with_token) == (200, "certbot")
    first = ask(f"http://{ADDRESS}{KEYS}certbot", **with_token)
    assert ask(f"http://{ADDRESS}{KEYS}certbot", **with_token) == first
    assert ask(f"http://{ADDRESS}{KEYS}other", **with_token)[0] == 404


def test_a_machine_without_it_has_no_metadata_service(cloud: Cloud) -> None:
    cloud.instance(cloud.role()).unplug()
    cloud.metadata = None
    with pytest.raises(OSError, match="unreachable"):
        ask(f"http://{ADDRESS}{KEYS}")


def test_temporary_keys_and_tokens_are_secrets(world: World, cloud: Cloud) -> None:
    role = cloud.role()
    _, body = assume(role, cloud.user(role))
    secrets = [*list(body["Credentials"].values())[:3], cloud.oidc_token()]
    for secret in secrets:
        with pytest.raises(AssertionError, match="a secret is in"):
            world.scan.check(f"see {secret} here")
