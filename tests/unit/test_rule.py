"""No CNAME, whoever set it, puts a record where something else is served, or with another's key."""

from __future__ import annotations

import contextlib
import copy
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.rrset
import pytest
from certbot import errors
from hypothesis import assume, example, given
from hypothesis import strategies as st

from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.credentials import settings
from certbot_dns_aliyun.names import full_name, is_within, resource_record
from certbot_dns_aliyun.propagation.delegation import Place, find_places, place_by_resolver
from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.propagation.target import Use
from certbot_dns_aliyun.records.ledger import Ledger
from certbot_dns_aliyun.records.rule import Rule
from certbot_dns_aliyun.retrying import RetryBudget
from tests.unit.fake_api import SECRET, FakeApi
from tests.unit.fake_dns import Asked, Internet, lost
from tests.unit.fake_time import Clock
from tests.unit.parts import settings as one_account
from tests.unit.test_delegation import make_internet

NAME = "_acme-challenge.shop.example.com"
DIGEST = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
OURS = "ours-ours-ours-ours-ours-ours-ours-ours-our"
#: The zones of the accounts; example.com is a customer's, and elsewhere.
HOSTED = ("acme.example.net", "example.net")
TARGET = "login.example.net"


def load(text: str) -> settings.Settings:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "aliyun.ini"
        path.write_text(text)
        return settings.load(str(path))


def section(name: str, *targets: str) -> str:
    lines = [f"[{name}]"] if name else []
    lines += [f"dns_aliyun_access_key = key-of-{name}", f"dns_aliyun_access_key_secret = {SECRET}"]
    if targets:
        lines.append(f"dns_aliyun_delegation_targets = {', '.join(targets)}")
    return "\n".join([*lines, ""])


def place_at(target: str = TARGET, **more: object) -> Place:
    return Place(target, "example.net", (), (NAME, target), led_by="example.com", **more)  # type: ignore[arg-type]


def is_refused(loaded: settings.Settings, place: Place) -> bool:
    rule = Rule(loaded)
    try:
        rule.refuse_section(place, "example.net")
        rule.refuse_use(place, "example.net", place.use or Use())
    except errors.PluginError:
        return True
    return False


@pytest.mark.parametrize(
    ("use", "target", "refused"),
    [
        (Use(), TARGET, False),
        (Use(is_wild=True), TARGET, True),
        (Use(("A",)), TARGET, True),
        (Use(is_wild=True), "_acme-challenge.example.net", False),
        (Use(is_wild=True), "_acme-challenge-shop.example.net", False),
        (Use(("A",)), "_acme-challenge.example.net", False),
        (Use(is_wild=True, hides=TARGET), f"_acme-challenge.{TARGET}", True),
        (Use(is_wild=True), f"x._acme-challenge.{TARGET}", True),
    ],
)
@pytest.mark.parametrize("lists", [False, True])
def test_what_a_name_is_used_for(use: Use, target: str, refused: bool, lists: bool) -> None:
    loaded = load(section("", *([target] if lists else [])))
    assert is_refused(loaded, place_at(target, use=use)) is (refused and not lists)


@pytest.mark.parametrize(
    ("file", "refused"),
    [
        (section("") + section("example.net"), False),
        (section("") + section("example.com"), False),
        (section("example.com") + section("example.net"), True),
        (section("example.com") + section("example.net", TARGET), False),
        (section("example.com") + section("example.net", "*.example.net"), False),
        (section("example.com") + section("example.net", "*.login.example.net"), True),
        (section("example.com", "example.com") + section("example.net"), True),
        (section("shop.example.com") + section("example.net"), True),
        (section("www.example.com") + section("example.net"), False),
    ],
)
def test_whose_section_it_is(file: str, refused: bool) -> None:
    assert is_refused(load(file), place_at()) is refused


def test_a_refusal_names_the_cname_its_owner_and_the_line(tmp_path: Path) -> None:
    path = tmp_path / "aliyun.ini"
    path.write_text(section("example.com") + section("example.net"))
    rule = Rule(settings.load(str(path)))
    hop = "hop.example.org"
    place = Place(TARGET, "example.net", (), (NAME, hop, TARGET), led_by="example.org")
    for refuse in (
        lambda: rule.refuse_section(place, "example.net"),
        lambda: rule.refuse_use(place, "example.net", Use(("A", "MX"))),
    ):
        with pytest.raises(errors.PluginError) as caught:
            refuse()
        for words in (
            f"The CNAME record at {hop} leads to {TARGET}",
            f"{NAME} -> {hop} -> {TARGET}",
            "who controls example.org",
            f"add `dns_aliyun_delegation_targets = {TARGET}` to section [example.net] of {path}",
        ):
            assert words in str(caught.value)


def test_a_refusal_of_a_section_names_the_name_and_its_own() -> None:
    rule = Rule(load(section("example.com") + section("example.net")))
    place = Place(TARGET, "example.net", (), (NAME, "hop.example.org", TARGET))
    with pytest.raises(errors.PluginError) as caught:
        rule.refuse_section(place, "example.net")
    assert f"in a zone of [example.net], and {NAME} is in one of [example.com]" in str(caught.value)


def test_a_cname_that_only_a_resolver_tells_is_told_as_that() -> None:
    place = Place(TARGET, "example.net", (), (NAME, "hop.example.org", TARGET), is_hearsay=True)
    with pytest.raises(errors.PluginError) as caught:
        Rule(load(section("example.net"))).refuse_use(place, "example.net", Use(("A",)))
    for words in (
        f"-> {TARGET}, as the resolver of this machine says), where",
        ": that resolver, or who controls the CNAME, must not choose",
    ):
        assert words in str(caught.value)


def test_whose_zone_is_not_known_is_told_by_the_name_of_the_cname() -> None:
    place = Place(TARGET, "example.net", (), (NAME, "hop.example.org", TARGET))
    with pytest.raises(errors.PluginError) as caught:
        Rule(load(section("example.net"))).refuse_use(place, "example.net", Use(("A", "MX")))
    assert f"({NAME} -> hop.example.org -> {TARGET}), where" in str(caught.value)
    assert "(A, MX): who controls hop.example.org must not choose" in str(caught.value)


def test_the_way_out_names_the_section_of_the_zone() -> None:
    rule = Rule(load(section("") + section("example.net")))
    assert "to section [example.net] of " in rule.way_out(place_at(), "example.net")


def test_without_a_file_the_refusal_tells_to_make_one() -> None:
    with pytest.raises(errors.PluginError, match="use a credentials file and add"):
        Rule(one_account()).refuse_use(place_at(), "example.net", Use(is_wild=True))


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ("nonsense", "lists something that is no name"),
        ("*", "lists something that is no name"),
        ("a.*.example.net", "lists something that is no name"),
        (SECRET, "lists something that is no name"),
        ("login.example.org", "lists login.example.org, which is not in example.net"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(targets: str, words: str) -> None:
    with pytest.raises(errors.PluginError) as caught:
        load(section("example.net", targets))
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_list_needs_credentials_beside_it() -> None:
    with pytest.raises(errors.PluginError, match="before the first section"):
        load("dns_aliyun_delegation_targets = a.example.net\n" + section("example.net"))


def test_names_are_listed_in_any_usual_way() -> None:
    targets = ("Shop.例子.中国.", "*.acme.xn--fsqu00a.xn--fiqs8s")
    text = section("例子.中国", *targets).replace("key-of-例子.中国", "key")
    (account,) = load(text).accounts
    assert account.lists("shop.xn--fsqu00a.xn--fiqs8s")
    assert account.lists("a.b.acme.xn--fsqu00a.xn--fiqs8s")
    assert not account.lists("acme.xn--fsqu00a.xn--fiqs8s")
    assert not account.lists("noacme.xn--fsqu00a.xn--fiqs8s")


# Whatever zones, wildcards, sections and CNAMEs there are

LABELS = ("a", "b", "_acme-challenge")
PATHS = [".".join(labels) for n in (1, 2, 3) for labels in itertools.product(LABELS, repeat=n)]
UNIVERSE = [f"{path}.{zone}" for zone in HOSTED for path in PATHS] + list(HOSTED)
RECORDS = st.sampled_from(
    [
        ("A", "192.0.2.1"),
        ("A", "192.0.2.2"),
        ("MX", "10 mail.example."),
        ("TXT", '"v=spf1 -all"'),
        ("TXT", f'"{DIGEST}"'),
        ("SRV", "0 0 1 x.example."),
        ("CNAME", "www.example.org."),
    ]
)
OWNERS = st.builds(
    lambda path, zone: f"{path}.{zone}" if path else zone,
    st.sampled_from(["", "*", *(f"*.{path}" for path in PATHS[:12]), *PATHS]),
    st.sampled_from(HOSTED),
)


LIES = ["", "forged", "hearsay", "no tcp", "late"]


@dataclass
class Situation:
    """One order, for a customer's name, and all that decides where its record goes.

    :ivar lie: what is wrong on the way to the customer's name servers, or with them
    :ivar elsewhere: where the lie leads
    """

    internet: Internet
    loaded: settings.Settings
    target: str
    lie: str
    elsewhere: str

    def served(self) -> dict[str, list[tuple[str, str]]]:
        """What each name of the universe serves, digests apart."""
        return {name: self._served(name) for name in UNIVERSE}

    def _served(self, name: str) -> list[tuple[str, str]]:
        found = self.internet.zones[zone_of(name)].found(name)
        return [each for each in found if each not in (("TXT", f'"{DIGEST}"'), ("TXT", OURS))]

    def lists(self, name: str) -> bool:
        account = self.loaded.account_for(zone_of(name))
        return bool(account and account.lists(name))

    def crosses_sections(self, name: str) -> bool:
        own, other = self.loaded.account_for(NAME), self.loaded.account_for(zone_of(name))
        return bool(own and other and own.zone and other.zone and own != other)

    def lost_by_adding_at(self, name: str) -> set[str]:
        """The names that serve something no more, once a record is added at a name."""
        before, internet = self.served(), self.internet
        self.internet = copy.deepcopy(internet)
        self.internet.zones[zone_of(name)].add(name, "TXT", OURS)
        after, self.internet = self.served(), internet
        return {each for each in UNIVERSE if any(x not in after[each] for x in before[each])}


def zone_of(name: str) -> str:
    return next(zone for zone in HOSTED if f".{name}".endswith(f".{zone}"))


def situations(lies: list[str]) -> st.SearchStrategy[Situation]:
    return st.builds(
        make_situation,
        st.lists(st.tuples(OWNERS, RECORDS), max_size=5),
        st.sampled_from(UNIVERSE),
        st.sampled_from(["", "example.com", "shop.example.com"]),
        st.lists(st.sampled_from(["", *HOSTED]), unique=True, min_size=1),
        st.booleans(),
        st.sampled_from(lies),
        st.sampled_from(UNIVERSE),
    )


def make_situation(
    records: list[tuple[str, tuple[str, str]]],
    target: str,
    own: str,
    others: list[str],
    lists: bool,
    lie: str,
    elsewhere: str,
) -> Situation:
    internet = make_internet()
    for owner, (kind, value) in records:
        held = internet.zones[zone_of(owner)].records.get(owner, [])
        if not held or "CNAME" not in {kind, *(each for each, _ in held)}:
            internet.zones[zone_of(owner)].add(owner, kind, value)
    internet.zones["example.com"].add(NAME, "CNAME", f"{target}.")
    names = sorted({own, *others}, key=bool) if own else sorted(others, key=bool)
    fitting = [n for n in others if f".{target}".endswith(f".{n}" if n else "")]
    holder = max(fitting, key=len, default=None)
    text = "".join(section(n, *([target] if lists and n == holder else [])) for n in names)
    mislead(internet, lie, elsewhere)
    return Situation(internet, load(text), target, lie, elsewhere)


def mislead(internet: Internet, lie: str, elsewhere: str) -> None:
    def closed(asked: Asked) -> None:
        raise ConnectionRefusedError

    def absent(asked: Asked) -> dns.message.Message:
        response = asked.honest()
        response.answer.clear()
        return response

    def says_alias(asked: Asked) -> dns.message.Message:
        response = absent(asked)
        response.answer = [dns.rrset.from_text(f"{NAME}.", 60, "IN", "CNAME", f"{elsewhere}.")]
        return response

    servers = internet.zones["example.com"].addresses
    for address in servers:
        if lie == "forged":
            internet.treat(address, says_alias, name=NAME, way="udp")
        elif lie == "hearsay":
            internet.treat(address, lost)
    if lie == "hearsay":
        internet.treat("resolver", says_alias, name=NAME)
    if lie == "late":
        internet.treat(servers[0], absent, name=NAME)
    if lie == "no tcp":
        for zone in internet.zones.values():
            for address in zone.addresses:
                internet.treat(address, closed, way="tcp")


def carry_out(situation: Situation) -> list[tuple[str, str]]:
    """Let the product look and add; gives the name of each record added, and the key used."""
    clock = Clock()
    api = FakeApi(clock)
    for zone in HOSTED:
        api.zones[zone] = []
        for owner, found in situation.internet.zones[zone].records.items():
            for kind, value in found:
                api.add(zone, resource_record(owner, zone), value.strip('"'), kind)
    with situation.internet.in_place() as discovery, clock.in_place(), api.in_place():

        async def look() -> tuple[list[Place], Place | None]:
            places = await find_places(discovery, NAME)
            unread = places[0] if places[0].unread else None
            return places, await place_by_resolver(discovery, unread) if unread else None

        places, behind = clock.run(look())
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(
                Clients(situation.loaded),
                lambda name: places,
                folder,
                place_by_resolver=lambda place: behind if place.name == NAME else None,
            )
            with contextlib.suppress(errors.PluginError):
                ledger.refuse([NAME])
                ledger.add(NAME, OURS, RetryBudget())
            ledger.close()
    return [
        (full_name(call.parameters["RR"], zone), call.parameters["AccessKeyId"])
        for call in api.calls
        for zone in [call.parameters.get("DomainName", "")]
        if call.action == "AddDomainRecord" and zone in HOSTED
    ]


WILD = [("*.example.net", ("A", "192.0.2.1"))]


@example(situation=make_situation(WILD, "a.example.net", "", [""], False, "", ""))
@example(situation=make_situation(WILD, "_acme-challenge.a.example.net", "", [""], False, "", ""))
@given(situation=situations(LIES))
def test_no_record_hides_what_is_served_or_is_written_with_anothers_key(
    situation: Situation,
) -> None:
    for name, key in carry_out(situation):
        account = situation.loaded.account_for(zone_of(name))
        assert account
        assert key == f"key-of-{account.zone}"
        if situation.lists(name):
            continue
        assert not situation.crosses_sections(name)
        is_meant = name.startswith("_acme-challenge")
        lost = situation.lost_by_adding_at(name)
        assert not lost or (is_meant and all(is_within(each, name) for each in lost))
        assert is_meant or not situation.served()[name]
        if situation.lie == "forged":
            assert name == situation.target


@given(situation=situations(["", "forged", "no tcp"]))
def test_each_honest_cname_is_followed(situation: Situation) -> None:
    target, zones = situation.target, situation.internet.zones
    found = zones[zone_of(target)].found(target)
    assume(situation.loaded.account_for(zone_of(target)))
    assume(not any(kind == "CNAME" for kind, _ in found))
    if not situation.lists(target):
        assume(not situation.crosses_sections(target))
        assume(not situation.lost_by_adding_at(target) and not situation.served()[target])
        # A wildcard that has nothing but a digest is taken for any other.
        assume(zones[zone_of(target)].exists(target) or not found)
    assert [name for name, _ in carry_out(situation)] == [target]


def ledger_of(folder: Path, loaded: settings.Settings, place: Place) -> Ledger:
    return Ledger(Clients(loaded), lambda name: [place], str(folder))


SECTIONS = "".join(map(section, ("example.com", "example.net", TARGET)))


@pytest.mark.parametrize(("zone", "named"), [("example.net", "example.net"), (None, TARGET)])
def test_it_is_the_section_of_the_targets_zone_that_counts(
    api: FakeApi, tmp_path: Path, zone: str | None, named: str
) -> None:
    place = Place(TARGET, zone, (), (NAME, TARGET), use=Use())
    with pytest.raises(errors.PluginError, match=rf"in a zone of \[{named}\]"):
        ledger_of(tmp_path, load(SECTIONS), place).refuse([NAME])
    assert not api.calls


@pytest.mark.parametrize(
    ("zone", "section_of"),
    [(TARGET, TARGET), ("example.net", "example.net"), (None, "example.net")],
)
def test_where_nobody_sees_what_a_target_is_for_the_line_is_for_the_section_of_its_zone(
    api: FakeApi, tmp_path: Path, zone: str | None, section_of: str
) -> None:
    """The one that DNS names, though not all the world sees it; or the shortest one."""
    api.may_list, api.no_zone = False, "Forbidden.RAM"
    loaded = load("".join(map(section, ("", "example.net", TARGET))))
    name = f"www.{TARGET}"
    servers = (NameServer("ns1.provider.example", "192.0.2.1"),) if zone else ()
    ledger = ledger_of(tmp_path, loaded, Place(name, zone, servers, (NAME, name)))
    ledger._is_public_zone = lambda zone, name: False
    with pytest.raises(errors.PluginError) as caught:
        ledger.add(NAME, OURS, RetryBudget())
    assert f"add `dns_aliyun_delegation_targets = {name}` to" in str(caught.value)
    assert f"section [{section_of}]" in str(caught.value)


def test_a_target_in_use_is_refused_with_the_section_of_its_zone(
    api: FakeApi, tmp_path: Path
) -> None:
    loaded = load(section("") + section("example.net"))
    place = Place(TARGET, "example.net", (), (NAME, TARGET), use=Use(("A",)))
    ledger = ledger_of(tmp_path, loaded, place)
    with pytest.raises(errors.PluginError, match=r"to section \[example\.net\] of"):
        ledger.refuse([NAME])
    with pytest.raises(errors.PluginError, match=r"to section \[example\.net\] of"):
        ledger.add(NAME, OURS, RetryBudget())
    assert not api.calls


def test_a_record_is_removed_with_the_key_that_added_it(api: FakeApi, tmp_path: Path) -> None:
    api.others = {"key-of-example.net": {"example.net": []}}
    loaded = load(section("") + section("example.net"))
    name = "_acme-challenge.example.net"
    place = Place(name, "example.net", (), (name,))
    ledger = ledger_of(tmp_path, loaded, place)
    ledger.add(name, OURS, RetryBudget())
    assert ledger.remove(name, OURS, RetryBudget()) is None
    assert api.others["key-of-example.net"]["example.net"] == []
    assert {call.parameters["AccessKeyId"] for call in api.calls} == {"key-of-example.net"}
