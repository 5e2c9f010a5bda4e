"""Name servers that mean harm hold up their own certificate alone, and no third party."""

from __future__ import annotations

import pytest

from tests.end_to_end.delegating import TARGET, add_foreign, alias, long_ago
from tests.end_to_end.helpers import MakeWorld, copy_lineage, screen
from tests.world import Outcome, Server, World
from tests.world.alidns import ADDRESS as API
from tests.world.questions import Later, Question, Said, Vice
from tests.world.vices import (
    cnames_without_end,
    floods,
    many_additional,
    many_texts,
    one_long_text,
    refers_to,
    refers_to_nobody,
    silent,
    slow,
    takes_long_to_read,
)

pytestmark = pytest.mark.newest

#: A customer's zone, in the order of lineages between two others.
HOSTILE = "example.info"
VICTIM = "victim.example"
LONGEST = 180.0

SILENT = [f"127.66.{each // 250}.{1 + each % 250}" for each in range(450)]
ODD = ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "224.0.0.1", "0.0.0.0", API]


def hardly_in_time(question: Question) -> Said:
    """Each name leads to another one, and each answer comes just before it counts as lost."""
    return Later(2.6, cnames_without_end(question))


VICES: dict[str, Vice] = {
    "name servers of others": refers_to_nobody(450, VICTIM),
    "silent addresses": refers_to(SILENT),
    "CNAMEs without end": cnames_without_end,
    "slow for ever": hardly_in_time,
    "takes long to read": takes_long_to_read(4000),
    "thousands of texts": many_texts(3000),
    "thousands of additional records": many_additional(2000),
    "one long text": one_long_text,
    "floods": floods(500),
    "odd addresses": refers_to(ODD),
    "silent": silent,
}
QUICK = ("name servers of others", "takes long to read")


def three_lineages(make_world: MakeWorld, hosted: bool = False) -> World:
    zones = ["example.com", TARGET, *([HOSTILE] if hosted else [])]
    world = make_world(zones, lags=(0.05,))
    world.asks_for_cnames = True
    if not hosted:
        add_foreign(world, HOSTILE)
        alias(world, f"_acme-challenge.{HOSTILE}", f"info.{TARGET}")
    for name in ("example.com", HOSTILE):
        assert world.issue(name, options=["--dns-aliyun-propagation-seconds", 3]).ok
    copy_lineage(world, "example.com", "example.org")
    return world


def renew(world: World, whose: str) -> Outcome:
    outcome = world.certbot.run("renew", "--force-renewal", timeout=LONGEST)
    for name in ("example.com", "example.org"):
        assert (world.certbot.config_dir / "archive" / name / "cert2.pem").exists(), outcome
    assert f"Failed to renew certificate {HOSTILE} with error: " in outcome.text, outcome
    failure = screen(outcome).partition(f"Failed to renew certificate {HOSTILE} with error: ")[2]
    assert whose in failure.partition("The following renewals")[0], outcome
    assert "unexpected error" not in outcome.text
    assert len(outcome.text) < 8000
    print(f"\n{outcome.seconds:.0f} s\n{screen(outcome)}")
    return outcome


def param(name: str) -> object:
    return pytest.param(name, marks=() if name in QUICK else pytest.mark.nightly)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("vice", [param(name) for name in VICES])
def test_the_other_lineages_are_renewed(make_world: MakeWorld, vice: str) -> None:
    world = three_lineages(make_world)
    before = len(world.nameservers.queries)
    world.resolver.lie(f"_acme-challenge.{HOSTILE}", "CNAME")
    for server in world.nameservers.delegations[HOSTILE]:
        server.vice = VICES[vice]
    renew(world, HOSTILE)
    of_others = [query for query in world.resolver.queries if query.name.endswith(VICTIM)]
    assert len(of_others) <= 200
    hostile = [q for q in world.nameservers.queries[before:] if q.name.endswith(HOSTILE)]
    assert len(hostile) <= 600


@pytest.mark.nightly
@pytest.mark.timeout(240)
@pytest.mark.parametrize("vice", [None, slow(2.6)], ids=["at once", "slowly"])
def test_a_zone_of_the_account_that_others_serve(make_world: MakeWorld, vice: Vice | None) -> None:
    """The customer has moved his domain to name servers that never serve what is added."""
    world = three_lineages(make_world, hosted=True)
    elsewhere = Server(name="ns1.provider.example", lag=3600.0, vice=vice)
    zone = next(zone for zone in world.all_zones if zone.apex == HOSTILE)
    world.nameservers.serve(zone, [elsewhere])
    for record in world.tld(HOSTILE).alive():
        if record.owner == HOSTILE:
            record.removed_at = long_ago()
    world._delegate(HOSTILE, [elsewhere])
    zone.ns_names = [elsewhere.name]
    renew(world, "ns1.provider.example")
