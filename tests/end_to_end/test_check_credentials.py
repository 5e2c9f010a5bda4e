"""`certbot-dns-aliyun check` of lineages whose keys come from elsewhere: it agrees with `renew`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.checking import check_lineages, found
from tests.end_to_end.helpers import assert_issued
from tests.end_to_end.kinds import (
    KINDS,
    Kind,
    Prepared,
    a_credentials_uri,
    a_role,
    a_temporary_key,
    an_instance,
    issue,
    oidc,
    prepared_for,
)
from tests.world import World
from tests.world.cloud import Cloud

pytestmark = pytest.mark.newest

Breaks = Callable[[Cloud, Prepared], object]


def no_longer_trusted(cloud: Cloud, prepared: Prepared) -> None:
    assert prepared.role
    prepared.role.trusts = {"Version": "1", "Statement": []}


def without_policy(cloud: Cloud, prepared: Prepared) -> None:
    assert prepared.role
    prepared.role.policy = {"Version": "1", "Statement": []}


def expired(cloud: Cloud, prepared: Prepared) -> None:
    assert prepared.key
    prepared.key.token_expires = 0.0


def without_token(cloud: Cloud, prepared: Prepared) -> None:
    Path(prepared.settings["oidc_token_file"]).unlink()


def no_instance(cloud: Cloud, prepared: Prepared) -> None:
    assert cloud.metadata
    cloud.metadata.unplug()
    cloud.metadata = None


def gone(cloud: Cloud, prepared: Prepared) -> None:
    for stop in cloud.world.at_the_end:
        stop()


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=kind.__name__, marks=() if kind is a_role else pytest.mark.nightly)
        for kind in KINDS
    ],
)
def test_what_is_well_is_found_well(world: World, kind: Kind) -> None:
    prepared = prepared_for(Cloud(world), kind)
    assert_issued(issue(world, prepared.settings), world, "example.com")
    checked = check_lineages(world, "--all", "--json")
    assert checked.ok, checked
    assert found(checked)["", "credentials"][0] == "ok"
    assert world.certbot.run("renew", "--force-renewal").ok


@pytest.mark.parametrize(
    ("kind", "breaks", "check_of_it", "words"),
    [
        pytest.param(a_role, no_longer_trusted, "credentials", "NoPermission", id="trust"),
        pytest.param(a_role, without_policy, "add", "Forbidden.RAM", id="policy"),
        pytest.param(a_temporary_key, expired, "add", "SecurityToken.Expired", id="token"),
        pytest.param(oidc, without_token, "credentials", "oidc-token", id="file"),
        pytest.param(an_instance, no_instance, "credentials", "no ECS instance", id="metadata"),
        pytest.param(a_credentials_uri, gone, "credentials", "127.0.0.1", id="URI"),
    ],
)
@pytest.mark.nightly
def test_what_is_broken_is_found_as_a_renewal_finds_it(
    world: World, kind: Kind, breaks: Breaks, check_of_it: str, words: str
) -> None:
    cloud = Cloud(world)
    prepared = prepared_for(cloud, kind)
    assert_issued(issue(world, prepared.settings), world, "example.com")
    breaks(cloud, prepared)
    checked = check_lineages(world, "--all", "--json", timeout=150)
    problems = [
        text
        for (_, check), (result, text) in found(checked).items()
        if (result, check) == ("problem", check_of_it)
    ]
    assert words in " ".join(problems), checked
    assert not world.certbot.run("renew", "--force-renewal", timeout=170).ok
