"""What the command ``certbot-dns-aliyun`` takes on its command line."""

from __future__ import annotations

import argparse
import re
from typing import Any

from certbot_dns_aliyun.dns_aliyun import DEFAULT_PROPAGATION_SECONDS, DEFAULT_WAIT_LIMIT

_EXIT = """\
exit status:
  0  all is well
  1  something is not
  2  wrong usage, or a credentials file that cannot be read
"""

_POLICY = """\
example:
  certbot-dns-aliyun policy -d example.com -d '*.example.org' > policy.json

A CNAME at a name's _acme-challenge is followed: the policy is for the zone where the record will
stand. Where the credentials file has sections for several accounts, each gets a policy of its own.

"""

_CHECK = """\
example:
  certbot-dns-aliyun check --credentials /etc/letsencrypt/aliyun.ini -d example.com
  certbot-dns-aliyun check --all

The way of a challenge is gone as in a run, with a TXT record of a value of its own, which is
removed again; the CA is not asked. --all and --cert-name check what `certbot renew` will do, with
the options in Certbot's renewal files; an option that is given here counts more.

"""

_STALE = """\
example:
  certbot-dns-aliyun stale --credentials /etc/letsencrypt/aliyun.ini --zone example.com
  certbot-dns-aliyun stale --credentials /etc/letsencrypt/aliyun.ini -d example.com --remove

Listed are TXT records at _acme-challenge names, of the form of an ACME value (43 characters of
base64url), that nobody has changed for so many days. A certificate that was issued does not need
them any more.

"""


def parser() -> argparse.ArgumentParser:
    """Make the parser; the command's name comes as ``command``."""
    whole = argparse.ArgumentParser(
        prog="certbot-dns-aliyun",
        description="Help for Certbot's plugin for Alibaba Cloud DNS, without a certificate.",
        epilog=_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True)

    policy = _command(
        commands, "policy", "print the least RAM policy with which names can be validated", _POLICY
    )
    _add_names(policy)
    policy.add_argument(
        "--add-and-delete-only",
        action="store_true",
        help="for a key that may not read the zones: a record whose id gets lost is not removed",
    )

    check = _command(
        commands, "check", "tell whether a certificate for some names would be issued", _CHECK
    )
    _add_domains(check)
    check.add_argument(
        "--cert-name",
        dest="cert_names",
        metavar="NAME",
        action="append",
        default=[],
        help="a certificate that Certbot renews by this plugin; several by several --cert-name",
    )
    check.add_argument("--all", action="store_true", help="all certificates of that kind")
    _add_folders(check)
    check.add_argument("--logs-dir", metavar="DIR", help="Certbot's; nothing is written there")
    _add_waiting(check)
    check.add_argument(
        "--server",
        metavar="URL",
        help="directory of the CA, whose name CAA records must have (default: Let's Encrypt)",
    )
    check.add_argument("--read-only", action="store_true", help="add no record")

    stale = _command(
        commands, "stale", "list, and remove, validation records that were left long ago", _STALE
    )
    _add_names(stale)
    _add_folders(stale)
    stale.add_argument(
        "--older-than",
        metavar="DAYS",
        type=_days,
        default=7,
        help="days since they were made or changed last (default: %(default)s)",
    )
    stale.add_argument("--remove", action="store_true", help="remove them, zone by zone")
    stale.add_argument("--yes", action="store_true", help="do not ask before that")
    return whole


def _command(commands: Any, name: str, what: str, example: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=example + _EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "--credentials",
        metavar="FILE",
        help="INI file with the access key; without it, the places of Alibaba Cloud's own tools",
    )
    made.add_argument(
        "--resolvers",
        metavar="LIST",
        help="recursive resolvers to ask in place of this machine's own, as in "
        "192.0.2.1,192.0.2.2:5353",
    )
    made.add_argument("--json", action="store_true", help="print JSON, for machines")
    made.add_argument(
        "-v", "--verbose", action="count", default=0, help="tell more on standard error; -vv: all"
    )
    return made


def _add_names(to: argparse.ArgumentParser) -> None:
    _add_domains(to)
    to.add_argument(
        "--zone",
        dest="zones",
        metavar="ZONE",
        action="append",
        default=[],
        help="a zone as it is in the console, without a look at DNS",
    )


def _add_domains(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "-d",
        "--domain",
        dest="domains",
        metavar="NAME",
        action="append",
        default=[],
        help="a name as for Certbot, wildcards too; several by commas, or by several -d",
    )


def _add_waiting(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--name-servers",
        metavar="LIST",
        help="name servers to ask for the records in place of the zone's own",
    )
    to.add_argument(
        "--wait-for",
        choices=("all", "alidns", "nothing"),
        help="which name servers must serve the records (default: all)",
    )
    to.add_argument(
        "--wait-limit",
        metavar="SECONDS",
        type=_seconds,
        help=f"for name servers that do not serve the records yet (default: {DEFAULT_WAIT_LIMIT})",
    )
    to.add_argument(
        "--propagation-seconds",
        metavar="SECONDS",
        type=_seconds,
        help=f"where name servers cannot be asked (default: {DEFAULT_PROPAGATION_SECONDS})",
    )


def _add_folders(to: argparse.ArgumentParser) -> None:
    to.add_argument("--config-dir", metavar="DIR", help="Certbot's configuration folder")
    # Whoever gives Certbot both may give both here.
    to.add_argument("--work-dir", metavar="DIR", help="Certbot's; nothing of the plugin is there")


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 24 * 60 * 60:
        raise argparse.ArgumentTypeError("must be a whole number of seconds, from 0 to 86400")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < 36500:
        raise argparse.ArgumentTypeError("must be a number of days, 0 or more")
    return days
