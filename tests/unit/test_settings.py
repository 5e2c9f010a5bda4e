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


def test_an_id_and_a_secret_in_each_others_place_are_refused_before_one_is_sent(path: Path) -> None:
    text = f"dns_aliyun_access_key = {SECRET}\ndns_aliyun_access_key_secret = {KEY_ID}\n"
    assert "dns_aliyun_access_key is not; swap the two values." in refusal(path, text)


@pytest.mark.parametrize("key_id", ["LTAI5tExample", "STS.NExample"])
def test_a_secret_may_begin_like_an_id(path: Path, key_id: str) -> None:
    text = BOTH.replace(KEY_ID, key_id).replace(SECRET, f"LTAI{SECRET}")
    assert key_in(path, text) == AccessKey(key_id, f"LTAI{SECRET}")


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
    sentence = refusal(path, BOTH + f"dns_aliyun_role_arn = {empty}")
    assert "dns_aliyun_role_arn is empty" in sentence


@pytest.mark.parametrize("empty", ["", '""', "''''''", "# none"])
def test_an_empty_optional_key_is_as_good_as_none(path: Path, empty: str) -> None:
    assert key_in(path, BOTH + f"dns_aliyun_security_token = {empty}") == AccessKey(KEY_ID, SECRET)
    assert load(path, f"dns_aliyun_endpoint = {empty}\n{BOTH}").endpoint == "alidns.aliyuncs.com"
    assert not load(path, f"dns_aliyun_delegation_targets = {empty}\n{BOTH}").targets


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


#: The line that stands in the file beside a good key, and what is said of it.
STRAYS = [
    ("dns_aliyun_acess_key_secret = x", "did you mean dns_aliyun_access_key_secret?"),
    ("dns_aliyun_secret = x", "did you mean dns_aliyun_access_key_secret?"),
    ("dns_aliyun_access_key_sercet = x", "did you mean dns_aliyun_access_key_secret?"),
    ("dns_aliyun_accesskeyid = x", "did you mean dns_aliyun_access_key?"),
    ("dns_aliyun_endpiont = x", "did you mean dns_aliyun_endpoint?"),
    ("dns_aliyun_delegation_target = x", "did you mean dns_aliyun_delegation_targets?"),
    ("dns_aliyun_sts_token = x", "did you mean dns_aliyun_security_token?"),
    ("dns_aliyun_ram_role_arn = x", "did you mean dns_aliyun_role_arn?"),
    ("dns_alyun_endpoint = x", "Line 3 of {path} has a key that is not known; did you mean"),
    ("DNS_ALIYUN_ENDPOINT = x", "Line 3 of {path} has a key that is not known; did you mean"),
    ("dns-aliyun-endpoint = x", "did you mean dns_aliyun_endpoint?"),
    ("certbot_dns_aliyun:dns_aliyun_endpoint = x", "did you mean dns_aliyun_endpoint?"),
    ("dns_aliyun_region = cn-hangzhou", "dns_aliyun_region in {path} is not a known key; it is"),
    ("dns_aliyun_ttl = 600", "dns_aliyun_ttl in {path} is not a known key; it is ignored."),
    ("dns_aliyun_x = 600", "dns_aliyun_x in {path} is not a known key; it is ignored."),
]


@pytest.mark.parametrize(("line", "said"), STRAYS, ids=[line for line, _ in STRAYS])
def test_an_unknown_key_is_told_with_the_one_that_it_is_like_if_any(
    path: Path, caplog: pytest.LogCaptureFixture, line: str, said: str
) -> None:
    load(path, f"{BOTH}{line}\n")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert said.format(path=path) in record.message


ID, SECRET_OF = f"= {KEY_ID}", f"= {SECRET}"
#: Files as people write them that hold no credentials for us, and what is said of them.
MISTAKES = {
    "prefix left out": (
        f"access_key {ID}\naccess_key_secret {SECRET_OF}",
        "Line 1 may be meant to set dns_aliyun_access_key; correct its key. Line 2 may be meant to "
        "set dns_aliyun_access_key_secret;",
    ),
    "as the API has it": (f"AccessKeyId {ID}\nAccessKeySecret {SECRET_OF}", "Line 2 may be meant"),
    "capitals": (f"DNS_ALIYUN_ACCESS_KEY {ID}", "Line 1 may be meant to set dns_aliyun_access_key"),
    "dashes": (f"dns-aliyun-access-key {ID}", "Line 1 may be meant to set dns_aliyun_access_key"),
    "the option's dashes": (f"--dns-aliyun-access-key {ID}", "Line 1 may be meant to set"),
    "full-width letters": (
        f"\uff44\uff4e\uff53_aliyun_access_key {ID}",
        "Line 1 may be meant to set",
    ),
    "Certbot before 1.7": (
        f"certbot_dns_aliyun:dns_aliyun_access_key {ID}\n"
        f"certbot_dns_aliyun:dns_aliyun_access_key_secret {SECRET_OF}",
        "Line 2 may be meant to set dns_aliyun_access_key_secret",
    ),
    "of -next": (
        f"dns_aliyun_next_access_key_id {ID}\ndns_aliyun_next_access_key_secret {SECRET_OF}",
        "Line 1 may be meant to set dns_aliyun_access_key;",
    ),
    "of -alias": (f"dns_alias_aliyun_access_key_id {ID}", "Line 1 may be meant to set"),
    "of -alibabacloud": (f"dns_alibabacloud_access_key_id {ID}", "Line 1 may be meant to set"),
    "of -alicloud": (f"dns_alicloud_secret_key {SECRET_OF}", "set dns_aliyun_access_key_secret"),
    "of -multi": (f"ALICLOUD_SECRET_KEY {SECRET_OF}", "set dns_aliyun_access_key_secret"),
    "of acme.sh": (f"Ali_Key {ID}\nAli_Secret {SECRET_OF}", "Line 2 may be meant to set"),
    "of a shell": (f"export dns_aliyun_access_key {ID}", "Line 1 may be meant to set"),
    "one mistyped": (
        f"dns_aliyun_access_key {ID}\ndns_aliyun_acces_key_secret {SECRET_OF}",
        "dns_aliyun_access_key_secret is missing in {path}, beside dns_aliyun_access_key. Line",
    ),
    "prefix mistyped": (f"dns_alyun_access_key {ID}", "Line 1 may be meant to set"),
    "colons, and an equals sign in the token": (
        f"dns_aliyun_access_key: {SECRET}==",
        "Line 1 may be meant to set dns_aliyun_access_key;",
    ),
    "colons": (f"dns_aliyun_access_key: {KEY_ID}", "Line 1 of the credentials file {path} is not"),
    "full-width equals sign": (
        f"dns_aliyun_access_key \uff1d {KEY_ID}",
        "Line 1 of the credentials file {path} has a full-width equals sign (U+FF1D) in place of =",
    ),
    "JSON": (f'{{"AccessKeyId": "{KEY_ID}"}}', "Line 1 of the credentials file {path} is not"),
    "the console's CSV": (f"AccessKey ID,AccessKey Secret\n{KEY_ID},{SECRET}", "Line 1 of the"),
    "the key alone": (KEY_ID, "Line 1 of the credentials file {path} is not of the form"),
    "zero-width space in front": (
        f"\u200bdns_aliyun_access_key {ID}\ndns_aliyun_access_key_secret {SECRET_OF}",
        "Line 1 of the credentials file {path} has an invisible character in its key (U+200B)",
    ),
    "a second byte order mark": (f"# a\n\ufeff{BOTH}", "Line 2 of the credentials file {path} has"),
    "[default]": (f"[default]\n{BOTH}", "Line 1 of {path} opens a section that is not named by a"),
    "[default], to be removed": (f"[default]\n{BOTH}", "remove that line if its credentials are"),
    "[dns_aliyun]": (f"\n[dns_aliyun]\n{BOTH}", "Line 2 of {path} opens a section"),
    "a wildcard for a section": (f"[*.example.com]\n{BOTH}", "as in [example.com]."),
    "Alibaba Cloud's own file": (
        f"[default]\ntype = access_key\naccess_key_id {ID}\naccess_key_secret {SECRET_OF}",
        "Line 3 may be meant to set dns_aliyun_access_key;",
    ),
    "a section without the prefix": (
        f"{BOTH}[example.org]\naccess_key_id {ID}\naccess_key_secret {SECRET_OF}",
        "Line 4 may be meant to set dns_aliyun_access_key;",
    ),
    "curly quotes": (
        f"dns_aliyun_access_key = “{KEY_ID}”",
        "dns_aliyun_access_key in {path} holds the character U+201C, which no Alibaba Cloud key",
    ),
    "a comment that is none": (
        f"{BOTH.strip()} ; of RAM",
        "holds a blank, which no Alibaba Cloud key has; copy it anew, and begin a comment",
    ),
    "a zero-width space behind a key": (
        f"{BOTH.strip()}\u200b",
        "dns_aliyun_access_key_secret in {path} holds an invisible character (U+200B); type it",
    ),
    "another plugin's file": (
        "dns_cloudflare_api_token = x\naws_access_key_id = y\n",
        "set them to the id and the secret of an access key.",
    ),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_file_as_people_write_it_is_told_what_is_wrong(path: Path, text: str, said: str) -> None:
    assert said.format(path=path) in refusal(path, text)


def test_what_a_refusal_suggests_ends_it_where_nothing_is_like_it(path: Path) -> None:
    assert "may be meant" not in refusal(path, MISTAKES["another plugin's file"][0])


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
