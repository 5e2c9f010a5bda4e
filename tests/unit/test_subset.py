"""--allow-subset-of-names: which failures are one name's, and what a run does about them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from certbot import errors

from certbot_dns_aliyun import run as run_module
from certbot_dns_aliyun.diagnosis.refusal import Refusal
from certbot_dns_aliyun.errors import AlidnsError, NotCalled
from certbot_dns_aliyun.propagation import wait
from certbot_dns_aliyun.propagation.live_line import LiveLine
from certbot_dns_aliyun.propagation.watch import Limits
from certbot_dns_aliyun.refusals import OneNameError
from certbot_dns_aliyun.run import Run
from certbot_dns_aliyun.unanswered import Lost, NotSent
from tests.unit.fake_api import FakeApi, Fault, error, no_reply
from tests.unit.parts import journals, settings
from tests.unit.test_run import FakeDns, at_esa

HERE, AWAY = "_acme-challenge.example.com", "_acme-challenge.elsewhere.org"
LEFT_OUT = "Going on without a name, as --allow-subset-of-names has it: "

ONE_NAMES = (
    "InvalidDomainName.NoExist",
    "IncorrectDomainUser",
    "Forbidden.RAM",
    "DomainRecordConflict",
    "Forbidden.DomainExpired",
    "QuotaExceeded.Record",
    "DomainRecordLocked",
    "NeverHeardOf",
    NotCalled.NO_ACCOUNT,
)
NOT_ONE_NAMES = (
    "Throttling.User",
    "LastOperationNotFinished",
    "InternalError",
    "InvalidAccessKeyId.NotFound",
    "InvalidSecurityToken.Expired",
    "SignatureDoesNotMatch",
    "InvalidTimeStamp.Expired",
    "MissingSecurityToken",
    Lost.NO_REPLY,
    NotSent.NO_CONNECTION,
    NotSent.CERTIFICATE_REFUSED,
    NotSent.PROXY_REFUSED,
    NotCalled.NO_CREDENTIALS,
    NotCalled.CALLED_OFF,
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [*((code, True) for code in ONE_NAMES), *((code, False) for code in NOT_ONE_NAMES)],
)
def test_what_a_zone_or_name_is_to_blame_for(code: str, expected: bool) -> None:
    assert AlidnsError(code, "AddDomainRecord").is_about_one_name is expected


class Dns(FakeDns):
    """Names of example.net are at ESA; those below .org are in no zone of the account."""

    def places(self, name: str) -> Any:
        if name.endswith("example.net"):
            return at_esa(name)
        (place,) = super().places(name)
        zone = "elsewhere.org" if name.endswith(".org") else "example.com"
        return [type(place)(name, zone, (), (name,))]


@pytest.fixture
def run(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr(run_module, "PublicDns", Dns)
    api.zones["example.com"] = []
    run = Run(settings(), "", "", str(tmp_path), allows_subset=True)
    yield run
    run.close()
    assert journals(tmp_path) == []


def add(run: Run, *names: str) -> None:
    wanted = [(name.partition(".")[2], name, f"value of {name}") for name in names]
    for some in run.rounds(run.prepare(wanted)):
        run.concurrently(lambda _, name, value: run.add(name, value), some)
    run.go_on_without_those_left_out()


def test_what_cannot_be_added_is_named_and_the_rest_is_added(
    api: FakeApi, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    too_long = f"_acme-challenge.{'.'.join(['a' * 60] * 4)}.com"
    at_esa = "_acme-challenge.example.net"
    add(run, HERE, AWAY, too_long, at_esa)
    assert api.values("example.com") == [f"value of {HERE}"]
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 3
    assert all(warning.startswith(LEFT_OUT) for warning in warnings)
    for name in (AWAY, too_long, at_esa):
        assert any(name in warning for warning in warnings)
    assert not [call for call in api.calls if call.parameters.get("RR", "").endswith("net")]
    run.begin_cleanup()
    run.remove(HERE, f"value of {HERE}")
    run.remove(AWAY, f"value of {AWAY}")
    assert api.values("example.com") == []


def test_if_all_would_be_left_out_the_run_ends(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(OneNameError, match="elsewhere"):
        add(run, AWAY, "_acme-challenge.www.elsewhere.org")
    assert LEFT_OUT not in caplog.text


@pytest.mark.parametrize(
    "instead",
    [
        no_reply,
        lambda: error("Throttling.User"),
        lambda: error("LastOperationNotFinished"),
        lambda: error("InvalidAccessKeyId.NotFound", 404),
    ],
    ids=["no reply", "throttled", "busy", "key unknown"],
)
def test_what_may_be_otherwise_in_an_hour_leaves_no_name_out(
    api: FakeApi, run: Run, instead: Any
) -> None:
    """It would be lost to the certificate, and not be tried again at its renewal."""
    add(run, HERE)
    api.faults.extend([Fault(instead)] * 1000)
    with pytest.raises(errors.PluginError) as caught:
        add(run, "_acme-challenge.www.example.com")
    assert not isinstance(caught.value, OneNameError)
    api.faults.clear()
    run.begin_cleanup()
    for name in (HERE, "_acme-challenge.www.example.com"):
        run.remove(name, f"value of {name}")


def test_the_hint_about_a_name_that_was_left_out_is_that(api: FakeApi, run: Run) -> None:
    add(run, HERE, AWAY)
    hint = run.hint([Refusal("elsewhere.org", AWAY, "", "")], "")
    assert hint == "No TXT record was added for elsewhere.org, for the reason given above."
    run.begin_cleanup()
    run.remove(HERE, f"value of {HERE}")


class Watch:
    """A zone's watch at its end."""

    is_blind = False
    lacking = ""
    switched = is_elsewhere = False
    added_to = None

    def __init__(self, zone: str, wanted: set[str], unserved: set[str]) -> None:
        self.zone, self.unserved = zone, unserved
        self.is_in_vain = wanted == unserved
        self.caps: dict[str, Any] = {}
        self.followers: list[Any] = []
        self.complete: list[Any] = []
        self.incomplete: dict[Any, str] = {}


def end_of(watches: list[Watch], allows_subset: bool) -> None:
    class Dns:
        def watch(self, *_: Any) -> Any:
            over: Future[None] = Future()
            over.set_result(None)
            return watches, over

    limits = Limits(longest=600, blind=30, others=60)
    wait.wait_until_served(Dns(), [], limits, LiveLine(False), allows_subset)  # type: ignore[arg-type]


def test_names_served_nowhere_are_left_out_one_by_one(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait.display_util, "notify", lambda text: None)
    watches = [
        Watch("example.com", {"a.example.com", "b.example.com"}, {"b.example.com"}),
        Watch(
            "example.net", {"c.example.net", "d.example.net"}, {"c.example.net", "d.example.net"}
        ),
    ]
    with pytest.raises(OneNameError, match="record b"):
        end_of(watches, allows_subset=False)
    end_of(watches, allows_subset=True)
    for name in ("b.example.com", "c.example.net", "d.example.net"):
        assert f"{LEFT_OUT}The TXT record {name} was added" in caplog.text
    with pytest.raises(OneNameError, match="record c"):
        end_of(watches[1:], allows_subset=True)
