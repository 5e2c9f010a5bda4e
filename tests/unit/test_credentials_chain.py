"""The default chain: the first link with a key counts; with none, all that was tried is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certbot import errors

from certbot_dns_aliyun.credentials import default_chain, kinds, library
from certbot_dns_aliyun.errors import AlidnsError, NotCalled
from certbot_dns_aliyun.unanswered import Lost, NotSent
from tests.unit import fake_library
from tests.unit.fake_library import Provider
from tests.unit.fake_time import Clock

OF_INSTANCE = "the role of the ECS instance (its metadata service)"


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("ALIBABA_CLOUD_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def on_ecs(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Provider]:
    """The role of an instance, as if this machine were one."""
    provider = Provider(clock)

    def make(role: str | None, where: str) -> Any:
        return library.LibrarySource(provider.make, f"the role of the ECS instance ({where})")

    monkeypatch.setattr(kinds, "ecs_source", make)
    monkeypatch.setattr("time.sleep", clock.sleep)
    with fake_library.in_place():
        yield provider


def test_a_key_of_the_environment_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tExample")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ExampleSecret")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "CAISExample")
    with fake_library.missing():
        key = default_chain.find().get()
    assert (key.key_id, key.secret) == ("LTAI5tExample", "ExampleSecret")
    assert key.security_token == "CAISExample"


def test_a_role_of_the_environment_tells_its_account(
    on_ecs: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_chain.find().identity == ""
    for name in ("ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE"):
        monkeypatch.setenv(f"ALIBABA_CLOUD_{name}", f"the {name}")
    with fake_library.in_place() as provider:
        provider.OIDCRoleArnCredentialsProvider = on_ecs.make  # type: ignore[attr-defined]
        assert default_chain.find().identity == "the ROLE_ARN"


def test_without_the_library_and_with_nothing_set_a_file_is_the_next_step() -> None:
    with fake_library.missing(), pytest.raises(errors.PluginError) as caught:
        default_chain.find()
    sentence = str(caught.value)
    assert "give a credentials file" in sentence
    assert "no variables ALIBABA_CLOUD_ACCESS_KEY_ID" in sentence
    assert "on one, install certbot-dns-aliyun[credentials]" in sentence
    assert "pip install" not in sentence


@pytest.mark.parametrize("name", ["ECS_METADATA", "CREDENTIALS_URI"])
def test_without_the_library_its_command_is_told_once_to_who_has_set_a_link(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"ALIBABA_CLOUD_{name}", "http://localhost/")
    with fake_library.missing(), pytest.raises(errors.PluginError) as caught:
        default_chain.find()
    sentence = str(caught.value)
    assert f"(the variable ALIBABA_CLOUD_{name}): not without the extra packages" in sentence
    assert sentence.count("pip install") == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"ACCESS_KEY_ID": "LTAI5tExample"},
            "ALIBABA_CLOUD_ACCESS_KEY_ID is set, ALIBABA_CLOUD_ACCESS_KEY_SECRET is not",
        ),
        (
            {"ACCESS_KEY_ID": "", "ACCESS_KEY_SECRET": "ExampleSecret"},
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET is set, ALIBABA_CLOUD_ACCESS_KEY_ID is not",
        ),
        (
            {"ACCESS_KEY_ID": "LTAI5tExample", "ACCESS_KEY_SECRET": "Example Secret"},
            "ALIBABA_CLOUD_SECURITY_TOKEN holds a blank or a character that no key has",
        ),
        (
            {"ACCESS_KEY_ID": "ExampleSecret", "ACCESS_KEY_SECRET": "LTAI5tExample"},
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET holds an id, which begins with LTAI; "
            "ALIBABA_CLOUD_ACCESS_KEY_ID does not",
        ),
        (
            {"ROLE_ARN": "acs:ram::1:role/certbot"},
            "ALIBABA_CLOUD_ROLE_ARN is set, "
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE are not",
        ),
    ],
)
def test_variables_that_make_no_key_are_told_before_others_take_their_place(
    on_ecs: Provider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    given: dict[str, str],
    said: str,
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"ALIBABA_CLOUD_{name}", value)
    assert default_chain.find().origin == OF_INSTANCE
    (warning,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    assert warning.endswith(f"{said}; the credentials of {OF_INSTANCE} are used instead.")
    assert "Secret " not in caplog.text
    caplog.clear()
    on_ecs.instead = [AlidnsError(NotCalled.NOT_ON_ECS)]
    with pytest.raises(errors.PluginError) as caught:
        default_chain.find()
    assert said in str(caught.value)
    assert not caplog.records


def test_where_a_key_did_not_come_from_is_said_once(on_ecs: Provider) -> None:
    on_ecs.instead = [AlidnsError(NotCalled.NO_CREDENTIALS, detail="HTTP status 404")]
    with pytest.raises(errors.PluginError) as caught:
        default_chain.find()
    assert str(caught.value).count("the role of the ECS instance") == 1
    assert f"{OF_INSTANCE} gives no access key (HTTP status 404)" in str(caught.value)


def test_a_moments_trouble_does_not_break_the_chain(on_ecs: Provider) -> None:
    on_ecs.instead = [AlidnsError(NotCalled.CREDENTIALS_NOT_YET), AlidnsError(Lost.NO_REPLY)]
    assert default_chain.find().get().key_id
    assert on_ecs.fetched == 3


def test_a_machine_that_is_no_instance_is_asked_once(on_ecs: Provider) -> None:
    on_ecs.instead = [AlidnsError(NotCalled.NOT_ON_ECS) for _ in range(9)]
    with pytest.raises(errors.PluginError, match="no ECS instance"):
        default_chain.find()
    assert on_ecs.fetched == 1


def test_an_instance_whose_role_is_set_is_asked_again(
    on_ecs: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its network may not be up yet."""
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "certbot")
    on_ecs.instead = [AlidnsError(NotCalled.NOT_ON_ECS) for _ in range(2)]
    assert default_chain.find().get().key_id
    on_ecs.instead = [AlidnsError(NotCalled.NOT_ON_ECS) for _ in range(9)]
    with pytest.raises(errors.PluginError, match=r"had now: .* no ECS instance, or its network"):
        default_chain.find()


def test_the_metadata_service_can_be_switched_off(
    on_ecs: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    with pytest.raises(errors.PluginError, match="no variable ALIBABA_CLOUD_CREDENTIALS_URI"):
        default_chain.find()
    assert not on_ecs.made


@pytest.mark.parametrize(
    "uri", ["127.0.0.1:8080/", "http://a b/", "http://[/", "http://user:secret@host/"]
)
def test_a_credentials_uri_that_is_none_is_told_and_not_shown(
    on_ecs: Provider, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", uri)
    on_ecs.instead = [AlidnsError(NotCalled.NOT_ON_ECS)]
    with pytest.raises(errors.PluginError) as caught:
        default_chain.find()
    assert (
        "ALIBABA_CLOUD_CREDENTIALS_URI is not of the form: http://localhost:8080/credentials)."
        in str(caught.value)
    )
    assert uri not in str(caught.value)


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home folder or an entry among the users, as OpenShift's odd ids are."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_is_told_what_was_tried(on_ecs: Provider) -> None:
    on_ecs.instead = [AlidnsError(NotCalled.NOT_ON_ECS)]
    with pytest.raises(errors.PluginError) as caught:
        default_chain.find()
    assert "no home folder for ~/.aliyun/config.json" in str(caught.value)
    assert "no home folder for ~/.alibabacloud/credentials.ini" in str(caught.value)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_may_name_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock
) -> None:
    given = []

    def make(profile_file: str) -> Provider:
        given.append(profile_file)
        return Provider(clock)

    path = tmp_path / "credentials.ini"
    path.touch()
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_FILE", str(path))
    with fake_library.in_place() as provider:
        provider.ProfileCredentialsProvider = make  # type: ignore[attr-defined]
        assert default_chain.find().get().key_id
    assert given == [str(path)]


@pytest.mark.usefixtures("homeless")
def test_a_profile_of_a_user_without_a_home_is_told_as_such(tmp_path: Path) -> None:
    pytest.importorskip("alibabacloud_credentials.provider")
    source = kinds.make_source({"profile": "certs"}, "aliyun.ini")
    with fake_library.in_place(), pytest.raises(AlidnsError) as caught:
        source.get()
    assert "no home folder for ~/.aliyun/config.json" in caught.value.because()[0]


def test_a_file_that_others_can_write_is_passed_over(on_ecs: Provider, tmp_path: Path) -> None:
    config = tmp_path / ".aliyun/config.json"
    config.parent.mkdir()
    config.touch()
    config.chmod(0o666)
    on_ecs.instead = [AlidnsError(NotCalled.NOT_ON_ECS)]
    with pytest.raises(errors.PluginError) as caught:
        default_chain.find()
    assert f"{config} can be written by others" in str(caught.value)
    assert default_chain.find().origin == OF_INSTANCE


@pytest.fixture
def of_oidc(on_ecs: Provider, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Provider:
    """A role through OIDC, set by its variables."""
    provider = Provider(clock)
    for name in ("ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE"):
        monkeypatch.setenv(f"ALIBABA_CLOUD_{name}", f"the {name}")
    modules = library.providers()
    monkeypatch.setattr(modules, "OIDCRoleArnCredentialsProvider", provider.make, raising=False)
    return provider


def test_what_is_set_and_gives_no_key_is_told_before_another_account_is_used(
    of_oidc: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    of_oidc.instead = [AlidnsError(NotCalled.NO_CREDENTIALS, detail="NoPermission")]
    assert default_chain.find().origin == OF_INSTANCE
    (warning,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    assert warning.startswith("OIDC (the variables ALIBABA_CLOUD_ROLE_ARN,")
    assert warning.endswith(
        f"gives no access key (NoPermission); the credentials of {OF_INSTANCE} are used instead."
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            AlidnsError(NotCalled.CREDENTIALS_NOT_YET, detail="HTTP status 503"),
            "kept failing to give an access key (HTTP status 503); run Certbot again later.",
        ),
        (
            AlidnsError(NotSent.NO_ADDRESS, host="sts.aliyuncs.com"),
            ": the name sts.aliyuncs.com cannot be resolved; check the network",
        ),
    ],
)
def test_a_moments_trouble_does_not_change_the_account(
    of_oidc: Provider, on_ecs: Provider, error: AlidnsError, said: str
) -> None:
    of_oidc.instead = [error for _ in range(9)]
    with pytest.raises(errors.PluginError) as caught:
        default_chain.find()
    assert str(caught.value).startswith("No access key can be had now: OIDC (the variables ")
    assert str(caught.value).count("OIDC (") == 1
    assert said in str(caught.value)
    assert not on_ecs.made


def test_trouble_of_a_metadata_service_that_nobody_has_set_is_passed_over(
    on_ecs: Provider, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://localhost/")
    modules = library.providers()
    monkeypatch.setattr(
        modules, "URLCredentialsProvider", lambda uri: Provider(clock), raising=False
    )
    on_ecs.instead = [AlidnsError(Lost.NO_REPLY) for _ in range(9)]
    assert default_chain.find().origin.startswith("the credentials URI")


@pytest.mark.parametrize("name", ["ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"])
@pytest.mark.parametrize("value", ["a b", "a\n", "\udcff\udcfe", "schlüssel"])
def test_what_no_call_can_carry_is_no_key(
    on_ecs: Provider, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for each in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"):
        monkeypatch.setenv(f"ALIBABA_CLOUD_{each}", value if each == name else "x")
    on_ecs.instead = [AlidnsError(NotCalled.NOT_ON_ECS)]
    with pytest.raises(errors.PluginError, match="a character that no key has"):
        default_chain.find()


def test_a_key_is_told_neither_in_a_source_nor_in_a_log(
    on_ecs: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    source = default_chain.find()
    key = source.get()
    for secret in (key.key_id, key.secret, key.security_token):
        assert secret not in repr(key) + str(key) + caplog.text
