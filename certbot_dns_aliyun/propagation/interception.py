"""Find out whether something in between answers in a name server's place.

Some routers and proxies catch every question to port 53, whomever it is for, and have a resolver
answer it. Asked for a validation name too early, that one would remember that there is nothing, and
whoever asks it later would believe it. So an address is first asked for two things that exist.
"""

from __future__ import annotations

import asyncio

import dns.rdatatype

from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.question import Outcome, Reply

#: How often a question is asked while the other one is answered.
_ROUNDS = 3
_NOTHING_YET = Reply(Outcome.SILENT)


async def obstacle(contact: Contact, zone: str) -> Outcome | None:
    """Give the reason not to ask a zone's name server for a validation name; None for none.

    All who want to know of one address share the questions.
    """
    if not zone or contact.intercepted is False:
        return None
    if contact.intercepted:
        return Outcome.INTERCEPTED
    if contact.probe is None:
        contact.probe = asyncio.ensure_future(_probe(contact, zone))
    return await asyncio.shield(contact.probe)  # who waits may give up; others wait, too


async def _probe(contact: Contact, zone: str) -> Outcome | None:
    try:
        outcome = await _find_out(contact, zone)
    finally:
        contact.probe = None
    if outcome in (None, Outcome.INTERCEPTED):
        contact.intercepted = outcome is not None
    return outcome


async def _find_out(contact: Contact, zone: str) -> Outcome | None:
    """Ask for the zone, as one asks who is authoritative for it, and for the root, as a resolver.

    Authoritative servers do not answer for zones that are not theirs, nor offer recursion. Some
    are silent about other zones.
    """
    own = root = _NOTHING_YET
    for _ in range(_ROUNDS):
        own, root = await asyncio.gather(
            _unless_told(own, contact, zone, recursive=False),
            _unless_told(root, contact, ".", recursive=True),
        )
        if _is_of_a_resolver(own, root):
            return Outcome.INTERCEPTED
        if _tells(own) and _tells(root):
            return None
        if not _tells(own) and not _tells(root):
            return own.outcome
    return None


async def _unless_told(reply: Reply, contact: Contact, name: str, recursive: bool) -> Reply:
    return reply if _tells(reply) else await contact.ask(name, dns.rdatatype.SOA, recursive)


def _tells(reply: Reply) -> bool:
    """Tell whether a reply shows who gives it; a resolver that fails shows nothing else."""
    return reply.is_answer and not (reply.outcome is Outcome.FAILING and reply.offers_recursion)


def _is_of_a_resolver(own: Reply, root: Reply) -> bool:
    lacks_authority = own.outcome in (Outcome.NOT_AUTHORITATIVE, Outcome.REFERRING)
    if lacks_authority and own.offers_recursion:
        return True
    if root.outcome is Outcome.AUTHORITATIVE:  # a server of the root does not offer recursion
        return root.has_answer and root.offers_recursion
    return root.outcome is Outcome.NOT_AUTHORITATIVE and root.has_answer
