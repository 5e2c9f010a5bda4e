"""What is to be checked: the names of the command line, or those of Certbot's lineages."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

from certbot import errors

from certbot_dns_aliyun.commands import inputs, lineages
from certbot_dns_aliyun.commands.findings import Findings, Report, Result
from certbot_dns_aliyun.commands.lineages import Lineage, LineageError
from certbot_dns_aliyun.dns_aliyun import (
    DEFAULT_PROPAGATION_SECONDS,
    DEFAULT_WAIT_LIMIT,
    seconds_of,
)

LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"

_PLUGIN = "dns-aliyun"
#: What renewal files of 0.38.1 and older say.
_LEGACY = "certbot-dns-aliyun:dns-aliyun"
#: What ConfigObj, and so Certbot, takes for no.
_OFF = ("false", "off", "no", "0")


@dataclass(frozen=True)
class Target:
    """The names of one certificate, and the options with which it is issued.

    :ivar findings: takes what is found about it
    :ivar domains: the names, wildcards with ``*.``
    :ivar credentials: path of the INI file; None for the default chain
    :ivar wait_for: "all", "alidns" or "nothing"
    :ivar wait_limit: seconds
    :ivar blind: seconds, where name servers cannot be asked
    :ivar server: URL of the CA's directory
    :ivar account: URI of the account with the CA; empty if it is not known
    :ivar is_lineage: whether Certbot has it already
    """

    findings: Findings
    domains: list[str]
    credentials: str | None
    resolvers: str
    name_servers: str
    wait_for: str
    wait_limit: int
    blind: int
    server: str
    account: str = ""
    is_lineage: bool = False

    @property
    def insists(self) -> bool:
        """Whether records are added whoever serves their zones, as in a run."""
        return self.wait_for == "nothing" or bool(self.name_servers)


def of_command_line(options: argparse.Namespace, report: Report) -> Target:
    """Give the names of ``-d``, with the options beside them."""
    return _target(options, Findings(report), list(options.domains), None)


def named(options: argparse.Namespace) -> list[str]:
    """List the lineages that ``--cert-name`` and ``--all`` name.

    :raises inputs.UsageError: if there are none
    """
    folder = inputs.folder(options.config_dir, "config")
    try:
        known = lineages.names(folder)
    except OSError as error:
        raise inputs.UsageError(
            f"The renewal files in {folder} cannot be read ({error.strerror}); run this as the "
            "user who runs Certbot, and name its configuration folder by --config-dir."
        ) from None
    unknown = [name for name in options.cert_names if name not in known]
    if unknown:
        raise inputs.UsageError(f"Certbot has no certificate {unknown[0]!a} in {folder}.")
    return known if options.all else list(dict.fromkeys(options.cert_names))


def of_lineage(options: argparse.Namespace, report: Report, name: str) -> Target | None:
    """Give the names of a lineage, with the options that Certbot renews it with.

    :returns: None if there is nothing to check, of which a finding tells, unless another plugin
        renews it and nobody has asked for it by name
    """
    folder, since = inputs.folder(options.config_dir, "config"), time.monotonic()
    findings = Findings(report, name)
    try:
        lineage = lineages.read(folder, name)
        if lineage.authenticator not in (_PLUGIN, _LEGACY):
            if name in options.cert_names:
                text = f"Certbot renews it by {lineage.authenticator}, not by this plugin."
                findings.add("", "lineage", Result.SKIPPED, text, since)
            return None
        report.head(f"Lineage {name}:")
        if str(lineage.get("autorenew")).lower() in _OFF:
            text = f"Certbot does not renew it, as autorenew is False in {lineage.file}."
            findings.add("", "lineage", Result.SKIPPED, text, since)
            return None
        _refuse_legacy(lineage)
        domains = lineage.domains()
        target = _target(options, findings, domains, lineage)
    except (LineageError, errors.PluginError, FileNotFoundError) as error:
        gone = isinstance(error, FileNotFoundError)
        text = "Its renewal file is gone." if gone else str(error)
        findings.add("", "lineage", Result.PROBLEM, text, since)
        return None
    text = f"Certbot renews it for {', '.join(domains)}."
    findings.add("", "lineage", Result.OK, text, since)
    return target


def _refuse_legacy(lineage: Lineage) -> None:
    if lineage.authenticator == _LEGACY:
        raise LineageError(
            f"{lineage.file} still says {_LEGACY}, which Certbot knows no more; run certbot "
            f"reconfigure --cert-name {lineage.name} --authenticator {_PLUGIN} "
            "--dns-aliyun-credentials FILE."
        )


def _target(
    options: argparse.Namespace, findings: Findings, domains: list[str], lineage: Lineage | None
) -> Target:
    def option(name: str, default: Any = None) -> Any:
        given = getattr(options, name)
        kept = lineage.get(f"dns_aliyun_{name}") if lineage and given is None else None
        return given if given is not None else kept if kept is not None else default

    account, server = "", options.server or (lineage and lineage.get("server")) or LETSENCRYPT
    if lineage and not options.server:
        account = lineage.account(inputs.folder(options.config_dir, "config"), server)
    return Target(
        findings,
        domains,
        credentials=option("credentials") or None,
        resolvers=option("resolvers", ""),
        name_servers=option("name_servers", ""),
        wait_for=option("wait_for", "all"),
        wait_limit=seconds_of("wait-limit", option("wait_limit", DEFAULT_WAIT_LIMIT)),
        blind=seconds_of(
            "propagation-seconds", option("propagation_seconds", DEFAULT_PROPAGATION_SECONDS)
        ),
        server=server,
        account=account,
        is_lineage=lineage is not None,
    )
