"""What was given on the command line, checked and made into what the plugin's parts take."""

from __future__ import annotations

import os
from collections.abc import Iterable

from certbot import errors
from certbot.compat import misc

from certbot_dns_aliyun.credentials import settings as credentials
from certbot_dns_aliyun.credentials.settings import Settings
from certbot_dns_aliyun.dns01 import LABEL
from certbot_dns_aliyun.names import is_domain, is_possible, normalize, to_ascii
from certbot_dns_aliyun.propagation.public_dns import PublicDns


class UsageError(Exception):
    """Something on the command line, or the credentials file that it names, is of no use."""


def validation_names(domains: Iterable[str]) -> list[str]:
    """Give the validation names of what ``-d`` names, each once.

    :raises UsageError: for what is no domain name
    """
    texts = [text.strip() for each in domains for text in each.split(",") if text.strip()]
    names = [name_of(text[2:] if text.startswith("*.") else text) for text in texts]
    return list(dict.fromkeys(f"{LABEL}.{name}" for name in names))


def name_of(text: str) -> str:
    """Give a domain name as DNS has it.

    :raises UsageError: if it is none
    """
    try:
        name = normalize(to_ascii(text))
    except UnicodeError:
        name = ""
    if not is_domain(name) or not is_possible(f"{LABEL}.{name}"):
        raise UsageError(f"{text!a} is not a domain name.")
    return name


def settings(file: str | None) -> Settings:
    """Read the credentials.

    :param file: the INI file; None for the default chain
    :raises UsageError: if there are none, or they cannot be read
    """
    try:
        return credentials.load(os.path.expanduser(file)) if file else credentials.without_file()
    except errors.PluginError as error:
        raise UsageError(str(error)) from None


def public_dns(resolvers: str | None, name_servers: str = "") -> PublicDns:
    """Make what is to be asked about public DNS; it has to be closed.

    :param resolvers: a list of resolvers; empty for the machine's own
    :param name_servers: a list of those to ask for records; empty for each zone's own
    :raises UsageError: if one lists something else
    """
    try:
        return PublicDns.of_lists(resolvers or "", name_servers)
    except errors.PluginError as error:
        raise UsageError(str(error)) from None


def folder(given: str | None, kind: str) -> str:
    """Give Certbot's folder of a kind, "config" or "work"."""
    return given or misc.get_default_folder(kind)
