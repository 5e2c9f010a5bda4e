"""The authenticator as Certbot meets it: its options, and which step follows which."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import unittest
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable
from unittest import mock

import pytest
from certbot import errors
from certbot.plugins import dns_test_common

from certbot_dns_aliyun import run as run_module
from certbot_dns_aliyun.credentials import settings
from certbot_dns_aliyun.dns_aliyun import Authenticator
from tests.unit.fake_api import KEY_ID, SECRET


class CertbotsOwnTests(dns_test_common.BaseAuthenticatorTest, unittest.TestCase):
    """What Certbot asks of each DNS plugin."""

    def setUp(self) -> None:
        self.auth = Authenticator(SimpleNamespace(), "dns-aliyun")


class FakeRun:
    """Notes what the authenticator has a run do."""

    def __init__(self, settings: Any, config_dir: str, **more: Any) -> None:
        self.steps: list[str] = []
        self.names: list[str] = []
        self.values: list[str] = []
        self.fails_at = ""
        self.is_aside = False
        made.append(self)

    def _step(self, name: str, aside: bool = False) -> None:
        assert self.is_aside == aside, f"{name} in the thread that signals strike"
        self.steps.append(name)
        if name == self.fails_at:
            raise errors.PluginError("no")

    def aside(self, do: Callable[[], None]) -> None:
        self.is_aside = True
        try:
            do()
        finally:
            self.is_aside = False

    def prepare(self, records: Iterable[tuple[str, str, str]]) -> Any:
        self._step("prepare", aside=True)
        return records

    def rounds(self, records: list[Any]) -> list[list[Any]]:
        return [records]

    def concurrently(self, do: Any, records: Iterable[Any], interrupted: Any = None) -> None:
        for record in records:
            do(*record)

    def add(self, name: str, value: str) -> None:
        self.names.append(name)
        self.values.append(value)
        self._step("add", aside=True)

    def go_on_without_those_left_out(self) -> None:
        pass

    def wait_until_served(self, longest: float, blind: float, **more: Any) -> None:
        self._step(f"wait {longest} {blind}", aside=True)

    def pause(self, seconds: float) -> None:
        self._step(f"pause {seconds}", aside=True)

    def begin_cleanup(self, interrupted: threading.Event) -> None:
        self._step("begin clean-up")

    def remove(self, name: str, value: str) -> None:
        self._step("remove")

    def hint(self, refusals: Iterable[Any], directory: str, ordered: list[str]) -> str:
        told = [f"{each.domain} {each.name} {each.kind} {each.detail}" for each in refusals]
        return f"{directory}: {', '.join(told)}: {ordered}"

    def close(self) -> None:
        self._step("close")


made: list[FakeRun] = []


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    made.clear()
    monkeypatch.setattr(run_module, "Run", FakeRun)
    path = tmp_path / "aliyun.ini"
    path.touch(0o600)
    path.write_text(
        f"dns_aliyun_access_key = {KEY_ID}\ndns_aliyun_access_key_secret = {SECRET}\n",
        encoding="utf-8",
    )
    options: dict[str, Any] = {}
    Authenticator.add_parser_arguments(
        lambda name, **more: options.update({name.replace("-", "_"): more.get("default")})
    )
    options["credentials"] = str(path)
    return SimpleNamespace(
        config_dir=str(tmp_path),
        noninteractive_mode=True,
        quiet=False,
        allow_subset_of_names=False,
        **{f"dns_aliyun_{name}": value for name, value in options.items()},
    )


@pytest.fixture
def authenticator(config: SimpleNamespace) -> Authenticator:
    return Authenticator(config, "dns-aliyun")


ACHALL = dns_test_common.BaseAuthenticatorTest.achall


def achall(domain: str) -> Any:
    """A challenge for another domain, whichever Certbot this is."""
    other = mock.Mock(wraps=ACHALL)
    other.identifier, other.domain = SimpleNamespace(value=domain), domain
    return other


def test_the_options_of_2_0_0_have_their_defaults(config: SimpleNamespace) -> None:
    assert config.dns_aliyun_propagation_seconds == 30
    assert config.dns_aliyun_wait_limit == 600


def test_records_are_added_waited_for_and_removed(authenticator: Authenticator) -> None:
    responses = authenticator.perform([ACHALL])
    (run,) = made
    assert run.steps == ["prepare", "add", "wait 600 30"]
    assert run.names == ["_acme-challenge.example.com"]
    assert len(responses) == 1
    assert responses[0].key_authorization.split(".")[0]
    authenticator.cleanup([ACHALL])
    assert run.steps[3:] == ["begin clean-up", "remove", "close"]


def test_upper_case_and_a_final_dot_make_no_other_name(authenticator: Authenticator) -> None:
    authenticator.perform([achall("WWW.Example.COM.")])
    assert made[0].names == ["_acme-challenge.www.example.com"]


def test_each_order_has_a_run_of_its_own(authenticator: Authenticator) -> None:
    for _ in range(2):
        authenticator.perform([ACHALL])
        authenticator.cleanup([ACHALL])
    assert len(made) == 2


@pytest.mark.parametrize("step", ["prepare", "add", "wait 600 30"])
def test_clean_up_follows_whichever_step_failed(
    authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def failing(*args: Any, **more: Any) -> FakeRun:
        run = FakeRun(*args, **more)
        run.fails_at = step
        return run

    monkeypatch.setattr(run_module, "Run", failing)
    with pytest.raises(errors.PluginError):
        authenticator.perform([ACHALL])
    authenticator.cleanup([ACHALL])
    assert made[0].steps[-3:] == ["begin clean-up", "remove", "close"]


def test_a_run_is_closed_even_if_clean_up_breaks(authenticator: Authenticator) -> None:
    authenticator.perform([ACHALL])
    made[0].fails_at = "remove"
    with pytest.raises(errors.PluginError):
        authenticator.cleanup([ACHALL])
    assert made[0].steps[-1] == "close"


def test_clean_up_without_anything_done_does_nothing(authenticator: Authenticator) -> None:
    authenticator.cleanup([ACHALL])
    assert not made


@pytest.mark.parametrize("option", ["propagation_seconds", "wait_limit"])
@pytest.mark.parametrize("seconds", [-1, 86401, 10**30])
def test_seconds_out_of_bounds_are_refused_before_anything_is_done(
    config: SimpleNamespace, option: str, seconds: int
) -> None:
    setattr(config, f"dns_aliyun_{option}", seconds)
    with pytest.raises(errors.PluginError) as caught:
        Authenticator(config, "dns-aliyun").perform([ACHALL])
    assert f"--dns-aliyun-{option.replace('_', '-')}" in str(caught.value)
    assert str(seconds) in str(caught.value)
    assert not made


@pytest.mark.parametrize("option", ["propagation_seconds", "wait_limit"])
@pytest.mark.parametrize("seconds", [0, 1, 86400])
def test_seconds_at_their_bounds_are_taken(
    config: SimpleNamespace, option: str, seconds: int
) -> None:
    setattr(config, f"dns_aliyun_{option}", seconds)
    Authenticator(config, "dns-aliyun").perform([ACHALL])
    assert str(seconds) in made[0].steps[-1].split()


def test_waiting_for_nothing_is_a_pause(config: SimpleNamespace) -> None:
    config.dns_aliyun_wait_for = "nothing"
    Authenticator(config, "dns-aliyun").perform([ACHALL])
    assert made[0].steps[-1] == "pause 30"


def test_the_path_of_the_credentials_is_kept_as_an_absolute_one(
    config: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config.dns_aliyun_credentials = "aliyun.ini"
    Authenticator(config, "dns-aliyun").perform([ACHALL])
    assert config.dns_aliyun_credentials == str(tmp_path / "aliyun.ini")


def test_a_home_folder_is_understood(
    config: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config.dns_aliyun_credentials = "~/aliyun.ini"
    Authenticator(config, "dns-aliyun").perform([ACHALL])
    assert config.dns_aliyun_credentials == os.path.expanduser("~/aliyun.ini")


def test_credentials_that_others_may_read_are_warned_of_once(
    config: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    Path(config.dns_aliyun_credentials).chmod(0o644)
    Authenticator(config, "dns-aliyun").perform([ACHALL])
    assert len([r for r in caplog.records if "Unsafe permissions" in r.getMessage()]) == 1


def test_who_is_asked_for_a_file_is_told_before_why_there_are_no_credentials_without_one(
    config: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, config.dns_aliyun_credentials = config.dns_aliyun_credentials, None
    config.noninteractive_mode = False

    def find() -> None:
        raise errors.PluginError("None were found.")

    def answer(*args: Any) -> str:
        assert "None were found." in caplog.text
        return str(path)

    monkeypatch.setattr(settings, "without_file", find)
    monkeypatch.setattr(Authenticator, "_prompt_for_file", answer)
    Authenticator(config, "dns-aliyun").perform([ACHALL])
    assert [r.levelname for r in caplog.records if "None were" in r.getMessage()] == ["WARNING"]


def test_a_signal_ends_a_run_that_searches_for_credentials_once_it_has_stored_what_it_got(
    config: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.dns_aliyun_credentials = None
    stored = []

    def find() -> None:
        with contextlib.suppress(Exception):  # as libraries do
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        stored.append("the next refresh token")

    def strike(number: int, frame: object) -> None:
        """Strikes as Certbot's own handler does."""
        raise errors.SignalExit

    monkeypatch.setattr(settings, "without_file", find)
    before = signal.signal(signal.SIGTERM, strike)
    try:
        with pytest.raises(errors.SignalExit):
            Authenticator(config, "dns-aliyun").perform([ACHALL])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stored
    assert not made


def test_bad_credentials_leave_nothing_to_clean_up(config: SimpleNamespace) -> None:
    Path(config.dns_aliyun_credentials).write_text("nonsense\n", encoding="utf-8")
    authenticator = Authenticator(config, "dns-aliyun")
    with pytest.raises(errors.PluginError):
        authenticator.perform([ACHALL])
    authenticator.cleanup([ACHALL])
    assert not made


def test_the_hint_is_that_of_the_run(authenticator: Authenticator) -> None:
    assert authenticator.auth_hint([ACHALL]) == ""
    authenticator.perform([ACHALL])
    refused = achall("example.com")
    refused.error = SimpleNamespace(typ="urn:ietf:params:acme:error:caa", detail="forbidden")
    authenticator.config.server = "https://ca.example/directory"
    authenticator.config.domains = ["example.com", "*.example.com"]
    assert authenticator.auth_hint([refused]) == (
        "https://ca.example/directory: example.com _acme-challenge.example.com "
        "urn:ietf:params:acme:error:caa forbidden: ['example.com', '*.example.com']"
    )


def test_a_refusal_without_a_reason_has_its_hint_all_the_same(authenticator: Authenticator) -> None:
    authenticator.perform([ACHALL])
    refused = achall("example.com")
    refused.error = None
    assert "example.com _acme-challenge.example.com" in authenticator.auth_hint([refused])
