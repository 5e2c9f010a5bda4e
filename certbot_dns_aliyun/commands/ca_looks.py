"""The looks of a check at what a CA asks beside the record: CAA records and DNSSEC."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence

import dns.rdatatype

from certbot_dns_aliyun.commands.findings import Findings, Result
from certbot_dns_aliyun.commands.looks import Name
from certbot_dns_aliyun.diagnosis import words
from certbot_dns_aliyun.diagnosis.caa import CaaSet, Obstacle, objection, relevant
from certbot_dns_aliyun.diagnosis.dnssec import find_broken
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.inquiry import UnreadError, first_useful
from certbot_dns_aliyun.propagation.public_dns import PublicDns

#: Seconds for what is asked of the resolver about one name.
_LOOK = 10.0


def check_caa(
    domain: str, dns: PublicDns, identities: Sequence[str], account: str, findings: Findings
) -> None:
    """Look whether CAA records let the CA issue.

    :param domain: a name of a certificate, wildcards with ``*.``
    :param identities: the names by which CAA records know the CA; none if those are not known
    :param account: URI of the account with the CA; empty if it is not known
    """
    since = time.monotonic()
    plain = domain[2:] if domain.startswith("*.") else domain
    try:
        found = dns.inquire(lambda discovery: relevant(discovery, plain), _LOOK)
    except TimeoutError:
        found = CaaSet(unanswered=plain)
    result, text = Result.OK, "CAA lets the CA issue."
    if found.unanswered:
        result = Result.PROBLEM if _nobody_answers(dns, found.unanswered) else Result.WARNING
        text = "The CAA records are not known: the resolver of this machine does not tell them."
        if result is Result.PROBLEM:
            text = words.caa_unanswered(found, [domain])
    else:
        against = objection(found, identities, domain.startswith("*."), account)
        if against and not identities:
            result = Result.WARNING
            text = (
                f"CAA records at {found.owner} name CAs, and whether this one is among them is "
                "not known: it does not tell its name."
            )
        elif against:
            text = words.caa_objection(found, against, [domain], identities)
            is_sure = against.obstacle is not Obstacle.SOME_ACCOUNT
            result = Result.PROBLEM if is_sure else Result.WARNING
    findings.add(domain, "CAA", result, text, since)


def _nobody_answers(dns: PublicDns, name: str) -> bool:
    """Tell whether it is the zone's name servers that give no answer about CAA records."""
    try:
        return dns.inquire(lambda discovery: _is_silent(discovery, name), 3 * _LOOK)
    except TimeoutError:
        return False


async def _is_silent(discovery: Discovery, name: str) -> bool:
    zone = await discovery.zone_of(f"_.{name}")
    servers = await discovery.name_servers(zone) if zone else []
    if not zone or not servers:
        return False
    try:
        await first_useful(discovery, zone, servers, name, dns.rdatatype.SOA)
    except UnreadError:
        return False  # of which the wait will tell
    try:
        await first_useful(discovery, zone, servers, name, dns.rdatatype.CAA)
    except UnreadError:
        return True
    return False


def check_dnssec(name: Name, dns: PublicDns, findings: Findings) -> None:
    """Look whether a zone on the way to the record is signed in a way that no CA accepts."""
    since = time.monotonic()
    above = name.place.above if name.place else [name.validation_name.partition(".")[2]]
    result, text = Result.OK, "No zone on the way has broken DNSSEC."
    for each in above:
        try:
            broken = dns.inquire(functools.partial(find_broken, name=each), _LOOK)
        except TimeoutError:
            result = Result.WARNING
            text = "The DNSSEC is not known: the resolver of this machine does not tell it."
            continue
        if broken:
            result, text = Result.PROBLEM, words.dnssec_broken(broken)
            break
    findings.add(name.shown, "DNSSEC", result, text, since)
