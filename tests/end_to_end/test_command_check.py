"""`certbot-dns-aliyun check` says beforehand what a certificate's run would meet."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.end_to_end.checking import check, found
from tests.end_to_end.delegating import SHOP, TARGET, add_foreign, alias
from tests.end_to_end.helpers import MakeWorld, actions, screen
from tests.world import Key, Server, World, until, zone_policy

pytestmark = pytest.mark.newest


def test_all_is_well(make_world: MakeWorld) -> None:
    """For a name, its wildcard, and a name whose challenge is delegated."""
    world = make_world(["example.com", TARGET], lags=(0.1, 0.3))
    add_foreign(world)
    alias(world, f"_acme-challenge.{SHOP}", f"_acme-challenge.{TARGET}")
    outcome = check(world, "-d", f"example.com,*.example.com,{SHOP}")
    assert outcome.ok, outcome
    assert outcome.stdout.endswith("Nothing stands in the way.\n")
    for words in (
        "example.com, *.example.com: place: The TXT record belongs at _acme-challenge.example.com",
        f"where CNAMEs lead by _acme-challenge.{SHOP} -> _acme-challenge.{TARGET}.",
        "ok      *.example.com: CAA: CAA lets the CA issue.",
        f"ok      {SHOP}: served: 2 addresses of the name servers of {TARGET} serve it, dns",
        f"ok      {SHOP}: remove: The TXT record was removed again.",
    ):
        assert words in outcome.stdout, outcome
    assert len(world.records.made()) == 2
    assert not world.records.left()


def test_a_run_that_goes_on_is_left_alone_and_one_that_was_killed_is_not(world: World) -> None:
    """Certbot's lock keeps off other Certbots, and no check."""
    world.nameservers.delegations["example.com"][0].behaviour = "silent"
    run = world.certbot.start(*world.certonly("example.com"))
    until(lambda: "Waiting until" in run.screen())
    (in_hand,) = world.records.left()
    not_waiting = ("--wait-for", "nothing", "--propagation-seconds", "0")
    outcome = check(world, "-d", "www.example.com", *not_waiting)
    assert outcome.ok, outcome
    assert in_hand.alive
    run.send(signal.SIGKILL)
    run.wait(30)
    outcome = check(world, "-d", "www.example.com", *not_waiting)
    assert outcome.ok, outcome
    assert not in_hand.alive


def test_nothing_is_written_where_that_is_not_wanted(world: World) -> None:
    outcome = check(world, "-d", "example.com", "--read-only", "--json")
    findings = found(outcome)
    assert outcome.ok
    assert findings["example.com", "add"][0] == "skipped"
    assert findings["example.com", "values"][0] == "ok"
    assert actions(world) == ["DescribeDomainRecords"]


@pytest.mark.parametrize(
    ("lacks", "check_of_it", "result"),
    [
        ("AddDomainRecord", "add", "problem"),
        ("DeleteDomainRecord", "remove", "problem"),
        ("DescribeDomainRecords", "values", "warning"),
    ],
)
def test_each_permission_is_proved(
    make_world: MakeWorld, lacks: str, check_of_it: str, result: str
) -> None:
    rest = ["AddDomainRecord", "DeleteDomainRecord", "DescribeDomainRecords"]
    rest.remove(lacks)
    world = make_world(keys=[Key(zone_policy("example.com", actions=rest))], lags=(0.1,))
    world.leaves_records = lacks == "DeleteDomainRecord"
    outcome = check(world, "-d", "example.com", "--json")
    assert found(outcome)["example.com", check_of_it][0] == result
    text = found(outcome)["example.com", check_of_it][1]
    assert f"alidns:{lacks} on acs:alidns:*:*:domain/example.com" in text
    assert json.loads(outcome.stdout)["first"] == text


def forbid(world: World) -> None:
    world.records.zones["example.com"].add("@", '0 issue "other-ca.example"', "CAA")


def break_dnssec(world: World) -> None:
    world.tld("com").add("example", "12345 13 2 " + "ab" * 32, "DS")


def fill(world: World) -> None:
    for number in range(6):
        world.records.add_stranger("example.com", "_acme-challenge", f"{number:043d}")


def lock(world: World) -> None:
    world.records.zones["example.com"].locked = True


@pytest.mark.parametrize(
    ("spoil", "check_of_it", "words"),
    [
        (forbid, "CAA", 'example.com has 0 issue "other-ca.example"'),
        (break_dnssec, "DNSSEC", "the DS record (key tag 12345)"),
        (fill, "values", "6 other TXT values stand at _acme-challenge.example.com"),
        (lock, "add", "Forbidden.DomainLocked"),
    ],
)
def test_what_stands_in_the_way(
    make_world: MakeWorld, spoil: Any, check_of_it: str, words: str
) -> None:
    world = make_world(lags=(0.1,))
    assert world.letsencrypt
    spoil(world)
    findings = found(check(world, "-d", "example.com", "--json"))
    result, text = findings["example.com", check_of_it]
    assert result == ("warning" if spoil is fill else "problem")
    assert words in text
    assert spoil is lock or findings["example.com", "remove"][0] == "ok"


@pytest.mark.nightly  # the key is asked for for half a minute
def test_credentials_that_give_no_key(world: World) -> None:
    ini = world.write_ini(b"dns_aliyun_credentials_uri = http://127.0.0.1:9/key\n", mode=0o644)
    outcome = world.certbot.plugin(
        "check", "--credentials", ini, "-d", "example.com", "--read-only", "--json"
    )
    first, *_ = json.loads(outcome.stdout)["findings"]
    assert first["result"] == "warning"
    assert f"chmod 600 {ini}" in first["text"]
    result, text = found(outcome)["", "credentials"]
    assert result == "problem"
    assert text.startswith("There is no access key for the zones: ")
    assert json.loads(outcome.stdout)["first"] == text


def test_one_name_does_not_keep_the_others_from_being_checked(world: World) -> None:
    world.asks_for_cnames = True  # nobody else can be asked about the other name
    findings = found(check(world, "-d", "nowhere.invalid,example.com", "--json"))
    assert findings["nowhere.invalid", "add"][0] == "problem"
    assert findings["example.com", "served"][0] == "ok"
    assert findings["example.com", "remove"][0] == "ok"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(make_world: MakeWorld, number: signal.Signals) -> None:
    world = make_world({"example.com": [Server(lag=60)]})
    run = world.certbot.start_plugin(
        "check", "--credentials", world.credentials_ini(), "-d", "example.com"
    )
    until(world.records.made)
    run.send(number)
    outcome = run.wait(30)
    assert outcome.returncode == 130, outcome
    assert "Traceback" not in screen(outcome)
    assert not world.records.left()
