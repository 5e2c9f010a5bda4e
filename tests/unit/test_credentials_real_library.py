"""Alibaba's credentials library itself, where it is installed: what of it is relied on, and OAuth.

Its providers are no documented interface, so a new release may take any of these names away.
"""

from __future__ import annotations

import fcntl
import inspect
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from certbot import errors
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.credentials import cli_profile, default_chain, kinds, library
from certbot_dns_aliyun.credentials.access_key import KeySource
from certbot_dns_aliyun.errors import AlidnsError
from certbot_dns_aliyun.https import Reply

provider = pytest.importorskip("alibabacloud_credentials.provider")

NAMES = [
    ("provider.cli_profile", "CLIProfileCredentialsProvider._get_credentials_provider"),
    ("provider.cli_profile", "CLIProfileCredentialsProvider._get_oauth_token_update_callback"),
    (
        "provider.cli_profile",
        "CLIProfileCredentialsProvider._write_configuration_to_file_with_lock",
    ),
    (
        "provider.cli_profile",
        "CLIProfileCredentialsProvider._get_external_credential_update_callback",
    ),
    ("provider.cli_profile", "EcsRamRoleCredentialsProvider"),
    ("provider.profile", "EcsRamRoleCredentialsProvider"),
    ("provider.oidc", "_get_token"),
    ("provider.rsa_key_pair", "_get_content"),
    ("provider.oauth", "OAuthCredentialsProvider._try_refresh_oauth_token"),
]
#: What each provider is made with.
PARAMETERS = {
    "RamRoleArnCredentialsProvider": "access_key_id access_key_secret security_token external_id "
    "role_arn role_session_name policy duration_seconds sts_endpoint",
    "OIDCRoleArnCredentialsProvider": "role_arn oidc_provider_arn oidc_token_file_path "
    "role_session_name policy duration_seconds sts_endpoint",
    "EcsRamRoleCredentialsProvider": "role_name disable_imds_v1 async_update_enabled",
    "CLIProfileCredentialsProvider": "profile_name profile_file",
    "ProfileCredentialsProvider": "profile_file",
    "URLCredentialsProvider": "uri",
}


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_name_that_is_relied_on_is_there(module: str, name: str) -> None:
    found: Any = pytest.importorskip(f"alibabacloud_credentials.{module}")
    for part in name.split("."):
        found = getattr(found, part, None)
    assert callable(found), f"alibabacloud_credentials.{module}.{name} is gone"


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_provider_takes_what_it_is_given(name: str) -> None:
    taken = inspect.signature(getattr(provider, name)).parameters
    missing = set(PARAMETERS[name].split()) - set(taken)
    assert not missing, f"alibabacloud_credentials.provider.{name} takes no {missing}"


def test_what_sends_is_there() -> None:
    core = pytest.importorskip("Tea.core")
    assert list(inspect.signature(core.TeaCore.do_action).parameters)[:2] == [
        "request",
        "runtime_option",
    ]
    assert pytest.importorskip("Tea.response").TeaResponse()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".aliyun" / "config.json"
    path.parent.mkdir()
    before = os.umask(0)
    yield path
    os.umask(before)


def write(path: Path, **profile: Any) -> None:
    path.write_text(json.dumps({"profiles": [{"name": "certs", **profile}, {"name": "other"}]}))
    path.chmod(0o600)


def profile_in(path: Path) -> dict[str, Any]:
    profile, other = json.loads(path.read_text())["profiles"]
    assert other == {"name": "other"}
    return dict(profile)


def source() -> KeySource:
    return kinds.make_source({"profile": "certs"}, "aliyun.ini")


OAUTH = {
    "mode": "OAuth",
    "oauth_site_type": "CN",
    "oauth_access_token": "access-1",
    "oauth_access_token_expire": 1,
    "oauth_refresh_token": "refresh-1",
}


class SignIn:
    """Stands for oauth.aliyun.com: each refresh token is good once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refresh_token = "refresh-1"
        self.exchanges = True

    def exchange(self, method: str, url: str, *, body: str, **options: Any) -> Reply:
        path = url.partition("aliyun.com")[2].partition("?")[0]
        self.asked.append(path)
        if path == "/v1/token":
            assert f"refresh_token={self.refresh_token}&" in body
            self.refresh_token = "refresh-2"
            answer = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 3600}
        elif self.exchanges:
            in_an_hour = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            answer = {
                "AccessKeyId": "STS.1",
                "AccessKeySecret": "secret",
                "SecurityToken": "token",
                "Expiration": in_an_hour,
            }
        else:
            return Reply(500, {}, b"")
        return Reply(200, {}, json.dumps(answer).encode())


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> SignIn:
    sign_in = SignIn()
    monkeypatch.setattr(library, "exchange", sign_in.exchange)
    return sign_in


def on_each(monkeypatch: pytest.MonkeyPatch, name: str, look: Callable[[], None]) -> None:
    original = getattr(os, name)

    def looked(*arguments: Any) -> Any:
        look()
        return original(*arguments)

    monkeypatch.setattr(os, name, looked)


def test_an_oauth_profile_keeps_its_next_refresh_token(config: Path, sign_in: SignIn) -> None:
    write(config, **OAUTH)
    assert source().get().key_id == "STS.1"
    assert profile_in(config)["oauth_refresh_token"] == "refresh-2"
    assert source().get().key_id == "STS.1"
    assert sign_in.asked == ["/v1/token", "/v1/exchange"]
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]


def test_the_next_refresh_token_is_kept_though_the_exchange_fails(
    config: Path, sign_in: SignIn
) -> None:
    write(config, **OAUTH)
    sign_in.exchanges = False
    with pytest.raises(AlidnsError, match="credentials not yet"):
        source().get()
    assert profile_in(config)["oauth_refresh_token"] == "refresh-2"


def test_a_token_is_never_in_a_file_that_others_can_read(
    config: Path, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config, **OAUTH)
    modes = []

    def look() -> None:
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in config.parent.iterdir())

    for name in ("fsync", "chmod", "fchmod", "replace"):
        on_each(monkeypatch, name, look)
    source().get()
    assert set(modes) == {0o600}
    assert len(modes) > 4


@pytest.mark.parametrize(("refused", "mode"), [(False, 0o640), (True, 0o600)])
def test_another_group_than_before_may_not_read_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch, refused: bool, mode: int
) -> None:
    def chown(file: int, user: int, group: int) -> None:
        if refused:
            raise PermissionError

    config.touch()
    config.chmod(0o640)
    monkeypatch.setattr(os, "fchown", chown)
    cli_profile._rewrite(str(config), lambda text: text)
    assert stat.S_IMODE(config.stat().st_mode) == mode


def test_a_token_is_not_spent_where_the_next_one_cannot_be_stored(
    config: Path, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(old: str, new: str) -> None:
        raise OSError(16, "Device or resource busy", old)

    write(config, **OAUTH)
    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(AlidnsError) as caught:
        source().get()
    assert "could not be stored" in caught.value.because()[0]
    assert f"{config}: Device or resource busy" in caught.value.because()[0]
    assert not sign_in.asked
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]
    assert profile_in(config) == {"name": "certs", **OAUTH}


def test_a_token_is_not_spent_while_others_keep_the_file_locked(
    config: Path, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config, **OAUTH)
    monkeypatch.setattr(cli_profile, "_LOCK_LIMIT", 0.2)
    with config.open(encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with pytest.raises(AlidnsError) as caught:
            source().get()
    assert f"could not be stored ({config}: another program keeps it" in caught.value.because()[0]
    assert not sign_in.asked
    assert source().get().key_id == "STS.1"


def test_what_another_process_has_stored_meanwhile_is_not_undone(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("old")
    other = config.with_name("other")
    other.write_text("new")
    lock = fcntl.flock

    def replaced_while_we_wait(file: Any, how: int) -> None:
        lock(file, how)
        if other.exists():
            other.rename(config)

    monkeypatch.setattr(fcntl, "flock", replaced_while_we_wait)
    cli_profile._rewrite(str(config), lambda text: text)
    assert config.read_text() == "new"


def test_what_a_command_gave_is_not_written_down(config: Path, tmp_path: Path) -> None:
    given = {"access_key_id": "STS.1", "access_key_secret": "secret", "sts_token": "token"}
    (tmp_path / "given.json").write_text(json.dumps({"mode": "StsToken", **given}))
    profile = {"mode": "External", "process_command": f"cat {tmp_path}/given.json"}
    write(config, **profile)
    assert source().get().key_id == "STS.1"
    assert profile_in(config) == {"name": "certs", **profile}


def test_no_command_is_run_from_a_file_that_others_can_write(config: Path, tmp_path: Path) -> None:
    write(config, mode="External", process_command=f"touch {tmp_path}/run")
    config.chmod(0o622)
    with pytest.raises(AlidnsError) as caught:
        source().get()
    assert "others can change what it reads" in caught.value.because()[0]
    assert not (tmp_path / "run").exists()


def test_a_token_file_that_others_can_write_is_not_read(
    config: Path, tmp_path: Path, sign_in: SignIn
) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    token.chmod(0o666)
    write(
        config,
        mode="OIDC",
        ram_role_arn="acs:ram::1:role/certbot",
        oidc_provider_arn="acs:ram::1:oidc-provider/ack",
        oidc_token_file=str(token),
    )
    with pytest.raises(AlidnsError) as caught:
        source().get()
    assert f"{token} can be written by others" in caught.value.because()[0]
    assert not sign_in.asked


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"profiles": 7}', '{"profiles": [7]}'])
def test_a_file_of_any_other_content_is_refused(config: Path, content: str) -> None:
    config.write_text(content)
    config.chmod(0o600)
    with pytest.raises(AlidnsError, match="no credentials"):
        source().get()
    assert list(config.parent.iterdir()) == [config]


@pytest.mark.parametrize("key_id", [7, None, ["x"], {}, "\udcff", "a b"])
def test_a_profile_whose_key_is_none_is_refused(config: Path, key_id: object) -> None:
    write(config, mode="AK", access_key_id=key_id, access_key_secret="secret")
    with pytest.raises(AlidnsError, match="no credentials"):
        source().get()


#: What no key may be told by, were it in a file or an answer.
SECRET = "SecretOfTheTests"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([SECRET, "certs", "acs:ram::1:role/x", "\udcff", "\x1b[2J", "https://x/"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
#: All but External, which would run a command that was drawn.
modes = st.sampled_from(
    [
        "AK",
        "StsToken",
        "RamRoleArn",
        "EcsRamRole",
        "OIDC",
        "ChainableRamRoleArn",
        "CloudSSO",
        "OAuth",
    ]
)
fields = st.sampled_from(
    [
        "access_key_id",
        "access_key_secret",
        "sts_token",
        "ram_role_arn",
        "ram_session_name",
        "expired_seconds",
        "policy",
        "external_id",
        "sts_region",
        "ram_role_name",
        "oidc_provider_arn",
        "oidc_token_file",
        "source_profile",
        "cloud_sso_sign_in_url",
        "cloud_sso_account_id",
        "cloud_sso_access_config",
        "access_token",
        "cloud_sso_access_token_expire",
        "oauth_site_type",
        "oauth_access_token",
        "oauth_access_token_expire",
        "oauth_refresh_token",
        "sts_expiration",
    ]
)
answer_fields = st.sampled_from(
    [
        "Code",
        "AccessKeyId",
        "AccessKeySecret",
        "SecurityToken",
        "Expiration",
        "Credentials",
        "CloudCredential",
        "access_token",
        "refresh_token",
        "expires_in",
        "error",
    ]
)
#: An error's code is shown, so it holds no secret here.
codes = st.sampled_from(["Success", "Success", "Throttling.User", "\x1b[2J", 7, None, ["x"]])
expirations = st.sampled_from(["2030-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
answers = (
    st.builds(
        lambda fields, code: {**fields, "Code": code},
        st.dictionaries(answer_fields, json_values | expirations),
        codes,
    )
    | json_values
).map(lambda answer: json.dumps(answer).encode()) | st.binary(max_size=20)


def assert_key_or_sentence(source: KeySource, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    try:
        key = source.get()
    except AlidnsError as error:
        said = "{}; {}.".format(*error.because())
    except errors.PluginError as error:
        said = str(error)
    else:
        said = ""
        assert key.is_sound()
    assert SECRET not in said + caplog.text
    assert said.isprintable()


@given(
    mode=modes,
    profile=st.dictionaries(fields, json_values),
    status=st.sampled_from([200, 200, 200, 400, 500]),
    answer=answers,
)
def test_any_profile_and_any_answer_end_in_a_key_or_a_sentence(
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: str,
    profile: dict[str, Any],
    status: int,
    answer: bytes,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr(library, "exchange", lambda *_, **__: Reply(status, {}, answer))
    config.write_text(json.dumps({"profiles": [{"name": "certs", **profile, "mode": mode}]}))
    config.chmod(0o600)
    assert_key_or_sentence(source(), caplog)
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]


@given(status=st.sampled_from([200, 200, 403, 503]), answer=answers)
def test_any_answer_of_a_uri_ends_in_a_key_or_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
    answer: bytes,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr(library, "exchange", lambda *_, **__: Reply(status, {}, answer))
    assert_key_or_sentence(kinds.uri_source("http://localhost/key", "here"), caplog)


types = st.sampled_from(
    [
        "access_key",
        "ram_role_arn",
        "oidc_role_arn",
        "ecs_ram_role",
        "rsa_key_pair",
        "bearer",
    ]
)
ini_keys = st.sampled_from(
    [
        "access_key_id",
        "access_key_secret",
        "role_arn",
        "role_session_name",
        "policy",
        "oidc_provider_arn",
        "oidc_token_file_path",
        "role_name",
        "public_key_id",
        "private_key_file",
    ]
)
ini_values = st.sampled_from(
    [
        SECRET,
        "",
        "%(x)s",
        "a # b",
        "/dev/zero",
        "/etc/hostname",
        "acs:ram::1:role/x",
        "\x1b[2J",
        "é",
    ]
)


@given(
    written=st.one_of(
        st.binary(max_size=60),
        st.builds(
            lambda type, values: "\n".join(
                [
                    "[default]",
                    f"type = {type}",
                    *(f"{key} = {value}" for key, value in values.items()),
                ]
            ).encode(),
            types,
            st.dictionaries(ini_keys, ini_values),
        ),
    ),
    answer=answers,
)
def test_any_credentials_file_of_others_ends_in_a_key_or_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    written: bytes,
    answer: bytes,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr(library, "exchange", lambda *_, **__: Reply(200, {}, answer))
    path = tmp_path / "credentials.ini"
    path.write_bytes(written)
    make = default_chain._profile_maker(str(path))
    assert_key_or_sentence(library.LibrarySource(make, "the file"), caplog)
