"""What a person is told about CAA records and DNSSEC that keep a CA from issuing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from certbot_dns_aliyun.diagnosis.caa import CaaSet, Objection, Obstacle, Property
from certbot_dns_aliyun.diagnosis.dnssec import Broken, Flaw

#: Names and records that one sentence lists.
_LISTED = 3


def caa_objection(
    found: CaaSet, against: Objection, domains: Sequence[str], identities: Sequence[str]
) -> str:
    """Say which CAA records forbid, or may forbid, to issue for some names, and what to do."""
    names, records = listed(domains), _records(against.properties)
    where = found.owner
    if found.zone and found.zone != found.owner:
        where += f" in the zone {found.zone}"
    if against.obstacle is Obstacle.SOME_ACCOUNT:
        return (
            f"The CAA records of {found.owner} let one account of the CA alone issue for "
            f"{listed(domains)}: {records}; compare the accounturi with what certbot show_account "
            "tells."
        )
    if against.obstacle is Obstacle.CRITICAL:
        return (
            f"CAA keeps the CA from issuing for {names}: {where} has {records}, a critical "
            "property that CAs do not know; remove it."
        )
    if against.obstacle is Obstacle.FORM:
        return (
            f"CAA keeps the CA from issuing for {names}: {where} has {records}, which does not "
            "name the CA in a form that it reads; write its name in lower case, and no blank "
            "within a parameter nor a semicolon after the last one."
        )
    if against.obstacle is Obstacle.METHODS:
        return (
            f"CAA keeps the CA from issuing for {names}: {where} has {records}, which does not let "
            "it validate by DNS; add dns-01 to the validationmethods there."
        )
    if against.obstacle is Obstacle.ACCOUNT:
        return (
            f"CAA keeps the CA from issuing for {names}: {where} has {records}, which lets another "
            "account of the CA alone issue; correct the accounturi there."
        )
    if not identities:
        return (
            f"CAA keeps the CA from issuing for {names}: {where} has {records}; add a record like "
            "it with the name by which the CA's documentation says that CAA records know it."
        )
    return (
        f"CAA keeps the CA from issuing for {names}: {where} has {records}; add the CAA record "
        f'0 {against.tag} "{identities[0]}" there.'
    )


def caa_without_objection(domains: Sequence[str]) -> str:
    """Say that the CA must have seen CAA records that this machine does not see."""
    return (
        f"No CAA record that keeps the CA from issuing for {listed(domains)} is seen from here; "
        "if one was changed just now, run the same command again later."
    )


def caa_unseen(found: CaaSet, domains: Sequence[str]) -> str:
    """Say that this machine cannot see the CAA records by which the CA refused."""
    return (
        f"The CAA records that keep the CA from issuing for {listed(domains)} cannot be seen from "
        f"here: the resolver of this machine does not answer for {found.unanswered}. Another "
        f"machine may tell: dig CAA {found.unanswered}, and the names above it."
    )


def caa_unanswered(found: CaaSet, domains: Sequence[str]) -> str:
    """Say that nobody can look up CAA records, which a CA takes for a no."""
    return (
        f"The CAA records for {listed(domains)} cannot be looked up: nobody answers for "
        f"{found.unanswered}. A CA does not issue then; the name servers of that zone must answer, "
        "be it that there are none."
    )


def caa_answered(domains: Sequence[str]) -> str:
    """Say that the CA got no answer about CAA records, and this machine does."""
    return (
        f"The CA got no answer about the CAA records for {listed(domains)}; this machine does get "
        "one. Run the same command again."
    )


def dnssec_broken(broken: Broken) -> str:
    """Say which zone does not pass DNSSEC, why, and what to do."""
    zone = broken.zone
    at_registry = f"the DS record (key tag {_tags(broken.tags)}) above {zone}"
    if broken.flaw is Flaw.EXPIRED:
        since = time.strftime("%Y-%m-%d", time.gmtime(broken.expired_at))
        return (
            f"The DNSSEC of {zone} is broken: its signatures have expired ({since}), so no CA "
            f"takes its answers; have the zone signed anew, or remove {at_registry} at the "
            "registrar."
        )
    flaws = {
        Flaw.NO_KEYS: f"{at_registry} says that it is signed, and it is not",
        Flaw.OTHER_KEYS: f"{at_registry} names none of its keys (key tag {_tags(broken.keys)})",
        Flaw.REFUSED: f"this machine's resolver finds its signatures wrong under {at_registry}",
    }
    return (
        f"The DNSSEC of {zone} is broken: {flaws[broken.flaw]}, so no CA takes its answers; remove "
        "that DS record at the registrar, or replace it by the one that the provider who signs "
        "the zone shows."
    )


def listed(names: Sequence[str]) -> str:
    """List the first of many names."""
    more = f" and {len(names) - _LISTED} more names" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _records(properties: Iterable[Property]) -> str:
    texts = [each.text for each in properties]
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return " and ".join(texts[:_LISTED]) + more


def _tags(tags: Iterable[int]) -> str:
    return ", ".join(map(str, tags))
