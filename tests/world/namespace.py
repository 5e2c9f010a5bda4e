"""A network of its own for this process.

The product has no switch for tests: it finds alidns.aliyuncs.com on port 443 and name servers
on port 53. So the process moves into a fresh network namespace, where all of 127.0.0.0/8 is its
own, and into a mount namespace, where resolv.conf points to the world's resolver.
Threads and child processes started afterwards are inside too.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_PRIVATE_EVERYWHERE = 0x4000 | 0x40000

RESOLV_CONF = "nameserver 127.0.0.53\noptions timeout:2 attempts:2\n"
HOSTS = f"127.0.0.1 localhost {os.uname().nodename}\n::1 localhost ip6-localhost\n"
NSSWITCH_CONF = "passwd: files\ngroup: files\nhosts: files dns\n"
WITHOUT_ROOT = "run it under `unshare --user --map-root-user --net --mount`"

_inside = False


def explain_unavailable() -> str | None:
    """Why no namespace can be entered on this machine, or None where it can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces need Linux"
    for command in ("ip", "unshare"):
        if shutil.which(command) is None:
            return f"the command `{command}` is missing (apt-get install iproute2 util-linux)"
    if os.geteuid() != 0:
        return f"network namespaces need root; {WITHOUT_ROOT}"
    trial = subprocess.run(
        ["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False
    )
    if trial.returncode:
        return f"no namespace can be made here ({trial.stderr.strip()}); {WITHOUT_ROOT}"
    return None


def enter(resolv_conf: str = RESOLV_CONF, hosts: str = HOSTS) -> None:
    """Move this process into namespaces of its own; later calls do nothing."""
    global _inside
    if _inside:
        return
    if os.geteuid() != 0:
        raise PermissionError(f"network namespaces need root; {WITHOUT_ROOT}")
    _unshare(CLONE_NEWNET | CLONE_NEWNS)
    _mount("none", "/", MS_PRIVATE_EVERYWHERE)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="world-etc-") as folder:
        _replace("/etc/resolv.conf", resolv_conf, folder)
        _replace("/etc/hosts", hosts, folder)
        if os.path.exists("/etc/nsswitch.conf"):
            _replace("/etc/nsswitch.conf", NSSWITCH_CONF, folder)
    _inside = True


def write_hosts(hosts: str = HOSTS) -> None:
    """Change what /etc/hosts says inside."""
    if not _inside:
        raise RuntimeError("enter() comes first")
    Path("/etc/hosts").write_text(hosts)


def write_resolv_conf(data: bytes = RESOLV_CONF.encode()) -> None:
    """Change what /etc/resolv.conf says inside."""
    if not _inside:
        raise RuntimeError("enter() comes first")
    Path("/etc/resolv.conf").write_bytes(data)


@cache
def add_address(address: str) -> None:
    """Give the interface an address, once; an IPv6 address is local only then, whereas all of
    127.0.0.0/8 is local anyway."""
    whole = [f"{address}/128", "nodad"] if ":" in address else [f"{address}/32"]
    command = ["ip", "address", "replace", *whole, "dev", "lo"]
    subprocess.run(command, check=True, capture_output=True)


def _replace(target: str, text: str, folder: str) -> None:
    """Put another file in a file's place, for this mount namespace (which keeps it open)."""
    source = os.path.join(folder, os.path.basename(target))
    Path(source).write_text(text)
    _mount(source, os.path.realpath(target), MS_BIND)


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(ctypes.c_int(flags)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}; {WITHOUT_ROOT}")


def _mount(source: str, target: str, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None)
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {target}: {os.strerror(number)}")
