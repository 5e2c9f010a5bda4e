"""Names: which zones could hold one, its RR in each, and the API's way to write a zone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.names import (
    full_name,
    is_plain,
    is_possible,
    is_spelled,
    is_within,
    normalize,
    resource_record,
    to_ascii,
    to_unicode,
    zone_candidates,
)

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
domains = st.lists(labels, min_size=2, max_size=6).map(".".join)
unicode_labels = st.text("äöüéßøžабвгд中文网例子日本語ไทยعربيεлλ-abc", min_size=1, max_size=12)


def test_the_longest_zone_comes_first_and_a_top_level_domain_never() -> None:
    assert zone_candidates("_acme-challenge.www.example.com.cn") == [
        "_acme-challenge.www.example.com.cn",
        "www.example.com.cn",
        "example.com.cn",
        "com.cn",
    ]


def test_the_zone_that_dns_names_comes_before_all_others() -> None:
    candidates = zone_candidates("_acme-challenge.www.example.com", "example.com")
    assert candidates[0] == "example.com"
    assert sorted(candidates) == sorted(zone_candidates("_acme-challenge.www.example.com"))


@pytest.mark.parametrize("guess", ["com", "example.org", "ample.com", "", None])
def test_a_guess_that_cannot_hold_the_name_is_no_candidate(guess: str | None) -> None:
    name = "_acme-challenge.example.com"
    assert zone_candidates(name, guess) == zone_candidates(name)


@given(domain=domains)
def test_each_candidate_holds_the_name_under_an_rr(domain: str) -> None:
    name = f"_acme-challenge.{domain}"
    candidates = zone_candidates(name)
    assert len(candidates) == len(set(candidates)) == domain.count(".") + 1
    for zone in candidates:
        assert is_within(name, zone)
        assert "." in zone
        rr = resource_record(name, zone)
        assert rr
        assert full_name(rr, zone) == name


def test_the_rr_of_the_apex_is_an_at_sign() -> None:
    assert resource_record("example.com", "example.com") == "@"


def test_a_name_that_merely_ends_like_a_zone_is_not_within_it() -> None:
    assert not is_within("notexample.com", "example.com")


@pytest.mark.parametrize(
    "name", ["Example.COM", "example.com.", "EXAMPLE.com.", "example.com"], ids=str
)
def test_case_and_a_final_dot_make_no_difference(name: str) -> None:
    assert normalize(name) == "example.com"


@pytest.mark.parametrize(
    ("a_labels", "u_labels"),
    [
        ("example.com", "example.com"),
        ("xn--fsqu00a.com", "例子.com"),
        ("xn--fiqs8s.xn--fiqs8s", "中国.中国"),
        ("_acme-challenge.xn--mnchen-3ya.de", "_acme-challenge.münchen.de"),
        ("xn--e1afmkfd.xn--p1ai", "пример.рф"),
        ("xn--wgbh1c", "مصر"),
        ("xn--strae-oqa.de", "straße.de"),
    ],
)
def test_the_api_knows_zones_by_their_u_labels(a_labels: str, u_labels: str) -> None:
    assert to_unicode(a_labels) == u_labels


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("xn--.com", id="nothing encoded"),
        pytest.param("xn--99999999.com", id="beyond Unicode"),
        pytest.param("xn--a-ä.com", id="not ASCII"),
        pytest.param("xn--example-.com", id="an ASCII name in disguise"),
        pytest.param("xn--ib9b.com", id="half a surrogate pair"),
    ],
)
def test_a_label_that_is_no_punycode_stays_as_it_is(name: str) -> None:
    assert to_unicode(name) == name


@given(st.lists(unicode_labels, min_size=1, max_size=4))
def test_encoding_and_decoding_give_the_name_back(parts: list[str]) -> None:
    encoded = ".".join(
        part if part.isascii() else "xn--" + part.encode("punycode").decode() for part in parts
    )
    assert to_unicode(encoded) == ".".join(parts)


@given(st.lists(st.text("xn-abz019_é", max_size=15), max_size=5).map(".".join))
def test_any_name_has_a_form_that_can_be_sent(name: str) -> None:
    sent = to_unicode(f"xn--{name}")
    assert sent.encode()
    assert sent.count(".") == name.count(".")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("例子。com", "xn--fsqu00a.com"),
        ("例子\uff61com\uff0e", "xn--fsqu00a.com."),
        ("\uff25xample.\uff23om", "example.com"),
        ("_acme-challenge.M\u00dcNCHEN.de", "_acme-challenge.xn--mnchen-3ya.de"),
        ("mu\u0308nchen.de", "xn--mnchen-3ya.de"),
        ("straße.de", "xn--strae-oqa.de"),
        ("\ufeffexam\u200bple.c\u00ado\u2060m", "example.com"),
        ("exam\u200dple.com", "example.com"),
        ("例\u200c子.com", "xn--fsqu00a.com"),
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "xn--mgba3gch31f060k.com"),
        ("i❤.ws", "xn--i-7iq.ws"),
        ("XN--FSQU00A.com", "xn--fsqu00a.com"),
        ("", ""),
    ],
)
def test_what_a_person_types_is_mapped_as_uts_46_has_it(typed: str, name: str) -> None:
    """A joiner stays where its script has a use for it."""
    assert to_ascii(typed) == name


@given(st.text(max_size=30) | st.text("xn-.\u200d\u200c。ß例ا❤\ud800", max_size=20))
def test_what_cannot_be_a_name_is_a_unicode_error(typed: str) -> None:
    try:
        name = to_ascii(typed)
    except UnicodeError:
        return
    assert name.isascii()
    assert name == name.lower()


SPELLED = ["例子", "пример", "مثال", "उदाहरण", "bücher", "i❤", "_x", "abc"]


@given(st.lists(st.sampled_from(SPELLED), min_size=1, max_size=6))
def test_both_forms_are_one_name(parts: list[str]) -> None:
    name = to_ascii(".".join(parts))
    assert to_unicode(name) == ".".join(parts)
    assert is_spelled(name.upper(), name)
    assert is_spelled(to_unicode(name), name)
    assert not is_spelled(f"x{name}", name)
    mixed = [part if i % 2 else to_ascii(part) for i, part in enumerate(parts)]
    assert is_spelled(".".join(mixed), name)


@pytest.mark.parametrize(("letters", "is_one"), [(61, True), (62, False)])
def test_a_text_longer_than_dns_holds_is_no_name(letters: int, is_one: bool) -> None:
    name = ".".join(["a" * 63] * 3 + ["b" * letters])
    assert is_spelled(name, name) is is_one


@given(st.text(max_size=20))
def test_any_text_is_a_name_or_not(text: str) -> None:
    assert not is_spelled(f"{text}!", "_acme-challenge.xn--fsqu00a")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.b", True),
        ("a" * 63 + ".com", True),
        ("a" * 64 + ".com", False),
        (".".join(["a" * 49] * 5) + ".abc", True),
        (".".join(["a" * 49] * 5) + ".abcd", False),
        ("www..example.com", False),
        ("", False),
    ],
)
def test_dns_holds_253_characters_and_63_a_label(name: str, is_one: bool) -> None:
    assert is_possible(name) is is_one


@pytest.mark.parametrize("name", ["www.example.com", "_acme-challenge.xn--fsq.com", "a"])
def test_a_name_of_letters_digits_hyphens_and_underscores_is_plain(name: str) -> None:
    assert is_plain(name)


@pytest.mark.parametrize(
    "name", ["a b.com", "a\\.b.com", "*.example.com", "a..b", "a.", "", "ä.com"]
)
def test_any_other_name_is_not_plain(name: str) -> None:
    assert not is_plain(name)


def test_no_letter_is_lost_with_the_final_dot() -> None:
    assert normalize("WWW.EXAMPLE.XX.") == "www.example.xx"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("\N{PILE OF POO}.la", "xn--ls8h.la"),
        ("a\N{ZERO WIDTH JOINER}b.example", "ab.example"),
        ("www.example.com", "www.example.com"),
    ],
)
def test_what_a_person_types_has_one_form_in_dns(typed: str, name: str) -> None:
    assert to_ascii(typed) == name


def test_a_label_that_is_none_stays_as_it_is() -> None:
    for label in ("xn--", "xn--\udcff", "xn--99999999999", "xn--abc-"):
        assert to_unicode(f"{label}.example") == f"{label}.example"
