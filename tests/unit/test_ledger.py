"""Which zone takes a record, and which records a run removes again."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
import requests
from certbot import errors

from certbot_dns_aliyun import background
from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.credentials.settings import Settings
from certbot_dns_aliyun.propagation.delegation import BadChainError, Place
from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.propagation.target import Use
from certbot_dns_aliyun.records import ledger as ledger_module
from certbot_dns_aliyun.records.ledger import Ledger, State
from certbot_dns_aliyun.retrying import RetryBudget
from tests.unit.fake_api import (
    FakeApi,
    Fault,
    Record,
    carried_out_later,
    error,
    lost,
    no_reply,
    reply,
)
from tests.unit.parts import digest, journals, kill, make_ledger, settings

NAME, VALUE = "_acme-challenge.www.example.com", digest("ours")


@pytest.fixture
def ledger(api: FakeApi, tmp_path: Path) -> Ledger:
    """A ledger that public DNS tells nothing."""
    api.zones["example.com"] = []
    return make_ledger(tmp_path)


def refusal(ledger: Ledger, name: str = NAME) -> str:
    with pytest.raises(errors.PluginError) as caught:
        ledger.add(name, VALUE, RetryBudget())
    return str(caught.value)


def zones_asked(api: FakeApi) -> list[str]:
    return [call.parameters["DomainName"] for call in api.calls]


def test_the_zone_that_public_dns_names_is_the_only_one_asked(api: FakeApi, tmp_path: Path) -> None:
    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"
    (served,) = ledger.added()
    assert (served.place.name, served.value, served.zone) == (NAME, VALUE, "example.com")
    assert served.added_at == api.clock.now
    assert zones_asked(api) == ["example.com"]
    assert api.zones["example.com"][0].rr == "_acme-challenge.www"


def test_without_public_dns_the_longest_hosted_zone_takes_it(api: FakeApi, ledger: Ledger) -> None:
    api.zones["www.example.com"] = []
    assert ledger.add(NAME, VALUE, RetryBudget()) == "www.example.com"
    assert api.values("example.com") == []
    assert zones_asked(api) == [NAME, "www.example.com"]


def test_a_zone_of_the_validation_name_itself_takes_it_at_its_apex(
    api: FakeApi, ledger: Ledger
) -> None:
    api.zones[NAME] = []
    assert ledger.add(NAME, VALUE, RetryBudget()) == NAME
    assert api.zones[NAME][0].rr == "@"


def test_a_wrong_name_from_public_dns_is_no_obstacle(api: FakeApi, tmp_path: Path) -> None:
    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "www.example.com")
    assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"


@pytest.mark.parametrize(
    "code", ["IncorrectDomainUser", "InvalidDomainName.Format", "Forbidden.RAM"]
)
def test_the_walk_goes_on_whatever_way_the_api_says_no_zone(
    api: FakeApi, ledger: Ledger, code: str
) -> None:
    api.no_zone = code
    assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"


def test_a_denial_for_the_zone_of_public_dns_is_told_and_ends_the_walk(
    api: FakeApi, tmp_path: Path
) -> None:
    api.no_zone = "Forbidden.RAM"
    sentence = refusal(make_ledger(tmp_path, lambda name: "example.com"))
    assert "acs:alidns:*:*:domain/example.com" in sentence
    assert zones_asked(api) == ["example.com"]


def test_an_account_without_any_zone_of_the_name_is_told_in_one_sentence(
    api: FakeApi, ledger: Ledger
) -> None:
    sentence = refusal(ledger, "_acme-challenge.example.org")
    assert "example.org" in sentence.replace("_acme-challenge.example.org", "")
    assert "InvalidDomainName.NoExist" in sentence
    assert "the zone example.org is not in" in sentence, "no other name could be the zone"
    assert ledger.added() == []
    assert ledger.close() == []


@pytest.mark.parametrize(
    ("code", "is_about_target"), [("DomainRecordConflict", True), ("Forbidden.RAM", False)]
)
def test_of_a_wildcards_target_is_spoken_only_where_a_record_excludes_the_name(
    api: FakeApi, tmp_path: Path, code: str, is_about_target: bool
) -> None:
    api.zones["example.com"] = []
    api.faults.append(Fault(lambda: error(code), action="AddDomainRecord"))
    own = Place(NAME, "example.com", (), (NAME,))
    behind = Place(TARGET, "validation.example", (), (NAME, TARGET), use=Use())
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [own, behind]
    sentence = refusal(ledger)
    assert sentence.startswith(f"The TXT record {TARGET if is_about_target else NAME} could")
    assert ("InvalidDomainName.NoExist" in sentence) == is_about_target


def test_a_refusal_tells_of_a_zone_elsewhere_by_its_servers(api: FakeApi, tmp_path: Path) -> None:
    servers = tuple(NameServer(f"ns{n}.provider.example", f"192.0.2.{n}") for n in (2, 1))
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [Place(name, "example.com", servers, (name,))]
    where = "where public DNS has it (at ns1.provider.example, ns2.provider.example)"
    assert f"{NAME} could not be added to the zone example.com, {where}" in refusal(ledger)
    at_alidns = (NameServer("ns1.alidns.com", "192.0.2.1"),)
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [Place(name, "example.com", at_alidns, (name,))]
    sentence = refusal(ledger)
    assert sentence.startswith(f"The TXT record {NAME} could not be added: ")
    assert sentence.endswith(".")


@pytest.mark.parametrize("is_hearsay", [True, False])
def test_a_refusal_tells_what_leads_there_and_what_to_remove(
    api: FakeApi, tmp_path: Path, is_hearsay: bool
) -> None:
    chain = (NAME, "hop.example.org", TARGET)
    place = Place(TARGET, "validation.example", (), chain, is_hearsay=is_hearsay, use=Use())
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [place]
    sentence = refusal(ledger)
    assert f"could not be added (a CNAME leads there: {' -> '.join(chain)}): " in sentence
    way_out = "Or remove the CNAME record at hop.example.org, if it is not meant to lead there."
    assert sentence.endswith(f" {way_out}") != is_hearsay
    assert ("emove the CNAME" in sentence) != is_hearsay


def test_of_several_zones_that_are_forbidden_it_is_told_that_one_may_be_hosted(
    api: FakeApi, ledger: Ledger
) -> None:
    api.zones.clear()
    api.no_zone = "Forbidden.RAM"
    zones = f"{NAME}, www.example.com, example.com"
    assert f"ZONE, where ZONE is the one of {zones} that is hosted" in refusal(ledger)


def test_a_zone_that_dns_names_is_the_one_that_is_forbidden(api: FakeApi, tmp_path: Path) -> None:
    api.no_zone = "Forbidden.RAM"
    ledger = make_ledger(tmp_path)
    ledger._is_public_zone = lambda zone, name: False
    ledger._find_places = lambda name: [Place(name, "example.com", (ELSEWHERE,), (name,))]
    assert "acs:alidns:*:*:domain/example.com" in refusal(ledger)


def test_several_zones_that_are_not_there_are_named(api: FakeApi, ledger: Ledger) -> None:
    sentence = refusal(ledger, "_acme-challenge.a.b.example.org")
    assert "the zone example.org (or a.b.example.org, b.example.org) is not in" in sentence


def test_the_zone_that_may_exist_is_the_one_to_speak_of(api: FakeApi, ledger: Ledger) -> None:
    api.zones.clear()
    api.zones["www.example.com"] = []
    api.faults.append(Fault(lambda: error("InvalidDomainName.NoExist"), action="AddDomainRecord"))
    api.faults.append(Fault(lambda: error("Forbidden.RAM"), action="AddDomainRecord"))
    sentence = refusal(ledger)
    assert "Forbidden.RAM" in sentence
    assert "NoExist" not in sentence


def test_the_sentence_about_a_name_says_nothing_of_the_one_before(
    api: FakeApi, tmp_path: Path
) -> None:
    ledger = make_ledger(tmp_path, lambda name: "example.org")
    for host in ("a", "b"):
        sentence = refusal(ledger, f"_acme-challenge.{host}.example.org")
        assert f"the zone example.org (or {host}.example.org) is not" in sentence


def test_a_wrong_key_ends_the_walk_at_once(api: FakeApi, ledger: Ledger) -> None:
    api.faults.append(Fault(lambda: error("SignatureDoesNotMatch")))
    assert "SignatureDoesNotMatch" in refusal(ledger)
    assert len(api.calls) == 1


def test_cnames_in_a_circle_are_told(api: FakeApi, tmp_path: Path) -> None:
    def in_a_circle(name: str) -> list[Place]:
        raise BadChainError([name, "a.example", name])

    ledger = make_ledger(tmp_path)
    ledger._find_places = in_a_circle
    ledger.plan([(NAME, VALUE)])
    assert "circle" in refusal(ledger)
    assert not api.calls


def test_where_a_cname_leads_is_where_the_record_goes(api: FakeApi, tmp_path: Path) -> None:
    api.zones["validation.example"] = []
    target = "example-com.validation.example"
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [Place(target, "validation.example", (), (name, target))]
    ledger.add(NAME, VALUE, RetryBudget())
    assert [r.rr for r in api.zones["validation.example"]] == ["example-com"]
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert api.values("validation.example") == []


@pytest.mark.parametrize(
    ("known", "doubt"),
    [
        ({}, ""),
        ({"is_hearsay": True}, ", as the resolver of this machine says"),
        ({"is_unconfirmed": True}, ", which no name server has confirmed over TCP"),
        ({"is_hearsay": True, "is_unconfirmed": True}, ", as the resolver of this machine says"),
    ],
)
def test_what_is_written_where_because_of_a_cname_is_told_once(
    api: FakeApi, tmp_path: Path, known: dict[str, bool], doubt: str
) -> None:
    api.zones["validation.example"] = []
    told: list[str] = []
    ledger = make_ledger(tmp_path)
    ledger._notify = told.append
    place = Place(TARGET, "validation.example", (), (NAME, TARGET), use=Use(), **known)  # type: ignore[arg-type]
    ledger._find_places = lambda name: [place]
    ledger.add(NAME, VALUE, RetryBudget())
    ledger.add(NAME, digest("another"), RetryBudget())
    assert told == [
        f"Because of a CNAME record ({NAME} -> {TARGET}{doubt}), the TXT record for {NAME} is "
        f"added as {TARGET} in the zone validation.example"
    ]


def test_a_record_at_the_name_itself_is_nothing_to_tell(api: FakeApi, ledger: Ledger) -> None:
    told: list[str] = []
    ledger._notify = told.append
    ledger.add(NAME, VALUE, RetryBudget())
    assert told == []


@pytest.mark.parametrize(
    ("use", "is_hearsay", "is_listed"),
    [
        (Use(), False, False),
        (None, False, True),
        (Use(unread="ns1.provider.example does not answer"), False, True),
        (Use(), True, True),
    ],
)
def test_what_a_target_is_used_for_is_read_at_the_api_unless_name_servers_told_it(
    api: FakeApi, tmp_path: Path, use: Use | None, is_hearsay: bool, is_listed: bool
) -> None:
    """Who lies in DNS must not have the last word, and who has no need to list must not have to."""
    api.zones["validation.example"] = []
    place = Place(TARGET, "validation.example", (), (NAME, TARGET), is_hearsay=is_hearsay, use=use)
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [place]
    ledger.add(NAME, VALUE, RetryBudget())
    assert api.actions() == ["DescribeDomainRecords"] * is_listed + ["AddDomainRecord"]


def test_what_name_servers_told_of_a_target_refuses_it(api: FakeApi, tmp_path: Path) -> None:
    api.zones["validation.example"] = []
    place = Place(TARGET, "validation.example", (), (NAME, TARGET), use=Use(("A",)))
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [place]
    assert "where other records stand (A)" in refusal(ledger)
    assert not api.calls


def test_a_permission_that_the_add_lacks_is_not_taken_for_one_to_look(
    api: FakeApi, tmp_path: Path
) -> None:
    api.zones["validation.example"] = []
    api.faults.append(Fault(lambda: error("Forbidden.RAM"), action="AddDomainRecord"))
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [Place(TARGET, "validation.example", (), (name, TARGET))]
    sentence = refusal(ledger)
    assert "alidns:AddDomainRecord" in sentence
    assert "could not be seen" not in sentence


def test_what_nobody_could_see_of_a_target_is_told_with_the_way_out(
    api: FakeApi, tmp_path: Path
) -> None:
    api.zones["validation.example"] = []
    api.may_list = False
    place = Place(TARGET, "validation.example", (), (NAME, TARGET), use=Use(unread="silence"))
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [place]
    sentence = refusal(ledger)
    assert "alidns:DescribeDomainRecords" in sentence
    assert f"What {TARGET} is used for could not be seen either" in sentence


ELSEWHERE = NameServer("ns1.provider.example", "192.0.2.1")


@pytest.mark.parametrize(
    ("guess", "section"),
    [
        ("b.validation.example", "b.validation.example"),
        (None, "validation.example"),  # the shortest is the likeliest
    ],
)
def test_the_way_out_is_a_line_for_the_zone_that_public_dns_names(
    api: FakeApi, tmp_path: Path, guess: str | None, section: str
) -> None:
    """Of several that the key may not look into."""
    api.no_zone = "Forbidden.RAM"
    target, of_all = "a.b.validation.example", settings().accounts[0]
    sections = [
        dataclasses.replace(of_all, zone=zone, where=f"section [{zone}]")
        for zone in (target, "b.validation.example", "validation.example")
    ]
    servers = (ELSEWHERE,) if guess else ()
    place = Place(target, guess, servers, (NAME, target), use=Use(unread="silence"))
    ledger = Ledger(
        Clients(Settings([of_all, *sections])),
        lambda name: [place],
        str(tmp_path),
        is_public_zone=lambda zone, name: False,
    )
    assert refusal(ledger).endswith(f"to section [{section}].")


def test_the_journal_tells_when_the_last_try_of_an_add_began(api: FakeApi, tmp_path: Path) -> None:
    """Its file's time; who finds it after a kill waits until that try has ended."""
    seen = []

    def busy() -> requests.Response:
        (file,) = journals(tmp_path)
        seen.append(file.stat().st_mtime - api.clock.now)
        return error("Throttling.User")

    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    api.faults += [Fault(busy, action="AddDomainRecord") for _ in range(3)]
    ledger.add(NAME, VALUE, RetryBudget())
    assert seen == pytest.approx([-0.05] * 3, abs=1e-3)  # which a call takes


@pytest.mark.parametrize(
    ("server", "is_public", "is_asked", "goes_on"),
    [
        (ELSEWHERE, True, True, False),
        (ELSEWHERE, False, True, True),
        (NameServer("ns1.alidns.com", "192.0.2.2"), False, False, False),
    ],
)
def test_a_zone_that_is_forbidden_may_be_none_of_the_world(
    api: FakeApi,
    tmp_path: Path,
    server: NameServer,
    is_public: bool,
    is_asked: bool,
    goes_on: bool,
) -> None:
    """The resolver of this machine may know a zone at another provider that nobody else does."""
    api.no_zone, api.zones["example.com"] = "Forbidden.RAM", []
    asked = []

    def is_public_zone(zone: str, name: str) -> bool:
        asked.append((zone, name))
        return is_public

    place = Place(NAME, "www.example.com", (server,), (NAME,))
    ledger = Ledger(Clients(settings()), lambda name: [place], str(tmp_path), is_public_zone)
    if goes_on:
        assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"
    else:
        assert "Forbidden.RAM" in refusal(ledger)
        assert zones_asked(api) == ["www.example.com"]
    assert asked == [("www.example.com", NAME)] * is_asked


@pytest.mark.parametrize(
    ("use", "servers", "is_refused"),
    [
        (Use(("A",)), (), True),
        (Use(("A",), unread="silence"), (), False),
        (Use(("A",)), (ELSEWHERE,), False),
        (Use(), (), False),
        (None, (), False),
    ],
)
def test_a_target_in_use_is_refused_before_anything_is_added_if_dns_tells(
    api: FakeApi,
    tmp_path: Path,
    use: Use | None,
    servers: tuple[NameServer, ...],
    is_refused: bool,
) -> None:
    place = Place(TARGET, "validation.example", servers, (NAME, TARGET), use=use)
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [place]
    with pytest.raises(errors.PluginError) if is_refused else contextlib.nullcontext() as caught:
        ledger.refuse([NAME])
    if caught:
        assert f"leads to {TARGET}" in str(caught.value)
        assert "where other records stand (A)" in str(caught.value)
    assert not api.calls


@pytest.mark.parametrize("target", ["localhost", "com", ""])
def test_a_cname_to_a_top_level_domain_is_told(api: FakeApi, tmp_path: Path, target: str) -> None:
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [Place(target, None, (), (name, "hop.example", target))]
    assert f"A CNAME record leads from {NAME} to hop.example to {target}, which is" in refusal(
        ledger
    )
    assert not api.calls


UNREAD = "ns1.provider.example does not answer"
MISLEADING = ["RAM", "permission", "account", "emove", "section"]
UNREAD_REFUSALS = ["InvalidDomainName.NoExist", "Forbidden.RAM", "DomainRecordConflict"]


@pytest.mark.parametrize("code", UNREAD_REFUSALS)
@pytest.mark.parametrize("chain", [(NAME,), ("_acme-challenge.example.org", NAME)])
def test_a_refusal_at_a_place_that_was_never_read_says_that_and_why(
    api: FakeApi, tmp_path: Path, code: str, chain: tuple[str, ...]
) -> None:
    api.no_zone = code
    place = Place(NAME, "example.com", (), chain, unread=UNREAD)
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [place]
    sentence = refusal(ledger, chain[0])
    assert f"whether a CNAME record stands at {NAME} is not known, as {UNREAD}" in sentence
    assert code in sentence
    assert "request id" in sentence
    assert "port 53" in sentence
    account = "; the zone may be in another account than that of the key, and whether"
    assert (account in sentence) == (code == "InvalidDomainName.NoExist")
    told = sentence.replace(code, "").replace(account, "")
    assert not [word for word in MISLEADING if word in told]


def test_a_zone_without_credentials_is_told_before_a_place_that_was_never_read(
    api: FakeApi, tmp_path: Path
) -> None:
    place = Place(NAME, "example.com", (), (NAME,), unread=UNREAD)
    account = dataclasses.replace(settings().accounts[0], zone="example.org")
    said = refusal(Ledger(Clients(Settings([account])), lambda name: [place], str(tmp_path)))
    assert "could not be added: the credentials file has no credentials for the zone" in said
    assert f"But whether a CNAME record stands at {NAME} is not known, as {UNREAD}; check" in said
    assert not api.calls


def test_other_refusals_at_a_place_that_was_never_read_keep_their_words(
    api: FakeApi, tmp_path: Path
) -> None:
    api.no_zone = "Forbidden.DomainExpired"
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [Place(name, "example.com", (), (name,), unread=UNREAD)]
    assert "expired" in refusal(ledger)


def led_by_the_resolver(tmp_path: Path, *chain: str, unread: str = "") -> Ledger:
    """A ledger for which no name server answers, but a resolver that knows a chain of CNAMEs."""

    def place_by_resolver(place: Place) -> Place | None:
        known = chain[: len(place.chain) + 1]
        if len(known) == len(place.chain):
            return None
        if known != chain:
            return Place(known[-1], None, (), known, unread=UNREAD, is_hearsay=True)
        return Place(known[-1], "validation.example", (), known, unread=unread, is_hearsay=True)

    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [Place(name, None, (), (name,), unread=UNREAD)]
    ledger._place_by_resolver = place_by_resolver
    return ledger


TARGET = "example-com.validation.example"


@pytest.mark.parametrize("between", [(), ("one.example", "two.example")])
@pytest.mark.parametrize("code", UNREAD_REFUSALS)
def test_once_the_api_has_refused_every_zone_the_resolver_is_asked(
    api: FakeApi, tmp_path: Path, code: str, between: tuple[str, ...]
) -> None:
    api.no_zone = code
    api.zones["validation.example"] = []
    ledger = led_by_the_resolver(tmp_path, NAME, *between, TARGET)
    assert ledger.add(NAME, VALUE, RetryBudget()) == "validation.example"
    assert [(r.rr, r.value) for r in api.zones["validation.example"]] == [("example-com", VALUE)]
    assert [served.place.name for served in ledger.added()] == [TARGET]
    ledger.remove(NAME, VALUE, RetryBudget())
    assert api.values("validation.example") == []


@pytest.mark.parametrize(
    ("target", "is_taken"), [("_acme-challenge.validation.example", True), (TARGET, False)]
)
def test_where_nobody_tells_what_a_target_is_used_for_its_own_name_does(
    api: FakeApi, tmp_path: Path, target: str, is_taken: bool
) -> None:
    api.zones["validation.example"] = []
    api.may_list = False
    ledger = led_by_the_resolver(tmp_path, NAME, target)
    if is_taken:
        assert ledger.add(NAME, VALUE, RetryBudget()) == "validation.example"
    else:
        assert f"dns_aliyun_delegation_targets = {target}" in refusal(ledger)


def test_where_the_api_takes_the_record_the_resolver_is_not_asked(
    api: FakeApi, tmp_path: Path
) -> None:
    api.zones["example.com"] = []
    ledger = led_by_the_resolver(tmp_path, NAME, TARGET)
    assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"


@pytest.mark.parametrize("unread", ["", UNREAD])
def test_a_cname_that_only_the_resolver_tells_is_never_to_be_removed(
    api: FakeApi, tmp_path: Path, unread: str
) -> None:
    api.no_zone = "Forbidden.RAM"
    sentence = refusal(led_by_the_resolver(tmp_path, NAME, TARGET, unread=unread))
    assert f"{NAME} -> {TARGET}" in sentence
    assert "emove" not in sentence
    assert ("RAM policy" in sentence) == (not unread)


def test_a_cname_of_the_resolver_that_belongs_to_esa(api: FakeApi, tmp_path: Path) -> None:
    managed = "example.com.165565416192216.dcv.aliyun-esa.com"
    assert "ESA manages" in refusal(led_by_the_resolver(tmp_path, NAME, managed))


def test_a_circle_that_the_resolver_tells(api: FakeApi, tmp_path: Path) -> None:
    def in_a_circle(place: Place) -> Place:
        raise BadChainError([NAME, TARGET, NAME])

    ledger = led_by_the_resolver(tmp_path, NAME, TARGET)
    ledger._place_by_resolver = in_a_circle
    assert "circle" in refusal(ledger)


def test_two_values_at_one_name_are_two_records(api: FakeApi, ledger: Ledger) -> None:
    for value in ("a", "b"):
        ledger.add(NAME, value, RetryBudget())
    assert api.values("example.com") == ["a", "b"]
    assert {served.value for served in ledger.added()} == {"a", "b"}
    ledger.remove(NAME, "a", RetryBudget())
    assert api.values("example.com") == ["b"]


def test_one_value_asked_for_twice_is_one_record_until_the_last_user_is_done(
    api: FakeApi, ledger: Ledger
) -> None:
    for _ in range(2):
        assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"
    assert api.values("example.com") == [VALUE]
    ledger.remove(NAME, VALUE, RetryBudget())
    assert api.values("example.com") == [VALUE]
    ledger.remove(NAME, VALUE, RetryBudget())
    assert api.values("example.com") == []


def test_a_second_user_shares_the_failure_of_the_first(api: FakeApi, ledger: Ledger) -> None:
    name = "_acme-challenge.example.org"
    first = refusal(ledger, name)
    calls = len(api.calls)
    assert refusal(ledger, name) == first
    assert len(api.calls) == calls


def test_a_value_that_was_there_before_stays_though_the_run_is_killed(
    api: FakeApi, tmp_path: Path
) -> None:
    api.zones["example.com"] = []
    theirs = api.add("example.com", "_acme-challenge.www", VALUE)
    ledger = make_ledger(tmp_path)
    ledger.add(NAME, VALUE, RetryBudget())
    kill(ledger._journal)
    make_ledger(tmp_path).recover(RetryBudget())
    assert api.zones["example.com"] == [theirs]


def test_what_was_planned_and_added_stays_listed_until_it_is_removed(
    api: FakeApi, tmp_path: Path
) -> None:
    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    ledger.plan([(NAME, VALUE), (NAME, digest("never added"))])
    ledger.add(NAME, VALUE, RetryBudget())
    ledger.close()
    (journal,) = journals(tmp_path)
    assert VALUE in journal.read_text(encoding="utf-8")
    make_ledger(tmp_path).recover(RetryBudget())
    assert api.values("example.com") == []


def test_a_value_that_was_there_before_stays(api: FakeApi, ledger: Ledger) -> None:
    theirs = api.add("example.com", "_acme-challenge.www", VALUE)
    ledger.add(NAME, VALUE, RetryBudget())
    assert len(ledger.added()) == 1, "it has to be served all the same"
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert ledger.close() == []
    assert api.zones["example.com"] == [theirs]


def test_removing_what_was_never_added_makes_no_call(api: FakeApi, ledger: Ledger) -> None:
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert not api.calls


def test_an_add_given_up_in_doubt_is_looked_for_twice_and_removed(
    api: FakeApi, ledger: Ledger
) -> None:
    api.zones[NAME] = []
    api.faults.append(Fault(lost, acted=True))
    with pytest.raises(errors.PluginError):
        ledger.add(NAME, VALUE, RetryBudget(patience=0.01))
    late, api.zones[NAME] = api.zones[NAME], []
    looks = carried_out_later(api, lambda: api.zones[NAME].extend(late))
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert api.zones[NAME] == []
    assert looks == ["DescribeDomainRecords"] * 2 + ["DeleteDomainRecord"]


def test_an_add_in_doubt_that_is_found_is_not_looked_for_again(
    api: FakeApi, tmp_path: Path
) -> None:
    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    api.faults.append(Fault(lost, acted=True))
    with pytest.raises(errors.PluginError):
        ledger.add(NAME, VALUE, RetryBudget(patience=0.01))
    began, calls = api.clock.now, len(api.calls)
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert api.actions()[calls:] == ["DescribeDomainRecords", "DeleteDomainRecord"]
    assert api.clock.now - began < 1


def test_an_add_in_doubt_that_cannot_be_looked_for_is_told(api: FakeApi, tmp_path: Path) -> None:
    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    api.faults.append(Fault(lost, acted=True))
    with pytest.raises(errors.PluginError):
        ledger.add(NAME, VALUE, RetryBudget(patience=0.01))
    api.is_dead = True
    left = ledger.remove(NAME, VALUE, RetryBudget(patience=0.01))
    assert left
    assert "could not be removed" in left
    assert len(journals(tmp_path)) == 1


def nothing_is_left_in_the_end(api: FakeApi, ledger: Ledger, folder: Path) -> None:
    """Once the record is removed, and all calls that come late have come."""
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert ledger.close() == []
    api.clock.sleep(60)
    api.carry_out_what_is_due()
    assert [api.values(zone) for zone in api.zones] == [[] for _ in api.zones]
    assert journals(folder) == []


@pytest.mark.parametrize("after", [10.5, 14.0, 19.0])
@pytest.mark.parametrize("then", ["done again", "done unseen", "given up", "lost", "refused"])
def test_an_add_that_is_carried_out_after_its_record_is_gone_leaves_nothing(
    api: FakeApi, tmp_path: Path, after: float, then: str
) -> None:
    """The API takes longer than anybody waits for its reply."""
    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    api.faults.append(Fault(api.no_reply_but_done(after), action="AddDomainRecord"))
    again = {
        "done unseen": Fault(lambda: reply(RecordId=None), True, "AddDomainRecord"),
        "lost": Fault(functools.partial(dying, api), True, "AddDomainRecord"),
        "refused": Fault(lambda: error("Forbidden.RAM", 403), False, "AddDomainRecord"),
    }
    if then in again:
        api.faults.append(again[then])
    with contextlib.suppress(errors.PluginError):  # 10.5 s after, it has been found by then
        ledger.add(NAME, VALUE, RetryBudget(patience=0.01 if then == "given up" else 5.0))
    api.is_dead = False
    nothing_is_left_in_the_end(api, ledger, tmp_path)


def dying(api: FakeApi) -> BaseException:
    api.is_dead = True
    return lost()


def test_an_add_that_is_carried_out_late_in_a_zone_passed_over_leaves_nothing(
    api: FakeApi, ledger: Ledger, tmp_path: Path
) -> None:
    """Nobody knows which name is a zone; the first one refuses, and takes the record at last."""
    api.zones["www.example.com"] = []
    api.faults.append(Fault(lambda: error("InvalidDomainName.NoExist"), action="AddDomainRecord"))
    api.faults.append(Fault(api.no_reply_but_done(15.0), action="AddDomainRecord"))
    api.faults.append(Fault(lambda: error("Forbidden.RAM", 403), action="AddDomainRecord"))
    assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"
    nothing_is_left_in_the_end(api, ledger, tmp_path)


def test_of_two_adds_that_are_carried_out_late_the_second_leaves_nothing_either(
    api: FakeApi, tmp_path: Path
) -> None:
    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    api.faults.append(Fault(api.no_reply_but_done(25.0), action="AddDomainRecord"))
    api.faults.append(Fault(api.no_reply_but_done(19.0), action="AddDomainRecord"))
    api.faults.append(Fault(lambda: error("Forbidden.RAM", 403), action="AddDomainRecord"))
    with pytest.raises(errors.PluginError):
        ledger.add(NAME, VALUE, RetryBudget())
    assert api.clock.elapsed < 25
    api.clock.sleep(26.0 - api.clock.elapsed)
    nothing_is_left_in_the_end(api, ledger, tmp_path)


def test_nobody_waits_for_what_has_been_found(api: FakeApi, ledger: Ledger) -> None:
    api.zones[NAME] = []
    api.faults.append(Fault(no_reply, acted=True))
    ledger.add(NAME, VALUE, RetryBudget())
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert api.clock.elapsed < 5


def test_what_may_be_added_late_stands_until_then_and_the_key_need_not_list(
    api: FakeApi, tmp_path: Path
) -> None:
    api.may_list = False
    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    api.faults.append(Fault(api.no_reply_but_done(16.0), action="AddDomainRecord"))
    ledger.add(NAME, VALUE, RetryBudget())
    nothing_is_left_in_the_end(api, ledger, tmp_path)


def test_who_wants_an_end_waits_for_no_late_add_which_the_next_run_looks_for(
    api: FakeApi, ledger: Ledger, tmp_path: Path
) -> None:
    api.zones[NAME] = []
    budget = RetryBudget()
    call_off_and_lose = lambda: (budget.call_off(), no_reply())[1]  # noqa: E731
    api.faults.append(Fault(call_off_and_lose, action="AddDomainRecord"))
    with pytest.raises(errors.PluginError):
        ledger.add(NAME, VALUE, budget)
    ledger.hurry()
    began = api.clock.now
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert 2 <= api.clock.now - began < 4
    assert ledger.close() == []
    assert len(journals(tmp_path)) == 1


def test_who_wants_an_end_has_a_record_removed_at_once_though_it_may_come_again(
    api: FakeApi, tmp_path: Path
) -> None:
    api.zones["example.com"] = []
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    api.faults.append(Fault(no_reply, action="AddDomainRecord"))
    ledger.add(NAME, VALUE, RetryBudget())
    ledger.hurry()
    began = api.clock.now
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert api.clock.now - began < 1
    assert api.values("example.com") == []
    assert len(journals(tmp_path)) == 1, "so that the next run looks again"


def test_an_add_that_is_under_way_at_the_end_is_named(api: FakeApi, tmp_path: Path) -> None:
    api.zones["example.com"] = []
    under_way, go_on = threading.Event(), threading.Event()

    def slowly() -> Exception:
        under_way.set()
        assert go_on.wait(10)
        return lost()

    api.faults.append(Fault(slowly, acted=True, action="AddDomainRecord"))
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    adding = threading.Thread(target=ledger.add, args=(NAME, VALUE, RetryBudget()))
    adding.start()
    assert under_way.wait(10)
    (left,) = ledger.close()
    assert f"{NAME} = {VALUE} may be left, as it was being added." in left
    assert "The next run that adds records tries to remove it" in left
    go_on.set()
    adding.join(10)


def test_a_zone_is_listed_once_for_all_names_that_lead_there(api: FakeApi, tmp_path: Path) -> None:
    api.zones["validation.example"] = []
    listing, all_wait = [], threading.Barrier(8, timeout=10)
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [
        Place(name[16:], "validation.example", (), (name, name[16:]), is_hearsay=True)
    ]
    list_all = api._list

    def slow_list(zone: list[Record], parameters: dict[str, str]) -> requests.Response:
        listing.append(parameters)
        time.sleep(0.1)
        return list_all(zone, parameters)

    api._list = slow_list  # type: ignore[method-assign]

    def add(name: str) -> None:
        all_wait.wait()
        ledger.add(name, VALUE, RetryBudget())

    names = [f"_acme-challenge.n{i}.validation.example" for i in range(8)]
    background.concurrently(add, names)
    assert len(api.values("validation.example")) == 8
    assert len(listing) == 1


def test_no_zone_waits_until_another_is_listed(api: FakeApi, tmp_path: Path) -> None:
    zones = ["validation.example", "validation.test"]
    api.zones.update({zone: [] for zone in zones})
    both_are_listed = threading.Barrier(2, timeout=10)
    ledger = make_ledger(tmp_path)
    ledger._find_places = lambda name: [
        Place(name[16:], name.split(".", 2)[2], (), (name, name[16:]), is_hearsay=True)
    ]
    list_all = api._list

    def slow_list(zone: list[Record], parameters: dict[str, str]) -> requests.Response:
        both_are_listed.wait()
        return list_all(zone, parameters)

    api._list = slow_list  # type: ignore[method-assign]
    background.concurrently(
        lambda zone: ledger.add(f"_acme-challenge.www.{zone}", VALUE, RetryBudget()), zones
    )
    assert [api.values(zone) for zone in zones] == [[VALUE], [VALUE]]


def test_what_was_there_before_never_counts_as_added_last(api: FakeApi, tmp_path: Path) -> None:
    """Else the wait would look for the one record that all name servers have anyway."""
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    names = [f"_acme-challenge.{each}.example.com" for each in "abc"]
    api.zones["example.com"] = []
    api.add("example.com", "_acme-challenge.c", VALUE)
    for name in names:
        ledger.add(name, VALUE, RetryBudget())
        api.clock.sleep(1.0)
    first, second, there_before = (served.added_at for served in ledger.added())
    assert second - first >= 1.0
    assert there_before == first


@pytest.mark.parametrize("is_folder_ours", [True, False])
def test_the_next_run_is_promised_only_what_the_journal_lists(
    api: FakeApi, tmp_path: Path, is_folder_ours: bool
) -> None:
    api.zones["example.com"] = []
    if not is_folder_ours:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "dns-aliyun").symlink_to(tmp_path / "elsewhere")
    ledger = make_ledger(tmp_path, lambda name: "example.com")
    ledger.add(NAME, VALUE, RetryBudget())
    api.faults.append(Fault(lambda: error("Forbidden.RAM"), action="DeleteDomainRecord"))
    left = ledger.remove(NAME, VALUE, RetryBudget())
    assert left
    assert "DeleteDomainRecord on acs:alidns:*:*:domain/example.com" in left
    assert ("The next run that adds records tries to remove it" in left) == is_folder_ours
    assert "y hand: zone example.com, RR _acme-challenge.www, record id" in left


def test_a_name_that_may_be_no_zone_is_named_as_such(api: FakeApi, ledger: Ledger) -> None:
    """Where DNS is silent and then the API, too, only the first candidate is ever tried."""
    api.is_dead = True
    refusal(ledger)
    left = ledger.remove(NAME, VALUE, RetryBudget())
    assert left
    assert left.endswith("There is nothing to remove if the account has no such zone.")


def test_what_cannot_be_removed_is_named_with_the_command_that_removes_it(
    api: FakeApi, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.add(NAME, VALUE, RetryBudget())
    api.is_dead = True
    left = ledger.remove(NAME, VALUE, RetryBudget())
    assert left
    (record,) = api.zones["example.com"]
    for part in (NAME, VALUE, "zone example.com", "RR _acme-challenge.www", record.id):
        assert part in left
    assert f"aliyun alidns DeleteDomainRecord --RecordId {record.id}" in left
    assert ledger.close() == [], "it is named once"
    assert len(journals(tmp_path)) == 1


def test_what_nobody_removed_is_named_at_the_end(ledger: Ledger) -> None:
    ledger.add(NAME, VALUE, RetryBudget())
    (left,) = ledger.close()
    assert NAME in left
    assert VALUE in left


def test_without_list_and_id_the_console_is_named(api: FakeApi, ledger: Ledger) -> None:
    api.may_list = False
    api.zones["www.example.com"] = []
    api.faults.append(Fault(lambda: error("InvalidDomainName.NoExist")))
    api.faults.append(Fault(lost, acted=True))
    ledger.add(NAME, VALUE, RetryBudget())
    began = api.clock.now
    left = ledger.remove(NAME, VALUE, RetryBudget())
    assert api.clock.now - began < 1, "there is nothing to wait for"
    assert left
    permission = "alidns:DescribeDomainRecords on acs:alidns:*:*:domain/www.example.com"
    assert f"lacks the permission {permission}" in left
    assert "console" in left
    assert "nothing to remove if" not in left, "the API has told that there is the record"


def test_an_ended_run_leaves_no_journal(api: FakeApi, ledger: Ledger, tmp_path: Path) -> None:
    ledger.plan([(NAME, VALUE)])
    ledger.add(NAME, VALUE, RetryBudget())
    assert len(journals(tmp_path)) == 1
    ledger.remove(NAME, VALUE, RetryBudget())
    ledger.close()
    assert journals(tmp_path) == []


def test_a_lost_reply_of_a_zone_that_is_none_leaves_nothing_behind(
    api: FakeApi, ledger: Ledger, tmp_path: Path
) -> None:
    api.faults.append(Fault(lost))
    assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"
    ledger.remove(NAME, VALUE, RetryBudget())
    assert ledger.close() == []
    assert journals(tmp_path) == []


@pytest.mark.parametrize("acted", [True, False])
def test_a_lost_reply_that_forbidden_follows_is_told_though_another_zone_took_the_record(
    acted: bool, api: FakeApi, ledger: Ledger, tmp_path: Path
) -> None:
    """Forbidden.RAM is what a key for one zone hears of names that are none, and in passing."""
    api.may_list = False
    api.zones["www.example.com"] = []
    api.faults.append(Fault(lambda: error("InvalidDomainName.NoExist"), action="AddDomainRecord"))
    api.faults.append(Fault(lost, acted=acted, action="AddDomainRecord"))
    api.faults.append(Fault(lambda: error("Forbidden.RAM"), action="AddDomainRecord"))
    assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"
    left = ledger.remove(NAME, VALUE, RetryBudget())
    assert api.values("example.com") == []
    assert api.values("www.example.com") == ([VALUE] if acted else [])
    assert left
    assert "zone www.example.com, RR _acme-challenge," in left
    assert "nothing to remove if the account has no such zone" in left
    assert ledger.close() == [], "it is told once"
    assert len(journals(tmp_path)) == 1, "the next run looks again"


def test_a_lost_reply_about_the_name_itself_alarms_nobody_once_a_zone_is_found(
    api: FakeApi, ledger: Ledger, tmp_path: Path
) -> None:
    """A key for one zone hears Forbidden.RAM of all names that are none, this one first of all."""
    api.may_list, api.no_zone = False, "Forbidden.RAM"
    api.faults.append(Fault(lost))
    assert ledger.add(NAME, VALUE, RetryBudget()) == "example.com"
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert ledger.close() == []
    assert journals(tmp_path) == []


def test_doubt_about_a_zone_that_is_none_ends_when_the_api_is_back(
    api: FakeApi, ledger: Ledger, tmp_path: Path
) -> None:
    api.is_dead = True
    refusal(ledger)
    api.is_dead = False
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert ledger.close() == []
    assert journals(tmp_path) == []


def test_an_add_under_way_is_waited_for_before_its_record_is_removed(
    api: FakeApi, ledger: Ledger
) -> None:
    under_way, go_on = threading.Event(), threading.Event()

    def slowly() -> object:
        under_way.set()
        assert go_on.wait(10)
        return lost()

    api.zones[NAME] = []
    api.faults.append(Fault(slowly, acted=True))  # type: ignore[arg-type]
    budget = RetryBudget()
    adding = threading.Thread(target=refusal_of, args=(ledger, budget))
    adding.start()
    assert under_way.wait(10)
    budget.call_off()
    threading.Timer(0.1, go_on.set).start()
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    adding.join(10)
    assert api.zones[NAME] == []


def refusal_of(ledger: Ledger, budget: RetryBudget) -> None:
    with pytest.raises(errors.PluginError):
        ledger.add(NAME, VALUE, budget)


@pytest.mark.parametrize("is_done", [True, False])
def test_an_add_that_never_ends_does_not_hold_up_removing(
    api: FakeApi, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    monkeypatch.setattr(ledger_module, "UNDER_WAY", 0.05)
    ledger.add(NAME, VALUE, RetryBudget())
    if not is_done:
        api.zones["example.com"] = []
    entry = ledger._entries[NAME, VALUE]
    entry.added, entry.record_id, entry.state = Future(), None, State.NOT_THERE
    assert ledger.remove(NAME, VALUE, RetryBudget()) is None
    assert api.values("example.com") == []


def test_the_log_tells_the_zone_and_holds_no_value_of_a_key(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ledger.add(NAME, VALUE, RetryBudget())
    assert "example.com" in caplog.text
    kill(ledger._journal)
