"""Ask the machine's resolver for zones, name servers and their addresses.

It is never asked for a name at which a record of ours may come to stand: it would remember that
there is nothing yet, and a CA behind the same resolver would believe it (RFC 2308, section 5).
"""

from __future__ import annotations

import asyncio
import copy
import ipaddress
import logging
import random
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import dns.exception
import dns.message
import dns.name
import dns.rdatatype

from certbot_dns_aliyun.dns01 import LABEL
from certbot_dns_aliyun.names import is_plain
from certbot_dns_aliyun.propagation import resolv_conf
from certbot_dns_aliyun.propagation.awake import AwakeClock
from certbot_dns_aliyun.propagation.budget import (
    MOST_ADDRESSES,
    MOST_ADDRESSES_OF_A_NAME,
    MOST_NAMES,
    Budget,
)
from certbot_dns_aliyun.propagation.contact import Contact
from certbot_dns_aliyun.propagation.listing import listed
from certbot_dns_aliyun.propagation.question import NameServer, text_of
from certbot_dns_aliyun.propagation.resolver import Resolver
from certbot_dns_aliyun.propagation.traffic import Traffic

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that IPv6 addresses may take longer than those of IPv4.
_WAIT_FOR_IPV6 = 2.0
#: Seconds for addresses of name servers of which the registry has told some.
_WAIT_BESIDE_GLUE = 5.0
#: Seconds in which the addresses of a name server are not asked for again that were not told.
_UNTOLD_FOR = 10.0

#: [IPv6 address]:port, address:port or name:port, the port if it is not 53; an IPv6 address alone.
_SERVER = re.compile(r"(?:\[([^]]+)\]|([^]:[]+))(?::([0-9]{1,5}))?|([^][]*:[^][]*:[^][]*)")


class Discovery:
    """The resolver, as far as this plugin asks it. No question is answered twice.

    :param resolvers: addresses and ports of the resolvers to ask; empty for the machine's own
    :ivar traffic: in which all questions of the run are asked
    :ivar clock: by which the run's patience is measured, while somebody lets it tick
    :ivar budget: what is left for the questions that are asked through this object
    """

    def __init__(self, resolvers: Sequence[tuple[str, int]] = ()) -> None:
        self.traffic = Traffic()
        self.clock = AwakeClock()
        self.budget = Budget()
        self._resolver = _make_resolver(resolvers, self.traffic)
        self._asked: dict[
            tuple[dns.name.Name, int, bool], asyncio.Task[dns.message.Message | None]
        ] = {}
        self._hosts: dict[str, asyncio.Task[list[str]]] = {}
        self._contacts: dict[tuple[str, int], Contact] = {}
        self._warned_of: set[str] = set()

    def within(self, budget: Budget) -> Discovery:
        """Give the same, all that is known included, for questions of another budget."""
        limited = copy.copy(self)
        limited.budget = budget
        return limited

    @property
    def resolvers(self) -> list[str]:
        """Addresses of the resolvers that are asked."""
        return self._resolver.addresses

    @property
    def is_resolver_silent(self) -> bool:
        """Whether the resolvers were asked, and nothing has ever come back."""
        return self._resolver.is_silent

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
        return await self.addresses(zone, dict.fromkeys(sorted(names), ()))

    async def addresses(self, zone: str, names: Mapping[str, Iterable[str]]) -> list[NameServer]:
        """Complete the addresses of name servers: those known already, or those that are asked for.

        Of a zone with more name servers than any needs, some are given.

        :param names: the servers' names, each with the addresses that are known; what cannot be
            the name of a host is left out
        """
        known = {n: [a for a in names[n] if _is_of_a_host(a)] for n in names if is_plain(n)}
        chosen = sorted(_some(list(known), MOST_NAMES), key=list(known).index)
        found = await asyncio.gather(*(self._addresses(name, known[name]) for name in chosen))
        unknown = [name for name, servers in zip(chosen, found) if not servers]
        if (unknown or len(chosen) < len(known)) and zone not in self._warned_of:
            self._warned_of.add(zone)
            _warn_of_servers(zone, len(known), len(chosen), unknown)
        by_address = {server.address: server for servers in found for server in servers}
        return _some(list(by_address.values()), MOST_ADDRESSES)

    async def beside_glue(self, servers: Sequence[NameServer]) -> list[NameServer]:
        """Add the addresses that the resolver tells of name servers to those from a referral.

        A registry need not know all of them.
        """
        names = dict.fromkeys(server.name for server in servers)
        asking = [asyncio.ensure_future(self._addresses(name, [])) for name in names]
        try:
            if asking:
                await asyncio.wait(asking, timeout=_WAIT_BESIDE_GLUE)
            told = [server for task in asking if task.done() for server in task.result()]
        finally:
            for task in asking:
                task.cancel()
        by_address = {server.address: server for server in [*servers, *told]}
        return _some(list(by_address.values()), MOST_ADDRESSES)

    async def canonical_name(self, name: str) -> str | None:
        """Ask the resolver for the canonical name of a validation name, if a CNAME stands there.

        The one question about such a name that it gets. It is for where no authoritative server
        can be asked, and no record of ours can stand at the name: there is nothing then that the
        resolver could remember too early to be absent.
        """
        owner = dns.name.from_text(name)
        response = None
        if self.budget.take_question():
            response = await self._resolver.ask(owner, dns.rdatatype.CNAME)
        for rrset in response.answer if response else []:
            if rrset.rdtype == dns.rdatatype.CNAME and rrset.name == owner:
                return text_of(next(iter(rrset)).target)
        return None

    async def _addresses(self, name: str, known: list[str]) -> list[NameServer]:
        if not known:
            if name not in self._hosts and self.budget.take_host():
                self._hosts[name] = asyncio.ensure_future(self._look_addresses_up(name))
                self._hosts[name].add_done_callback(lambda task: self._forget_soon(name, task))
            # Who waits may give up; others wait for the same addresses.
            known = await asyncio.shield(self._hosts[name]) if name in self._hosts else []
        return [NameServer(name, address) for address in _some(known, MOST_ADDRESSES_OF_A_NAME)]

    def _forget_soon(self, name: str, task: asyncio.Task[list[str]]) -> None:
        if task.cancelled() or not task.result():
            asyncio.get_running_loop().call_later(_UNTOLD_FOR, self._hosts.pop, name, None)

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
        if name.labels[0] == LABEL.encode():  # not even on the way to names below it
            return None
        key = (name, kind, unchecked)
        if key not in self._asked:
            if not self.budget.take_question():
                return None
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


def _some(all_of_them: list[T], count: int) -> list[T]:
    """Give all, or some by chance if there are more: nobody can tell which ones those are."""
    return all_of_them if len(all_of_them) <= count else random.sample(all_of_them, count)


def _warn_of_servers(zone: str, count: int, asked: int, untold: list[str]) -> None:
    if asked < count:
        logger.warning("%s names %d name servers; %d of them are asked.", zone, count, asked)
    if untold:
        which = "a name server" if len(untold) == 1 else "name servers"
        logger.warning(
            "The resolver tells no address of %s, %s of %s.", listed(untold), which, zone
        )


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
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address  # as which it would be reached
    is_for_many = address.is_multicast or str(address) == "255.255.255.255"
    return not (is_for_many or address.is_unspecified)


def _soa_owner(response: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    """Give the owner of the SOA record that a response for a name carries, if it is its zone."""
    if any(rrset.rdtype == dns.rdatatype.CNAME for rrset in response.answer):
        return None  # then the authority section is about the target
    for rrset in [*response.answer, *response.authority]:
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
            return rrset.name
    return None
