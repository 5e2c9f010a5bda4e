"""Access keys and RAM policies, evaluated as RAM does: what is not allowed is refused."""

from __future__ import annotations

import re
import secrets
import string
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .rpc import ApiError

Policy = Mapping[str, Any]
RECORD_ACTIONS = ("AddDomainRecord", "DeleteDomainRecord", "DescribeDomainRecords")
EVERYTHING: Policy = {
    "Version": "1",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}

_ALPHABET = string.ascii_letters + string.digits


def random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def zone_policy(*zones: str, actions: Iterable[str] = RECORD_ACTIONS) -> Policy:
    """The least policy for record calls on some zones."""
    return {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [f"alidns:{action}" for action in actions],
                "Resource": [f"acs:alidns:*:*:domain/{zone}" for zone in zones],
            }
        ],
    }


@dataclass
class Key:
    """An access key: a user's, or with a token a temporary one of STS."""

    policy: Policy = field(default_factory=lambda: EVERYTHING)
    account: str = "1"
    id: str = field(default_factory=lambda: "LTAI5t" + random_text(18))
    secret: str = field(default_factory=lambda: random_text(30))
    token: str | None = None
    token_expires: float | None = None
    active: bool = True

    @classmethod
    def temporary(cls, seconds: float = 3600.0, **more: Any) -> Key:
        """A key as STS gives it; `seconds` until it expires."""
        more.setdefault("id", "STS.N" + random_text(24))
        more.setdefault("token", "CAIS" + random_text(60) + "+/=")
        return cls(token_expires=time.monotonic() + seconds, **more)

    @property
    def secrets(self) -> list[str]:
        return [self.id, self.secret] + ([self.token] if self.token else [])

    def check_usable(self, token: str | None) -> None:
        if not self.active:
            raise ApiError("InvalidAccessKeyId.Inactive")
        if self.token is None:
            if token:
                raise ApiError("InvalidSecurityToken.MismatchWithAccessKey")
            return
        if not token:
            raise ApiError("MissingSecurityToken")
        if token != self.token:
            raise ApiError("InvalidSecurityToken.Malformed")
        if self.token_expires is not None and time.monotonic() >= self.token_expires:
            raise ApiError("InvalidSecurityToken.Expired")

    def allows(self, action: str, resources: Iterable[str]) -> bool:
        """Whether the policy allows an action on a resource that has these spellings."""
        return allowed(self.policy, action, list(resources))


def allowed(policy: Policy, action: str, resources: list[str]) -> bool:
    if policy.get("Version") != "1":
        raise ValueError("a RAM policy has Version 1")
    effects = set()
    for statement in policy["Statement"]:
        unknown = set(statement) - {"Effect", "Action", "Resource"}
        if unknown:
            raise ValueError(f"this world does not evaluate {sorted(unknown)} of a RAM policy")
        hit = any(_like(each, action) for each in _several(statement["Action"])) and any(
            _like(each, resource)
            for each in _several(statement["Resource"])
            for resource in resources
        )
        if hit:
            effects.add(statement["Effect"])
    return "Allow" in effects and "Deny" not in effects


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _like(pattern: str, text: str) -> bool:
    wild = {"*": ".*", "?": "."}
    expression = "".join(wild.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None
