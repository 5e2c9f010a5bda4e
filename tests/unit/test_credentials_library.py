"""Keys that come and go: got in time, once for all threads, and never told to anyone."""

from __future__ import annotations

import contextlib
import logging
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from certbot_dns_aliyun.alidns.client import Client
from certbot_dns_aliyun.credentials import library
from certbot_dns_aliyun.credentials.library import LibrarySource
from certbot_dns_aliyun.errors import AlidnsError, Code, NotCalled, Verdict
from certbot_dns_aliyun.https import Reply
from certbot_dns_aliyun.retrying import PATIENCE, RetryBudget
from certbot_dns_aliyun.unanswered import Lost, NotSent, NotSentError
from tests.unit import fake_library
from tests.unit.fake_api import FakeApi, Fault, error
from tests.unit.fake_library import Provider
from tests.unit.fake_time import Clock


@pytest.fixture(autouse=True)
def modules() -> Iterator[ModuleType]:
    with fake_library.in_place() as provider:
        yield provider


@pytest.fixture
def provider(clock: Clock) -> Provider:
    return Provider(clock)


@pytest.fixture
def source(provider: Provider) -> LibrarySource:
    return LibrarySource(provider.make, "the role of the tests")


def failing(code: Code = Lost.NO_REPLY) -> AlidnsError:
    return AlidnsError(code, host="sts.aliyuncs.com")


def refusal(source: LibrarySource) -> AlidnsError:
    with pytest.raises(AlidnsError) as caught:
        source.get()
    assert caught.value.__suppress_context__ or not caught.value.__context__
    return caught.value


def test_a_key_is_got_once_while_it_is_good(
    clock: Clock, provider: Provider, source: LibrarySource
) -> None:
    first = source.get()
    assert first.security_token
    clock.sleep(3200)
    assert source.get() == first
    clock.sleep(101)
    assert source.get() != first, "five minutes before its end, another one is got"
    assert (provider.made, provider.fetched) == (1, 2)


def test_a_short_key_is_used_for_most_of_its_life(
    clock: Clock, provider: Provider, source: LibrarySource
) -> None:
    provider.life = 100
    first = source.get()
    clock.sleep(79)
    assert source.get() == first
    clock.sleep(2)
    assert source.get() != first


def test_a_key_of_unknown_life_is_asked_for_once_a_minute(
    clock: Clock, provider: Provider, source: LibrarySource
) -> None:
    provider.life = None
    assert source.get() == source.get()
    clock.sleep(61)
    source.get()
    assert provider.fetched == 2


def test_many_threads_get_one_key(provider: Provider, source: LibrarySource) -> None:
    ready = threading.Barrier(20)
    keys = []

    def get() -> None:
        ready.wait()
        keys.append(source.get())

    threads = [threading.Thread(target=get) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(keys)) == 1
    assert provider.fetched == 1


def test_who_waits_for_a_key_that_cannot_be_got_asks_for_none(
    clock: Clock, provider: Provider, source: LibrarySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_at: list[float] = []
    failures: list[AlidnsError] = []

    def monotonic() -> float:
        asked_at.append(clock.now)
        return asked_at[-1]

    def fail_once_all_wait() -> None:
        deadline = time.monotonic() + 5
        while len(asked_at) < len(threads) and time.monotonic() < deadline:
            time.sleep(0.01)
        clock.sleep(10.0)
        raise failing()

    monkeypatch.setattr(clock, "monotonic", monotonic)
    provider.instead = [fail_once_all_wait, *(failing() for _ in range(30))]
    threads = [threading.Thread(target=lambda: failures.append(refusal(source))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert {failure.code for failure in failures} == {Lost.NO_REPLY}
    assert (len(set(failures)), provider.fetched) == (20, 1)
    refusal(source)
    assert provider.fetched == 2, "who comes later does"


def test_a_key_that_cannot_be_renewed_is_used_to_its_end(
    clock: Clock, provider: Provider, source: LibrarySource
) -> None:
    first = source.get()
    clock.sleep(3400)
    provider.instead = [failing() for _ in range(3)]
    assert source.get() == first
    assert source.get() == first
    assert provider.fetched == 2, "not with every call"
    clock.sleep(200)
    refusal(source)


def test_a_rejected_key_is_replaced_once_for_all_who_hold_it(
    provider: Provider, source: LibrarySource
) -> None:
    rejected = source.get()
    assert source.renew(rejected)
    assert source.renew(rejected)
    assert (provider.made, provider.fetched) == (2, 2)


def test_what_fails_reads_its_settings_anew_for_the_next_try(
    provider: Provider, source: LibrarySource
) -> None:
    provider.instead = [failing()]
    refusal(source)
    source.get()
    assert (provider.made, provider.fetched) == (2, 2)


def test_rejections_in_a_row_do_not_hammer_sts(
    clock: Clock, provider: Provider, source: LibrarySource
) -> None:
    assert source.renew(source.get())
    assert not source.renew(source.get())
    assert provider.fetched == 2
    clock.sleep(11)
    assert source.renew(source.get())


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "/token"), "(/token: No such file"),
        (FileNotFoundError(2, "No such file", "/\x1b[2Jtoken"), "(/?[2Jtoken: No such file)"),
        (ValueError("LTAI5tSecret"), "the role of the tests gives no access key;"),
        (KeyError("LTAI5tSecret"), "the role of the tests gives no access key;"),
    ],
)
def test_what_goes_wrong_in_the_library_is_told_without_its_text(
    provider: Provider, source: LibrarySource, raised: Exception, said: str
) -> None:
    provider.instead = [raised]
    error = refusal(source)
    sentence = "{}; {}.".format(*error.because())
    assert said in sentence
    assert "LTAI5tSecret" not in sentence + repr(vars(error))
    assert error.verdict is Verdict.REFUSED


@pytest.mark.parametrize("part", ["access_key_id", "access_key_secret", "security_token"])
@pytest.mark.parametrize(
    "value", [7, True, ["x"], {"x": "y"}, b"x", "a b", "\udcff", "ключ", "a\n"]
)
def test_what_no_call_can_carry_is_no_key(
    monkeypatch: pytest.MonkeyPatch, source: LibrarySource, part: str, value: object
) -> None:
    monkeypatch.setattr(fake_library.Key, f"get_{part}", lambda self: value)
    error = refusal(source)
    assert "what it gave is not an access key" in error.because()[0]
    assert repr(value) not in "{}; {}.".format(*error.because())


def test_a_library_of_another_release_is_told_as_such(modules: ModuleType) -> None:
    del sys.modules["alibabacloud_credentials.provider.oidc"]._get_token  # type: ignore[attr-defined]
    with pytest.raises(library.NotInstalledError, match="needs the extra packages"):
        library.providers()


@pytest.mark.parametrize(
    "code", [Lost.NO_REPLY, Lost.CONNECTION_LOST, NotCalled.CREDENTIALS_NOT_YET]
)
def test_a_lost_reply_of_sts_leaves_no_doubt_about_records(
    provider: Provider, source: LibrarySource, code: Code
) -> None:
    provider.instead = [failing(code)]
    error = refusal(source)
    assert not error.maybe_done
    assert error.origin == "the role of the tests"


def test_a_service_that_stays_silent_is_given_up_after_the_usual_patience(
    clock: Clock, api: FakeApi, provider: Provider, source: LibrarySource
) -> None:
    api.zones["example.com"] = []
    provider.takes = 2.0
    provider.instead = [failing() for _ in range(1000)]
    client = Client(source, "alidns.aliyuncs.com")
    with pytest.raises(AlidnsError) as caught:
        client.add("example.com", "_acme-challenge", "value", RetryBudget())
    assert PATIENCE <= clock.elapsed < PATIENCE + 20
    assert not caught.value.maybe_done
    assert not api.calls


def test_a_call_is_repeated_with_another_key(
    api: FakeApi, provider: Provider, source: LibrarySource
) -> None:
    api.zones["example.com"] = []
    api.faults.append(Fault(lambda: error("InvalidSecurityToken.Expired")))
    Client(source, "alidns.aliyuncs.com").add("example.com", "_acme-challenge", "v", RetryBudget())
    used = [call.parameters["SecurityToken"] for call in api.calls]
    assert used == ["CAIS00000000000000000001", "CAIS00000000000000000002"]


class Exchange:
    """Answers the library's requests; keeps how they were sent."""

    def __init__(self, status: int = 200, body: bytes = b"{}", error: Exception | None = None):
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self._answer = (status, body, error)

    def __call__(self, method: str, url: str, **options: Any) -> Reply:
        self.sent.append((method, url, options))
        status, body, error = self._answer
        if error:
            raise error
        return Reply(status, {}, body)


UNREACHABLE = NotSentError(NotSent.NO_CONNECTION)


def send(monkeypatch: pytest.MonkeyPatch, exchange: Exchange, **about: Any) -> Any:
    """Sends as the library does while we use it."""
    monkeypatch.setattr(library, "exchange", exchange)
    with library._library():
        from Tea.core import TeaCore

        return TeaCore.do_action(
            fake_library.request(**{"host": "sts.aliyuncs.com", **about}),
            {"connectTimeout": 1000, "readTimeout": 3000},
        )


def test_the_library_sends_through_our_session(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Exchange(body=b"pong")
    got = send(monkeypatch, exchange, Action="AssumeRole")
    assert (got.status_code, got.body) == (200, b"pong")
    ((method, url, options),) = exchange.sent
    assert (method, url) == ("GET", "https://sts.aliyuncs.com/?Action=AssumeRole")
    assert (options["connecting"], options["replying"]) == (1.0, 3.0)


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (Exchange(), "Asked sts.aliyuncs.com: HTTP 200 (0.00 s)"),
        (Exchange(403), "Asked sts.aliyuncs.com: HTTP 403 (0.00 s)"),
        (Exchange(error=UNREACHABLE), "Asked sts.aliyuncs.com: no connection (0.00 s)"),
    ],
)
def test_each_call_has_its_line_in_the_log_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, exchange: Exchange, said: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with contextlib.suppress(AlidnsError):
        send(monkeypatch, exchange, Signature="secret")
    assert [record.getMessage() for record in caplog.records] == [said]


@pytest.mark.parametrize(
    ("exchange", "about", "verdict", "said"),
    [
        (Exchange(500), {}, Verdict.RETRY, "HTTP status 500"),
        (Exchange(403, b'{"Code":"Throttling.User"}'), {}, Verdict.RETRY, "Throttling.User"),
        (
            Exchange(403, b'{"Code":"NoPermission"}'),
            {"RoleArn": "acs:ram::1:role/x"},
            Verdict.REFUSED,
            "NoPermission: sts:AssumeRole on acs:ram::1:role/x is not allowed",
        ),
        (
            Exchange(400, b'{"Code":"InvalidTimeStamp.Expired"}'),
            {},
            Verdict.REFUSED,
            "since the clock of this machine is wrong (InvalidTimeStamp.Expired)",
        ),
        (Exchange(404, b"\xff["), {}, Verdict.REFUSED, "HTTP status 404"),
        (Exchange(404, b'{"Code":"\\nSTS.x"}'), {}, Verdict.REFUSED, "HTTP status 404"),
        (
            Exchange(404),
            {"host": "100.100.100.200", "protocol": "http"},
            Verdict.REFUSED,
            "the instance has no such role",
        ),
        (
            Exchange(error=UNREACHABLE),
            {"host": "100.100.100.200", "protocol": "http"},
            Verdict.RETRY,
            "this machine is no ECS instance",
        ),
        (
            Exchange(error=UNREACHABLE),
            {"host": "localhost", "protocol": "http", "port": 8080},
            Verdict.RETRY,
            "localhost cannot be reached on port 8080",
        ),
        (
            Exchange(error=UNREACHABLE),
            {"host": "localhost", "protocol": "http"},
            Verdict.RETRY,
            "localhost cannot be reached on port 80",
        ),
    ],
)
def test_what_goes_wrong_on_the_way_is_told_in_our_words(
    monkeypatch: pytest.MonkeyPatch,
    exchange: Exchange,
    about: dict[str, Any],
    verdict: Verdict,
    said: str,
) -> None:
    with pytest.raises(AlidnsError) as caught:
        send(monkeypatch, exchange, **about)
    assert caught.value.verdict is verdict
    assert said in caught.value.because()[0]


def test_the_library_is_left_as_it_was() -> None:
    from Tea.core import TeaCore

    def fail() -> None:
        with library._library():
            assert TeaCore.do_action is not before
            raise KeyError

    before = TeaCore.do_action
    with pytest.raises(KeyError):
        fail()
    assert TeaCore.do_action is before


def test_whatever_leads_to_the_metadata_service_uses_imdsv2_and_no_thread(
    modules: ModuleType,
) -> None:
    with library._library():
        for module in (modules.cli_profile, modules.profile):
            made = module.EcsRamRoleCredentialsProvider(role_name="certbot")
            assert made.settings == {
                "role_name": "certbot",
                "disable_imds_v1": True,
                "async_update_enabled": False,
            }


def test_nothing_of_the_library_and_its_connections_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    of_session = logging.getLogger("urllib3.connectionpool")
    with library._library():
        for name in ("credentials", "alibabacloud-tea", "urllib3.connectionpool"):
            logging.getLogger(name).warning("GET /?Signature=secret")
        other = threading.Thread(target=of_session.warning, args=("another thread",))
        other.start()
        other.join()
    of_session.warning("afterwards")
    assert [record.getMessage() for record in caplog.records] == ["another thread", "afterwards"]


@pytest.mark.parametrize(
    ("prefix", "base", "marked", "command"),
    [
        ("/opt/certbot", "/usr", True, "-m pip install 'certbot-dns-aliyun[credentials]'"),
        ("/usr", "/usr", True, "-m pip install --break-system-packages 'certbot-dns-aliyun"),
        ("/usr", "/usr", False, "-m pip install 'certbot-dns-aliyun[credentials]'"),
        ("/snap/certbot/4000", "/snap/certbot/4000", False, "/opt/certbot/bin/pip install certbot"),
    ],
)
def test_without_the_library_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    prefix: str,
    base: str,
    marked: bool,
    command: str,
) -> None:
    if marked:
        (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(library.sys, "prefix", prefix)
    monkeypatch.setattr(library.sys, "base_prefix", base)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with fake_library.missing(), pytest.raises(library.NotInstalledError) as caught:
        library.providers()
    assert command in str(caught.value)
