"""Names and zones at the edges of what DNS, Certbot and Alidns know."""

from __future__ import annotations

import pytest

from tests.end_to_end.delegating import TARGET, add_foreign, alias, placed
from tests.end_to_end.helpers import MakeWorld, assert_issued, assert_refused
from tests.world import Key, Server, zone_policy
from tests.world.records import ascii_name

pytestmark = pytest.mark.newest

SCRIPTS = (
    "例子.com",
    "例子.中国",
    "пример.рф",
    "실례.com",
    "サンプル.com",
    "παράδειγμα.com",
    "ตัวอย่าง.com",
    "مثال.com",
    "उदाहरण.com",
    "bücher.com",
    "магазин.example.com",
)
LIKE_SUFFIXES = ("uk.com", "com.de", "co.brand", "com.com")


def test_zones_of_many_scripts(make_world: MakeWorld) -> None:
    """The API knows them by their U-labels alone, a certificate by their A-labels."""
    world = make_world(["example.com", *SCRIPTS], lags=(0.1,))
    names = [f"{prefix}{ascii_name(zone)}" for zone in SCRIPTS for prefix in ("", "*.")]
    assert_issued(world.issue(*names), world, *names)
    assert set(placed(world)) == {(zone, "_acme-challenge") for zone in SCRIPTS}
    assert {call.zone for call in world.alidns.calls} == set(SCRIPTS)
    assert len(world.alidns.calls) == 2 * len(names)


def test_zones_that_the_api_knows_by_their_a_labels(make_world: MakeWorld) -> None:
    """The field tells of both; a call for each zone finds out."""
    zones = ("例子.com", "пример.рф")
    key = Key(zone_policy(*zones, *map(ascii_name, zones)))
    world = make_world([], keys=[key], lags=(0.1,))
    for zone in zones:
        world.add_zone(zone, a_labels=True)
    names = ["xn--fsqu00a.com", "*.xn--fsqu00a.com", "xn--e1afmkfd.xn--p1ai"]
    assert_issued(world.issue(*names), world, *names)
    refused = [call.zone for call in world.alidns.calls if call.code != "OK"]
    assert sorted(map(str, refused)) == ["пример.рф", "例子.com"]
    assert len(world.alidns.calls) == 2 * len(names) + len(refused)


def test_a_reply_lost_in_such_a_zone(make_world: MakeWorld) -> None:
    """The record is found again, by the form that was found out."""
    world = make_world([], keys=[Key(zone_policy("例子.com", "xn--fsqu00a.com"))])
    world.add_zone("例子.com", a_labels=True)
    world.alidns.fault("reset", "AddDomainRecord", moment="after", zone="xn--fsqu00a.com")
    assert_issued(world.issue("xn--fsqu00a.com"), world, "xn--fsqu00a.com")


def test_zones_that_look_like_public_suffixes(make_world: MakeWorld) -> None:
    world = make_world(LIKE_SUFFIXES, lags=(0.1,))
    names = [f"{prefix}{zone}" for zone in LIKE_SUFFIXES for prefix in ("", "www.", "*.a.")]
    assert_issued(world.issue(*names), world, *names)
    assert {zone for zone, _ in placed(world)} == set(LIKE_SUFFIXES)


def test_upper_case_a_labels(make_world: MakeWorld) -> None:
    world = make_world(["пример.рф"])
    outcome = world.issue("WWW.XN--E1AFMKFD.XN--P1AI")
    assert_issued(outcome, world, "www.xn--e1afmkfd.xn--p1ai")


def test_u_labels_are_refused_by_certbot(make_world: MakeWorld) -> None:
    """It says itself that A-labels are what it wants."""
    world = make_world(["пример.рф"])
    outcome = world.issue("пример.рф")
    assert not outcome.ok
    assert "Traceback" not in outcome.text
    assert not world.alidns.calls


@pytest.mark.parametrize("spelling", ["xn--e1afmkfd.xn--p1ai", "ПРИМЕР。РФ."])
def test_a_section_may_spell_its_zone_either_way(make_world: MakeWorld, spelling: str) -> None:
    world = make_world(["пример.рф"])
    lines = [
        f"[{spelling}]",
        f"dns_aliyun_access_key = {world.key.id}",
        f"dns_aliyun_access_key_secret = {world.key.secret}",
    ]
    ini = world.write_ini("\n".join(lines).encode())
    name = "xn--e1afmkfd.xn--p1ai"
    assert_issued(world.certbot.run(*world.certonly(name, ini=ini)), world, name)


def test_a_chinese_label_below_a_zone(make_world: MakeWorld) -> None:
    world = make_world()
    name = "xn--fsqu00a.example.com"
    assert_issued(world.issue(name, f"*.{name}"), world, name, f"*.{name}")


def test_a_label_of_a_script_that_alidns_does_not_take(make_world: MakeWorld) -> None:
    world = make_world()
    outcome = world.issue("example.com", "xn--e1afmkfd.example.com")
    assert_refused(outcome, "SubDomainInvalid.RR", "as a zone of its own")
    assert not world.records.left()


def test_such_a_label_as_a_zone_of_its_own(make_world: MakeWorld) -> None:
    world = make_world(["example.com", "пример.example.com"])
    names = ["example.com", "xn--e1afmkfd.example.com", "*.xn--e1afmkfd.example.com"]
    assert_issued(world.issue(*names), world, *names)


def test_such_a_label_elsewhere_delegated_to_an_ascii_name(make_world: MakeWorld) -> None:
    world = make_world([TARGET])
    add_foreign(world)
    alias(world, "_acme-challenge.xn--e1afmkfd.shop.example", f"one.{TARGET}")
    name = "xn--e1afmkfd.shop.example"
    assert_issued(world.issue(name), world, name)
    assert placed(world) == [(TARGET, "one")]


@pytest.mark.parametrize(
    "target", ["x\\.corp.example", ".".join(["\\000" * 60] * 4)], ids=["a dot", "escapes"]
)
def test_a_cname_to_what_is_no_name(make_world: MakeWorld, target: str) -> None:
    """Its labels are not what stands between the dots of its text."""
    world = make_world(["corp.example"], keys=[Key()])
    add_foreign(world)
    alias(world, "_acme-challenge.shop.example", target)
    outcome = world.issue("shop.example")
    assert_refused(outcome, "_acme-challenge.shop.example", "no zone at Alibaba Cloud DNS can hold")
    assert not world.alidns.calls


def test_a_zone_at_the_validation_name_itself(make_world: MakeWorld) -> None:
    """The parent, elsewhere, delegates the name by NS records; Alidns has it as a zone."""
    world = make_world([], keys=[Key(zone_policy("_acme-challenge.shop.example"))])
    add_foreign(world)
    world.add_zone("_acme-challenge.shop.example")
    world.records.add_stranger("_acme-challenge.shop.example", "@", "somebody else's")
    assert_issued(
        world.issue("shop.example", "*.shop.example"), world, "shop.example", "*.shop.example"
    )
    assert placed(world) == [("_acme-challenge.shop.example", "@")]


def test_such_a_zone_beside_its_parent(make_world: MakeWorld) -> None:
    """Both are at Alidns, on the same name servers."""
    servers = [Server(lag=0.1), Server(lag=0.2)]
    zone = "_acme-challenge.example.com"
    world = make_world({"example.com": servers, zone: servers})
    names = ["example.com", "www.example.com"]
    assert_issued(world.issue(*names), world, *names)
    assert set(placed(world)) == {("example.com", "_acme-challenge.www"), (zone, "@")}


def test_a_company_that_has_a_top_level_domain(make_world: MakeWorld) -> None:
    """Alidns holds no such zone, but it may delegate the challenge."""
    world = make_world([TARGET])
    alias_zone = world.tld("brand")
    alias_zone.add("_acme-challenge.www", f"brand.{TARGET}.", "CNAME")
    assert_issued(world.issue("www.brand"), world, "www.brand")
    assert placed(world) == [(TARGET, "brand")]


def test_a_name_in_a_top_level_domain_that_delegates_nothing(make_world: MakeWorld) -> None:
    world = make_world(keys=[Key(zone_policy("*"))])
    world.tld("brand").add("www", "192.0.2.1", "A")
    assert_refused(world.issue("www.brand"), "_acme-challenge.www.brand could not be added")
