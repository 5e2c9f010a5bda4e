"""The policies of docs/ram-policy.rst suffice, and nothing in them is superfluous.

The world enforces the very text of the page.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.end_to_end import documented
from tests.end_to_end.helpers import MakeWorld, actions, assert_issued, assert_refused, screen
from tests.end_to_end.kinds import issue, key_of
from tests.world import Key, World
from tests.world.cloud import Cloud
from tests.world.sts import Role

pytestmark = pytest.mark.newest

RESOURCE = "acs:alidns:*:*:domain/example.com"


def world_with(make_world: MakeWorld, policy: dict[str, Any], *zones: str) -> World:
    return make_world(zones or ["example.com"], keys=[Key(policy, account="1")])


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    less = copy.deepcopy(policy)
    less["Statement"][0]["Action"].remove(action)
    return less


def lose_the_reply_of_an_add(world: World) -> None:
    world.alidns.fault("reset", "AddDomainRecord", moment="after")


def test_one_zone(make_world: MakeWorld) -> None:
    world = world_with(make_world, documented.ONE_ZONE)
    lose_the_reply_of_an_add(world)
    outcome = world.issue("example.com", "*.example.com")
    assert_issued(outcome, world, "example.com", "*.example.com")
    assert "DescribeDomainRecords" in actions(world)


def test_several_zones(make_world: MakeWorld) -> None:
    world = world_with(make_world, documented.SEVERAL_ZONES, "example.com", "example.org")
    lose_the_reply_of_an_add(world)
    names = ["example.com", "a.example.org"]
    assert_issued(world.issue(*names), world, *names)


def test_add_and_delete_alone(make_world: MakeWorld) -> None:
    world = world_with(make_world, documented.ADD_AND_DELETE)
    assert_issued(
        world.issue("example.com", "*.example.com"), world, "example.com", "*.example.com"
    )


def test_without_listing_a_record_whose_id_is_lost_is_named(make_world: MakeWorld) -> None:
    world = world_with(make_world, documented.ADD_AND_DELETE)
    world.leaves_records = True
    lose_the_reply_of_an_add(world)
    outcome = world.issue("example.com")
    assert outcome.ok, outcome
    (left,) = world.records.left()
    assert left.value in screen(outcome)
    assert "its id never arrived" in screen(outcome)


def test_adding_is_needed(make_world: MakeWorld) -> None:
    world = world_with(make_world, without(documented.ONE_ZONE, "alidns:AddDomainRecord"))
    assert_refused(world.issue("example.com"), f"alidns:AddDomainRecord on {RESOURCE}")


def test_deleting_is_needed(make_world: MakeWorld) -> None:
    world = world_with(make_world, without(documented.ONE_ZONE, "alidns:DeleteDomainRecord"))
    world.leaves_records = True
    outcome = world.issue("example.com")
    (left,) = world.records.left()
    assert f"alidns:DeleteDomainRecord on {RESOURCE}" in screen(outcome)
    assert left.id in screen(outcome)


def test_listing_is_needed_where_an_id_is_lost(make_world: MakeWorld) -> None:
    """The page says what it is for; the warning names action and resource, as for the others."""
    world = world_with(make_world, without(documented.ONE_ZONE, "alidns:DescribeDomainRecords"))
    world.leaves_records = True
    lose_the_reply_of_an_add(world)
    outcome = world.issue("example.com")
    assert f"alidns:DescribeDomainRecords on {RESOURCE}" in screen(outcome)


def documented_role(cloud: Cloud, trusts: dict[str, Any]) -> Role:
    return cloud.role(documented.ONE_ZONE, trusts, account=documented.ACCOUNT)


@pytest.fixture
def partner(make_world: MakeWorld) -> World:
    """The account of the page, with a user who may do what the page says."""
    world = make_world([], keys=[Key(documented.ASSUME, account=documented.ACCOUNT)])
    world.add_zone("example.com", account=documented.ACCOUNT)
    return world


def test_a_user_assumes_the_documented_role(partner: World) -> None:
    role = documented_role(Cloud(partner), documented.TRUSTS_USER)
    settings = {
        **key_of(partner.key),
        "role_arn": role.arn,
        "external_id": documented.EXTERNAL_ID,
    }
    assert_issued(issue(partner, settings), partner, "example.com")


def test_assuming_is_needed(partner: World) -> None:
    role = documented_role(Cloud(partner), documented.TRUSTS_USER)
    idle = copy.deepcopy(documented.ASSUME)
    idle["Statement"][0]["Resource"] += "-other"
    user = partner.add_key(Key(idle, account=documented.ACCOUNT))
    settings = {**key_of(user), "role_arn": role.arn, "external_id": documented.EXTERNAL_ID}
    assert_refused(issue(partner, settings), f"sts:AssumeRole on {role.arn}")


def test_an_instance_has_the_documented_role(partner: World) -> None:
    cloud = Cloud(partner)
    cloud.instance(documented_role(cloud, documented.TRUSTS_ECS))
    assert_issued(issue(partner, {"ecs_ram_role": "certbot"}), partner, "example.com")


def test_a_service_account_has_the_documented_role(partner: World) -> None:
    cloud = Cloud(partner)
    role = documented_role(cloud, documented.TRUSTS_OIDC)
    token = partner.write_ini(cloud.oidc_token(documented.CLAIMS).encode(), "token")
    settings = {
        "role_arn": role.arn,
        "oidc_provider_arn": documented.PROVIDER,
        "oidc_token_file": str(token),
    }
    assert_issued(issue(partner, settings), partner, "example.com")
    other = cloud.oidc_token({**documented.CLAIMS, "sub": "system:serviceaccount:default:other"})
    token.write_text(other)
    assert_refused(partner.certbot.run("renew", "--force-renewal"), "NoPermission", role.arn)
