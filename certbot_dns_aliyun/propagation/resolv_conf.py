"""Which resolvers the machine asks, and how: /etc/resolv.conf, read as glibc reads it.

Line by line, and what makes no sense is passed over: one odd line takes no resolver away
(resolv.conf(5); resolv/res_init.c in glibc).
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

PATH = Path("/etc/resolv.conf")
#: What is asked where the file names nobody.
_DEFAULT_SERVER = "127.0.0.1"
_MOST_SERVERS = 3  # MAXNS
_LONGEST_TIMEOUT = 30  # RES_MAXRETRANS
_MOST_ATTEMPTS = 5  # RES_MAXRETRY
#: What begins an option's number (atoi).
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]{1,9})")
#: Addresses that stand for this machine, and whence its answers come then.
_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104, nobody listens there


@dataclass(frozen=True)
class ResolvConf:
    """What the file and the environment say.

    :ivar servers: the resolvers' addresses, in the order in which they are asked
    :ivar timeout: seconds for an answer
    :ivar attempts: how often each resolver is asked
    :ivar rotate: whether the questions are spread over the resolvers
    :ivar use_vc: whether they are asked over TCP alone
    :ivar passed_over: what stands where an address should
    """

    servers: tuple[str, ...] = (_DEFAULT_SERVER,)
    timeout: int = 5
    attempts: int = 2
    rotate: bool = False
    use_vc: bool = False
    passed_over: tuple[str, ...] = ()


def read(path: Path = PATH, environment: Mapping[str, str] = os.environ) -> ResolvConf:
    """Read the machine's file; one that is not there or cannot be read says nothing."""
    try:
        text = path.read_bytes().decode("latin-1")
    except OSError as error:
        logger.debug("%s says nothing: %s", path, error)
        text = ""
    conf = parse(text, environment.get("RES_OPTIONS", ""))
    if conf.passed_over:
        logger.debug("In %s, no address: %s", path, ", ".join(map(repr, conf.passed_over)))
    return conf


def parse(text: str, more_options: str = "") -> ResolvConf:
    """Read the text of a file.

    :param more_options: the value of RES_OPTIONS, whose options count after those of the file
    """
    servers: list[str] = []
    passed_over: list[str] = []
    options: list[str] = []
    for line in text.split("\n"):
        # The keyword begins the line, so that comments (# and ;) are none.
        keyword, *fields = re.split("[ \t]+", line.partition("\0")[0])
        if keyword == "nameserver" and any(fields):
            address = _address(fields[0])
            if address is None:
                passed_over.append(fields[0])
            else:
                servers.append(address)
        elif keyword == "options":
            options += fields
    options += re.split("[ \t]+", more_options)
    return ResolvConf(
        servers=tuple(servers[:_MOST_SERVERS]) or (_DEFAULT_SERVER,),
        timeout=_number(options, "timeout:", ResolvConf.timeout, _LONGEST_TIMEOUT),
        attempts=_number(options, "attempts:", ResolvConf.attempts, _MOST_ATTEMPTS),
        rotate=any(option.startswith("rotate") for option in options),
        use_vc=any(option.startswith("use-vc") for option in options),
        passed_over=tuple(passed_over),
    )


def _address(text: str) -> str | None:
    """Read an address in any spelling that inet_aton knows, or one of IPv6 with its scope."""
    try:
        # It takes what stands behind white space for a comment.
        address = "" if re.search(r"\s", text) else socket.inet_ntoa(socket.inet_aton(text))
    except (OSError, UnicodeError):
        address = ""
    if not address:
        bare, _, scope = text.partition("%")
        try:
            socket.inet_pton(socket.AF_INET6, bare)
        except (OSError, UnicodeError):
            return None
        is_of_a_link = ipaddress.IPv6Address(bare).is_link_local
        address = f"{bare}%{scope}" if is_of_a_link and _is_scope(scope) else bare
    return _THIS_MACHINE.get(address, address)


def _is_scope(text: str) -> bool:
    """Tell whether a scope is an interface, by name or number; glibc ignores what is none."""
    if text.isascii() and text.isdigit():
        return 0 < int(text[:12]) < 2**32
    try:
        return bool(socket.if_nametoindex(text))
    except (OSError, ValueError):
        return False


def _number(options: list[str], name: str, default: int, most: int) -> int:
    """Give an option's number, of the last that is given, which is at least 1."""
    given = [option[len(name) :] for option in options if option.startswith(name)]
    if not given:
        return default
    number = _NUMBER.match(given[-1])
    return min(max(int(number[1]) if number else 1, 1), most)
