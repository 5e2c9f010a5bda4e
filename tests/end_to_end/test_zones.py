"""The zone of a name is found, whatever zones and names there are, and with few calls."""

from __future__ import annotations

import pytest

from tests.end_to_end.helpers import MakeWorld, actions, assert_issued, assert_refused
from tests.world import Key, World, zone_policy

pytestmark = pytest.mark.newest

IDN = "例子.com"
IDN_A = "xn--fsqu00a.com"


def placed(world: World) -> dict[str, str]:
    """The zone in which each record was made, by its full name."""
    return {record.owner: record.zone for record in world.records.made()}


def test_one_certificate_of_many_zones(make_world: MakeWorld) -> None:
    world = make_world(["example.com", "example.net", "example.com.cn", "example.co.uk"])
    names = ["example.com", "*.example.net", "www.example.com.cn", "example.co.uk"]
    assert_issued(world.issue(*names), world, *names)
    assert placed(world) == {
        "_acme-challenge.example.com": "example.com",
        "_acme-challenge.example.net": "example.net",
        "_acme-challenge.www.example.com.cn": "example.com.cn",
        "_acme-challenge.example.co.uk": "example.co.uk",
    }
    assert set(actions(world)) == {"AddDomainRecord", "DeleteDomainRecord"}
    assert len(actions(world)) == 8


def test_the_longest_hosted_zone_takes_the_record(make_world: MakeWorld) -> None:
    world = make_world(["example.com", "dev.example.com"])
    names = ["example.com", "dev.example.com", "*.a.dev.example.com", "b.example.com"]
    assert_issued(world.issue(*names), world, *names)
    assert placed(world) == {
        "_acme-challenge.example.com": "example.com",
        "_acme-challenge.dev.example.com": "dev.example.com",
        "_acme-challenge.a.dev.example.com": "dev.example.com",
        "_acme-challenge.b.example.com": "example.com",
    }
    assert len(actions(world)) == 8


def test_a_sub_zone_that_is_hosted_and_not_delegated_does_not_matter(
    make_world: MakeWorld,
) -> None:
    """Its records would be served by nobody."""
    world = make_world()
    world.add_zone("dev.example.com", delegate=False)
    key = world.add_key(Key(zone_policy("example.com", "dev.example.com")))
    ini = world.credentials_ini(key)
    outcome = world.certbot.run(*world.certonly("www.dev.example.com", ini=ini))
    assert_issued(outcome, world, "www.dev.example.com")
    assert placed(world) == {"_acme-challenge.www.dev.example.com": "example.com"}


@pytest.mark.parametrize("spelling", [IDN, IDN_A])
def test_an_internationalized_zone_is_named_to_the_api_in_unicode(
    make_world: MakeWorld, spelling: str
) -> None:
    world = make_world([IDN], keys=[Key(zone_policy(spelling))])
    names = [IDN_A, f"*.{IDN_A}"]
    assert_issued(world.issue(*names), world, *names)
    assert {call.zone for call in world.alidns.calls} == {IDN}
    assert len(actions(world)) <= 5


def test_an_internationalized_label_below_the_zone(world: World) -> None:
    name = "xn--fsqu00a.example.com"
    assert_issued(world.issue(name), world, name)
    assert placed(world) == {f"_acme-challenge.{name}": "example.com"}


def test_a_name_twenty_labels_deep(world: World) -> None:
    name = ".".join([*"abcdefghijklmnopqr", "example.com"])
    assert_issued(world.issue(name), world, name)
    assert len(actions(world)) == 2


def test_labels_and_names_of_the_greatest_length(world: World) -> None:
    """With _acme-challenge before it, the name has 253 characters."""
    room = 253 - len("_acme-challenge.") - len(".example.com")
    name = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * (room - 3 * 64)]) + ".example.com"
    outcome = world.issue(name, options=["--cert-name", "long"])
    assert outcome.ok, outcome
    assert world.certbot.names("long") == [name]


def test_upper_case_is_the_same_name(world: World) -> None:
    assert_issued(world.issue("WWW.Example.COM"), world, "www.example.com")


def test_an_account_of_hundreds_of_zones(make_world: MakeWorld) -> None:
    world = make_world()
    for number in range(300):
        world.records.host(type(world.records.zones["example.com"])(f"zone{number}.example"))
    assert_issued(world.issue("www.example.com"), world, "www.example.com")
    assert len(actions(world)) == 2


def test_a_zone_of_thousands_of_records(world: World) -> None:
    """More of them than on five pages resemble what is looked for after a lost reply."""
    many = [(f"_acme-challenge.host{number}", f"value {number}") for number in range(3000)]
    world.records.add_strangers("example.com", many)
    world.alidns.fault("close", "AddDomainRecord", moment="after")
    assert_issued(
        world.issue("example.com", "*.example.com"), world, "example.com", "*.example.com"
    )
    assert len(actions(world)) <= 6


def test_a_key_that_may_only_add_and_delete(make_world: MakeWorld) -> None:
    policy = zone_policy("example.com", actions=["AddDomainRecord", "DeleteDomainRecord"])
    world = make_world(keys=[Key(policy)])
    names = ["example.com", "*.example.com", "a.b.example.com"]
    assert_issued(world.issue(*names), world, *names)
    assert "DescribeDomainRecords" not in actions(world)


@pytest.mark.parametrize("behaviour", ["refuse", "missing"])
@pytest.mark.parametrize("ram_first", [True, False])
def test_without_public_dns_the_api_tells_the_zone(
    make_world: MakeWorld, behaviour: str, ram_first: bool
) -> None:
    """Every name on the way up is tried, of which the key may touch the zone alone."""
    world = make_world(["example.com.cn"], api_in_hosts_file=True)
    world.alidns.actions.ram_first = ram_first
    world.resolver.behave(behaviour)
    outcome = world.issue("www.example.com.cn", options=["--dns-aliyun-propagation-seconds", 1])
    assert_issued(outcome, world, "www.example.com.cn")
    tried = [call.zone for call in world.alidns.calls_of("AddDomainRecord")]
    assert tried == ["_acme-challenge.www.example.com.cn", "www.example.com.cn", "example.com.cn"]


def test_a_zone_that_only_public_dns_knows_is_named(make_world: MakeWorld) -> None:
    world = make_world()
    world.add_zone("elsewhere.example", hosted=False)
    outcome = world.issue("www.elsewhere.example")
    assert_refused(outcome, "elsewhere.example")
    assert not world.records.made()


def test_a_zone_of_another_account_is_named(make_world: MakeWorld) -> None:
    world = make_world()
    world.add_zone("example.net", account="2")
    world.key.policy = zone_policy("*")
    outcome = world.issue("example.com", "www.example.net")
    assert_refused(outcome, "_acme-challenge.www.example.net", "IncorrectDomainUser")
    assert not world.records.left()
