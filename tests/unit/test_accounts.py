"""Several accounts in one file, and the kinds of credentials that its settings make."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from certbot import errors
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.credentials import kinds, settings
from certbot_dns_aliyun.credentials.access_key import AccessKey
from certbot_dns_aliyun.names import is_within
from tests.unit.fake_api import SECRET


def account(key_id: str, section: str = "") -> str:
    head = f"[{section}]\n" if section else ""
    return f"{head}dns_aliyun_access_key = {key_id}\ndns_aliyun_access_key_secret = {SECRET}\n"


def load(tmp_path: Path, *parts: str) -> settings.Settings:
    path = tmp_path / "aliyun.ini"
    path.write_text("\n".join(parts), encoding="utf-8")
    return settings.load(str(path))


def refusal(tmp_path: Path, *parts: str) -> str:
    with pytest.raises(errors.PluginError) as caught:
        load(tmp_path, *parts)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def key_for(loaded: settings.Settings, zone: str) -> str | None:
    found = loaded.account_for(zone)
    return found.source.get().key_id if found else None


@pytest.mark.parametrize(
    ("zone", "key_id"),
    [
        ("example.com", "top"),
        ("example.org", "org"),
        ("a.example.org", "org"),
        ("sub.example.org", "sub"),
        ("a.sub.example.org", "sub"),
        ("notexample.org", "top"),
        ("org", "top"),
    ],
)
def test_the_longest_section_that_fits_wins(tmp_path: Path, zone: str, key_id: str) -> None:
    loaded = load(
        tmp_path, account("top"), account("org", "example.org"), account("sub", "sub.example.org")
    )
    assert key_for(loaded, zone) == key_id


def test_without_a_top_level_other_zones_have_no_account(tmp_path: Path) -> None:
    loaded = load(tmp_path, account("org", "example.org"))
    assert key_for(loaded, "example.org") == "org"
    assert key_for(loaded, "example.com") is None


@pytest.mark.parametrize(
    "section",
    [
        "Example.ORG",
        "example.org.",
        " example.org ",
        "\uff45xample\uff0eorg",
        "exam\u200bple.o\u200drg\ufeff",
        "例子.中国",
        "例子。中国",
        "例子\uff61中国\uff0e",
        "xn--fsqu00a.xn--fiqs8s",
        "XN--FSQU00A.中国",
    ],
)
def test_a_section_may_be_named_in_any_usual_way(tmp_path: Path, section: str) -> None:
    loaded = load(tmp_path, account("here", section))
    zone = "xn--fsqu00a.xn--fiqs8s" if "中国" in section or "xn--" in section else "example.org"
    assert key_for(loaded, zone) == "here"


@pytest.mark.parametrize(
    "section",
    ["org", "example", "a b.example", "*.example.org", "/etc", "例\u202e子.com", "例..com"],
)
def test_a_section_that_is_no_domain_is_refused_with_its_line(tmp_path: Path, section: str) -> None:
    sentence = refusal(tmp_path, account("top"), account("x", section))
    assert "Line 4 " in sentence


def test_a_section_of_another_program_is_left_alone(tmp_path: Path) -> None:
    loaded = load(tmp_path, account("top"), "[default]\nregion = cn-hangzhou\n")
    assert key_for(loaded, "example.com") == "top"


def test_two_sections_for_one_zone_are_refused(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, account("a", "example.org"), account("b", "EXAMPLE.org"))
    assert "example.org" in sentence


def test_a_fault_in_a_section_names_the_section(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, account("top"), "[example.org]\ndns_aliyun_access_key = x\n")
    assert "[example.org]" in sentence
    assert "dns_aliyun_access_key_secret" in sentence


@given(
    zones=st.lists(
        st.lists(st.sampled_from("abc"), max_size=3).map(lambda labels: ".".join([*labels, "x.y"])),
        unique=True,
    ),
    zone=st.lists(st.sampled_from("abc"), max_size=4).map(
        lambda labels: ".".join([*labels, "x.y"])
    ),
)
def test_no_account_is_used_outside_its_zone(zones: list[str], zone: str) -> None:
    source = kinds.make_source({"access_key": "x", "access_key_secret": "y"}, "f.ini")
    loaded = settings.Settings([settings.Account(each, source) for each in zones])
    found = loaded.account_for(zone)
    fitting = [each for each in zones if is_within(zone, each)]
    assert (found.zone if found else None) == max(fitting, key=len, default=None)


def complete(kind: str) -> dict[str, str]:
    must, _ = kinds.KINDS[kind]
    return {name: f"value-of-{name}" for name in must}


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        (kind, name)
        for kind, (must, _) in kinds.KINDS.items()
        if len(must) > 1
        for name in must
        if kind != "a role to assume" or name != "role_arn"
    ],
)
def test_half_the_settings_of_a_kind_are_refused_with_the_missing_one(
    kind: str, missing: str
) -> None:
    values = complete(kind)
    del values[missing]
    with pytest.raises(errors.PluginError) as caught:
        kinds.make_source(values, "f.ini")
    sentence = str(caught.value)
    assert "missing" in sentence
    assert "value-of" not in sentence


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pair
        for pair in itertools.combinations(kinds.KINDS, 2)
        if not {"a role to assume"} & set(pair)
    ],
)
def test_two_kinds_at_once_are_refused(one: str, other: str) -> None:
    with pytest.raises(errors.PluginError) as caught:
        kinds.make_source({**complete(one), **complete(other)}, "f.ini")
    assert "value-of" not in str(caught.value)


def test_a_key_needs_no_extra_packages() -> None:
    source = kinds.make_source(complete("an access key"), "f.ini")
    assert source.get() == AccessKey("value-of-access_key", "value-of-access_key_secret")
    assert not source.renew(source.get())
    assert source.origin == "f.ini"


@pytest.mark.parametrize("kind", [kind for kind in kinds.KINDS if kind != "an access key"])
def test_without_the_extra_packages_the_command_that_installs_them_is_told(kind: str) -> None:
    try:
        import alibabacloud_credentials  # noqa: F401
    except ImportError:
        with pytest.raises(errors.PluginError, match="certbot-dns-aliyun\\[credentials\\]"):
            kinds.make_source(complete(kind), "f.ini")
    else:
        assert kinds.make_source(complete(kind), "f.ini").origin


@pytest.mark.parametrize(
    ("seconds", "is_fine"),
    [
        ("900", True),
        ("43200", True),
        ("899", False),
        ("43201", False),
        ("1h", False),
        ("-1", False),
    ],
)
def test_the_life_of_a_role_has_bounds(tmp_path: Path, seconds: str, is_fine: bool) -> None:
    part = account("x") + f"dns_aliyun_role_duration_seconds = {seconds}\n"
    assert ("between 900 and 43200" in refusal(tmp_path, part)) is not is_fine
