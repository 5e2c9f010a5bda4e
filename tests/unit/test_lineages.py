"""What is read of Certbot's lineages, and how a command with records in zones ends."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certbot_dns_aliyun.commands import arguments, inputs, lineages, targets
from certbot_dns_aliyun.commands.findings import Report
from certbot_dns_aliyun.commands.lineages import LineageError
from certbot_dns_aliyun.commands.stopping import Stopping

SERVER = "https://ca.example/acme/directory"
RENEWAL = """\
version = 5.8.0
cert = {live}/cert.pem
privkey = {live}/privkey.pem
chain = {live}/chain.pem
fullchain = {live}/fullchain.pem

[renewalparams]
account = 0123
authenticator = dns-aliyun
server = https://ca.example/acme/directory
dns_aliyun_credentials = /etc/aliyun.ini
dns_aliyun_name_servers = "192.0.2.1, 192.0.2.2"
dns_aliyun_resolvers = None
"""


def certificate(*names: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    made = builder.sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certbot's usual folders, for its cli.ini."""
    monkeypatch.setattr("certbot.compat.misc.get_default_folder", lambda _: str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    live, archive = tmp_path / "live" / "site", tmp_path / "archive" / "site"
    live.mkdir(parents=True)
    archive.mkdir(parents=True)
    for kind in ("cert", "privkey", "chain", "fullchain"):
        (archive / f"{kind}1.pem").write_bytes(certificate("example.com", "*.example.com"))
        (live / f"{kind}.pem").symlink_to(f"../../archive/site/{kind}1.pem")
    account = tmp_path / "accounts" / "ca.example/acme/directory" / "0123"
    account.mkdir(parents=True)
    (account / "regr.json").write_text(json.dumps({"uri": "https://ca.example/acct/1"}))
    file = tmp_path / "renewal" / "site.conf"
    file.parent.mkdir()
    file.write_text(RENEWAL.format(live=live))
    for ignored in ("site.conf.bak", ".conf", "._site.conf"):
        (file.parent / ignored).touch()
    return file


def options(tmp_path: Path, *argv: str) -> argparse.Namespace:
    return arguments.parser().parse_args(["check", "--config-dir", str(tmp_path), *argv])


def test_a_lineage_has_the_options_of_its_renewal_file(file: Path, tmp_path: Path) -> None:
    assert targets.named(options(tmp_path, "--all")) == ["site"]
    target = targets.of_lineage(options(tmp_path, "--all"), Report(True), "site")
    assert target
    assert target.domains == ["example.com", "*.example.com"]
    assert (target.credentials, target.resolvers) == ("/etc/aliyun.ini", "")
    assert target.name_servers == "192.0.2.1, 192.0.2.2"
    assert (target.wait_for, target.wait_limit, target.blind) == ("all", 600, 30)
    assert (target.server, target.account) == (SERVER, "https://ca.example/acct/1")
    assert target.insists


def test_the_command_line_counts_more_and_so_does_cli_ini(file: Path, tmp_path: Path) -> None:
    (tmp_path / "cli.ini").write_text("dns-aliyun-credentials = /root/a.ini\n# server = none\n")
    (tmp_path / "xdg" / "letsencrypt").mkdir(parents=True)
    (tmp_path / "xdg" / "letsencrypt" / "cli.ini").write_text("dns-aliyun-wait-limit 7\n")
    given = options(tmp_path, "--all", "--wait-for", "alidns", "--server", "https://b.example/d")
    target = targets.of_lineage(given, Report(True), "site")
    assert target
    assert (target.credentials, target.wait_limit, target.wait_for) == ("/root/a.ini", 7, "alidns")
    assert (target.server, target.account) == ("https://b.example/d", ""), "it is another CA's"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[renewalparams]", "", "renewalparams is missing"),
        ("authenticator =", "installer =", "authenticator is missing"),
        ("privkey = ", "key = ", "privkey is missing"),
        ("account = 0123", "account = 4567", "The account 4567"),
        ("dns-aliyun", "certbot-dns-aliyun:dns-aliyun", "reconfigure --cert-name site"),
        ("dns_aliyun_resolvers = None", "dns_aliyun_wait_limit = 90000", "between 0 and 86400"),
        ("dns_aliyun_resolvers = None", "dns_aliyun_wait_limit = soon", "not soon"),
        ("[renewalparams]", "[renewalparams", "it is damaged"),
        ("_resolvers = None", "_resolvers = 192.0.2.1, 192.0.2.2", "dns_aliyun_resolvers lacks"),
    ],
)
def test_what_certbot_cannot_renew_is_a_problem(
    file: Path, tmp_path: Path, old: str, new: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(file.read_text().replace(old, new, 1))
    report = Report(True)
    target = targets.of_lineage(options(tmp_path, "--all"), report, "site")
    assert target is None
    assert not report.are_well
    report.conclude()
    assert words in json.loads(capsys.readouterr().out)["first"]


@pytest.mark.parametrize("word", ["False", "false", "off", "no", "0"])
def test_what_certbot_does_not_renew_is_no_matter(file: Path, tmp_path: Path, word: str) -> None:
    file.write_text(f"{file.read_text()}autorenew = {word}\n")
    report = Report(True)
    assert targets.of_lineage(options(tmp_path, "--all"), report, "site") is None
    assert report.are_well


@pytest.mark.parametrize("word", ["True", "on", "yes", "1"])
def test_what_certbot_renews_as_ever_is_looked_at(file: Path, tmp_path: Path, word: str) -> None:
    file.write_text(f"{file.read_text()}autorenew = {word}\n")
    assert targets.of_lineage(options(tmp_path, "--all"), Report(True), "site")


def test_certificates_that_are_none(file: Path, tmp_path: Path) -> None:
    lineage = lineages.read(str(tmp_path), "site")
    cert = tmp_path / "archive" / "site" / "cert1.pem"
    for data in (b"", b"-----BEGIN CERTIFICATE-----\n", certificate()):
        cert.write_bytes(data)
        with pytest.raises(LineageError, match="certbot certonly"):
            lineage.domains()
    cert.unlink()
    with pytest.raises(LineageError, match="is no link to a file"):
        lineages.read(str(tmp_path), "site")


@pytest.mark.parametrize("argv", [["--all"], ["--cert-name", "other"]])
def test_a_folder_without_lineages_is_wrong_usage(tmp_path: Path, argv: list[str]) -> None:
    if argv != ["--all"]:
        (tmp_path / "renewal").mkdir()
    with pytest.raises(inputs.UsageError):
        targets.named(options(tmp_path, *argv))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_interrupts_and_others_wait(number: int) -> None:
    before = signal.getsignal(number)
    with Stopping() as stopping:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)  # who insists
        with pytest.raises(KeyboardInterrupt):
            stopping.release()
    assert signal.getsignal(number) == before


def test_a_signal_during_the_removal_waits_for_its_end() -> None:
    with Stopping() as stopping:
        stopping.hold()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            stopping.release()
    with Stopping() as stopping:
        stopping.hold()
        stopping.release()


def test_what_nohup_has_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopping():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
