"""What the credentials file says, checked: which access key is for which zones, at which host."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass

from certbot import errors

from certbot_dns_aliyun.credentials import default_chain, ini_file, kinds, likeness
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource, is_key_text
from certbot_dns_aliyun.credentials.kinds import PREFIX
from certbot_dns_aliyun.names import is_domain, is_within, to_ascii

logger = logging.getLogger(__name__)

#: https://help.aliyun.com/en/dns/api-alidns-2015-01-09-endpoint
DEFAULT_ENDPOINT = "alidns.aliyuncs.com"

#: The setting that lists names which CNAMEs may lead to, whoever sets them.
TARGETS = "delegation_targets"

_KNOWN = frozenset(PREFIX + name for name in {*kinds.SETTINGS, *kinds.ALIASES, "endpoint", TARGETS})

#: What a setting must look like, and an example or a description of it.
#: https://help.aliyun.com/document_detail/371864.html
_FORMS = {
    "role_arn": (r"acs:ram::[0-9]+:role/\S+", "acs:ram::1234567890123456:role/certbot"),
    "oidc_provider_arn": (
        r"acs:ram::[0-9]+:oidc-provider/\S+",
        "acs:ram::1234567890123456:oidc-provider/ack-rrsa",
    ),
    "oidc_token_file": (r"/.*", "/var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token"),
    "role_session_name": (r"[A-Za-z0-9.@_-]{2,64}", "2 to 64 letters, digits, and . @ - _"),
    "external_id": (r"[A-Za-z0-9_+=,.@:/-]{2,1224}", "2 to 1224 letters, digits, and _+=,.@:/-"),
    "credentials_uri": kinds.URI_FORM,
}

#: Lines that a refusal names at the most.
_HINTS = 3

_HOST_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_HOST_LABEL}(\.{_HOST_LABEL})*(:[0-9]{{1,5}})?", re.ASCII)


@dataclass(frozen=True)
class Account:
    """The credentials for a zone and what is below it.

    :param zone: the zone; empty for all that have no account of their own
    :param source: gives the access key for each call
    :param endpoint: host of the API, with a port after a colon if it is not 443
    :param targets: names that CNAMEs may lead to, though something else stands there or another
        section covers where they come from; ``*.example`` for all below ``example``
    :param where: the file, and the section in it; empty if there is none
    """

    zone: str
    source: KeySource
    endpoint: str = DEFAULT_ENDPOINT
    targets: tuple[str, ...] = ()
    where: str = ""

    def lists(self, name: str) -> bool:
        """Tell whether a name is one of the targets."""
        return any(
            name.endswith(target[1:]) if target.startswith("*.") else name == target
            for target in self.targets
        )


@dataclass(frozen=True)
class Settings:
    """What a credentials file sets: one account or several."""

    accounts: list[Account]

    def account_for(self, zone: str) -> Account | None:
        """Give the account for a zone: the one that was set for the longest part of its name."""
        fitting = [a for a in self.accounts if not a.zone or is_within(zone, a.zone)]
        return max(fitting, key=lambda account: len(account.zone), default=None)


def without_file() -> Settings:
    """Give the account of the default chain.

    :raises errors.PluginError: if there are no credentials in it
    """
    return Settings([Account("", default_chain.find())])


def load(path: str) -> Settings:
    """Read and check a credentials file.

    :raises errors.PluginError: for a file that cannot be used; names the file and the key at fault
    """
    top, *sections = ini_file.read(path)
    settings = _settings(path, path, top)
    targets = _targets(path, settings, "")
    if targets and not settings:
        raise errors.PluginError(
            f"{PREFIX}{TARGETS} stands before the first section of {path}, where there are no "
            "credentials; put it into the section whose zone the names are in."
        )
    endpoint = _endpoint(path, settings.pop("endpoint", DEFAULT_ENDPOINT))
    accounts = []
    if settings:
        accounts.append(Account("", _source(settings, path, [top]), endpoint, targets, path))
    for section in sections:
        if _is_account(section):
            accounts.append(_account_of_section(path, section, endpoint))
    if not accounts:
        raise errors.PluginError(
            f"{PREFIX}access_key and {PREFIX}access_key_secret are missing in {path}; "
            f"set them to the id and the secret of an access key.{_hints([top, *sections])}"
        )
    for account in accounts:
        if [other.zone for other in accounts].count(account.zone) > 1:
            raise errors.PluginError(f"{path} has two sections for {account.zone}; keep one.")
    for section in [top, *sections]:
        _warn_of_unknown_keys(path, section)
    return Settings(accounts)


def _is_account(section: ini_file.Section) -> bool:
    is_zone = is_domain(_zone(section))
    return any(
        key in _KNOWN or likeness.is_ours(key) or (is_zone and likeness.meant(key))
        for key in section.settings
    )


def _zone(section: ini_file.Section) -> str:
    try:
        return to_ascii(section.name).rstrip(".")
    except UnicodeError:
        return ""


def _account_of_section(path: str, section: ini_file.Section, endpoint: str) -> Account:
    zone = _zone(section)
    if not is_domain(zone):
        raise errors.PluginError(
            f"Line {section.line} of {path} opens a section that is not named by a domain; remove "
            "that line if its credentials are for all zones, or name it by the zone that they are "
            "for, as in [example.com]."
        )
    where = f"section [{zone}] of {path}"
    settings = _settings(path, where, section)
    targets = _targets(where, settings, zone)
    endpoint = _endpoint(where, settings.pop("endpoint", endpoint))
    return Account(zone, _source(settings, where, [section]), endpoint, targets, where)


def _targets(where: str, settings: dict[str, str], zone: str) -> tuple[str, ...]:
    """Take the names that CNAMEs may lead to out of settings."""
    names = settings.pop(TARGETS, "").replace(",", " ").split()
    targets = tuple(map(_target, names))
    for name, target in zip(names, targets):
        bare = target[2:] if target.startswith("*.") else target
        if not is_domain(bare):
            raise errors.PluginError(
                f"{PREFIX}{TARGETS} in {where} lists something that is no name; list names as in "
                "shop.acme.example.net, *.acme.example.net."
            )
        if zone and not is_within(bare, zone):
            raise errors.PluginError(
                f"{PREFIX}{TARGETS} in {where} lists {name}, which is not in {zone}; put it into "
                "the section whose zone it is in."
            )
    return targets


def _target(name: str) -> str:
    try:
        return to_ascii(name).rstrip(".")
    except UnicodeError:
        return ""


def _source(settings: dict[str, str], where: str, sections: list[ini_file.Section]) -> KeySource:
    try:
        return kinds.make_source(settings, where)
    except kinds.IncompleteError as error:
        raise errors.PluginError(f"{error}{_hints(sections)}") from None


def _settings(path: str, where: str, section: ini_file.Section) -> dict[str, str]:
    """Pick the plugin's own settings, without their prefix and under one name each."""
    settings: dict[str, str] = {}
    for key, setting in section.settings.items():
        _check_visible(path, setting.line, key)
        if key not in _KNOWN:
            continue
        if setting.fault:
            raise ini_file.malformed(path, setting.line, setting.fault)
        value = setting.value
        name = key[len(PREFIX) :]
        if not value and name in (*kinds.OPTIONAL, "endpoint", TARGETS):
            continue
        if not value and name not in kinds.MAY_BE_EMPTY:
            raise errors.PluginError(f"{key} is empty in {where}; give it a value or remove it.")
        hidden = _hidden(value)
        if hidden:
            raise errors.PluginError(
                f"{key} in {where} holds an invisible character ({hidden}); type it anew."
            )
        name = kinds.ALIASES.get(name, name)
        if settings.get(name, value) != value:
            alias = next(alias for alias, of in kinds.ALIASES.items() if of == name)
            raise errors.PluginError(
                f"{PREFIX}{name} and {PREFIX}{alias} in {where} contradict each other; "
                "keep one of them."
            )
        settings[name] = value
    for name in ("access_key", "access_key_secret", "security_token"):
        odd = [each for each in settings.get(name, "") if not is_key_text(each)]
        if " " in odd:
            raise errors.PluginError(
                f"{PREFIX}{name} in {where} holds a blank, which no Alibaba Cloud key has; copy it "
                "anew, and begin a comment behind it with #."
            )
        if odd:
            raise errors.PluginError(
                f"{PREFIX}{name} in {where} holds the character {_code_point(odd[0])}, which no "
                "Alibaba Cloud key has; copy it anew."
            )
    pair = AccessKey(settings.get("access_key", "LTAI"), settings.get("access_key_secret", ""))
    if pair.is_swapped():
        raise errors.PluginError(
            f"{PREFIX}access_key_secret in {where} is an id, which begins with LTAI, and "
            f"{PREFIX}access_key is not; swap the two values."
        )
    _check_forms(where, settings)
    seconds = settings.get("role_duration_seconds", "3600")
    if not re.fullmatch("[0-9]{1,5}", seconds) or not 900 <= int(seconds) <= 43200:
        raise errors.PluginError(
            f"{PREFIX}role_duration_seconds in {where} must be between 900 and 43200 seconds."
        )
    if "sts_endpoint" in settings:
        settings["sts_endpoint"] = _endpoint(where, settings["sts_endpoint"], "sts_endpoint")
    return settings


def _check_visible(path: str, line: int, key: str) -> None:
    """Refuse a key of ours that has a character in it which nobody sees."""
    hidden = _hidden(key)
    if hidden and "".join(c for c in key if c.isprintable()) in _KNOWN:
        raise ini_file.malformed(path, line, f"has an invisible character in its key ({hidden})")


def _hidden(text: str) -> str:
    """Name the first character that nobody sees; give nothing if all can be seen."""
    return next((_code_point(each) for each in text if not each.isprintable()), "")


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


def _check_forms(where: str, settings: dict[str, str]) -> None:
    for name, (form, example) in _FORMS.items():
        if name in settings and not re.fullmatch(form, settings[name], re.ASCII):
            raise errors.PluginError(
                f"{PREFIX}{name} in {where} is not valid; it is of the form: {example}"
            )
    try:
        json.loads(settings.get("role_policy", "{}"))
    except (ValueError, RecursionError):
        raise errors.PluginError(
            f"{PREFIX}role_policy in {where} is not valid JSON; give the policy on one line."
        ) from None


def _endpoint(where: str, text: str, name: str = "endpoint") -> str:
    host = text[len("https://") :] if text.lower().startswith("https://") else text
    host = host.lower()
    if not _HOST.fullmatch(host) or (":" in host and not 0 < int(host.rsplit(":")[-1]) < 65536):
        raise errors.PluginError(
            f"{PREFIX}{name} in {where} must be a host name such as {DEFAULT_ENDPOINT}, "
            "without a path, and is reached over https alone."
        )
    return host


def _hints(sections: list[ini_file.Section]) -> str:
    """Say which lines seem to set what is missing."""
    hints = [
        f" Line {setting.line} may be meant to set {near}; correct its key."
        for section in sections
        for key, setting in section.settings.items()
        for near in [likeness.meant(key)]
        if key not in _KNOWN and near
    ]
    return "".join(hints[:_HINTS])


def _warn_of_unknown_keys(path: str, section: ini_file.Section) -> None:
    for key, setting in section.settings.items():
        if key in _KNOWN or not likeness.is_ours(key):
            continue
        near = likeness.meant(key)
        what = f"Line {setting.line} of {path} has a key that is not known"
        if re.fullmatch(rf"{PREFIX}[a-z0-9_]+", key):  # else it may be a value in the wrong place
            what = f"{key} in {path} is not a known key"
        if near:
            logger.warning("%s; did you mean %s?", what, near)
        else:
            logger.warning("%s; it is ignored.", what)
