"""Where access keys come from in a world: STS, the metadata service, a credentials URI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import sts
from .metadata import CredentialsUri, Metadata
from .ram import Key, Policy, random_text, zone_policy
from .sts import Role, Sts
from .world import World, tls_context

TRUSTS_ACCOUNT: Mapping[str, Any] = {
    "Version": "1",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"RAM": ["acs:ram::1:root"]},
        }
    ],
}
PROVIDER = "acs:ram::1:oidc-provider/ack-rrsa-c0123"
CLAIMS = {
    "iss": "https://oidc-ack-cn-hangzhou.oss-cn-hangzhou.aliyuncs.com/c0123",
    "aud": "sts.aliyuncs.com",
    "sub": "system:serviceaccount:default:certbot",
}
TRUSTS_OIDC: Mapping[str, Any] = {
    "Version": "1",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Federated": [PROVIDER]},
            "Condition": {
                "StringEquals": {f"oidc:{name}": [value] for name, value in CLAIMS.items()}
            },
        }
    ],
}


class Cloud:
    """Goes down with its world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sts = Sts(world.loop, world.alidns, tls_context(sts.HOST))
        self.metadata: Metadata | None = None
        world.resolver.hosts[sts.HOST] = sts.ADDRESS
        self.sts.broken = world.alidns.broken
        self.sts.web.listen()
        world.more_secrets.append(self._secrets)
        world.at_the_end.append(self.stop)

    def stop(self) -> None:
        self.sts.web.refuse_connections()
        if self.metadata:
            self.metadata.unplug()

    def role(
        self,
        policy: Policy | None = None,
        trusts: Mapping[str, Any] = TRUSTS_ACCOUNT,
        **more: Any,
    ) -> Role:
        """A role that may do the three record actions on example.com."""
        return self.sts.add_role(Role(policy or zone_policy("example.com"), trusts, **more))

    def user(self, role: Role) -> Key:
        """A user's key that may do nothing but assume a role."""
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role.arn}
        return self.world.add_key(Key({"Version": "1", "Statement": [statement]}))

    def instance(self, role: Role | None) -> Metadata:
        """Make this machine an ECS instance with a role, or with none."""
        if self.metadata:
            self.metadata.unplug()
        self.metadata = Metadata(self.world.loop, self.world.alidns, role)
        self.metadata.broken = self.world.alidns.broken
        self.metadata.plug_in()
        return self.metadata

    def uri(self, role: Role) -> CredentialsUri:
        page = CredentialsUri(self.world.loop, self.world.alidns, role)
        page.broken = self.world.alidns.broken
        page.web.listen()
        self.world.at_the_end.append(page.web.refuse_connections)
        return page

    def oidc_token(self, claims: Mapping[str, str] = CLAIMS) -> str:
        """A token that the identity provider gave out. (A real one is a JWT.)"""
        token = "eyJ" + random_text(60)
        self.sts.tokens[token] = claims
        return token

    def _secrets(self) -> Sequence[str]:
        passes = list(self.metadata.tokens) if self.metadata else []
        return [*self.sts.tokens, *passes]
