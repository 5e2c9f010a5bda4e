"""`certbot-dns-aliyun check` says problem for a lineage exactly when `certbot renew` then fails."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from dnslib import NS, QTYPE, RR

from tests.end_to_end.checking import check_lineages, found
from tests.end_to_end.delegating import OTHER, SHOP, TARGET, add_foreign, alias
from tests.end_to_end.helpers import RECORD, MakeWorld
from tests.world import Server, World, Zone, zone_policy
from tests.world.letsencrypt import DIRECTORY, Problem
from tests.world.nameservers import address_rr
from tests.world.ram import EVERYTHING
from tests.world.vices import capped

pytestmark = pytest.mark.newest

NAME = "example.com"


@dataclass
class Situation:
    """What has happened to a lineage since its certificate was issued.

    `check_of_it` has the problem, of which the sentence says `words`; nothing, if a renewal
    succeeds."""

    happens: Callable[[World], object]
    check_of_it: str = ""
    words: str = ""
    names: tuple[str, ...] = (NAME,)
    leaves_records: bool = False


def nothing(world: World) -> None:
    pass


def parameter(name: str, value: object) -> Callable[[World], None]:
    """Something is set in the renewal file."""

    def happens(world: World) -> None:
        file = world.certbot.renewal_file(NAME)
        kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{name} =")]
        file.write_text("\n".join([*kept, f"{name} = {value}", ""]))

    return happens


def policy(*actions: str) -> Callable[[World], None]:
    def happens(world: World) -> None:
        world.key.policy = zone_policy(NAME, actions=actions)

    return happens


def records(number: int) -> Callable[[World], None]:
    def happens(world: World) -> None:
        for each in range(number):
            world.records.add_stranger(NAME, "_acme-challenge", f"{each:043d}")

    return happens


def caa(text: str, at: str = "@", is_refused: bool = True) -> Callable[[World], None]:
    def happens(world: World) -> None:
        world.records.zones[NAME].add(at, text, "CAA")
        if is_refused:
            world.letsencrypt.refuses = lambda name: Problem("caa", "CAA record forbids")

    return happens


def caa_of_the_account(is_ours: bool) -> Callable[[World], None]:
    def happens(world: World) -> None:
        (file,) = world.certbot.config_dir.glob("accounts/*/directory/*/regr.json")
        match = re.search(r'"uri": "([^"]+)"', file.read_text())
        assert match
        uri = match[1] if is_ours else match[1] + "0"
        caa(f'0 issue "letsencrypt.org; accounturi={uri}"', is_refused=not is_ours)(world)

    return happens


def broken_dnssec(world: World) -> None:
    world.tld("com").add("example", "12345 13 2 " + "ab" * 32, "DS")
    world.letsencrypt.refuses = lambda name: Problem("dns", "DNSSEC: Bogus")


def bogus(world: World) -> None:
    """The resolver validates, which all that the plugin looks up there then fails."""
    broken_dnssec(world)
    world.resolver.bogus.add(NAME)


def locked(world: World) -> None:
    world.records.zones[NAME].locked = True


def to_others(world: World, name_server: str = OTHER) -> None:
    """The registry delegates the domain elsewhere, and the resolver has heard of it."""
    zone = Zone(NAME)
    elsewhere = Server(name=name_server, content=zone)
    registry = world.tld("com")
    for record in registry.alive():
        if record.type == "NS" and record.rr == "example":
            registry.remove(record)
    world.nameservers.serve(zone, [elsewhere])
    world._delegate(NAME, [elsewhere])


def to_others_unheard_of(world: World) -> None:
    """The resolver of this machine still knows the old name servers, which go on serving."""
    old = world.nameservers.delegations[NAME]
    to_others(world)
    world.resolver.lie(
        NAME, "NS", *(RR(NAME, QTYPE.NS, rdata=NS(server.name), ttl=60) for server in old)
    )
    for server in old:
        world.resolver.lie(server.name, "A", address_rr(server.name, server.address))


def behave(how: str, which: slice = slice(None)) -> Callable[[World], None]:
    def happens(world: World) -> None:
        for server in world.nameservers.delegations[NAME][which]:
            server.behaviour = how

    return happens


def file_of(data: bytes) -> Callable[[World], None]:
    return lambda world: world.write_ini(data)


def no_file(world: World) -> None:
    world.credentials_ini().unlink()


def readable_file(world: World) -> None:
    world.credentials_ini().chmod(0o644)


def no_account(world: World) -> None:
    shutil.rmtree(world.certbot.config_dir / "accounts")


def half_a_file(world: World) -> None:
    file = world.certbot.renewal_file(NAME)
    file.write_text(file.read_text().partition("[renewalparams]")[0])


def no_certificate(world: World) -> None:
    shutil.rmtree(world.certbot.config_dir / "archive" / NAME)


def legacy(world: World) -> None:
    parameter("authenticator", "certbot-dns-aliyun:dns-aliyun")(world)


def disabled(world: World) -> None:
    world.key.active = False


def clock_is_off(seconds: float) -> Callable[[World], None]:
    def happens(world: World) -> None:
        world.alidns.clock_offset = seconds

    return happens


def leads(target: str) -> Callable[[World], None]:
    """The challenge is delegated, to another zone of the account or to whatever it is."""

    def happens(world: World) -> None:
        world.add_zone(TARGET, [Server(lag=0.1)])
        world.key.policy = EVERYTHING
        alias(world, RECORD, target)

    return happens


def leads_to_a_name_in_use(world: World) -> None:
    leads(f"www.{TARGET}")(world)
    world.records.add_stranger(TARGET, "www", "192.0.2.8", "A", added_at=world.began - 60)


def leads_to_a_zone_of_others(world: World) -> None:
    add_foreign(world)
    alias(world, RECORD, f"_acme-challenge.{SHOP}")


def sub_zone_of_others(world: World) -> None:
    world.key.policy = EVERYTHING
    add_foreign(world, f"dev.{NAME}")


def hosted_sub_zone(world: World) -> None:
    world.key.policy = EVERYTHING
    world.add_zone(f"dev.{NAME}", [Server(lag=0.1)])


def gives_no_more_than(count: int) -> Callable[[World], None]:
    def happens(world: World) -> None:
        records(count)(world)
        for server in world.nameservers.delegations[NAME]:
            server.vice, server.vice_for_all = capped(count), True

    return happens


def expired(world: World) -> None:
    """Its name servers are Alibaba's for such domains."""
    to_others(world, "expirens3.hichina.com")
    world.records.zones[NAME].locked = True


def not_in_the_registry(world: World) -> None:
    """It was never activated, or its owner's identity is not verified (clientHold)."""
    registry = world.tld("com")
    for record in registry.alive():
        if record.rr == "example":
            registry.remove(record)
    del world.nameservers.delegations[NAME]


def at_esa(world: World) -> None:
    to_others(world, "male1-1.ialicdn.com")


def slow_api(world: World) -> None:
    world.alidns.call_seconds, world.alidns.one_write_at_a_time = 0.3, True


def throttled(world: World) -> None:
    world.alidns.fault("code", "AddDomainRecord", code="Throttling.User", times=2)


def lost_reply(world: World) -> None:
    world.alidns.fault("close", "AddDomainRecord", moment="after")


def list_that_fails(world: World) -> None:
    world.alidns.fault("code", "DescribeDomainRecords", times=None, code="InternalError")


def dead_api(world: World) -> None:
    world.alidns.refuse_connections()


def another_zone_of_that_name(world: World) -> None:
    """The zone is in an account that the key is not of."""
    del world.records.zones[NAME]


LETSENCRYPT_ALONE = '0 issue "letsencrypt.org"'
OTHERS_ALONE = '0 issue "other-ca.example"'
DEV = (f"www.dev.{NAME}",)
BOTH = (NAME, f"*.{NAME}")

QUICK = {
    "nothing": Situation(nothing, names=BOTH),
    "a key that may not list": Situation(policy("AddDomainRecord", "DeleteDomainRecord")),
    "a key that may not add": Situation(
        policy("DeleteDomainRecord", "DescribeDomainRecords"), "add", "alidns:AddDomainRecord"
    ),
    "a key that is disabled": Situation(disabled, "add", "InvalidAccessKeyId.Inactive"),
    "no credentials file": Situation(no_file, "lineage", "aliyun.ini"),
    "half a renewal file": Situation(half_a_file, "lineage", "renewalparams is missing"),
    "no account": Situation(no_account, "lineage", "The account"),
    "CAA for others": Situation(caa(OTHERS_ALONE), "CAA", "other-ca.example"),
    "CAA for our account": Situation(caa_of_the_account(is_ours=True)),
    "CAA for another account": Situation(caa_of_the_account(is_ours=False), "CAA", "accounturi"),
    "moved, and the resolver has not heard": Situation(
        to_others_unheard_of, "served", "no name server of example.com served it"
    ),
    "wrong wait-limit": Situation(
        parameter("dns_aliyun_wait_limit", 90000), "lineage", "must be between 0 and 86400"
    ),
}

NIGHTLY = {
    "a file that others may read": Situation(readable_file),
    "a key that may not delete": Situation(
        policy("AddDomainRecord", "DescribeDomainRecords"), leaves_records=True
    ),
    "a list that fails": Situation(list_that_fails),
    "slow API": Situation(slow_api, names=BOTH),
    "throttled": Situation(throttled),
    "lost reply": Situation(lost_reply),
    "dead API": Situation(dead_api, "add", "cannot be reached"),
    "wrong secret": Situation(
        file_of(
            b"dns_aliyun_access_key = LTAI5tabcdefabcdefabcdef\ndns_aliyun_access_key_secret = "
            + b"x" * 30
        ),
        "add",
        "InvalidAccessKeyId.NotFound",
    ),
    "half a credentials file": Situation(
        file_of(b"dns_aliyun_access_key = LTAI5tabcdefabcdefabcdef\n"), "lineage", "missing"
    ),
    "an hour off": Situation(clock_is_off(3600), "clock", "behind by 3"),
    "a minute off": Situation(clock_is_off(100)),
    "locked": Situation(locked, "add", "Forbidden.DomainLocked"),
    "zone of another account": Situation(another_zone_of_that_name, "add", "could not be added"),
    "moved to others": Situation(to_others, "served", "None of the name servers"),
    "moved to ESA": Situation(at_esa, "place", "Alibaba Cloud ESA"),
    "expired": Situation(expired, "add", "Forbidden.DomainLocked"),
    "not in the registry": Situation(not_in_the_registry, "served", "knows no zone"),
    "sub-zone of others": Situation(sub_zone_of_others, "served", "of its own", names=DEV),
    "hosted sub-zone": Situation(hosted_sub_zone, names=DEV),
    "delegated": Situation(leads(f"_acme-challenge.{TARGET}")),
    "delegated in a circle": Situation(leads(RECORD), "place", "circle"),
    "delegated to a name in use": Situation(leads_to_a_name_in_use, "place", "other records stand"),
    "delegated to others": Situation(leads_to_a_zone_of_others, "add", SHOP),
    "dead name servers": Situation(behave("silent"), "served", "can be asked"),
    "name servers that refuse": Situation(behave("refused"), "served", "authority"),
    "three other values": Situation(records(3)),
    "too many values": Situation(gives_no_more_than(8), "served", "The TXT record"),
    "CAA for the CA": Situation(caa(LETSENCRYPT_ALONE, is_refused=False)),
    "CAA of the name above": Situation(
        caa(OTHERS_ALONE), "CAA", "example.com has", names=(f"www.{NAME}",)
    ),
    "CAA against wildcards": Situation(
        caa('0 issuewild ";"'), "CAA", "issuewild", names=(f"*.{NAME}",)
    ),
    "CAA against wildcards alone": Situation(caa('0 issuewild ";"', is_refused=False)),
    "CAA against DNS": Situation(
        caa('0 issue "letsencrypt.org; validationmethods=http-01"'), "CAA", "validationmethods"
    ),
    "CAA at the name itself": Situation(
        caa(LETSENCRYPT_ALONE, "www", is_refused=False), names=(f"www.{NAME}",)
    ),
    "DNSSEC": Situation(broken_dnssec, "DNSSEC", "12345"),
    "DNSSEC, and a resolver that validates": Situation(bogus, "DNSSEC", "12345"),
    "no certificate": Situation(no_certificate, "lineage", "is no link to a file"),
    "no wait": Situation(parameter("dns_aliyun_wait_for", "nothing")),
    "resolvers that are none": Situation(
        parameter("dns_aliyun_resolvers", "no-such-host"), "lineage", "no-such-host"
    ),
    "authenticator of old": Situation(legacy, "lineage", "certbot reconfigure"),
    "wait-limit in words": Situation(
        parameter("dns_aliyun_wait_limit", "long"), "lineage", "not long"
    ),
}
assert len(QUICK | NIGHTLY) >= 30


@pytest.mark.parametrize(
    "situation",
    [pytest.param(each, id=name) for name, each in QUICK.items()]
    + [pytest.param(each, id=name, marks=pytest.mark.nightly) for name, each in NIGHTLY.items()],
)
def test_check_says_what_a_renewal_meets(make_world: MakeWorld, situation: Situation) -> None:
    world = make_world(lags=(0.1, 0.2))
    assert world.letsencrypt
    limits = ["--dns-aliyun-wait-limit", 4, "--dns-aliyun-propagation-seconds", 1]
    first = world.certbot.run(
        *world.certonly(*situation.names), *limits, "--server", DIRECTORY, "--cert-name", NAME
    )
    assert first.ok, first
    situation.happens(world)
    world.leaves_records = situation.leaves_records
    before = len(world.records.made())

    checked = check_lineages(world, "--all", "--json", timeout=150)
    findings = found(checked)
    if situation.check_of_it:
        assert checked.returncode == 1
        problems = [
            text
            for (_, check), (result, text) in findings.items()
            if result == "problem" and check == situation.check_of_it
        ]
        assert any(situation.words in " ".join(text.split()) for text in problems), checked
    else:
        assert checked.ok, checked
        assert len(world.records.made()) > before
    assert bool(world.records.left()) is situation.leaves_records

    renewed = world.certbot.run("renew", "--force-renewal", timeout=170)
    assert renewed.ok is checked.ok, f"{checked}\n{renewed}"
