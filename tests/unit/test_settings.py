"""What the credentials file may say, and what is said of one that cannot be used."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from certbot import errors

from certbot_dns_aliyun.credentials import settings
from certbot_dns_aliyun.credentials.access_key import AccessKey
from tests.unit.fake_api import KEY_ID, SECRET

BOTH = f"dns_aliyun_access_key = {KEY_ID}\ndns_aliyun_access_key_secret = {SECRET}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aliyun.ini"


def load(path: Path, text: str) -> settings.Account:
    path.write_text(text, encoding="utf-8")
    (account,) = settings.load(str(path)).accounts
    assert account.zone == ""
    return account


def key_in(path: Path, text: str) -> AccessKey:
    return load(path, text).source.get()


def refusal(path: Path, text: str) -> str:
    with pytest.raises(errors.PluginError) as caught:
        load(path, text)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert SECRET not in sentence
    assert KEY_ID not in sentence
    return sentence


def test_the_two_keys_of_2_0_0_are_enough(path: Path) -> None:
    assert key_in(path, BOTH) == AccessKey(KEY_ID, SECRET)
    assert load(path, BOTH).endpoint == "alidns.aliyuncs.com"


def test_the_access_key_may_be_called_an_id(path: Path) -> None:
    renamed = BOTH.replace("access_key =", "access_key_id =")
    assert key_in(path, renamed) == AccessKey(KEY_ID, SECRET)


def test_both_names_may_stand_if_they_agree(path: Path) -> None:
    doubled = BOTH + f"dns_aliyun_access_key_id = {KEY_ID}"
    assert key_in(path, doubled) == AccessKey(KEY_ID, SECRET)


def test_two_names_that_disagree_are_both_named(path: Path) -> None:
    sentence = refusal(path, BOTH + "dns_aliyun_access_key_id = LTAIother")
    assert "dns_aliyun_access_key and dns_aliyun_access_key_id" in sentence
    assert "LTAIother" not in sentence


def test_a_token_is_read(path: Path) -> None:
    key = key_in(path, BOTH + "dns_aliyun_security_token = CAIS==")
    assert key.security_token == "CAIS=="


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("dns_aliyun_access_key_secret", "dns_aliyun_access_key_secret is missing"),
        ("dns_aliyun_access_key ", "dns_aliyun_access_key is missing"),
    ],
)
def test_a_missing_key_is_named(path: Path, missing: str, named: str) -> None:
    assert named in refusal(path, BOTH.replace(missing, "dns_other_"))


@pytest.mark.parametrize("empty", ["", '""', "''", '"" # none'])
def test_an_empty_value_is_named(path: Path, empty: str) -> None:
    sentence = refusal(path, BOTH + f"dns_aliyun_security_token = {empty}")
    assert "dns_aliyun_security_token is empty" in sentence


@pytest.mark.parametrize("value", ["two words", "tab\tbed", "schlüssel", "\u200bhidden"])
def test_characters_that_no_key_has_are_refused(path: Path, value: str) -> None:
    sentence = refusal(path, BOTH.replace(SECRET, value))
    assert "dns_aliyun_access_key_secret" in sentence
    assert value not in sentence


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("alidns.cn-hangzhou.aliyuncs.com", "alidns.cn-hangzhou.aliyuncs.com"),
        ("https://alidns.aliyuncs.com", "alidns.aliyuncs.com"),
        ("HTTPS://AliDNS.Aliyuncs.com", "alidns.aliyuncs.com"),
        ("localhost:8443", "localhost:8443"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_an_endpoint_is_a_host(path: Path, written: str, host: str) -> None:
    assert load(path, BOTH + f"dns_aliyun_endpoint = {written}").endpoint == host


@pytest.mark.parametrize(
    "written",
    [
        "http://alidns.aliyuncs.com",
        "ftp://alidns.aliyuncs.com",
        "https://alidns.aliyuncs.com/path",
        "alidns.aliyuncs.com/",
        "alidns.aliyuncs.com?x=1",
        "alidns aliyuncs com",
        "user@alidns.aliyuncs.com",
        "alidns.aliyuncs.com:0",
        "alidns.aliyuncs.com:65536",
        "alidns.aliyuncs.com:",
        "-alidns.aliyuncs.com",
        "alidns..com",
        "a" * 64 + ".com",
        "https://",
        "bücher.example",
        "alidns.aliyuncs.com\\@evil.example",
    ],
)
def test_an_endpoint_that_is_more_than_a_host_is_refused(path: Path, written: str) -> None:
    sentence = refusal(path, BOTH + f"dns_aliyun_endpoint = {written}")
    assert "dns_aliyun_endpoint" in sentence
    assert "https" in sentence


def test_an_unknown_key_is_named_with_the_nearest_known_one(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load(path, BOTH + "dns_aliyun_acess_key_secret = x")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "dns_aliyun_acess_key_secret" in record.message
    assert "did you mean dns_aliyun_access_key_secret?" in record.message


def test_a_value_in_the_place_of_a_key_is_not_shown(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load(path, BOTH + f"dns_aliyun_access_key:{SECRET} = x")
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "line", ["dns_cloudflare_api_token = x", "dns_aliyun_next_key = x", "certbot_dns_x = y"]
)
def test_keys_of_other_plugins_are_left_alone(
    path: Path, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    load(path, BOTH + line)
    assert not caplog.records


def test_the_text_form_of_an_access_key_holds_none_of_it(path: Path) -> None:
    loaded = load(path, BOTH + "dns_aliyun_security_token = CAIStoken")
    key = loaded.source.get()
    for text in (repr(loaded), str(loaded), f"{key!r} {key} {vars(loaded.source)}"):
        assert KEY_ID not in text
        assert SECRET not in text
        assert "CAIStoken" not in text
