"""The world: API, name servers, resolver, CA and certbot, tied together."""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Union

from dnslib import NS, QTYPE, RR

from . import letsencrypt, namespace
from .alidns import ADDRESS, HOST, AlidnsServer
from .answers import address_rr, enclosing
from .ca import Ca, certificates, pebble
from .certbot import Argument, Certbot, Outcome, find_venv
from .letsencrypt import LetsEncrypt
from .nameservers import NameServers, Server
from .questions import Query
from .ram import Key, zone_policy
from .records import Records, Zone
from .resolver import ADDRESS as RESOLVER_ADDRESS
from .resolver import Resolver
from .scan import Scan
from .webserver import LoopThread

ROOT_SERVER = ("a.root-servers.net", "127.0.0.201")
TLD_SERVER = ("a.gtld-servers.net", "127.0.0.202")
Zones = Union[Sequence[str], Mapping[str, Sequence[Server]]]


class World:
    """`with World() as world:` is a world with the zone example.com on two name servers and
    `world.key`, which may do the three record actions there. `lags`, `rtt` and `loss` are for
    name servers that are not given one by one; `rtt` and `loss` for the root's and top-level
    domains', too."""

    def __init__(
        self,
        zones: Zones = ("example.com",),
        keys: Sequence[Key] = (),
        *,
        certbot: str | None = None,
        folder: Path | None = None,
        lags: Sequence[float] = (0.2, 0.2),
        rtt: float = 0.0,
        loss: float = 0.0,
        ca_validates: bool = True,
        ca_rejects_nonces: int = 0,
        api_in_hosts_file: bool = False,
        **api: Any,
    ) -> None:
        namespace.enter()
        self._own_folder = None if folder else tempfile.TemporaryDirectory(prefix="world-")
        self.folder = folder or Path(self._own_folder.name if self._own_folder else "")
        self.lags = lags
        self._way: dict[str, Any] = {"rtt": rtt, "loss": loss}
        self.records = Records()
        self.nameservers = NameServers()
        hosts = {HOST: ADDRESS, "localhost": "127.0.0.1"}
        hosts.update(dict.fromkeys(letsencrypt.HOSTS, letsencrypt.ADDRESS))
        self.resolver = Resolver(self.nameservers, hosts)
        self.loop = LoopThread()
        self.alidns = AlidnsServer(self.loop, self.records, tls_context(HOST), **api)
        self.scan = Scan(self._secrets, self.alidns.signatures)
        self.scan.watch_folder(self.folder)
        self.more_secrets: list[Callable[[], Iterable[str]]] = []
        self.at_the_end: list[Callable[[], None]] = []
        self.leaves_records = False
        self.asks_for_cnames = False
        self.began = time.monotonic()
        self._hosts = namespace.HOSTS + (f"{ADDRESS} {HOST}\n" if api_in_hosts_file else "")
        self._certbot_version = certbot
        self._ca_options = (not ca_validates, ca_rejects_nonces)
        self._contents: list[Zone] = []
        self._letsencrypt: LetsEncrypt | None = None
        self._start_parents()
        servers = zones if isinstance(zones, Mapping) else dict.fromkeys(zones, ())
        for name in sorted(servers, key=lambda name: name.count(".")):
            self.add_zone(name, servers[name])
        self.keys = [self.add_key(key) for key in keys or [Key(zone_policy(*servers))]]
        self.key = self.keys[0]

    def __enter__(self) -> World:
        namespace.write_hosts(self._hosts)
        self.resolver.start()
        self.alidns.listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if error is None:
            self.check()
        if self._own_folder:
            self._own_folder.cleanup()

    def stop(self) -> None:
        if "certbot" in self.__dict__:
            self.certbot.stop()
        for stop in self.at_the_end:
            stop()
        if self._letsencrypt:
            self._letsencrypt.stop()
        self.alidns.web.refuse_connections()
        self.loop.stop()
        self.resolver.stop()
        self.nameservers.stop()

    def check(self) -> None:
        """What holds after every test, pass or fail: no record of ours is left, no stranger's
        is lost, no validation name was asked of the resolver, no secret is anywhere."""
        assert not self.alidns.broken, f"the API server itself failed: {self.alidns.broken}"
        broken = self.nameservers.wire.broken
        assert not broken, f"a name server itself failed: {broken}"
        if not self.leaves_records:
            assert not self.records.left(), f"left behind: {self.records.left()}"
        assert not self.records.lost(), f"strangers' records removed: {self.records.lost()}"
        early = [query for query in self.resolver.queries if _asks_too_early(query)]
        if self.asks_for_cnames:  # where nobody else can be asked, and the API has refused
            early = [query for query in early if query.type != "CNAME"]
        assert not early, f"the resolver was asked for validation names: {early}"
        self.scan.check()

    # What is in it

    def add_zone(
        self,
        name: str,
        servers: Sequence[Server] = (),
        delegate: bool = True,
        hosted: bool = True,
        **more: Any,
    ) -> Zone:
        """A zone at Alidns, or elsewhere (hosted=False); see records.Zone for what more can be
        said. Without `delegate` the parent does not know the servers."""
        zone = Zone(name, **more)
        if hosted:
            self.records.host(zone)
        servers = list(servers) or [Server(lag=lag, **self._way) for lag in self.lags]
        self._serve(zone, servers, delegate)
        return zone

    def tld(self, name: str) -> Zone:
        """A top-level domain's zone, to put records into: a company may have one."""
        return self._tld(name)

    def add_key(self, key: Key) -> Key:
        return self.alidns.add_key(key)

    def credentials_ini(
        self, key: Key | None = None, file: str = "aliyun.ini", **extra: object
    ) -> Path:
        """An INI with the key, and with dns_aliyun_<name> for each `extra`."""
        key = key or self.key
        values = {"access_key": key.id, "access_key_secret": key.secret}
        if key.token:
            values["security_token"] = key.token
        values.update({name: str(value) for name, value in extra.items()})
        lines = [f"dns_aliyun_{name} = {value}\n" for name, value in values.items()]
        return self.write_ini("".join(lines).encode(), file)

    def write_ini(self, data: bytes, file: str = "aliyun.ini", mode: int = 0o600) -> Path:
        """A file that may hold secrets (and that the scan does not search)."""
        path = self.folder / "ini" / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        os.chmod(path, mode)
        self.scan.exempt.add(path)
        return path

    @cached_property
    def ca(self) -> Ca:
        ca = pebble(*self._ca_options)
        self.scan.watch_log(ca.log)
        self._letsencrypt = LetsEncrypt(ca, self.loop, tls_context(*letsencrypt.HOSTS))
        return ca

    @property
    def letsencrypt(self) -> LetsEncrypt:
        """The CA at Let's Encrypt's addresses; `--server` DIRECTORY leads there."""
        assert self.ca
        assert self._letsencrypt
        return self._letsencrypt

    @cached_property
    def certbot(self) -> Certbot:
        return self.new_certbot()

    def new_certbot(self, home: str = "home", version: str | None = None) -> Certbot:
        """A Certbot with folders of its own: another host, so to say."""
        venv = find_venv(version or self._certbot_version)
        folder = self.folder / home
        return Certbot(venv, folder, self.ca.url, self.ca.bundle, self._check_outcome)

    def issue(self, *names: str, options: Iterable[Argument] = (), **more: Any) -> Outcome:
        """`certbot certonly` through the plugin for some names."""
        return self.certbot.run(*self.certonly(*names), *options, **more)

    def certonly(self, *names: str, ini: Path | None = None) -> list[Argument]:
        ini = ini or self.credentials_ini()
        command: list[Argument] = ["certonly", "-a", "dns-aliyun"]
        command += ["--dns-aliyun-credentials", ini]
        return command + [word for name in names for word in ("-d", name)]

    @property
    def all_zones(self) -> list[Zone]:
        """Every zone below the top-level domains, wherever it is hosted."""
        return list(self._contents)

    @property
    def slowest_lag(self) -> float:
        """How far behind the slowest name server of any zone is."""
        all_servers = [each for many in self.nameservers.delegations.values() for each in many]
        return max(each.slowest for each in all_servers if each.behaviour == "ok")

    def hide_behind(self, apex: str, servers: Sequence[Server]) -> None:
        """Let certbot's resolver name other servers of a zone than the registry does; the CA
        sees what the registry says."""
        names = [RR(apex, QTYPE.NS, rdata=NS(server.name), ttl=60) for server in servers]
        self.resolver.lie(apex, "NS", *names)
        for server in servers:
            self.resolver.lie(server.name, "A", address_rr(server.name, server.address))

    # How it hangs together

    def _serve(self, zone: Zone, servers: Sequence[Server], delegate: bool) -> None:
        self._contents.append(zone)
        self._contents += [each.content for each in servers if each.content is not None]
        self.nameservers.serve(zone, servers)
        names = list(dict.fromkeys(server.name for server in servers))
        for each in [zone, *(server.content for server in servers if server.content)]:
            each.ns_names = names
        self._tell_addresses(servers)
        if delegate:
            self._delegate(zone.apex, servers)

    def _delegate(self, apex: str, servers: Sequence[Server]) -> None:
        self.nameservers.delegations[apex] = list(servers)
        parent = self._parent(apex)
        rr = apex if not parent.apex else apex[: -len(parent.apex) - 1]
        for name in dict.fromkeys(server.name for server in servers):
            parent.add(rr, name, "NS", ttl=86400)
        self._tell_addresses(servers, parent)

    def _tell_addresses(self, servers: Sequence[Server], parent: Zone | None = None) -> None:
        for server in servers:
            holders = [parent] if parent else [self._tld(server.name), *self._around(server.name)]
            for holder in holders:
                known = holder.glue.setdefault(server.name.lower(), [])
                if server.address not in known:
                    known.append(server.address)

    def _around(self, name: str) -> list[Zone]:
        zone = enclosing(self._contents, name)
        return [zone] if zone else []

    def _parent(self, apex: str) -> Zone:
        delegated = [
            zone
            for zone in self._contents
            if zone.apex in self.nameservers.delegations and zone.apex != apex
        ]
        return enclosing(delegated, apex) or self._tld(apex)

    def _tld(self, name: str) -> Zone:
        tld = name.rpartition(".")[2]
        if tld not in self._tlds:
            zone = self._tlds[tld] = Zone(tld)
            zone.ns_names = [TLD_SERVER[0]]
            zone.glue = {TLD_SERVER[0]: [TLD_SERVER[1]]}
            self._tld_server.zones.append(zone)
            self._root.add(tld, TLD_SERVER[0], "NS", ttl=86400)
            self.nameservers.delegations[tld] = [self._tld_server]
        return self._tlds[tld]

    def _start_parents(self) -> None:
        self._tlds: dict[str, Zone] = {}
        self._root = Zone("")
        self._root.ns_names = [ROOT_SERVER[0]]
        self._root.glue = {name: [address] for name, address in (ROOT_SERVER, TLD_SERVER)}
        root, self._tld_server = (
            Server(lag=0.0, name=name, address=address, **self._way)
            for name, address in (ROOT_SERVER, TLD_SERVER)
        )
        self.nameservers.serve(self._root, [root])
        self.nameservers.start(self._tld_server)
        self.nameservers.delegations[""] = [root]
        self._tld("net").glue = dict(self._root.glue)

    def _secrets(self) -> list[str]:
        words = [word for key in list(self.alidns.keys.values()) for word in key.secrets]
        return words + [word for more in self.more_secrets for word in more()]

    def _check_outcome(self, outcome: Outcome) -> None:
        self.scan.check(outcome.stdout, outcome.stderr, outcome.log_text)


def tls_context(*hosts: str, authority: Any = None) -> ssl.SSLContext:
    """A server's context with a certificate for some hosts, of the world's own authority
    (which certbot trusts) or of another."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    present_certificate(context, *hosts, authority=authority)
    return context


def present_certificate(
    context: ssl.SSLContext, *hosts: str, authority: Any = None, **more: Any
) -> None:
    """Show another certificate to new connections; `more` is for trustme's issue_cert."""
    (authority or certificates()).issue_cert(*hosts, **more).configure_cert(context)


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for something to become true, and give it back."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"did not happen within {seconds} s")


def _asks_too_early(query: Query) -> bool:
    return query.server == RESOLVER_ADDRESS and query.name.startswith("_acme-challenge.")
