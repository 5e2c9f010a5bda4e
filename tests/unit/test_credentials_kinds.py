"""Which settings make which kind of credentials, and what is said of those that make none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from certbot import errors

from certbot_dns_aliyun.credentials import kinds, settings
from tests.unit import fake_library

KEY = {"access_key": "LTAI5tExampleExample", "access_key_secret": "ExampleSecretExample"}
ROLE = {"role_arn": "acs:ram::1:role/certbot"}
OIDC = {
    **ROLE,
    "oidc_provider_arn": "acs:ram::1:oidc-provider/ack",
    "oidc_token_file": "/token",
}


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The settings that each kind of provider was made with."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".aliyun/config.json").write_text("{}")
    made: dict[str, Any] = {}

    def keep(name: str) -> Any:
        class Kept:
            def __init__(self, **settings: Any) -> None:
                made[name] = settings

            _get_credentials_provider = None

            def get_credentials(self) -> fake_library.Key:
                return fake_library.Key(1, None)

        return Kept

    with fake_library.in_place() as provider:
        for name in ("RamRoleArn", "OIDCRoleArn", "EcsRamRole", "CLIProfile", "URL"):
            monkeypatch.setattr(provider, f"{name}CredentialsProvider", keep(name), raising=False)
        assert isinstance(provider, ModuleType)
        yield made


def load(tmp_path: Path, values: dict[str, str]) -> settings.Account:
    path = tmp_path / "aliyun.ini"
    path.write_text("".join(f"dns_aliyun_{name} = {value}\n" for name, value in values.items()))
    (account,) = settings.load(str(path)).accounts
    return account


@pytest.mark.parametrize(
    ("values", "kind", "given"),
    [
        ({**KEY, **ROLE}, "RamRoleArn", {"role_arn": ROLE["role_arn"], "duration_seconds": None}),
        (
            {**KEY, **ROLE, "security_token": "CAIS=", "external_id": "partner-7"},
            "RamRoleArn",
            {"security_token": "CAIS=", "external_id": "partner-7"},
        ),
        (
            {**KEY, **ROLE, "role_duration_seconds": "900", "role_session_name": "web-3"},
            "RamRoleArn",
            {"duration_seconds": 900, "role_session_name": "web-3"},
        ),
        (OIDC, "OIDCRoleArn", {"oidc_token_file_path": "/token", "sts_endpoint": None}),
        (
            {**OIDC, "sts_endpoint": "https://sts-vpc.cn-hangzhou.aliyuncs.com"},
            "OIDCRoleArn",
            {"sts_endpoint": "sts-vpc.cn-hangzhou.aliyuncs.com"},
        ),
        ({"ecs_ram_role": ""}, "EcsRamRole", {"role_name": None, "disable_imds_v1": True}),
        ({"ecs_ram_role": "x"}, "EcsRamRole", {"role_name": "x", "async_update_enabled": False}),
        ({"profile": "certs"}, "CLIProfile", {"profile_name": "certs"}),
        ({"credentials_uri": "http://localhost/k"}, "URL", {"uri": "http://localhost/k"}),
    ],
)
def test_settings_make_a_kind(
    tmp_path: Path, made: dict[str, Any], values: dict[str, str], kind: str, given: dict[str, Any]
) -> None:
    source = load(tmp_path, values).source
    assert not made, "nothing is asked for before it is needed"
    assert source.get().key_id.startswith("STS.")
    assert list(made) == [kind]
    assert given.items() <= made[kind].items()


@pytest.mark.parametrize(
    ("values", "identity"),
    [
        (KEY, KEY["access_key"]),
        ({**KEY, **ROLE}, ROLE["role_arn"]),
        (OIDC, ROLE["role_arn"]),
        ({"ecs_ram_role": "x"}, ""),
        ({"profile": "certs"}, ""),
        ({"credentials_uri": "http://localhost/k"}, ""),
    ],
)
def test_what_may_be_another_account_tomorrow_does_not_tell_its_account(
    tmp_path: Path, values: dict[str, str], identity: str
) -> None:
    assert load(tmp_path, values).source.identity == identity


def test_a_policy_is_given_without_blanks(tmp_path: Path, made: dict[str, Any]) -> None:
    """STS takes a blank in a signature for %20, and the library for a plus."""
    policy = {"Version": "1", "Statement": [{"Effect": "Deny", "Action": "a b", "Resource": "*"}]}
    load(tmp_path, {**KEY, **ROLE, "role_policy": json.dumps(policy)}).source.get()
    given = made["RamRoleArn"]["policy"]
    assert " " not in given
    assert json.loads(given) == policy


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"access_key_secret": "ExampleExample"}, ["access_key is missing"]),
        ({"access_key": "LTAI5tExample"}, ["access_key_secret is missing"]),
        ({"security_token": "CAISExample"}, ["access_key and", "access_key_secret are missing"]),
        (ROLE, ["are missing", "beside dns_aliyun_role_arn"]),
        ({**KEY, "external_id": "partner"}, ["role_arn is missing", "dns_aliyun_external_id"]),
        ({**ROLE, "oidc_token_file": "/token"}, ["dns_aliyun_oidc_provider_arn is missing"]),
        ({**OIDC, "external_id": "partner"}, ["do not go together", "dns_aliyun_external_id"]),
        ({**KEY, "ecs_ram_role": ""}, ["access_key and", "ecs_ram_role", "do not go together"]),
        ({**ROLE, "ecs_ram_role": "x"}, ["ecs_ram_role and dns_aliyun_role_arn", "together"]),
        ({**KEY, "profile": "certs"}, ["dns_aliyun_profile", "do not go together"]),
        ({"profile": "a", "credentials_uri": "http://localhost/"}, ["do not go together"]),
        ({"profile": ""}, ["dns_aliyun_profile is empty"]),
        ({**KEY, "role_arn": ""}, ["dns_aliyun_role_arn is empty"]),
        ({**KEY, "role_arn": "certbot"}, ["dns_aliyun_role_arn", "acs:ram::"]),
        ({**OIDC, "oidc_provider_arn": "ack"}, ["dns_aliyun_oidc_provider_arn", "acs:ram::"]),
        ({**OIDC, "oidc_token_file": "token"}, ["dns_aliyun_oidc_token_file", "form: /var/run"]),
        ({**KEY, **ROLE, "role_duration_seconds": "60"}, ["role_duration_seconds", "900"]),
        ({**KEY, **ROLE, "role_duration_seconds": "1h"}, ["role_duration_seconds", "900"]),
        ({**KEY, **ROLE, "role_session_name": "a b"}, ["dns_aliyun_role_session_name"]),
        ({**KEY, **ROLE, "external_id": "a b"}, ["dns_aliyun_external_id"]),
        ({**KEY, **ROLE, "role_policy": "{"}, ["dns_aliyun_role_policy", "JSON"]),
        ({**KEY, **ROLE, "sts_endpoint": "http://x/"}, ["dns_aliyun_sts_endpoint", "host name"]),
        ({"credentials_uri": "localhost:8080"}, ["dns_aliyun_credentials_uri", "http://"]),
        ({"credentials_uri": "http://user:pw@localhost/"}, ["dns_aliyun_credentials_uri"]),
    ],
)
def test_what_makes_no_kind_is_named(
    tmp_path: Path, values: dict[str, str], named: list[str]
) -> None:
    with pytest.raises(errors.PluginError) as caught:
        load(tmp_path, values)
    sentence = str(caught.value)
    for words in [*named, str(tmp_path)]:
        assert words in sentence
    for value in KEY.values():
        assert value not in sentence


def test_no_two_kinds_have_the_same_settings() -> None:
    needed = [frozenset(must) for must, _ in kinds.KINDS.values()]
    assert len(set(needed)) == len(needed)
