"""The looks of a check that change nothing, each with its finding."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import stat
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from certbot import errors

from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.commands import inputs
from certbot_dns_aliyun.commands.findings import Findings, Result
from certbot_dns_aliyun.commands.places import possible_place, why_unknown
from certbot_dns_aliyun.credentials.settings import Account
from certbot_dns_aliyun.diagnosis import words
from certbot_dns_aliyun.diagnosis.authority import caa_identities
from certbot_dns_aliyun.diagnosis.caa import CaaSet, objection, relevant
from certbot_dns_aliyun.diagnosis.dnssec import Broken, find_broken
from certbot_dns_aliyun.errors import AlidnsError, Verdict, sentence
from certbot_dns_aliyun.names import is_spelled, is_within, resource_record
from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.public_dns import PublicDns
from certbot_dns_aliyun.retrying import RetryBudget

T = TypeVar("T")

#: Seconds without an answer of the API, after which it is given up.
PATIENCE = 30.0
#: Seconds for what is asked of the resolver about one name.
_LOOK = 10.0
#: Values at one name from which on a warning is due: name servers may give no more than eight.
_MANY_VALUES = 6


@dataclass
class Name:
    """One validation name, and the names of a certificate that it is for.

    :ivar domains: as they were given, wildcards with ``*.``
    :ivar place: where the record will stand, once that is known
    :ivar is_hopeless: whether nobody would see a record
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


def check_account(account: Account, findings: Findings) -> None:
    """Get an access key for a zone's account, as for a call: a role is assumed, a URI is read."""
    since, zone = time.monotonic(), account.zone
    try:
        account.source.get()
    except AlidnsError as error:
        told = error.with_(origin=error.origin or account.source.origin)
        text = sentence(f"There is no access key for {zone or 'the zones'}", told)
        findings.add(zone, "credentials", Result.PROBLEM, text, since)
    else:
        text = f"The access key comes from {account.source.origin}."
        findings.add(zone, "credentials", Result.OK, text, since)


def check_file(file: str, findings: Findings) -> None:
    """Look whether others may read the credentials file."""
    if stat.S_IMODE(os.stat(os.path.expanduser(file)).st_mode) & 0o077:
        text = f"Others on this machine may read {file}; run chmod 600 {file}."
        findings.add("", "credentials", Result.WARNING, text, time.monotonic())


def check_place(name: Name, dns: PublicDns, findings: Findings) -> None:
    since = time.monotonic()
    try:
        name.place = place = possible_place(dns, name.validation_name)
    except errors.PluginError as error:
        name.is_hopeless = True
        findings.add(name.shown, "place", Result.PROBLEM, str(error), since)
        return
    led = f", where CNAMEs lead by {' -> '.join(place.chain)}" if len(place.chain) > 1 else ""
    text = f"The TXT record belongs at {place.name} in the zone {place.zone}{led}."
    result = Result.OK
    if place.zone is None:
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


def check_caa(names: Sequence[Name], dns: PublicDns, server: str, findings: Findings) -> None:
    since = time.monotonic()
    domains = [domain for name in names for domain in name.domains]
    identities = caa_identities(server)

    async def look(discovery: Discovery) -> list[CaaSet | None]:
        plain = [domain[2:] if domain.startswith("*.") else domain for domain in domains]
        return await asyncio.gather(*(_bounded(relevant(discovery, each)) for each in plain))

    for domain, found in zip(domains, dns.inquire(look, 2 * _LOOK)):
        if found is None or found.unanswered:
            result = Result.WARNING
            text = "The CAA records are not known: the resolver of this machine does not answer."
        else:
            against = objection(found, identities, domain.startswith("*."))
            if against and not identities:
                result = Result.WARNING
                text = (
                    f"CAA records at {found.owner} name CAs, and whether this one is among them is "
                    "not known: it does not tell its name."
                )
            elif against:
                text = words.caa_objection(found, against, [domain], identities)
                result = Result.PROBLEM
            else:
                text, result = "CAA lets the CA issue.", Result.OK
        findings.add(domain, "CAA", result, text, since)


def check_dnssec(names: Sequence[Name], dns: PublicDns, findings: Findings) -> None:
    since = time.monotonic()
    asked: dict[str, list[str]] = {}
    for name in names:
        chain = name.place.chain if name.place else ()
        asked[name.shown] = [name.validation_name.partition(".")[2], *chain]
    each_once = list(dict.fromkeys(link for links in asked.values() for link in links))

    async def look(discovery: Discovery) -> list[Broken | None]:
        return await asyncio.gather(*(_bounded(find_broken(discovery, n)) for n in each_once))

    broken = dict(zip(each_once, dns.inquire(look, 2 * _LOOK)))
    for shown, links in asked.items():
        found = next((broken[link] for link in links if broken[link]), None)
        text = words.dnssec_broken(found) if found else "No zone on the way has broken DNSSEC."
        findings.add(shown, "DNSSEC", Result.PROBLEM if found else Result.OK, text, since)


async def _bounded(look_up: Coroutine[Any, Any, T]) -> T | None:
    try:
        return await asyncio.wait_for(look_up, _LOOK)
    except asyncio.TimeoutError:
        return None


def check_values(name: Name, clients: Clients, findings: Findings) -> None:
    """Count what others left at the name: a name server may not give all of many values."""
    since = time.monotonic()
    zone = name.zone or (name.place.zone if name.place else None)
    if zone is None or name.place is None or not is_within(name.place.name, zone):
        return
    rr = resource_record(name.place.name, zone)
    try:
        listed = clients.client_for(zone).list_txt(zone, rr, RetryBudget(PATIENCE))
    except AlidnsError as error:
        is_denied = error.verdict is Verdict.DENIED
        text = sentence(f"The records of {zone} could not be listed", error)
        result = Result.WARNING if is_denied else Result.PROBLEM
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
