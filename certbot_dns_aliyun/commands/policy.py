"""``certbot-dns-aliyun policy``: the least RAM policy for some names, ready to paste."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from typing import Any

from certbot import errors

from certbot_dns_aliyun.alidns.policy import ADD_AND_DELETE, ADD_DELETE_AND_LIST, policy_for
from certbot_dns_aliyun.commands import inputs
from certbot_dns_aliyun.commands.places import place_of
from certbot_dns_aliyun.credentials.settings import Settings
from certbot_dns_aliyun.errors import AlidnsError, NotCalled, sentence


@dataclass
class _Found:
    """Zones, sentences about names that have none, and what else should be known."""

    zones: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run(options: argparse.Namespace) -> bool:
    """Print a policy for each account.

    :returns: whether there is one for every name
    :raises inputs.UsageError: for arguments that are of no use
    """
    zones = [inputs.name_of(zone) for zone in options.zones]
    names = inputs.validation_names(options.domains)
    if not names and not zones:
        raise inputs.UsageError("policy needs a name (-d) or a zone (--zone).")
    settings = inputs.settings(options.credentials) if options.credentials else None
    found = _look_up(names, options.resolvers)
    by_account = _by_account(list(dict.fromkeys(zones + found.zones)), settings, found.problems)
    actions = ADD_AND_DELETE if options.add_and_delete_only else ADD_DELETE_AND_LIST
    policies: list[dict[str, Any]] = [
        {"account": account, "zones": some, "policy": policy_for(some, actions)}
        for account, some in by_account.items()
    ]
    if options.json:
        print(json.dumps({"policies": policies, "problems": found.problems}, indent=2))
    else:
        for each in policies:
            if len(policies) > 1:
                whose = f"of section [{each['account']}]" if each["account"] else "of the top"
                where = ", ".join(each["zones"])
                print(f"For the account {whose} of the file: {where}", file=sys.stderr, flush=True)
            print(json.dumps(each["policy"], indent=2), flush=True)
    for text in dict.fromkeys(found.notes + found.problems):
        print(text, file=sys.stderr)
    return not found.problems


def _look_up(names: list[str], resolvers: str) -> _Found:
    found = _Found()
    if not names:
        return found
    dns = inputs.public_dns(resolvers)
    try:
        dns.look_up(names)
        for name in names:
            try:
                place = place_of(dns, name)
            except errors.PluginError as error:
                found.problems.append(str(error))
                continue
            found.zones.append(str(place.zone))
            if place.is_elsewhere:
                servers = ", ".join(sorted({server.name for server in place.servers}))
                found.notes.append(
                    f"None of the name servers of {place.zone} ({servers}) looks like one of "
                    "Alibaba Cloud DNS: if it is served by another provider, the policy for it is "
                    "of no use."
                )
    finally:
        dns.close()
    return found


def _by_account(
    zones: list[str], settings: Settings | None, problems: list[str]
) -> dict[str, list[str]]:
    by_account: dict[str, list[str]] = {}
    for zone in zones:
        account = settings.account_for(zone) if settings else None
        if settings and account is None:
            error = AlidnsError(NotCalled.NO_ACCOUNT, zone=zone)
            problems.append(sentence(f"There is no policy for {zone}", error))
        else:
            by_account.setdefault(account.zone if account else "", []).append(zone)
    return by_account
