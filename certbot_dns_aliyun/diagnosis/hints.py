"""The hint after a refusal: what the CA said decides what is looked at, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import Callable

from certbot_dns_aliyun.diagnosis import words
from certbot_dns_aliyun.diagnosis.authority import caa_identities
from certbot_dns_aliyun.diagnosis.caa import CaaSet, Objection, objection, relevant
from certbot_dns_aliyun.diagnosis.dnssec import Broken, find_broken
from certbot_dns_aliyun.diagnosis.refusal import Matter, Refusal
from certbot_dns_aliyun.propagation.discovery import Discovery
from certbot_dns_aliyun.propagation.public_dns import PublicDns

#: Seconds for what is looked up about one name.
_PATIENCE = 10.0
#: Tells what the name servers served at validation names, and whether the CA saw it otherwise from
#: some places alone.
Served = Callable[[Sequence[str], bool], str]


def explain(
    refusals: Sequence[Refusal],
    dns: PublicDns,
    above: Callable[[str], Sequence[str]],
    served: Served,
    directory: str,
    ordered: Collection[str] = (),
) -> str:
    """Tell why the CA refused, as far as can be seen from here, and what to do.

    :param above: gives the names above those at which the CA looks for a validation name's record
    :param directory: URL of the CA's directory
    :param ordered: the names of the certificate, wildcards with ``*.``; none if not known
    """
    by_matter: dict[Matter, list[Refusal]] = {}
    for refusal in refusals:
        by_matter.setdefault(refusal.matter, []).append(refusal)
    told = list(_about_caa(by_matter.pop(Matter.CAA, []), dns, directory, ordered))
    told += _about_rules(by_matter)
    unread = by_matter.pop(Matter.CAA_UNREAD, [])
    suspect = unread + by_matter.pop(Matter.DNSSEC, [])
    broken, sound = _about_dnssec(suspect, dns, above)
    told += broken
    told += _about_unread([refusal for refusal in sound if refusal in unread], dns)
    records = by_matter.pop(Matter.RECORD, []) + [r for r in sound if r not in unread]
    for from_elsewhere in (False, True):
        names = [r.name for r in records if r.is_from_elsewhere is from_elsewhere]
        if names:
            told.append(served(list(dict.fromkeys(names)), from_elsewhere))
    hint = " ".join(each for each in dict.fromkeys(told) if each)
    return hint or "What was said above of these names tells why."


def _about_rules(by_matter: dict[Matter, list[Refusal]]) -> Iterator[str]:
    """Tell what no look at DNS can explain; it is taken out."""
    if by_matter.pop(Matter.RATE, []):
        yield (
            "The CA's rate limit is reached, and nothing is wrong with the records: wait as long "
            "as the CA says above. --dry-run has limits of its own."
        )
    if by_matter.pop(Matter.TROUBLE, []):
        yield "The CA had trouble of its own: run the same command again later."
    names = by_matter.pop(Matter.NAME, [])
    if names:
        yield (
            f"The CA does not issue for {words.listed(_domains(names))}, whatever its records "
            "are: its message above tells why."
        )
    if by_matter.pop(Matter.OTHER, []):
        yield "The records are not the reason: the CA's message above is about something else."


def _about_caa(
    refusals: Sequence[Refusal], dns: PublicDns, directory: str, ordered: Collection[str]
) -> Iterator[str]:
    if not refusals:
        return
    identities = caa_identities(directory)
    alike: dict[tuple[CaaSet, Objection | None], list[str]] = {}
    for domain, found in _caa_sets(refusals, dns):
        # Which of the two the CA refused, a challenge does not tell.
        both = [domain, f"*.{domain}"]
        names = [name for name in both if name in ordered] or both
        against = [objection(found, identities, name.startswith("*.")) for name in names]
        for each in dict.fromkeys(each for each in against if each):
            alike.setdefault((found, each), []).append(names[against.index(each)])
        if not any(against):
            alike.setdefault((found, None), []).append(names[0])
    for (found, against_it), domains in alike.items():
        if found.unanswered:
            yield words.caa_unseen(found, domains)
        elif against_it:
            yield words.caa_objection(found, against_it, domains, identities)
        else:
            yield words.caa_without_objection(domains)


def _about_unread(refusals: Sequence[Refusal], dns: PublicDns) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    sets = dict(_caa_sets(refusals, dns))
    for domain, found in sets.items():
        alike.setdefault(found.unanswered, []).append(domain)
    for unanswered, domains in alike.items():
        if unanswered:
            yield words.caa_unanswered(CaaSet(unanswered=unanswered), domains)
        else:
            yield words.caa_answered(domains)


def _caa_sets(refusals: Sequence[Refusal], dns: PublicDns) -> list[tuple[str, CaaSet]]:
    domains = _domains(refusals)

    async def look(discovery: Discovery) -> list[CaaSet]:
        return await asyncio.gather(*(_patiently(discovery, domain) for domain in domains))

    return list(zip(domains, dns.inquire(look, 2 * _PATIENCE))) if domains else []


async def _patiently(discovery: Discovery, domain: str) -> CaaSet:
    try:
        return await asyncio.wait_for(relevant(discovery, domain), _PATIENCE)
    except asyncio.TimeoutError:
        return CaaSet(unanswered=domain)


def _about_dnssec(
    refusals: Sequence[Refusal], dns: PublicDns, above: Callable[[str], Sequence[str]]
) -> tuple[list[str], list[Refusal]]:
    """Tell of broken zones, and give the refusals that they do not explain."""
    names = {refusal: [refusal.domain, *above(refusal.name)] for refusal in refusals}
    asked = list(dict.fromkeys(name for some in names.values() for name in some))

    async def look(discovery: Discovery) -> list[Broken | None]:
        return await asyncio.gather(*(_find_broken(discovery, name) for name in asked))

    found = dict(zip(asked, dns.inquire(look, 2 * _PATIENCE))) if asked else {}
    told = [words.dnssec_broken(broken) for broken in found.values() if broken]
    return told, [refusal for refusal in refusals if not any(map(found.get, names[refusal]))]


async def _find_broken(discovery: Discovery, name: str) -> Broken | None:
    try:
        return await asyncio.wait_for(find_broken(discovery, name), _PATIENCE)
    except asyncio.TimeoutError:
        return None


def _domains(refusals: Sequence[Refusal]) -> list[str]:
    return list(dict.fromkeys(refusal.domain for refusal in refusals))
