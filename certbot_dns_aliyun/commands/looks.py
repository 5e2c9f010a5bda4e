"""The looks of a check at credentials, clock, place and zone, each with its finding."""

from __future__ import annotations

import base64
import os
import secrets
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass

from certbot import errors

from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.alidns.call import clock_offset
from certbot_dns_aliyun.commands import inputs
from certbot_dns_aliyun.commands.findings import Findings, Result
from certbot_dns_aliyun.commands.places import possible_place, why_unknown
from certbot_dns_aliyun.credentials.settings import Account
from certbot_dns_aliyun.errors import PASSING, AlidnsError, Verdict, sentence
from certbot_dns_aliyun.names import is_spelled, is_within, resource_record
from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.propagation.public_dns import PublicDns
from certbot_dns_aliyun.records.ledger import Ledger
from certbot_dns_aliyun.retrying import RetryBudget

#: Seconds by which a clock may be wrong for the API (its documentation says 15 minutes), and those
#: from which on that is worth a word.
_WRONG_CLOCK = 15 * 60.0
_DOUBTFUL_CLOCK = 60.0
#: Seconds before an access key is asked for once more.
_PAUSE = 1.0
#: Values at one name from which on a warning is due: name servers may give no more than eight.
_MANY_VALUES = 6


@dataclass
class Name:
    """One validation name, and the names of a certificate that it is for.

    :ivar domains: as they were given, wildcards with ``*.``
    :ivar place: where the record will stand, once that is known
    :ivar is_hopeless: whether a run would not try to add a record
    :ivar zone: the zone that has taken the record
    """

    validation_name: str
    domains: list[str]
    value: str
    place: Place | None = None
    is_hopeless: bool = False
    zone: str = ""

    @property
    def shown(self) -> str:
        """How it is called in a finding."""
        return ", ".join(self.domains)


def names_of(domains: Sequence[str]) -> list[Name]:
    """Give the validation names of a certificate's names, each once.

    :raises inputs.UsageError: for what is no domain name
    """
    names: dict[str, Name] = {}
    for text in domains:
        for domain in filter(None, (each.strip() for each in text.split(","))):
            (validation_name,) = inputs.validation_names([domain])
            # A value of the form of a CA's, which nobody else can know.
            value = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
            name = names.setdefault(validation_name, Name(validation_name, [], value))
            plain = validation_name.partition(".")[2]
            shown = f"*.{plain}" if domain.startswith("*.") else plain
            if shown not in name.domains:
                name.domains.append(shown)
    return list(names.values())


def check_account(account: Account, budget: RetryBudget, findings: Findings) -> None:
    """Get an access key for a zone's account, as for a call: a role is assumed, a URI is read."""
    since, zone = time.monotonic(), account.zone
    while True:
        try:
            account.source.get()
        except AlidnsError as error:
            told = error.with_(origin=error.origin or account.source.origin)
            if told.verdict in PASSING:
                budget.failed(told)
                if not budget.is_spent(told, since):
                    budget.sleep(_PAUSE)
                    continue
            text = sentence(f"There is no access key for {zone or 'the zones'}", told)
            findings.add(zone, "credentials", Result.PROBLEM, text, since)
        else:
            text = f"The access key comes from {account.source.origin}."
            findings.add(zone, "credentials", Result.OK, text, since)
        return


def check_file(file: str, findings: Findings) -> None:
    """Look whether others may read the credentials file."""
    if stat.S_IMODE(os.stat(os.path.expanduser(file)).st_mode) & 0o077:
        text = f"Others on this machine may read {file}; run chmod 600 {file}."
        findings.add("", "credentials", Result.WARNING, text, time.monotonic())


def check_clock(host: str, findings: Findings) -> None:
    """Compare this machine's clock with the API's: the time is part of each call's signature."""
    since = time.monotonic()
    offset = clock_offset(host)
    if offset is None:
        text = f"{host} does not tell the time."
        findings.add("", "clock", Result.SKIPPED, text, since)
        return
    off = f"The clock of this machine is {'ahead' if offset > 0 else 'behind'}"
    if abs(offset) > _WRONG_CLOCK:
        result = Result.PROBLEM
        text = f"{off} by {abs(offset):.0f} seconds, so the API refuses every call; correct it."
    elif abs(offset) > _DOUBTFUL_CLOCK:
        result = Result.WARNING
        text = f"{off} by {abs(offset):.0f} seconds; from {_WRONG_CLOCK:.0f} on, calls are refused."
    else:
        result, text = Result.OK, f"The clock of this machine is as that of {host}."
    findings.add("", "clock", result, text, since)


def check_place(
    name: Name, dns: PublicDns, ledger: Ledger, insists: bool, findings: Findings
) -> None:
    """Look where the record must stand, and whether a run would refuse that.

    :param insists: whether it is added whoever serves the zone
    """
    since = time.monotonic()
    try:
        name.place = place = possible_place(dns, name.validation_name, insists)
        ledger.refuse([name.validation_name])
    except errors.PluginError as error:
        name.is_hopeless = True
        findings.add(name.shown, "place", Result.PROBLEM, str(error), since)
        return
    led = f", where CNAMEs lead by {' -> '.join(place.chain)}" if place.is_led else ""
    text = f"The TXT record belongs at {place.name} in the zone {place.zone}{led}."
    result = Result.OK
    if place.is_absent:
        result = Result.PROBLEM
        text = (
            f"Public DNS knows no zone for {place.name}{led}: the domain may not be registered, "
            "not be activated, or have expired; see to it at its registrar."
        )
    elif place.zone is None:
        result, text = Result.WARNING, why_unknown(place)
    elif place.is_elsewhere:
        servers = ", ".join(sorted({server.name for server in place.servers}))
        result = Result.WARNING
        text = (
            f"None of the name servers of {place.zone} ({servers}) looks like one of Alibaba Cloud "
            "DNS: if the domain is delegated to another provider, nobody will ever see the TXT "
            "record."
        )
    findings.add(name.shown, "place", result, text, since)


def check_values(name: Name, clients: Clients, budget: RetryBudget, findings: Findings) -> None:
    """Count what others left at the name: a name server may not give all of many values."""
    since = time.monotonic()
    zone = name.zone or (name.place.zone if name.place else None)
    if zone is None or name.place is None or not is_within(name.place.name, zone):
        text = "The zone that would have the record is not known."
        findings.add(name.shown, "values", Result.SKIPPED, text, since)
        return
    rr = resource_record(name.place.name, zone)
    try:
        listed = clients.client_for(zone).list_txt(zone, rr, budget)
    except AlidnsError as error:
        # Whether the zone takes a record is proved by adding one, and so are the key and the API.
        is_denied = error.verdict in (Verdict.DENIED, Verdict.NOT_HERE)
        text = sentence(f"The records of {zone} could not be listed", error)
        result = Result.WARNING if is_denied or name.zone else Result.PROBLEM
        findings.add(name.shown, "values", result, text, since)
        return
    others = [each for each in listed if is_spelled(each.rr, rr) and each.value != name.value]
    if len(others) >= _MANY_VALUES:
        text = (
            f"{len(others)} other TXT values stand at {name.place.name}, and name servers may "
            "give no more than eight; certbot-dns-aliyun stale finds those that were left."
        )
        findings.add(name.shown, "values", Result.WARNING, text, since)
    else:
        text = f"{len(others)} other TXT values stand at {name.place.name}."
        findings.add(name.shown, "values", Result.OK, text, since)
