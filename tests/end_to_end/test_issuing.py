"""A certificate is issued: what is called, what stands in the zone, and for how long."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.end_to_end.helpers import (
    MakeWorld,
    actions,
    assert_issued,
    ca_asked_at,
    served_everywhere_at,
)
from tests.world import Key, World, zone_policy


def test_a_wildcard_and_its_apex_are_two_values_at_one_name(world: World) -> None:
    outcome = world.issue("example.com", "*.example.com")
    assert_issued(outcome, world, "example.com", "*.example.com")
    made = world.records.made()
    assert [(record.rr, record.type, record.ttl) for record in made] == [
        ("_acme-challenge", "TXT", 600),
        ("_acme-challenge", "TXT", 600),
    ]
    assert made[0].value != made[1].value


@pytest.mark.newest
def test_two_values_take_five_calls_at_most(world: World) -> None:
    world.issue("example.com", "*.example.com")
    assert len(actions(world)) <= 5
    assert actions(world).count("AddDomainRecord") == 2
    assert actions(world).count("DeleteDomainRecord") == 2


@pytest.mark.newest
def test_the_ca_is_called_when_every_name_server_serves_the_value(make_world: MakeWorld) -> None:
    world = make_world(lags=(0.1, 1.0))
    assert_issued(world.issue("example.com"), world, "example.com")
    assert ca_asked_at(world) >= served_everywhere_at(world.records.made(), 1.0)


def test_a_name_is_one_record_in_its_zone(world: World) -> None:
    outcome = world.issue("www.example.com")
    assert_issued(outcome, world, "www.example.com")
    assert [record.rr for record in world.records.made()] == ["_acme-challenge.www"]


@pytest.mark.newest
def test_the_call_names_the_host_and_shows_no_secret_in_its_url(world: World) -> None:
    world.issue("example.com")
    for call in world.alidns.calls:
        assert call.sni == "alidns.aliyuncs.com"
        assert call.method == "POST"
        assert call.in_query == []
        assert "Authorization" not in call.headers


@pytest.mark.newest
def test_calls_share_connections(make_world: MakeWorld) -> None:
    world = make_world()
    world.issue(*(f"host{number}.example.com" for number in range(12)))
    assert len(world.alidns.calls) == 24
    assert world.alidns.connections <= 12


@pytest.mark.newest
@pytest.mark.parametrize(
    ("option", "kind"), [("rsa", rsa.RSAPublicKey), ("ecdsa", ec.EllipticCurvePublicKey)]
)
def test_the_key_of_the_certificate_is_of_any_type(world: World, option: str, kind: type) -> None:
    outcome = world.issue("example.com", options=["--key-type", option])
    assert_issued(outcome, world, "example.com")
    assert isinstance(world.certbot.certificate("example.com").public_key(), kind)


def test_a_dry_run_proves_control_and_keeps_nothing(world: World) -> None:
    outcome = world.issue("example.com", options=["--dry-run"])
    assert outcome.ok, outcome
    assert len(world.records.made()) == 1
    assert not world.records.left()
    assert not world.certbot.renewal_file("example.com").exists()


def test_a_quiet_run_prints_nothing(world: World) -> None:
    """Old Certbots and their libraries have warnings of Python's own, which are not ours."""
    env = {"PYTHONWARNINGS": "ignore"}
    outcome = world.issue("example.com", options=["--quiet"], env=env)
    assert outcome.ok, outcome
    assert outcome.text == ""


@pytest.mark.newest
def test_an_account_key_of_sts_works_with_its_token(make_world: MakeWorld) -> None:
    world = make_world(keys=[Key.temporary(policy=zone_policy("example.com"))])
    assert_issued(world.issue("example.com"), world, "example.com")
