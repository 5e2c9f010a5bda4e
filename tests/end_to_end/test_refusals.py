"""When the CA says no for a reason of its own, the hint is about that reason."""

from __future__ import annotations

import pytest
from dns.dnssec import key_id
from dns.rdata import from_text

from tests.end_to_end.helpers import MakeWorld, assert_refused, screen
from tests.end_to_end.test_real_resolvers import need
from tests.world import World
from tests.world.letsencrypt import DIRECTORY, Problem
from tests.world.real_resolvers import VALIDATING, replace_resolver

pytestmark = pytest.mark.newest  # old Certbots have no hints of plugins

SERVER = ["--server", DIRECTORY]
SERVFAIL = "DNS problem: SERVFAIL looking up TXT for {} - the nameservers may be malfunctioning"
DS = "12345 13 2 " + "ab" * 32
DNSKEY = "257 3 13 " + "A" * 86 + "=="


def hint(world: World, *names: str, **problems: Problem) -> str:
    """What Certbot shows as the hint, when the CA has something against each of some names."""
    world.letsencrypt.refuses = {n.replace("_", "."): p for n, p in problems.items()}.get
    outcome = world.issue(*names, options=SERVER)
    assert_refused(outcome, "Hint:")
    assert not world.records.left()
    return screen(outcome).partition("Hint: ")[2]


def test_each_reason_has_a_sentence_of_its_own(make_world: MakeWorld) -> None:
    """CAA of the zone above, a zone whose DNSSEC is broken, and a look from elsewhere."""
    world = make_world(["example.com", "example.net", "example.org"], lags=(0.1,))
    world.records.zones["example.com"].add("@", '0 issue "other-ca.example"', "CAA")
    world.tld("net").add("example", DS, "DS")
    world.resolver.bogus.add("example.net")
    told = hint(
        world,
        *("www.example.com", "example.net", "example.org"),
        www_example_com=Problem("caa", "CAA record for example.com prevents issuance"),
        example_net=Problem("dns", SERVFAIL.format("_acme-challenge.example.net")),
        example_org=Problem("unauthorized", "During secondary validation: No TXT record found"),
    )
    assert (
        "CAA keeps the CA from issuing for www.example.com: example.com has "
        '0 issue "other-ca.example"; add the CAA record 0 issue "letsencrypt.org" there.'
    ) in told
    assert "The DNSSEC of example.net is broken: the DS record (key tag 12345)" in told
    assert "Only from some of its places the CA saw something else: dns" in told
    assert "of example.org have served the TXT records since" in told
    assert "name servers of example.com" not in told
    assert "name servers of example.net" not in told


def test_a_broken_zone_behind_an_unbound_that_validates(world: World) -> None:
    """Its keys are those of the DS record; nothing is signed by them."""
    need("unbound")
    ds = f"{key_id(from_text('IN', 'DNSKEY', DNSKEY))} 13 2 {'ab' * 32}"
    world.tld("com").add("example", ds, "DS")
    world.records.zones["example.com"].add("@", DNSKEY, "DNSKEY")
    replace_resolver(world, "unbound", VALIDATING.format(zone="example.com", ds=ds))
    told = hint(world, "example.com", example_com=Problem("dnssec"))
    assert "The DNSSEC of example.com is broken: this machine's resolver finds its signatu" in told


def test_a_rate_limit_has_nothing_to_do_with_name_servers(world: World) -> None:
    told = hint(world, "example.com", example_com=Problem("rateLimited", "too many today"))
    assert told.startswith("The CA's rate limit is reached")
    assert "name servers" not in told


def test_a_broken_zone_behind_a_resolver_that_does_not_validate(world: World) -> None:
    """The DS record at the registry and the keys of the zone tell as much."""
    world.tld("com").add("example", DS, "DS")
    world.records.zones["example.com"].add("@", DNSKEY, "DNSKEY")
    told = hint(world, "example.com", example_com=Problem("dnssec"))
    assert "(key tag 12345) above example.com names none of its keys (key tag" in told
    assert "name servers" not in told
