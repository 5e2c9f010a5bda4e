"""Ask the machine's resolver for zones, name servers and their addresses.

It is never asked for a validation name: it would remember that there is nothing yet, and a CA
behind the same resolver would believe it (RFC 2308, section 5).
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import time
from collections.abc import Iterable, Sequence

import dns.asyncresolver
import dns.exception
import dns.inet
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.propagation.traffic import Traffic

logger = logging.getLogger(__name__)

#: Seconds for one answer of the resolver, all its servers and repetitions together.
_LIFETIME = 5.0
#: Seconds for one of its servers, before the next one is asked.
_TIMEOUT = 1.0
#: Seconds after which the resolver is asked again for an address, when it has failed.
_PAUSES = (1.0, 2.0, 0.0)
#: How the names begin that it is never asked for, not even on the way to names below.
_VALIDATION_LABEL = b"_acme-challenge"

#: [IPv6 address]:port, address:port or name:port, the port if it is not 53; an IPv6 address alone.
_SERVER = re.compile(r"(?:\[([^]]+)\]|([^]:[]+))(?::([0-9]{1,5}))?|([^][]*:[^][]*:[^][]*)")


class Discovery:
    """The resolver, as far as this plugin asks it. No question is answered twice.

    :param resolvers: addresses and ports of the resolvers to ask; empty for the machine's own
    :ivar traffic: in which all questions of the run are asked
    """

    def __init__(self, resolvers: Sequence[tuple[str, int]] = ()) -> None:
        self.traffic = Traffic()
        self._resolver = _make_resolver(resolvers)
        self._asked: dict[tuple[dns.name.Name, int], asyncio.Task[dns.message.Message | None]] = {}
        self._has_answered = False
        #: Monotonic time until which a resolver that has never answered is not asked again.
        self._left_alone_until = 0.0

    async def zone_of(self, name: str) -> str | None:
        """Find the zone of the name above a validation name, by SOA records (RFC 1034, 4.2.1).

        :returns: the zone's apex; None if there is none but a top-level domain, or no answer
        """
        try:
            above = dns.name.from_text(name).parent()
        except dns.exception.DNSException:  # longer than a name may be
            return None
        while len(above) > 2:
            response = await self._ask(above, dns.rdatatype.SOA)
            owner = _soa_owner(response, above) if response else None
            if owner is not None and len(owner) > 2:
                return _text(owner)
            above = above.parent()
        return None

    async def name_servers(self, zone: str) -> list[NameServer]:
        """Find every address of every name server of a zone; none if the resolver does not tell."""
        response = await self._ask(dns.name.from_text(zone), dns.rdatatype.NS)
        names = {
            _text(record.target)
            for rrset in (response.answer if response else [])
            if rrset.rdtype == dns.rdatatype.NS
            for record in rrset
        }
        return await self.addresses(dict.fromkeys(sorted(names), ()))

    async def addresses(self, names: dict[str, Iterable[str]]) -> list[NameServer]:
        """Complete the addresses of name servers: those known already, or those that are asked for.

        :param names: the servers' names, each with the addresses that are known
        """
        found = await asyncio.gather(*(self._addresses(n, list(a)) for n, a in names.items()))
        by_address = {server.address: server for servers in found for server in servers}
        return list(by_address.values())

    async def _addresses(self, name: str, known: list[str]) -> list[NameServer]:
        target = dns.name.from_text(name)
        for pause in _PAUSES:
            if known:
                break
            responses = await asyncio.gather(
                self._ask(target, dns.rdatatype.A), self._ask(target, dns.rdatatype.AAAA)
            )
            known = [
                record.address
                for response in responses
                for rrset in (response.answer if response else [])
                if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
                for record in rrset
            ]
            if None not in responses or not self._has_answered:
                break
            # The resolver failed: a server that is left out now is one that the CA may still ask.
            await asyncio.sleep(pause)
        if not known:
            logger.warning("The name server %s has no address that the resolver tells.", name)
        return [NameServer(name, address) for address in known]

    async def _ask(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> dns.message.Message | None:
        """Give the resolver's response, be it that there is no such name; None if none came."""
        if name.labels[0] == _VALIDATION_LABEL:
            return None
        if (name, kind) not in self._asked:
            self._asked[name, kind] = asyncio.ensure_future(self._resolve(name, kind))
        # Who waits may give up; others wait for the same answer.
        response = await asyncio.shield(self._asked[name, kind])
        if response is None:
            self._asked.pop((name, kind), None)
        return response

    def _prefer(self, server: str | None) -> None:
        """Ask the server that has answered first from now on: one before it may be dead."""
        servers = self._resolver.nameservers if self._resolver else []
        first = next((s for s in servers if server in (s, getattr(s, "address", None))), None)
        if self._resolver and first is not None and servers[0] is not first:
            self._resolver.nameservers = [first, *(s for s in servers if s is not first)]

    async def _resolve(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> dns.message.Message | None:
        if self._resolver is None or time.monotonic() < self._left_alone_until:
            return None
        response: dns.message.Message
        try:
            async with self.traffic:
                answer = await self._resolver.resolve(
                    name, kind, raise_on_no_answer=False, search=False
                )
            response = answer.response
            self._prefer(answer.nameserver)
        except dns.resolver.NXDOMAIN as error:
            response = error.response(name)  # type: ignore[no-untyped-call]
        except (dns.exception.DNSException, OSError) as error:
            if isinstance(error, dns.exception.Timeout) and not self._has_answered:
                self._left_alone_until = time.monotonic() + _LIFETIME
            logger.debug("The resolver does not answer for %s %s: %s", name, kind.name, error)
            return None
        self._has_answered, self._left_alone_until = True, 0.0
        return response


def parse_servers(text: str) -> list[tuple[str, int]]:
    """Read a list of servers, ``192.0.2.1, [2001:db8::1]:5353, dns.example:53``.

    :returns: address and port of each
    :raises ValueError: if one of them is none, or its name has no address
    """
    servers = []
    for item in text.replace(",", " ").split():
        match = _SERVER.fullmatch(item)
        host, port = (match[1] or match[2] or match[4], match[3] or "53") if match else ("", "0")
        if not 0 < int(port) < 65536:
            raise ValueError(item)
        try:
            found = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            raise ValueError(item) from None
        servers += [(str(address[0]), int(port)) for *_, address in found]
    if not servers:
        raise ValueError(text)
    return servers


def _make_resolver(
    resolvers: Sequence[tuple[str, int]],
) -> dns.asyncresolver.Resolver | None:
    try:
        resolver = dns.asyncresolver.Resolver(configure=not resolvers)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        logger.debug("No resolver: %s", error)
        return None
    if resolvers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in resolvers]
    resolver.timeout, resolver.lifetime = _TIMEOUT, _LIFETIME
    return resolver


def _soa_owner(response: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    """Give the owner of the SOA record that a response for a name carries, if it is its zone."""
    if any(rrset.rdtype == dns.rdatatype.CNAME for rrset in response.answer):
        return None  # then the authority section is about the target
    for rrset in [*response.answer, *response.authority]:
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
            return rrset.name
    return None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
