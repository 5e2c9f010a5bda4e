"""The kinds of credentials, and which settings make which.

Names are those of Alibaba's own tools, after ``dns_aliyun_``.
"""

from __future__ import annotations

import json
from typing import Any, Callable

from certbot import errors

from certbot_dns_aliyun.credentials import cli_profile, library
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource

PREFIX = "dns_aliyun_"

#: What each kind of credentials is set by: the settings that it must have, then those it may have.
_ROLE_DETAILS = ("role_session_name", "role_policy", "role_duration_seconds", "sts_endpoint")
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "an access key": (("access_key", "access_key_secret"), ("security_token",)),
    "a role to assume": (
        ("access_key", "access_key_secret", "role_arn"),
        ("security_token", "external_id", *_ROLE_DETAILS),
    ),
    "the role of an ECS instance": (("ecs_ram_role",), ()),
    "a role through OIDC": (
        ("role_arn", "oidc_provider_arn", "oidc_token_file"),
        _ROLE_DETAILS,
    ),
    "a profile of the aliyun CLI": (("profile",), ()),
    "a credentials URI": (("credentials_uri",), ()),
}

#: Other names under which a setting is understood.
ALIASES = {"access_key_id": "access_key", "secret_key": "access_key_secret"}

#: The settings that may be empty: the instance's role, whatever its name.
MAY_BE_EMPTY = frozenset({"ecs_ram_role"})

#: What a credentials URI must look like, and an example.
URI_FORM = (r"https?://[^\s/@\[]+(/\S*)?", "http://localhost:8080/credentials")

SETTINGS = frozenset(name for must, may in KINDS.values() for name in (*must, *may))

#: The settings that no kind needs; an empty one counts as left out.
OPTIONAL = SETTINGS - {name for must, _ in KINDS.values() for name in must}


class IncompleteError(errors.PluginError):
    """Settings that each kind of credentials needs are missing."""


def make_source(values: dict[str, str], where: str) -> KeySource:
    """Make the source of access keys that a set of settings describes.

    :param values: settings, without the prefix, with their aliases resolved
    :param where: the file, and the section in it
    :raises IncompleteError: if some are missing; names them
    :raises errors.PluginError: if they contradict each other; names each at fault
    """
    given = set(values)
    if not given:
        raise IncompleteError(f"There are no credentials in {where}.")
    fitting = [kind for kind, (must, may) in KINDS.items() if given <= {*must, *may}]
    if not fitting:
        # Each kind shares settings with others, so name what has no kind in common.
        raise errors.PluginError(
            f"{_named(given)} in {where} do not go together; keep those of one kind of credentials."
        )
    complete = [kind for kind in fitting if set(KINDS[kind][0]) <= given]
    if not complete:
        missing = min((set(KINDS[kind][0]) - given for kind in fitting), key=len)
        verb = "is" if len(missing) == 1 else "are"
        raise IncompleteError(
            f"{_named(missing)} {verb} missing in {where}, beside {_named(given)}."
        )
    kind = complete[0]
    if kind != "an access key":
        library.providers()
    return _MAKERS[kind](values, where)


def _named(names: set[str]) -> str:
    return " and ".join(PREFIX + name for name in sorted(names))


def _access_key(values: dict[str, str], where: str) -> KeySource:
    key = AccessKey(
        values["access_key"], values["access_key_secret"], values.get("security_token", "")
    )
    return KeySource(key, where)


def _assumed_role(values: dict[str, str], where: str) -> KeySource:
    def make() -> Any:
        return library.providers().RamRoleArnCredentialsProvider(
            access_key_id=values["access_key"],
            access_key_secret=values["access_key_secret"],
            security_token=values.get("security_token"),
            external_id=values.get("external_id"),
            **_role(values),
        )

    role = values["role_arn"]
    return library.LibrarySource(make, f"the role {role} (STS, {where})", role)


def _oidc_role(values: dict[str, str], where: str) -> KeySource:
    def make() -> Any:
        return library.providers().OIDCRoleArnCredentialsProvider(
            oidc_provider_arn=values["oidc_provider_arn"],
            oidc_token_file_path=values["oidc_token_file"],
            **_role(values),
        )

    role = values["role_arn"]
    return library.LibrarySource(make, f"the role {role} (OIDC, {where})", role)


def _role(values: dict[str, str]) -> dict[str, Any]:
    seconds = values.get("role_duration_seconds")
    return {
        "role_arn": values["role_arn"],
        "role_session_name": values.get("role_session_name", "certbot-dns-aliyun"),
        "policy": _compact(values["role_policy"]) if "role_policy" in values else None,
        "duration_seconds": int(seconds) if seconds else None,
        "sts_endpoint": values.get("sts_endpoint"),
    }


def _compact(policy: str) -> str:
    """Give JSON without blanks, which the library's signature does not cover as STS reads them."""
    return json.dumps(json.loads(policy), separators=(",", ":")).replace(" ", "\\u0020")


def _ecs_role(values: dict[str, str], where: str) -> KeySource:
    return ecs_source(values["ecs_ram_role"] or None, where)


def ecs_source(role: str | None, where: str) -> KeySource:
    """Make the source of the role of this ECS instance: IMDSv2 alone, and no thread."""

    def make() -> Any:
        return library.providers().EcsRamRoleCredentialsProvider(
            role_name=role, disable_imds_v1=True, async_update_enabled=False
        )

    return library.LibrarySource(make, f"the role of the ECS instance ({where})")


def _profile(values: dict[str, str], where: str) -> KeySource:
    name = values["profile"]
    return library.LibrarySource(
        lambda: cli_profile.make_provider(name),
        f"the profile {name} of the aliyun CLI ({where})",
    )


def _uri(values: dict[str, str], where: str) -> KeySource:
    return uri_source(values["credentials_uri"], where)


def uri_source(uri: str, where: str) -> KeySource:
    """Make the source of a credentials URI."""

    def make() -> Any:
        return library.providers().URLCredentialsProvider(uri=uri)

    return library.LibrarySource(make, f"the credentials URI ({where})")


_MAKERS: dict[str, Callable[[dict[str, str], str], KeySource]] = {
    "an access key": _access_key,
    "a role to assume": _assumed_role,
    "the role of an ECS instance": _ecs_role,
    "a role through OIDC": _oidc_role,
    "a profile of the aliyun CLI": _profile,
    "a credentials URI": _uri,
}
