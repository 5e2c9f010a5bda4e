"""`certbot-dns-aliyun check` says beforehand what a certificate's run would meet."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.end_to_end.checking import check, check_lineages, found, report_of
from tests.end_to_end.delegating import SHOP, TARGET, add_foreign, alias
from tests.end_to_end.helpers import MakeWorld, actions, copy_lineage
from tests.end_to_end.kinds import KINDS, Kind, a_role, ini, key_of, oidc, prepared_for
from tests.world import Key, Server, World, until, zone_policy
from tests.world.cloud import Cloud

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
        ("DeleteDomainRecord", "remove", "warning"),
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


@pytest.mark.nightly
def test_an_api_that_fails_is_a_problem_where_nothing_else_shows_it(make_world: MakeWorld) -> None:
    world = make_world(lags=(0.1,))
    world.alidns.fault("code", times=None, code="InternalError")
    outcome = check(world, "-d", "example.com", "--read-only", "--json")
    assert found(outcome)["example.com", "values"][0] == "problem"
    assert outcome.returncode == 1


def forbid(world: World) -> None:
    world.records.zones["example.com"].add("@", '0 issue "other-ca.example"', "CAA")


def break_dnssec(world: World) -> None:
    world.tld("com").add("example", "12345 13 2 " + "ab" * 32, "DS")


def break_dnssec_before_a_resolver_that_validates(world: World) -> None:
    """It says SERVFAIL for all that is in the zone, the SOA and NS records included."""
    break_dnssec(world)
    world.resolver.bogus.add("example.com")


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
        (
            break_dnssec_before_a_resolver_that_validates,
            "DNSSEC",
            "the DS record (key tag 12345)",
        ),
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


def test_lineages_are_checked_as_certbot_renews_them(make_world: MakeWorld) -> None:
    """Each with the options of its renewal file; those of other plugins are none of ours."""
    world = make_world(["example.com", "example.net"], lags=(0.1,))
    options = ["--dns-aliyun-wait-limit", 30, "--dns-aliyun-wait-for", "nothing"]
    quick = [*options, "--dns-aliyun-propagation-seconds", 1]
    assert world.issue("example.com", "*.example.com", options=quick).ok
    for copy, line in {
        "paused": ("autorenew = True", "autorenew = False"),
        "web": ("authenticator = dns-aliyun", "authenticator = webroot"),
        "broken": ("wait_limit = 30", "wait_limit = -1"),
    }.items():
        copy_lineage(world, "example.com", copy)
        file = world.certbot.renewal_file(copy)
        text = file.read_text()
        if line[0] not in text:
            text += f"{line[0]}\n"
        file.write_text(text.replace(*line))
    outcome = check_lineages(world, "--all", "--json")
    findings = report_of(outcome)
    assert [f["lineage"] for f in findings if f["check"] == "lineage"] == [
        "broken",
        "example.com",
        "paused",
    ]
    results = {
        (f["lineage"], f["check"]): f["result"] for f in findings if f["check"] != "credentials"
    }
    assert results["broken", "lineage"] == "problem"
    assert results["paused", "lineage"] == "skipped"
    assert results["example.com", "add"] == results["example.com", "remove"] == "ok"
    assert results["example.com", "served"] == "skipped", "--wait-for nothing"

    named = check_lineages(world, "--cert-name", "example.com", "--wait-for", "all")
    assert named.ok, named
    assert named.stdout.startswith("Lineage example.com:\n")
    assert "ok      example.com, *.example.com: served: 1 address" in named.stdout, named
    assert "not by this plugin" in check_lineages(world, "--cert-name", "web").stdout
    assert check_lineages(world, "--cert-name", "none").returncode == 2
    assert check_lineages(world, "--all", "-d", "example.com").returncode == 2


def test_a_hundred_names_take_no_longer_than_a_few(make_world: MakeWorld) -> None:
    world = make_world(lags=(0.1, 0.2))
    world.alidns.call_seconds = 0.05
    names = [f"n{number}.example.com" for number in range(100)]
    outcome = check(world, "-d", ",".join(names), "--json", timeout=100)
    findings = report_of(outcome)
    assert outcome.ok, outcome
    assert len([f for f in findings if f["check"] == "remove"]) == 100
    assert outcome.seconds < 40
    assert not world.records.left()


@pytest.mark.parametrize(
    "kind",
    [
        each if each in (a_role, oidc) else pytest.param(each, marks=pytest.mark.nightly)
        for each in KINDS
    ],
    ids=lambda kind: kind.__name__,
)
def test_each_kind_of_credentials_is_asked(world: World, kind: Kind) -> None:
    prepared = prepared_for(Cloud(world), kind)
    outcome = check(world, "-d", "example.com", "--json", ini=ini(world, prepared.settings))
    assert outcome.ok, outcome
    assert found(outcome)["", "credentials"][0] == "ok"
    assert {call.key_id for call in world.alidns.calls} <= set(prepared.key_ids)


def test_two_accounts_and_an_internationalized_zone(make_world: MakeWorld) -> None:
    world = make_world(["example.com"], lags=(0.1,))
    world.add_zone("例子.com", [Server(lag=0.1)], account="2")
    other = world.add_key(Key(zone_policy("例子.com"), account="2"))
    both = ini(world, key_of(world.key), "例子.com", key_of(other))
    outcome = check(world, "-d", "example.com,例子.com", "--json", ini=both)
    findings = found(outcome)
    assert outcome.ok, outcome
    assert findings["xn--fsqu00a.com", "remove"][0] == findings["example.com", "remove"][0] == "ok"
    other.active = False
    findings = found(check(world, "-d", "example.com,例子.com", "--json", ini=both))
    assert findings["xn--fsqu00a.com", "add"][0] == "problem"
    assert findings["example.com", "remove"][0] == "ok"
