"""Resolvers that people really have, as the machine's own, before the world's name servers.

Each is the program of a Debian package, run as a child with nothing but files of the world's
folder. None validates DNSSEC, as the world's zones are not signed, but for an unbound that was told
of one that it should be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Callable

import dns.exception
import dns.message
import dns.query
import dns.rcode

from . import namespace
from .alidns import ADDRESS as API_ADDRESS
from .alidns import HOST as API
from .letsencrypt import ADDRESS as LETSENCRYPT
from .letsencrypt import HOSTS as LETSENCRYPT_HOSTS
from .nameservers import Server
from .resolver import ADDRESS
from .world import ROOT_SERVER, World

BEHIND_DNSMASQ = "127.0.0.55"
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")

HINTS = f""". 3600000 IN NS {ROOT_SERVER[0]}.
{ROOT_SERVER[0]}. 3600000 IN A {ROOT_SERVER[1]}
"""

UNBOUND = f"""
server:
    directory: "{{folder}}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    interface: {ADDRESS}
    outgoing-interface: {ADDRESS}
    access-control: 127.0.0.0/8 allow
    do-ip6: no
    num-threads: 1
    root-hints: "{{hints}}"
    module-config: "iterator"
    do-not-query-localhost: no
    unblock-lan-zones: yes
    local-zone: "test." nodefault
    local-zone: "invalid." nodefault
    local-zone: "localhost." nodefault
remote-control:
    control-enable: no
"""

#: Lets unbound validate a zone, as if the zones above it were signed.
VALIDATING = """
server:
    module-config: "validator iterator"
    trust-anchor: "{zone}. 3600 IN DS {ds}"
"""

BIND = f"""
options {{{{
    directory "{{folder}}";
    managed-keys-directory "{{folder}}";
    pid-file none;
    session-keyfile none;
    listen-on {{{{ {ADDRESS}; }}}};
    listen-on-v6 {{{{ none; }}}};
    query-source address {ADDRESS};
    allow-query {{{{ 127.0.0.0/8; }}}};
    recursion yes;
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
}}}};
controls {{{{ }}}};
zone "." {{{{ type hint; file "{{hints}}"; }}}};
"""

RECURSOR = f"""
daemon=no
disable-syslog=yes
write-pid=no
security-poll-suffix=
setuid=
setgid=
socket-dir=.
hint-file={{hints}}
local-address={ADDRESS}
query-local-address={ADDRESS}
allow-from=127.0.0.0/8
dont-query=
export-etc-hosts=no
serve-rfc1918=no
dnssec=off
threads=1
"""

DNSMASQ = f"""
no-daemon
no-resolv
no-hosts
bind-interfaces
listen-address={ADDRESS}
server={BEHIND_DNSMASQ}
log-facility=-
"""


class RealResolver:
    """One such program. `name` says which (see KINDS)."""

    def __init__(self, world: World, name: str, more: str = "") -> None:
        self._folder = world.folder / name
        self._folder.mkdir()
        self._log = self._folder / "log"
        program, template, command = KINDS[name]
        path = find(program)
        if path is None:
            raise FileNotFoundError(f"{program} is not on this machine")
        hints = self._write("hints", HINTS)
        conf = self._write(
            "recursor.conf", template.format(folder=self._folder, hints=hints) + more
        )
        # A copy, as AppArmor may keep the program at its own place to its own files.
        copy = Path(shutil.copy(path, self._folder / program))
        world.scan.exempt.add(copy)
        self._command = [str(copy), *command(conf)]

    def start(self) -> None:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )
        self._wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _wait(self, seconds: float = 20.0) -> None:
        """Until it answers."""
        end = time.monotonic() + seconds
        question = dns.message.make_query("com", "NS")
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(OSError, dns.exception.DNSException):
                reply = dns.query.udp(question, ADDRESS, timeout=0.3)
                if reply.rcode() == dns.rcode.NOERROR and reply.answer:
                    return
            time.sleep(0.02)
        self.stop()
        raise AssertionError(f"{self._command} does not answer:\n{self._log.read_text()}")

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        return path


KINDS: dict[str, tuple[str, str, Callable[[Path], Sequence[str]]]] = {
    "unbound": ("unbound", UNBOUND, lambda conf: ("-d", "-c", str(conf))),
    "BIND": ("named", BIND, lambda conf: ("-g", "-c", str(conf))),
    "dnsmasq": ("dnsmasq", DNSMASQ, lambda conf: (f"--conf-file={conf}",)),
    "PowerDNS Recursor": (
        "pdns_recursor",
        RECURSOR,
        lambda conf: (f"--config-dir={conf.parent}",),
    ),
}


def find(program: str) -> str | None:
    """Where a program is, also for users whose path does not lead there."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *SYSTEM_FOLDERS]
    return shutil.which(program, path=os.pathsep.join(folders))


def replace_resolver(world: World, name: str, more: str = "") -> RealResolver:
    """Let a real resolver be the machine's, instead of the world's own; by it the API and
    Let's Encrypt are found, too. `more` is added to its configuration."""
    world.resolver.behave("missing")
    aliyuncs = world.add_zone("aliyuncs.com", [Server(lag=0.0)], hosted=False)
    aliyuncs.add(API.partition(".")[0], API_ADDRESS, "A")
    letsencrypt = world.add_zone("letsencrypt.org", [Server(lag=0.0)], hosted=False)
    for host in LETSENCRYPT_HOSTS:
        letsencrypt.add(host[: -len(".letsencrypt.org")], LETSENCRYPT, "A")
    if name == "dnsmasq":
        world.resolver.open_desk(BEHIND_DNSMASQ)
    namespace.add_address(ADDRESS)  # BIND listens where an interface has an address, alone
    made = RealResolver(world, name, more)
    made.start()
    world.at_the_end.append(made.stop)
    return made
