"""The parts of the command ``certbot-dns-aliyun``."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certbot_dns_aliyun.alidns.client import Client, Listed
from certbot_dns_aliyun.commands import inputs, main, policy, stale
from certbot_dns_aliyun.commands.arguments import parser
from certbot_dns_aliyun.commands.findings import Findings, Report, Result
from certbot_dns_aliyun.commands.places import place_of
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.propagation.delegation import BadChainError, Place
from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.records.folder import Folder
from certbot_dns_aliyun.records.journal import Journal, RecordKey
from certbot_dns_aliyun.retrying import RetryBudget
from tests.unit.fake_api import KEY_ID, SECRET, FakeApi
from tests.unit.parts import kill

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "a" * 43
ALIDNS = (NameServer("dns1.hichina.com", "192.0.2.1"),)
OTHERS = (NameServer("ns1.provider.example", "192.0.2.2"),)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command sets the logging of its process up."""
    logger, root = logging.getLogger("certbot_dns_aliyun"), logging.getLogger()
    before = logger.handlers[:], logger.propagate, logger.level, root.handlers[:]
    yield
    logger.handlers[:], logger.propagate, level, root.handlers[:] = before
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("rr", "value", "is_one"),
    [
        ("_acme-challenge", DIGEST, True),
        ("_ACME-Challenge.www", DIGEST, True),
        ("a._acme-challenge", DIGEST, True),
        ("_acme-challenge.例子", DIGEST, True),
        ("_acme-challenge", DIGEST[1:], False),
        ("_acme-challenge", DIGEST + "a", False),
        ("_acme-challenge", DIGEST[1:] + "+", False),
        ("_acme-challenge", DIGEST[1:] + "\n", False),
        ("x_acme-challenge", DIGEST, False),
        ("_acme-challenge1", DIGEST, False),
        ("@", DIGEST, False),
        ("_acme-challenge.\x1b[2J", DIGEST, False),
    ],
)
def test_what_looks_like_a_validation_record(rr: str, value: str, is_one: bool) -> None:
    assert stale.is_validation(Listed("1", rr, value, 0.0)) is is_one


def test_all_pages_are_listed_with_their_times(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is that of the last change, where the API tells both."""
    times: list[dict[str, Any]] = [
        {"CreateTimestamp": 1000, "UpdateTimestamp": 5000},
        {"CreateTimestamp": "2000"},
        {"UpdateTimestamp": 3000},
        {"CreateTimestamp": "soon"},
    ]
    api.zones["example.com"] = []
    for number in range(1001):
        api.add("example.com", "_acme-challenge", f"{number:043d}")
    api.add("example.com", "www", DIGEST)
    list_them = api._list

    def list_with_times(zone: Any, parameters: dict[str, str]) -> Any:
        response = list_them(zone, parameters)
        body = json.loads(response.raw.read())
        for record, more in zip(body["DomainRecords"]["Record"], times):
            record.update(more)
        response.raw = io.BytesIO(json.dumps(body).encode())
        return response

    monkeypatch.setattr(api, "_list", list_with_times)
    client = Client(KeySource(AccessKey(KEY_ID, SECRET), "file"), "api.example")
    listed = client.list_txt("example.com", "_acme-challenge", RetryBudget())
    assert len({record.record_id for record in listed}) == len(listed) == 1001
    assert [record.changed_at for record in listed[:5]] == [5.0, 2.0, None, None, None]
    assert api.actions() == ["DescribeDomainRecords"] * 3


def test_what_any_journal_lists_is_in_use_and_no_journal_is_touched(tmp_path: Path) -> None:
    config_dir, folder = str(tmp_path), Folder(str(tmp_path))
    mine, dead = (RecordKey("example.com", rr, DIGEST) for rr in ("_acme-challenge", "b"))
    gone = RecordKey("example.com", "gone", DIGEST)
    assert Journal.listed(config_dir) == set()
    living, killed = Journal.of_this_run(folder), Journal.of_this_run(folder)
    living.adding({mine: "", gone: ""})
    living.gone(gone)
    killed.adding({dead: ""})
    kill(killed)
    with killed.path.open("ab") as file:
        file.write(b"torn")
    before = killed.path.read_bytes()
    assert Journal.listed(config_dir) == {mine, dead}
    assert killed.path.read_bytes() == before
    living.close()


class FakeDns:
    def __init__(self, *places: Place, error: BadChainError | None = None) -> None:
        self._places = list(places)
        self._error = error

    def places(self, name: str) -> list[Place]:
        if self._error:
            raise self._error
        return self._places


NAME = "_acme-challenge.example.com"
AT_ALIDNS = Place("a.example.net", "example.net", ALIDNS, (NAME, "a.example.net"))
ELSEWHERE = Place(NAME, "example.com", OTHERS, (NAME,))


def test_a_place_at_alibaba_cloud_goes_before_one_elsewhere() -> None:
    dns: Any = FakeDns(ELSEWHERE, AT_ALIDNS)
    assert place_of(dns, NAME) is AT_ALIDNS
    dns = FakeDns(ELSEWHERE)
    assert place_of(dns, NAME) is ELSEWHERE


@pytest.mark.parametrize(
    ("dns", "words"),
    [
        (FakeDns(Place(NAME, None, (), (NAME,))), "public DNS knows no such domain"),
        (FakeDns(Place(NAME, None, (), (NAME,), unread="port 53 is closed")), "port 53 is closed"),
        (FakeDns(error=BadChainError([NAME, NAME])), "lead in a circle"),
        (
            FakeDns(
                Place(NAME, "example.com", (NameServer("a.atrustdns.com", "192.0.2.3"),), (NAME,))
            ),
            "served by Alibaba Cloud ESA",
        ),
    ],
)
def test_a_name_without_a_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dns: Any, words: str
) -> None:
    dns.look_up, dns.close = list, lambda: None
    monkeypatch.setattr(inputs, "public_dns", lambda resolvers: dns)
    assert main.main(["policy", "-d", "example.com"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


@pytest.mark.parametrize("refusal", ["InvalidDomainName.NoExist", "Forbidden.RAM"])
def test_records_are_removed_from_no_zone_but_the_one_that_public_dns_names(
    api: FakeApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refusal: str,
) -> None:
    api.zones["example.com"] = []
    api.no_zone = refusal
    zone = "sub.example.com"
    dns: Any = FakeDns(Place(f"_acme-challenge.{zone}", zone, ALIDNS, ()))
    dns.look_up, dns.close = list, lambda: None
    monkeypatch.setattr(inputs, "public_dns", lambda resolvers: dns)
    file = tmp_path / "aliyun.ini"
    file.write_text(f"dns_aliyun_access_key = {KEY_ID}\ndns_aliyun_access_key_secret = {SECRET}\n")
    command = ["stale", "--credentials", str(file), "--config-dir", str(tmp_path), "-d", zone]
    assert main.main([*command, "--older-than", "0", "--remove", "--yes"]) == 1
    assert f"The records of {zone} could not be listed: " in capsys.readouterr().err
    assert [call.parameters["DomainName"] for call in api.calls] == [zone]


def test_names_as_certbot_takes_them() -> None:
    given = ["example.com,*.example.com, WWW.example.com.", "例子.com"]
    assert inputs.validation_names(given) == [
        "_acme-challenge.example.com",
        "_acme-challenge.www.example.com",
        "_acme-challenge.xn--fsqu00a.com",
    ]


def test_a_file_without_an_account_for_a_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "aliyun.ini"
    file.write_text(
        "[example.org]\n"
        f"dns_aliyun_access_key = {KEY_ID}\ndns_aliyun_access_key_secret = {SECRET}\n"
    )
    command = ["policy", "--credentials", str(file), "--zone", "example.org", "--zone"]
    assert main.main([*command, "a.example.org"]) == 0
    capsys.readouterr()
    assert main.main([*command, "example.com"]) == 1
    out, err = capsys.readouterr()
    assert "example.com" not in out
    assert "There is no policy for example.com: " in err


def test_a_file_in_the_home_folder_is_found_as_the_plugin_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shell leaves the tilde of ``--credentials=~/aliyun.ini``, and cli.ini has no shell."""
    keys = f"dns_aliyun_access_key = {KEY_ID}\ndns_aliyun_access_key_secret = {SECRET}\n"
    (tmp_path / "aliyun.ini").write_text(keys)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main.main(["policy", "--credentials=~/aliyun.ini", "--zone", "example.org"]) == 0


@pytest.mark.parametrize(
    "wrong", [["--credentials", "/nonexistent"], ["--resolvers", ":"], ["--name-servers", ":"]]
)
@pytest.mark.parametrize("of", [["-d", "example.com"], ["--all"], ["--cert-name", "a"]])
def test_what_is_wrong_on_the_command_line_is_no_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], of: list[str], wrong: list[str]
) -> None:
    assert main.main(["check", "--config-dir", str(tmp_path), *of, *wrong]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert wrong[-1] in err


def test_an_interrupt_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(options: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(policy, "run", run)
    assert main.main(["policy", "--zone", "example.com"]) == 130


@pytest.mark.parametrize(
    ("to", "status", "says"),
    [(">&-", 0, b""), ("> /dev/full", 1, b"No space left on device"), ("2>&-", 0, b"")],
)
def test_output_that_cannot_be_written_is_no_traceback(to: str, status: int, says: bytes) -> None:
    command = f"{sys.executable} -m certbot_dns_aliyun policy --zone example.com {to}"
    ended = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert ended.returncode == status
    assert says in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert ended.stderr.count(b"\n") == bool(says)


def test_the_options_in_a_sentence_are_those_of_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["check", "-d", "example.com", "--credentials", "/nonexistent"]) == 2
    assert "the path of yours with --credentials." in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["credentials", "/nonexistent"], ["name-servers", ":"]])
def test_an_option_may_have_the_name_that_it_has_for_certbot(
    capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    option, value = wrong
    for given in ([f"--dns-aliyun-{option}", value], [f"--dns-aliyun-{option}={value}"]):
        assert main.main(["check", "-d", "example.com", *given]) == 2
        err = capsys.readouterr().err
        assert "unrecognized" not in err
        assert value in err


@pytest.mark.parametrize("wrong", ["soon", "-1", "nan", "1e9", ""])
@pytest.mark.parametrize(
    ("command", "option", "says"),
    [
        ("check", "--wait-limit", "must be a whole number of seconds, from 0 to 86400"),
        ("check", "--propagation-seconds", "must be a whole number of seconds, from 0 to 86400"),
        ("stale", "--older-than", "must be a number of days, 0 or more"),
    ],
)
def test_what_is_no_number_is_told(
    capsys: pytest.CaptureFixture[str], command: str, option: str, says: str, wrong: str
) -> None:
    with pytest.raises(SystemExit):
        main.main([command, f"{option}={wrong}"])
    assert f"argument {option}: {says}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option", "number"),
    [
        ("check", "--wait-limit", "86400"),
        ("check", "--wait-limit", "0"),
        ("stale", "--older-than", ".5"),
    ],
)
def test_a_number_at_its_bounds_is_taken(command: str, option: str, number: str) -> None:
    options = parser().parse_args([command, option, number])
    assert float(number) in vars(options).values()


def test_what_to_do_first_is_the_first_problem(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(is_for_machines=False)
    assert report.is_empty
    findings = Findings(report)
    findings.add("a.example", "CAA", Result.OK, "Good.", 0.0)
    report.conclude()
    findings.add("a.example", "values", Result.WARNING, "Many.", 0.0)
    report.conclude()
    assert report.are_well
    findings.add("a.example", "add", Result.SKIPPED, "Not asked for.", 0.0)
    report.conclude()
    Findings(report, "site").add("", "credentials", Result.PROBLEM, "None.", 0.0)
    report.conclude()
    assert not report.are_well
    findings.end()
    findings.add("", "credentials", Result.PROBLEM, "Interrupted.", 0.0)
    assert capsys.readouterr().out.splitlines() == [
        "ok      a.example: CAA: Good.",
        "Nothing stands in the way.",
        "warning a.example: values: Many.",
        "Nothing stands in the way; look at this first: Many.",
        "skipped a.example: add: Not asked for.",
        "No problem was found, but not all was checked; look at this first: Many.",
        "problem credentials: None.",
        "To do first: (lineage site) None.",
    ]


def test_what_was_not_checked_may_stand_in_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(is_for_machines=False)
    Findings(report).add("", "add", Result.SKIPPED, "Not asked for.", 0.0)
    report.conclude()
    assert capsys.readouterr().out.endswith("No problem was found, but not all was checked.\n")


def test_findings_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    whole = Report(is_for_machines=True)
    Findings(whole).add("", "credentials", Result.SKIPPED, "Not now.", time.monotonic())
    whole.conclude()
    report = json.loads(capsys.readouterr().out)
    assert report["findings"][0].pop("seconds") < 60
    assert report == {
        "ok": True,
        "first": None,
        "findings": [
            {
                "lineage": None,
                "name": None,
                "check": "credentials",
                "result": "skipped",
                "text": "Not now.",
                "entry": None,
            }
        ],
    }


def test_a_finding_names_its_entry_in_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(is_for_machines=True)
    text = "The zone is locked (Forbidden.DomainLocked, request id 1); unlock it."
    Findings(report).add("", "add", Result.PROBLEM, text, time.monotonic())
    report.conclude()
    assert json.loads(capsys.readouterr().out)["findings"][0]["entry"] == "forbidden-domainlocked"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], is_coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for screen in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stdout", screen)
        report = Report(is_for_machines=False)
        Findings(report).add("", "add", Result.PROBLEM, "No \x1b[2J.", 0.0)
        (line,) = screen.getvalue().splitlines()
        assert line.endswith("add: No \\x1b[2J."), "what others say moves no cursor"
        assert line.startswith("\x1b[") is (is_coloured and screen.isatty())
