"""Each kind of credentials, as a user sets it up: what is in the INI, and what it leads to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.world import Outcome, World, zone_policy
from tests.world.cloud import PROVIDER, TRUSTS_OIDC, Cloud
from tests.world.ram import Key, Policy
from tests.world.sts import Role


@dataclass
class Prepared:
    """`role` is the one whose sessions must make the calls; None if it is `key` itself."""

    settings: dict[str, str]
    role: Role | None = None
    key: Key | None = None

    @property
    def key_ids(self) -> list[str]:
        keys = list(self.role.sessions) if self.role else [self.key] if self.key else []
        return [key.id for key in keys]


def ini(world: World, *parts: dict[str, str] | str, file: str = "aliyun.ini") -> Path:
    """An INI of settings, without their prefix, and of section lines."""
    lines: list[str] = []
    for part in parts:
        if isinstance(part, str):
            lines.append(f"[{part}]")
        else:
            lines += [f"dns_aliyun_{name} = {value}" for name, value in part.items()]
    return world.write_ini("\n".join([*lines, ""]).encode(), file)


def issue(world: World, settings: dict[str, str], *names: str, **more: object) -> Outcome:
    command = world.certonly(*(names or ["example.com"]), ini=ini(world, settings))
    return world.certbot.run(*command, **more)  # type: ignore[arg-type]


def issue_without_file(world: World, *names: str, **env: str) -> Outcome:
    command = ["certonly", "-a", "dns-aliyun", "-v"]
    for name in names or ["example.com"]:
        command += ["-d", name]
    return world.certbot.run(*command, env=env)


def key_of(key: Key) -> dict[str, str]:
    settings = {"access_key": key.id, "access_key_secret": key.secret}
    return {**settings, "security_token": key.token} if key.token else settings


def a_key(cloud: Cloud, policy: Policy) -> Prepared:
    key = cloud.world.add_key(Key(policy))
    return Prepared(key_of(key), key=key)


def a_temporary_key(cloud: Cloud, policy: Policy) -> Prepared:
    key = cloud.world.add_key(Key.temporary(policy=policy))
    return Prepared(key_of(key), key=key)


def a_role(cloud: Cloud, policy: Policy) -> Prepared:
    role = cloud.role(policy)
    return Prepared({**key_of(cloud.user(role)), "role_arn": role.arn}, role)


def an_instance(cloud: Cloud, policy: Policy) -> Prepared:
    role = cloud.role(policy)
    cloud.instance(role)
    return Prepared({"ecs_ram_role": ""}, role)


def an_instance_with_its_role_named(cloud: Cloud, policy: Policy) -> Prepared:
    prepared = an_instance(cloud, policy)
    assert prepared.role
    return Prepared({"ecs_ram_role": prepared.role.name}, prepared.role)


def oidc(cloud: Cloud, policy: Policy) -> Prepared:
    role = cloud.role(policy, TRUSTS_OIDC)
    token = cloud.world.write_ini(cloud.oidc_token().encode(), "oidc-token")
    settings = {
        "role_arn": role.arn,
        "oidc_provider_arn": PROVIDER,
        "oidc_token_file": str(token),
    }
    return Prepared(settings, role)


def a_profile(cloud: Cloud, policy: Policy) -> Prepared:
    key = cloud.world.add_key(Key(policy))
    profile = {
        "mode": "AK",
        "access_key_id": key.id,
        "access_key_secret": key.secret,
    }
    write_cli_config(cloud.world, certs=profile)
    return Prepared({"profile": "certs"}, key=key)


def a_profile_with_a_role(cloud: Cloud, policy: Policy) -> Prepared:
    role = cloud.role(policy)
    key = cloud.user(role)
    profile = {
        "mode": "RamRoleArn",
        "access_key_id": key.id,
        "access_key_secret": key.secret,
        "ram_role_arn": role.arn,
        "ram_session_name": "cli",
        "expired_seconds": 900,
    }
    write_cli_config(cloud.world, certs=profile)
    return Prepared({"profile": "certs"}, role)


def a_profile_of_an_instance(cloud: Cloud, policy: Policy) -> Prepared:
    role = cloud.role(policy)
    cloud.instance(role)
    write_cli_config(cloud.world, certs={"mode": "EcsRamRole", "ram_role_name": role.name})
    return Prepared({"profile": "certs"}, role)


def a_credentials_uri(cloud: Cloud, policy: Policy) -> Prepared:
    role = cloud.role(policy)
    return Prepared({"credentials_uri": cloud.uri(role).uri}, role)


Kind = Callable[[Cloud, Policy], Prepared]
KINDS: list[Kind] = [
    a_key,
    a_temporary_key,
    a_role,
    an_instance,
    an_instance_with_its_role_named,
    oidc,
    a_profile,
    a_profile_with_a_role,
    a_profile_of_an_instance,
    a_credentials_uri,
]


def prepared_for(cloud: Cloud, kind: Kind, *zones: str) -> Prepared:
    return kind(cloud, zone_policy(*(zones or ["example.com"])))


def write_cli_config(world: World, **profiles: dict[str, object]) -> Path:
    """~/.aliyun/config.json, as `aliyun configure` writes it."""
    named = [{"name": name, **profile} for name, profile in profiles.items()]
    config = {"current": next(iter(profiles)), "profiles": named}
    return write_home_file(world, ".aliyun/config.json", json.dumps(config))


def write_home_file(world: World, name: str, text: str) -> Path:
    path = world.certbot.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    world.scan.exempt.add(path)
    return path
