"""STS, the service that gives temporary access keys for roles, at sts.aliyuncs.com.

AssumeRole is signed with a user's key, whose policy and the role's trust policy must both allow it;
AssumeRoleWithOIDC brings a token of an identity provider instead.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from aiohttp import web

from . import rpc
from .alidns import AlidnsServer
from .desk import Asked, Desk
from .faults import Fault
from .ram import EVERYTHING, Key, Policy, allowed
from .webserver import LoopThread

HOST = "sts.aliyuncs.com"
ADDRESS = "127.0.0.81"
SHORTEST, LONGEST = 900, 43200


@dataclass
class Role:
    """`trusts` is its trust policy. Sessions live as long as they are asked for, at most `longest`;
    `lifetime` makes them shorter than STS would, `really` shorter than it tells."""

    policy: Policy
    trusts: Mapping[str, Any]
    name: str = "certbot"
    account: str = "1"
    longest: int = 3600
    lifetime: float | None = None
    really: float | None = None
    sessions: list[Session] = field(default_factory=list)

    @property
    def arn(self) -> str:
        return f"acs:ram::{self.account}:role/{self.name}"

    def begin_session(self, seconds: float, narrowed_by: Policy = EVERYTHING) -> Session:
        seconds = self.lifetime or seconds
        session = Session.temporary(
            self.really or seconds,
            policy=self.policy,
            account=self.account,
            narrowed_by=narrowed_by,
        )
        session.expires = time.time() + seconds
        self.sessions.append(session)
        return session

    def revoke_sessions(self) -> None:
        """What the console's button does: a policy denies everything to sessions that there are."""
        for session in self.sessions:
            session.revoked = True


@dataclass
class Session(Key):
    """A temporary key of a role. `expires` is the wall clock's time that STS tells."""

    narrowed_by: Policy = field(default_factory=lambda: EVERYTHING)
    expires: float = 0.0
    revoked: bool = False

    def allows(self, action: str, resources: Any) -> bool:
        resources = list(resources)
        return (
            not self.revoked
            and super().allows(action, resources)
            and allowed(self.narrowed_by, action, resources)
        )

    def told(self) -> dict[str, str]:
        """The key as STS, the metadata service and a credentials URI tell it."""
        expires = datetime.fromtimestamp(self.expires, timezone.utc)
        return {
            "AccessKeyId": self.id,
            "AccessKeySecret": self.secret,
            "SecurityToken": self.token or "",
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class Sts(Desk):
    """`tokens` are those that an identity provider gave out, with their claims."""

    tls: ssl.SSLContext

    def __init__(self, loop: LoopThread, alidns: AlidnsServer, tls: ssl.SSLContext) -> None:
        super().__init__(loop, ADDRESS, 443, tls)
        self.roles: dict[str, Role] = {}
        self.tokens: dict[str, Mapping[str, str]] = {}
        self._alidns = alidns

    def add_role(self, role: Role) -> Role:
        self.roles[role.arn] = role
        return role

    async def read(self, request: web.BaseRequest) -> Asked:
        params = {**request.query, **(await request.post())}
        return Asked(params.get("Action", ""), params, dict(request.headers))

    async def answer(self, request: web.BaseRequest, asked: Asked) -> web.Response:
        params = asked.params
        self._alidns.signatures.add(params.get("Signature", ""))
        try:
            rpc.require(params, "Action", "Version", "Timestamp", "RoleArn", "RoleSessionName")
            rpc.check_clock(params["Timestamp"])
            if params["Action"] == "AssumeRole":
                principal, facts = self._user(request.method, params)
            elif params["Action"] == "AssumeRoleWithOIDC":
                principal, facts = self._federated(params)
            else:
                raise rpc.ApiError("InvalidAction.NotFound", status=404)
            session = self._assume(params, principal, facts)
        except rpc.ApiError as error:
            return self._error(error)
        return _json(200, {"RequestId": rpc.new_request_id(), "Credentials": session.told()})

    def refusal(self, fault: Fault) -> web.Response:
        return self._error(rpc.ApiError(fault.code, fault.message, fault.status))

    def _user(
        self, method: str, params: Mapping[str, str]
    ) -> tuple[tuple[str, str], Mapping[str, str]]:
        rpc.require(params, "AccessKeyId", "Signature", "SignatureNonce")
        key = self._alidns.keys.get(params["AccessKeyId"])
        if key is None:
            raise rpc.ApiError("InvalidAccessKeyId.NotFound")
        key.check_usable(params.get("SecurityToken"))
        rpc.check_signature(method, params, key.secret)
        if not key.allows("sts:AssumeRole", [params["RoleArn"]]):
            raise rpc.ApiError("NoPermission")
        return ("RAM", f"acs:ram::{key.account}:root"), {
            "sts:ExternalId": params.get("ExternalId", "")
        }

    def _federated(self, params: Mapping[str, str]) -> tuple[tuple[str, str], Mapping[str, str]]:
        rpc.require(params, "OIDCProviderArn", "OIDCToken")
        claims = self.tokens.get(params["OIDCToken"])
        if claims is None:
            raise rpc.ApiError("AuthenticationFail.OIDCToken.Invalid")
        facts = {f"oidc:{name}": value for name, value in claims.items()}
        return ("Federated", params["OIDCProviderArn"]), facts

    def _assume(
        self, params: Mapping[str, str], principal: tuple[str, str], facts: Mapping[str, str]
    ) -> Session:
        role = self.roles.get(params["RoleArn"])
        if role is None:
            raise rpc.ApiError("EntityNotExist.Role", status=404)
        if not _trusted(role.trusts, principal, facts):
            raise rpc.ApiError("NoPermission")
        seconds = int(params.get("DurationSeconds", "3600"))
        if not SHORTEST <= seconds <= min(role.longest, LONGEST):
            raise rpc.ApiError("InvalidParameter.DurationSeconds")
        narrowed_by: Policy = EVERYTHING
        if params.get("Policy"):
            with suppress(ValueError):
                narrowed_by = json.loads(params["Policy"])
            if narrowed_by is EVERYTHING:
                raise rpc.ApiError("InvalidParameter.PolicyGrammar")
        session = role.begin_session(seconds, narrowed_by)
        self._alidns.add_key(session)
        return session

    def _error(self, error: rpc.ApiError) -> web.Response:
        return _json(error.status, error.body(rpc.new_request_id(), HOST, "Sts"))


def _trusted(
    trusts: Mapping[str, Any], principal: tuple[str, str], facts: Mapping[str, str]
) -> bool:
    kind, name = principal
    for statement in trusts["Statement"]:
        wanted = statement.get("Condition", {}).get("StringEquals", {})
        if (
            statement["Effect"] == "Allow"
            and statement["Action"] == "sts:AssumeRole"
            and name in _several(statement["Principal"].get(kind, []))
            and all(facts.get(fact) in _several(value) for fact, value in wanted.items())
        ):
            return True
    return False


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _json(status: int, body: Mapping[str, Any]) -> web.Response:
    return web.json_response(body, status=status)
