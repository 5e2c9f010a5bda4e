"""Ask the machine's resolver for zones, name servers and their addresses.

It is never asked for a validation name: it would remember that there is nothing yet, and a CA
behind the same resolver would believe it (RFC 2308, section 5).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
from collections.abc import Iterable, Sequence

import dns.exception
import dns.message
import dns.name
import dns.rdatatype

from certbot_dns_aliyun.propagation import resolv_conf
from certbot_dns_aliyun.propagation.awake import AwakeClock
from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.question import NameServer, text_of
from certbot_dns_aliyun.propagation.resolver import Resolver
from certbot_dns_aliyun.propagation.traffic import Traffic

logger = logging.getLogger(__name__)

#: Seconds that IPv6 addresses may take longer than those of IPv4.
_WAIT_FOR_IPV6 = 2.0
#: How the names begin that it is never asked for, not even on the way to names below.
_VALIDATION_LABEL = b"_acme-challenge"

#: [IPv6 address]:port, address:port or name:port, the port if it is not 53; an IPv6 address alone.
_SERVER = re.compile(r"(?:\[([^]]+)\]|([^]:[]+))(?::([0-9]{1,5}))?|([^][]*:[^][]*:[^][]*)")


class Discovery:
    """The resolver, as far as this plugin asks it. No question is answered twice.

    :param resolvers: addresses and ports of the resolvers to ask; empty for the machine's own
    :ivar traffic: in which all questions of the run are asked
    :ivar clock: by which the run's patience is measured, while somebody lets it tick
    """

    def __init__(self, resolvers: Sequence[tuple[str, int]] = ()) -> None:
        self.traffic = Traffic()
        self.clock = AwakeClock()
        self._resolver = _make_resolver(resolvers, self.traffic)
        self._asked: dict[
            tuple[dns.name.Name, int, bool], asyncio.Task[dns.message.Message | None]
        ] = {}
        self._contacts: dict[tuple[str, int], Contact] = {}

    @property
    def resolvers(self) -> list[str]:
        """Addresses of the resolvers that are asked."""
        return self._resolver.addresses

    def contact(self, server: NameServer) -> Contact:
        """Give what is known of an address, the same for whoever asks it in this run."""
        key = (server.address, server.port)
        return self._contacts.setdefault(key, Contact(server, self.traffic))

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
                return text_of(owner)
            above = above.parent()
        return None

    async def name_servers(self, zone: str) -> list[NameServer]:
        """Find every address of every name server of a zone; none if the resolver does not tell."""
        response = await self._ask(dns.name.from_text(zone), dns.rdatatype.NS)
        names = {
            text_of(record.target)
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

    async def canonical_name(self, name: str) -> str | None:
        """Ask the resolver for the canonical name of a validation name, if a CNAME stands there.

        The one question about such a name that it gets. It is for where no authoritative server
        can be asked, and no record of ours can stand at the name: there is nothing then that the
        resolver could remember too early to be absent.
        """
        owner = dns.name.from_text(name)
        response = await self._resolver.ask(owner, dns.rdatatype.CNAME)
        for rrset in response.answer if response else []:
            if rrset.rdtype == dns.rdatatype.CNAME and rrset.name == owner:
                return text_of(next(iter(rrset)).target)
        return None

    async def _addresses(self, name: str, known: list[str]) -> list[NameServer]:
        known = [address for address in known if _is_of_a_host(address)]
        if not known:
            known = await self._look_addresses_up(name)
        if not known:
            logger.warning("The name server %s has no address that the resolver tells.", name)
        return [NameServer(name, address) for address in known]

    async def _look_addresses_up(self, name: str) -> list[str]:
        target = dns.name.from_text(name)
        ipv6 = asyncio.ensure_future(self._ask(target, dns.rdatatype.AAAA))
        try:
            found = _addresses_in(await self._ask(target, dns.rdatatype.A))
            patience = _WAIT_FOR_IPV6 if found else None
            return found + _addresses_in(await asyncio.wait_for(ipv6, patience))
        except asyncio.TimeoutError:
            logger.debug("No resolver tells in time whether %s has IPv6 addresses", name)
            return found
        finally:
            ipv6.cancel()

    async def look_up(
        self, name: str, kind: dns.rdatatype.RdataType, unchecked: bool = False
    ) -> dns.message.Message | None:
        """Give what the resolver knows of a name that is no validation name; None for no answer.

        :param unchecked: whether it need not pass DNSSEC, where the resolver validates
        """
        return await self._ask(dns.name.from_text(name), kind, unchecked)

    async def _ask(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType, unchecked: bool = False
    ) -> dns.message.Message | None:
        """Give the resolver's response, be it that there is no such name; None if none came."""
        if name.labels[0] == _VALIDATION_LABEL:
            return None
        key = (name, kind, unchecked)
        if key not in self._asked:
            asking = self._resolver.ask(name, kind, unchecked)
            self._asked[key] = asyncio.ensure_future(asking)
        # Who waits may give up; others wait for the same answer.
        response = await asyncio.shield(self._asked[key])
        if response is None:
            self._asked.pop(key, None)
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


def _make_resolver(resolvers: Sequence[tuple[str, int]], traffic: Traffic) -> Resolver:
    if resolvers:
        return Resolver(resolvers, traffic)
    conf = resolv_conf.read()
    return Resolver([(address, 53) for address in conf.servers], traffic, conf)


def _addresses_in(response: dns.message.Message | None) -> list[str]:
    return [
        record.address
        for rrset in (response.answer if response else [])
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        for record in rrset
        if _is_of_a_host(record.address)
    ]


def _is_of_a_host(text: str) -> bool:
    """Tell whether a question may go to an address: it is not for many, nor for this host alone."""
    address = ipaddress.ip_address(text)
    return not (address.is_multicast or address.is_unspecified or text == "255.255.255.255")


def _soa_owner(response: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    """Give the owner of the SOA record that a response for a name carries, if it is its zone."""
    if any(rrset.rdtype == dns.rdatatype.CNAME for rrset in response.answer):
        return None  # then the authority section is about the target
    for rrset in [*response.answer, *response.authority]:
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
            return rrset.name
    return None
