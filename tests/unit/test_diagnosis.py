"""What keeps a CA from issuing, by what DNS says and by what the CA has said."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Callable

import dns.dnssec
import dns.flags
import dns.rdata
import dns.rrset
import pytest

from certbot_dns_aliyun.commands.ca_looks import check_caa, check_dnssec
from certbot_dns_aliyun.commands.findings import Findings, Report, Result
from certbot_dns_aliyun.commands.looks import Name
from certbot_dns_aliyun.diagnosis import authority, hints
from certbot_dns_aliyun.diagnosis.authority import caa_identities
from certbot_dns_aliyun.diagnosis.caa import CaaSet, Obstacle, objection, relevant
from certbot_dns_aliyun.diagnosis.dnssec import Broken, Flaw, find_broken
from certbot_dns_aliyun.diagnosis.refusal import Matter, Refusal
from certbot_dns_aliyun.https import Reply
from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.unanswered import NotSent, NotSentError
from tests.unit.fake_dns import Asked, Internet, Zone, lost, servfail
from tests.unit.fake_time import Clock

OURS = ("letsencrypt.org",)
KEY = "257 3 13 " + "A" * 86 + "=="
TAG = dns.dnssec.key_id(dns.rdata.from_text("IN", "DNSKEY", KEY))  # type: ignore[arg-type]
SIGNED = f"{{}} 13 2 60 {{}} 19700101000000 {TAG} example.com. AAAA"


@pytest.fixture
def internet(clock: Clock) -> Internet:
    internet = Internet()
    internet.add("com", "192.0.2.1")
    internet.add("example.com", "192.0.2.2")
    return internet


@pytest.fixture
def discovery(internet: Internet) -> Iterator[Discovery]:
    with internet.in_place() as discovery:
        yield discovery


def caa_of(
    internet: Internet, discovery: Discovery, clock: Clock, *, at: str, texts: Sequence[str]
) -> CaaSet:
    for text in texts:
        internet.zones["example.com"].add(at, "CAA", text)
    return clock.run(relevant(discovery, "www.example.com"))


def test_the_closest_name_with_caa_records_counts(
    internet: Internet, discovery: Discovery, clock: Clock
) -> None:
    internet.zones["com"].add("com", "CAA", '0 issue "registry.example"')
    found = caa_of(internet, discovery, clock, at="example.com", texts=['0 issue "a.example"'])
    assert (found.owner, found.zone) == ("example.com", "example.com")
    assert [each.text for each in found.properties] == ['0 issue "a.example"']


def test_a_top_level_domain_may_have_caa_records(
    internet: Internet, discovery: Discovery, clock: Clock
) -> None:
    internet.zones["com"].add("com", "CAA", '0 issue "registry.example"')
    assert clock.run(relevant(discovery, "www.example.com")).owner == "com"


def test_caa_records_that_nobody_tells(
    internet: Internet, discovery: Discovery, clock: Clock
) -> None:
    internet.treat("resolver", servfail, name="example.com", kind="CAA")
    found = clock.run(relevant(discovery, "www.example.com"))
    assert found == CaaSet(unanswered="example.com")


@pytest.mark.parametrize(
    ("texts", "plain", "wildcard"),
    [
        ([], None, None),
        (['0 iodef "mailto:a@b.example"'], None, None),
        (['0 issue "letsencrypt.org"'], None, None),
        (['0 issue "letsencrypt.org; a=b"'], None, None),
        (['0 issue " letsencrypt.org\t; "'], None, None),
        (['0 issue "other.example"', '0 issue "letsencrypt.org"'], None, None),
        (['0 issue "other.example"'], Obstacle.OTHERS, Obstacle.OTHERS),
        (['0 issue ";"'], Obstacle.OTHERS, Obstacle.OTHERS),
        (['0 issue ""'], Obstacle.OTHERS, Obstacle.OTHERS),
        (['0 issuewild ";"'], None, Obstacle.OTHERS),
        (['0 issue ";"', '0 issuewild "letsencrypt.org"'], Obstacle.OTHERS, None),
        (['0 issue "letsencrypt.org"', '0 issuewild ";"'], None, Obstacle.OTHERS),
        (['128 tbs "x"'], Obstacle.CRITICAL, Obstacle.CRITICAL),
        (['0 tbs "x"'], None, None),
        (['1 tbs "x"'], Obstacle.CRITICAL, Obstacle.CRITICAL),
        (['2 tbs "x"'], None, None),
        (['128 issuevmc "ca.example"'], Obstacle.CRITICAL, Obstacle.CRITICAL),
        (['128 contactemail "a@b.example"'], Obstacle.CRITICAL, Obstacle.CRITICAL),
        (['128 issuemail "ca.example"'], None, None),
        (['129 IODEF "mailto:a@b.example"'], None, None),
        (['128 issue "letsencrypt.org"'], None, None),
        (
            ['0 issue "letsencrypt.org; validationmethods=http-01"'],
            Obstacle.METHODS,
            Obstacle.METHODS,
        ),
        (['0 issue "letsencrypt.org; validationmethods=http-01,dns-01"'], None, None),
        (['0 issue "letsencrypt.org; accounturi=https://ca/1"'], None, None),
        (
            ['0 issue "letsencrypt.org;accounturi=https://ca/2"'],
            Obstacle.ACCOUNT,
            Obstacle.ACCOUNT,
        ),
    ],
)
def test_what_caa_records_have_against_a_ca(
    internet: Internet,
    discovery: Discovery,
    clock: Clock,
    texts: list[str],
    plain: Obstacle | None,
    wildcard: Obstacle | None,
) -> None:
    found = caa_of(internet, discovery, clock, at="www.example.com", texts=texts)
    against = [objection(found, OURS, is_wild, "https://ca/1") for is_wild in (False, True)]
    assert [each and each.obstacle for each in against] == [plain, wildcard]


@pytest.mark.parametrize(
    ("value", "against"),
    [
        ("letsencrypt.org; validationmethods=http-01, dns-01", Obstacle.FORM),
        ("letsencrypt.org; validationmethods=dns-01;", Obstacle.FORM),
        ("letsencrypt.org;;", Obstacle.FORM),
        ("letsencrypt.org; dns-01", Obstacle.FORM),
        ("letsencrypt.org; validation-methods=dns-01", Obstacle.FORM),
        ("LetsEncrypt.org", Obstacle.FORM),
        ("letsencrypt.org.", Obstacle.FORM),
        ("letsencrypt.org validationmethods=dns-01", Obstacle.OTHERS),
        ("letsencrypt.org; validationmethods=DNS-01", Obstacle.METHODS),
        ("letsencrypt.org; validationmethods=,dns-01", Obstacle.METHODS),
        ("letsencrypt.org; validationmethods=dns-01-x", Obstacle.METHODS),
        ("letsencrypt.org; validationmethods=dns-01; validationmethods=dns-01", Obstacle.METHODS),
        ("letsencrypt.org; accounturi=https://ca/1; accounturi=https://ca/1", Obstacle.ACCOUNT),
        ("letsencrypt.org ; validationmethods = x-1,dns-01 ;\taccounturi=https://ca/1", None),
        ("letsencrypt.org; a==b=c", None),
    ],
)
def test_a_caa_record_is_read_to_the_letter(
    internet: Internet, discovery: Discovery, clock: Clock, value: str, against: Obstacle | None
) -> None:
    """As Let's Encrypt does it."""
    texts = ['0 issue "other.example"', f'0 issue "{value}"']
    found = caa_of(internet, discovery, clock, at="www.example.com", texts=texts)
    told = objection(found, OURS, wildcard=False, account="https://ca/1")
    assert (told and told.obstacle) == against


@pytest.mark.parametrize(
    ("texts", "plain", "wildcard"),
    [
        (['0 issue "letsencrypt.org; accounturi=https://ca/2"'], *2 * [Obstacle.SOME_ACCOUNT]),
        (['0 issue "letsencrypt.org"', '0 issue "other.example; accounturi=a"'], None, None),
        (['0 issue "letsencrypt.org"', '0 issue "letsencrypt.org; accounturi=a"'], None, None),
        (
            ['0 issue "letsencrypt.org"', '0 issuewild "letsencrypt.org; accounturi=a"'],
            None,
            Obstacle.SOME_ACCOUNT,
        ),
        (
            [
                '0 issue "letsencrypt.org; validationmethods=http-01"',
                '0 issue "letsencrypt.org; accounturi=a"',
            ],
            *2 * [Obstacle.SOME_ACCOUNT],
        ),
    ],
)
def test_an_unknown_account_may_be_the_right_one(
    internet: Internet,
    discovery: Discovery,
    clock: Clock,
    texts: list[str],
    plain: Obstacle | None,
    wildcard: Obstacle | None,
) -> None:
    found = caa_of(internet, discovery, clock, at="example.com", texts=texts)
    against = [objection(found, OURS, is_wild) for is_wild in (False, True)]
    assert [each and each.obstacle for each in against] == [plain, wildcard]


@pytest.mark.parametrize(
    "account", ["v01.api.letsencrypt.org/acme/reg/7", "v02.api.letsencrypt.org/acme/acct/7"]
)
@pytest.mark.parametrize(
    "told", ["v01.api.letsencrypt.org/acme/reg/", "v02.api.letsencrypt.org/acme/acct/"]
)
def test_an_account_of_acmev1_is_that_of_acmev2(
    internet: Internet, discovery: Discovery, clock: Clock, account: str, told: str
) -> None:
    texts = [f'0 issue "letsencrypt.org; accounturi=https://acme-{told}7"']
    found = caa_of(internet, discovery, clock, at="example.com", texts=texts)
    assert objection(found, OURS, False, f"https://acme-{account}") is None
    other = objection(found, OURS, False, f"https://acme-{account}0")
    assert other
    assert other.obstacle is Obstacle.ACCOUNT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('0 issue "letsencrypt.org"', "ok"),
        ('0 issue "letsencrypt.org; accounturi=a"', "warning"),
        ('0 issue "a.example"', "problem"),
    ],
)
def test_a_check_says_what_it_knows_of_caa(
    internet: Internet,
    discovery: Discovery,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
    text: str,
    told: str,
) -> None:
    internet.zones["example.com"].add("example.com", "CAA", text)
    fake: Any = FakePublicDns(discovery, clock)
    check_caa("example.com", fake, OURS, "", Findings(Report(is_for_machines=False)))
    assert capsys.readouterr().out.startswith(f"{told:8}example.com: CAA: ")


def test_a_zone_without_a_ds_record_is_not_signed(discovery: Discovery, clock: Clock) -> None:
    assert clock.run(find_broken(discovery, "www.example.com")) is None


def signed_zone(internet: Internet, tag: int = TAG) -> Zone:
    # The resolver in memory finds DS records in the zone itself.
    return internet.zones["example.com"].add("example.com", "DS", f"{tag} 13 2 {'ab' * 32}")


def test_a_ds_record_and_no_keys(internet: Internet, discovery: Discovery, clock: Clock) -> None:
    signed_zone(internet)
    broken = clock.run(find_broken(discovery, "www.example.com"))
    assert broken == Broken("example.com", Flaw.NO_KEYS, (TAG,))


def test_a_ds_record_of_other_keys(internet: Internet, discovery: Discovery, clock: Clock) -> None:
    signed_zone(internet, TAG + 1).add("example.com", "DNSKEY", KEY)
    broken = clock.run(find_broken(discovery, "www.example.com"))
    assert broken == Broken("example.com", Flaw.OTHER_KEYS, (TAG + 1,), (TAG,))


def test_a_sound_signed_zone(internet: Internet, discovery: Discovery, clock: Clock) -> None:
    signed_zone(internet).add("example.com", "DNSKEY", KEY)
    assert clock.run(find_broken(discovery, "www.example.com")) is None


def unless_unchecked(asked: Asked) -> Any:
    """What a resolver says that validates."""
    return asked.honest() if asked.query.flags & dns.flags.CD else servfail(asked)


def test_a_resolver_that_validates_refuses_the_answers(
    internet: Internet, discovery: Discovery, clock: Clock
) -> None:
    signed_zone(internet).add("example.com", "DNSKEY", KEY)
    internet.treat("resolver", unless_unchecked, name="example.com", kind="SOA")
    broken = clock.run(find_broken(discovery, "www.example.com"))
    assert broken == Broken("example.com", Flaw.REFUSED, (TAG,), (TAG,))


@pytest.mark.parametrize("expires", ["19700101000100", "20990101000000"])
def test_signatures_expire(
    internet: Internet, discovery: Discovery, clock: Clock, expires: str
) -> None:
    signed_zone(internet).add("example.com", "DNSKEY", KEY)

    def sign(asked: Asked) -> Any:
        response = asked.honest()
        text = SIGNED.format(asked.kind, expires)
        response.answer.append(dns.rrset.from_text("example.com.", 60, "IN", "RRSIG", text))
        return response

    internet.treat("resolver", sign, name="example.com", kind="SOA")
    broken = clock.run(find_broken(discovery, "www.example.com"))
    assert (broken and broken.flaw) == (Flaw.EXPIRED if expires < "1971" else None)


@pytest.mark.parametrize("kind", ["DS", "DNSKEY", "SOA"])
def test_a_resolver_that_is_silent_about_keys_proves_nothing(
    internet: Internet, discovery: Discovery, clock: Clock, kind: str
) -> None:
    signed_zone(internet)
    internet.treat("resolver", lost, name="example.com", kind=kind)
    with pytest.raises(asyncio.TimeoutError):
        clock.run(find_broken(discovery, "www.example.com"))


def test_a_broken_zone_is_told_though_the_resolver_is_silent_about_another(
    internet: Internet, discovery: Discovery, clock: Clock
) -> None:
    signed_zone(internet)
    internet.treat("resolver", lost, name="www.example.com", kind="DS")
    broken = clock.run(find_broken(discovery, "www.example.com"))
    assert broken == Broken("example.com", Flaw.NO_KEYS, (TAG,))


def test_no_resolver_is_asked_for_a_validation_name(
    internet: Internet, discovery: Discovery, clock: Clock
) -> None:
    assert clock.run(find_broken(discovery, "_acme-challenge.www.example.com")) is None


@pytest.mark.parametrize(
    ("broken", "result", "text"),
    [
        (None, Result.OK, "No zone on the way has broken DNSSEC."),
        (TimeoutError(), Result.WARNING, "The DNSSEC is not known: the resolver of this machine"),
        (Broken("example.net", Flaw.NO_KEYS, (7,)), Result.PROBLEM, "The DNSSEC of example.net is"),
    ],
)
def test_a_check_says_what_it_knows_of_dnssec(
    capsys: pytest.CaptureFixture[str],
    broken: Broken | TimeoutError | None,
    result: Result,
    text: str,
) -> None:
    """Of the name, which is well, and of where a CNAME leads."""

    def inquire(look: Any, seconds: float) -> Broken | None:
        if look.keywords["name"] != "example.net":
            return None
        if isinstance(broken, TimeoutError):
            raise broken
        return broken

    name = Name("_acme-challenge.example.com", ["example.com"], "value")
    name.place = Place("example.net", "example.net", (), (name.validation_name, "example.net"))
    dns: Any = SimpleNamespace(inquire=inquire)
    check_dnssec(name, dns, Findings(Report(is_for_machines=False)))
    assert capsys.readouterr().out.startswith(f"{result.value:8}example.com: DNSSEC: {text}")


def test_a_check_does_not_ask_the_resolver_for_the_name_where_the_record_will_stand(
    internet: Internet, discovery: Discovery, clock: Clock
) -> None:
    """It would remember that there is no such name."""
    internet.add("example.net", "192.0.2.3")
    name = Name("_acme-challenge.example.com", ["example.com"], "value")
    target = "x.y.example.net"
    name.place = Place(target, "example.net", (), (name.validation_name, target))
    fake: Any = FakePublicDns(discovery, clock)
    check_dnssec(name, fake, Findings(Report(is_for_machines=False)))
    asked = set(internet.asked_of("resolver"))
    assert {"example.com", "example.net"} <= asked
    assert not {name.validation_name, target} & asked


@pytest.mark.parametrize(
    ("kind", "detail", "matter"),
    [
        ("urn:ietf:params:acme:error:caa", "", Matter.CAA),
        ("caa", "", Matter.CAA),
        ("dnssec", "", Matter.DNSSEC),
        ("dns", "DNS problem: SERVFAIL looking up TXT for _acme-challenge.a.b", Matter.DNSSEC),
        ("dns", "DNS problem: looking up TXT for x: DNSSEC: Bogus", Matter.DNSSEC),
        ("dns", "DNS problem: NXDOMAIN looking up TXT for x", Matter.RECORD),
        ("dns", "While processing CAA for x: DNS problem: SERVFAIL", Matter.CAA_UNREAD),
        ("dns", "DNS problem: query timed out looking up TXT for caa.example", Matter.RECORD),
        ("unauthorized", "", Matter.RECORD),
        ("incorrectResponse", "", Matter.RECORD),
        ("connection", "", Matter.RECORD),
        ("about:blank", "", Matter.RECORD),
        ("", "", Matter.RECORD),
        ("rateLimited", "", Matter.RATE),
        ("serverInternal", "", Matter.TROUBLE),
        ("rejectedIdentifier", "", Matter.NAME),
        ("userActionRequired", "", Matter.OTHER),
    ],
)
def test_what_a_refusal_is_about(kind: str, detail: str, matter: Matter) -> None:
    assert Refusal("caa.example", "_acme-challenge.caa.example", kind, detail).matter is matter


class FakePublicDns:
    """Has things looked up in memory."""

    def __init__(self, discovery: Discovery, clock: Clock) -> None:
        self._discovery = discovery
        self._clock = clock

    def inquire(self, look: Callable[[Discovery], Coroutine[Any, Any, Any]], _: float) -> Any:
        return self._clock.run(look(self._discovery))


@pytest.fixture
def explain(
    discovery: Discovery, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Gives the hint after refusals; each is a domain, a kind and a detail."""
    monkeypatch.setattr(hints, "caa_identities", lambda directory: OURS)

    def explain(
        *refused: tuple[str, str, str], above: Sequence[str] = (), ordered: Sequence[str] = ()
    ) -> str:
        def served(names: Sequence[str], from_elsewhere: bool) -> str:
            return f"Served at {', '.join(names)}{' (elsewhere)' if from_elsewhere else ''}."

        refusals = [Refusal(d, f"_acme-challenge.{d}", kind, detail) for d, kind, detail in refused]
        fake: Any = FakePublicDns(discovery, clock)
        return hints.explain(refusals, fake, lambda _: above, served, "https://ca/dir", ordered)

    return explain


WWW, API = "www.example.com", "api.example.com"


def test_names_that_one_record_forbids_share_a_sentence(
    internet: Internet, explain: Callable[..., str]
) -> None:
    internet.zones["example.com"].add("example.com", "CAA", '0 issue "a.example"')
    told = explain((WWW, "caa", ""), (WWW, "caa", ""), (API, "caa", ""))
    assert told == (
        "CAA keeps the CA from issuing for www.example.com, api.example.com: example.com has "
        '0 issue "a.example"; add the CAA record 0 issue "letsencrypt.org" there.'
    )


def test_a_record_below_the_apex_is_told_with_its_zone(
    internet: Internet, explain: Callable[..., str]
) -> None:
    internet.zones["example.com"].add("www.example.com", "CAA", '0 issue ";"')
    assert "www.example.com in the zone example.com has" in explain((WWW, "caa", ""))


def test_a_record_that_the_ca_does_not_read_is_told(
    internet: Internet, explain: Callable[..., str]
) -> None:
    internet.zones["example.com"].add("example.com", "CAA", '0 issue "a.example"')
    internet.zones["example.com"].add("example.com", "CAA", '0 issue "LetsEncrypt.org"')
    told = explain((WWW, "caa", ""))
    assert 'has 0 issue "LetsEncrypt.org", which does not name the CA in a form' in told
    assert "a.example" not in told


def test_a_wildcard_alone_is_forbidden(internet: Internet, explain: Callable[..., str]) -> None:
    internet.zones["example.com"].add("example.com", "CAA", '0 issuewild ";"')
    told = explain(("example.com", "caa", ""))
    assert "issuing for *.example.com: " in told
    assert 'add the CAA record 0 issuewild "letsencrypt.org"' in told


@pytest.mark.parametrize(
    ("ordered", "told"),
    [
        (["example.com", "*.example.org"], ["example.com"]),
        (["*.example.com"], ["*.example.com"]),
        (["*.example.com", "example.com"], ["example.com", "*.example.com"]),
        ([], ["example.com", "*.example.com"]),
    ],
)
def test_what_caa_says_of_wildcards_is_for_who_ordered_one(
    internet: Internet, explain: Callable[..., str], ordered: list[str], told: list[str]
) -> None:
    for text in ('0 issue ";"', '0 issuewild ";"'):
        internet.zones["example.com"].add("example.com", "CAA", text)
    hint = explain(("example.com", "caa", ""), ordered=ordered)
    assert re.findall(r"issuing for (\S+): ", hint) == told


def test_a_ca_that_does_not_tell_its_name(
    internet: Internet, explain: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "caa_identities", lambda directory: ())
    internet.zones["example.com"].add("example.com", "CAA", '0 issue "a.example"')
    assert "the CA's documentation says" in explain((WWW, "caa", ""))


def test_records_that_only_the_ca_sees(internet: Internet, explain: Callable[..., str]) -> None:
    internet.treat("resolver", lost, kind="CAA")
    assert "this machine does not answer for www.example.com" in explain((WWW, "caa", ""))


def test_records_for_one_account(internet: Internet, explain: Callable[..., str]) -> None:
    text = '0 issue "letsencrypt.org; accounturi=https://ca/2"'
    internet.zones["example.com"].add("example.com", "CAA", text)
    assert "let one account of the CA alone issue for www" in explain((WWW, "caa", ""))


def test_caa_records_that_are_gone_when_looked_at(explain: Callable[..., str]) -> None:
    assert explain((WWW, "caa", "")).startswith("No CAA record that keeps the CA from issuing")


@pytest.mark.parametrize(
    "kind", ["rateLimited", "serverInternal", "rejectedIdentifier", "malformed"]
)
def test_no_word_about_records_that_are_not_the_reason(
    explain: Callable[..., str], kind: str
) -> None:
    told = explain((WWW, kind, ""))
    assert told
    assert "Served" not in told
    assert "name server" not in told


def test_broken_dnssec_on_the_way_of_a_cname(
    internet: Internet, explain: Callable[..., str]
) -> None:
    internet.add("example.net", "192.0.2.3").add("example.net", "DS", f"7 13 2 {'ab' * 32}")
    told = explain((WWW, "dnssec", ""), (API, "dns", "SERVFAIL"), above=["example.net"])
    assert told.count("The DNSSEC of example.net is broken: the DS record (key tag 7)") == 1
    assert "Served" not in told


def test_servfail_of_a_sound_zone_is_the_name_servers_matter(explain: Callable[..., str]) -> None:
    told = explain((WWW, "dns", "DNS problem: SERVFAIL looking up TXT"))
    assert told == "Served at _acme-challenge.www.example.com."


def test_a_look_from_elsewhere(explain: Callable[..., str]) -> None:
    told = explain((WWW, "unauthorized", "During secondary validation: none"), (API, "dns", ""))
    assert told == (
        "Served at _acme-challenge.api.example.com. "
        "Served at _acme-challenge.www.example.com (elsewhere)."
    )


@pytest.mark.parametrize("domain", ["olympics.example.com", "perspective.example.com"])
def test_the_domain_itself_says_nothing_of_places(domain: str) -> None:
    said = f"Incorrect TXT record found at _acme-challenge.{domain}"
    assert not Refusal(domain, f"_acme-challenge.{domain}", "dns", said).is_from_elsewhere
    said = f"During secondary validation: no TXT record found at _acme-challenge.{domain}"
    assert Refusal(domain, f"_acme-challenge.{domain}", "dns", said).is_from_elsewhere


def test_caa_records_that_the_ca_could_not_read(
    internet: Internet, explain: Callable[..., str]
) -> None:
    detail = "While processing CAA for it: DNS problem: SERVFAIL"
    assert "this machine does get one" in explain((WWW, "dns", detail))
    internet.treat("resolver", servfail, name=API, kind="CAA")
    assert f"nobody answers for {API}" in explain((API, "dns", detail))


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('{"meta": {"caaIdentities": ["LetsEncrypt.org."]}}', OURS),
        ('{"meta": {"caaIdentities": ["a b", "\\u001b[1m"]}}', ()),
        ('{"meta": {"caaIdentities": 3}}', ()),
        ('{"meta": {}}', ()),
        ("[]", ()),
        ("nonsense", ()),
    ],
)
def test_what_the_directory_of_a_ca_says_that_caa_records_call_it(
    monkeypatch: pytest.MonkeyPatch, body: str, names: tuple[str, ...]
) -> None:
    reply = Reply(200, {}, body.encode())
    monkeypatch.setattr(authority, "exchange", lambda *_, **options: reply)
    assert caa_identities("https://ca.example/directory") == names


def test_a_ca_that_cannot_be_reached_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def exchange(*_: Any, **options: Any) -> Any:
        raise NotSentError(NotSent.NO_CONNECTION)

    monkeypatch.setattr(authority, "exchange", exchange)
    assert caa_identities("https://ca.example/directory") == ()
