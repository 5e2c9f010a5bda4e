"""Find the zone of a name and the addresses of its name servers.

The machine's resolver is asked, but never for a validation name: it would remember that there is
nothing yet, and a CA behind the same resolver would believe it (RFC 2308, section 5).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver

logger = logging.getLogger(__name__)

#: Seconds for one answer of the resolver, all its servers and repetitions together.
_LIFETIME = 5.0


@dataclass(frozen=True)
class NameServer:
    """One address of an authoritative name server of a zone."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} ({self.address})"


def make_resolver() -> dns.asyncresolver.Resolver | None:
    """Give the machine's resolver; None if it has none that can be used."""
    try:
        resolver = dns.asyncresolver.Resolver()
    except (dns.exception.DNSException, OSError, ValueError) as error:
        logger.debug("No resolver: %s", error)
        return None
    resolver.lifetime = _LIFETIME
    return resolver


async def zone_of(resolver: dns.asyncresolver.Resolver | None, validation_name: str) -> str | None:
    """Find the zone that public DNS says a validation name is in, by SOA records (RFC 1034, 4.2.1).

    :returns: the zone's apex; None if DNS gives none but a top-level domain, or no answer
    """
    try:
        name = dns.name.from_text(validation_name).parent()
    except dns.exception.DNSException:  # longer than a name may be
        return None
    while len(name) > 2:
        response = await _ask(resolver, name, dns.rdatatype.SOA)
        owner = _soa_owner(response, name) if response else None
        if owner is not None and len(owner) > 2:
            return owner.to_text(omit_final_dot=True).lower()
        name = name.parent()
    return None


async def name_servers(resolver: dns.asyncresolver.Resolver | None, zone: str) -> list[NameServer]:
    """Find every address of every name server of a zone; none if the resolver does not tell."""
    response = await _ask(resolver, dns.name.from_text(zone), dns.rdatatype.NS)
    names = sorted(
        {
            record.target
            for rrset in (response.answer if response else [])
            if rrset.rdtype == dns.rdatatype.NS
            for record in rrset
        }
    )
    found = await asyncio.gather(*(_addresses(resolver, name) for name in names))
    by_address = {server.address: server for servers in found for server in servers}
    return list(by_address.values())


async def _addresses(
    resolver: dns.asyncresolver.Resolver | None, name: dns.name.Name
) -> list[NameServer]:
    responses = await asyncio.gather(
        _ask(resolver, name, dns.rdatatype.A), _ask(resolver, name, dns.rdatatype.AAAA)
    )
    text = name.to_text(omit_final_dot=True)
    return [
        NameServer(text, record.address)
        for response in responses
        for rrset in (response.answer if response else [])
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        for record in rrset
    ]


async def _ask(
    resolver: dns.asyncresolver.Resolver | None, name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> dns.message.Message | None:
    """Give the resolver's response, be it that there is no such name; None if none came."""
    if resolver is None:
        return None
    try:
        answer = await resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
        return answer.response
    except dns.resolver.NXDOMAIN as error:
        response: dns.message.Message = error.response(name)  # type: ignore[no-untyped-call]
        return response
    except (dns.exception.DNSException, OSError) as error:
        logger.debug("The resolver does not answer for %s %s: %s", name, kind.name, error)
        return None


def _soa_owner(response: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    """Give the owner of the SOA record that a response for a name carries, if it is its zone."""
    if any(rrset.rdtype == dns.rdatatype.CNAME for rrset in response.answer):
        return None  # then the authority section is about the target
    for rrset in [*response.answer, *response.authority]:
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
            return rrset.name
    return None
