"""Alibaba's credentials library, as far as we use it, in the place of the real one.

The unit tests run under Pythons that do not have it; that the real one works shows
tests/end_to_end/test_credentials_kinds.py.
"""

from __future__ import annotations

import contextlib
import sys
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any, Callable

import pytest

from tests.unit.fake_time import Clock


class Key:
    """What a provider gives."""

    def __init__(self, number: int, expiration: float | None) -> None:
        self._number = number
        self._expiration = expiration

    def get_access_key_id(self) -> str:
        return f"STS.N{self._number:020d}"

    def get_access_key_secret(self) -> str:
        return f"secret{self._number:020d}"

    def get_security_token(self) -> str:
        return f"CAIS{self._number:020d}"

    def get_expiration(self) -> float | None:
        return self._expiration


@dataclass
class Provider:
    """Gives a new key each time, good for `life` seconds; None is for not telling how long.

    What is in `instead` comes first: raised, or called.
    """

    clock: Clock
    life: float | None = 3600.0
    takes: float = 0.0
    fetched: int = 0
    made: int = 0
    instead: list[BaseException | Callable[[], None]] = field(default_factory=list)

    def make(self) -> Provider:
        self.made += 1
        return self

    def get_credentials(self) -> Key:
        self.fetched += 1
        self.clock.sleep(self.takes)
        if self.instead:
            other = self.instead.pop(0)
            if isinstance(other, BaseException):
                raise other
            other()
        return Key(self.fetched, None if self.life is None else self.clock.time() + self.life)


class TeaCore:
    @staticmethod
    def do_action(request: Any, options: Any = None) -> Any:
        raise AssertionError("the library sends by itself")

    @staticmethod
    def compose_url(request: Any) -> str:
        query = urllib.parse.urlencode(request.query)
        port = "" if request.port == 80 else f":{request.port}"
        return f"{request.protocol}://{request.headers['host']}{port}{request.pathname}?{query}"


class EcsRamRoleCredentialsProvider:
    def __init__(self, **settings: Any) -> None:
        self.settings = settings


def read(path: str) -> str:
    raise AssertionError("the library reads a file by itself")


def request(host: str, protocol: str = "https", port: int = 80, **query: str) -> SimpleNamespace:
    """A request as the library makes them."""
    return SimpleNamespace(
        method="GET",
        protocol=protocol,
        port=port,
        pathname="/",
        headers={"host": host},
        query=query,
        body=None,
    )


@contextlib.contextmanager
def in_place() -> Iterator[ModuleType]:
    """Puts the library's modules where Python finds them; gives that of the providers."""
    names = (
        "alibabacloud_credentials",
        "alibabacloud_credentials.provider",
        "alibabacloud_credentials.provider.cli_profile",
        "alibabacloud_credentials.provider.ecs_ram_role",
        "alibabacloud_credentials.provider.oidc",
        "alibabacloud_credentials.provider.profile",
        "alibabacloud_credentials.provider.rsa_key_pair",
        "Tea",
        "Tea.core",
        "Tea.response",
    )
    with pytest.MonkeyPatch.context() as patch:
        modules = {name: ModuleType(name) for name in names}
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
            above, _, own = name.rpartition(".")
            if above:
                setattr(modules[above], own, module)
            if name.startswith("alibabacloud_credentials.provider"):
                module.EcsRamRoleCredentialsProvider = (  # type: ignore[attr-defined]
                    EcsRamRoleCredentialsProvider
                )
        modules["alibabacloud_credentials.provider.oidc"]._get_token = read  # type: ignore[attr-defined]
        modules["alibabacloud_credentials.provider.rsa_key_pair"]._get_content = read  # type: ignore[attr-defined]
        modules["Tea.core"].TeaCore = TeaCore  # type: ignore[attr-defined]
        modules["Tea.response"].TeaResponse = SimpleNamespace  # type: ignore[attr-defined]
        yield modules["alibabacloud_credentials.provider"]


@contextlib.contextmanager
def missing() -> Iterator[None]:
    """Makes the library one that is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(sys.modules):
            if name.partition(".")[0] in ("alibabacloud_credentials", "Tea"):
                patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, "alibabacloud_credentials", None)
        yield
