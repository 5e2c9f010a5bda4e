"""What the credentials file says, checked: the access key and the API's host."""

from __future__ import annotations

import difflib
import logging
import re
from dataclasses import dataclass

from certbot import errors

from certbot_dns_aliyun.credentials import ini_file
from certbot_dns_aliyun.credentials.access_key import AccessKey

logger = logging.getLogger(__name__)

#: https://help.aliyun.com/en/dns/api-alidns-2015-01-09-endpoint
DEFAULT_ENDPOINT = "alidns.aliyuncs.com"

_PREFIX = "dns_aliyun_"
#: Plugins of other authors whose keys begin like ours and may stand in the same file.
_NEIGHBOURS = ("dns_aliyun_next_", "dns_aliyun_esa_")

_KEY_ID = ("dns_aliyun_access_key", "dns_aliyun_access_key_id")
_SECRET = ("dns_aliyun_access_key_secret",)
_TOKEN = ("dns_aliyun_security_token",)
_ENDPOINT = ("dns_aliyun_endpoint",)
_KNOWN = (*_KEY_ID, *_SECRET, *_TOKEN, *_ENDPOINT)

_HOST_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_HOST_LABEL}(\.{_HOST_LABEL})*(:[0-9]{{1,5}})?", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """What a credentials file sets.

    :param key: the access key
    :param endpoint: host of the API, with a port after a colon if it is not 443
    """

    key: AccessKey
    endpoint: str = DEFAULT_ENDPOINT


def load(path: str) -> Settings:
    """Read and check a credentials file.

    :raises errors.PluginError: for a file that cannot be used; names the file and the key at fault
    """
    values = ini_file.read(path)
    _warn_of_unknown_keys(path, values)
    key_id = _required(path, values, _KEY_ID, "the id of an access key")
    secret = _required(path, values, _SECRET, "the secret of that access key")
    token = _one_of(path, values, _TOKEN) or ""
    endpoint = _one_of(path, values, _ENDPOINT)
    for key, text in ((_KEY_ID, key_id), (_SECRET, secret), (_TOKEN, token)):
        _check_characters(path, key[0], text)
    return Settings(
        AccessKey(key_id, secret, token),
        _endpoint(path, endpoint) if endpoint is not None else DEFAULT_ENDPOINT,
    )


def _one_of(path: str, values: dict[str, str], names: tuple[str, ...]) -> str | None:
    """Give the value that a setting has under any of its names; an empty one counts as a fault."""
    present = [name for name in names if name in values]
    for name in present:
        if not values[name]:
            raise errors.PluginError(f"{name} is empty in {path}; give it a value or remove it.")
    if len({values[name] for name in present}) > 1:
        raise errors.PluginError(
            f"{' and '.join(present)} in {path} contradict each other; keep one of them."
        )
    return values[present[0]] if present else None


def _required(path: str, values: dict[str, str], names: tuple[str, ...], what: str) -> str:
    value = _one_of(path, values, names)
    if value is None:
        raise errors.PluginError(f"{names[0]} is missing in {path}; set it to {what}.")
    return value


def _check_characters(path: str, name: str, value: str) -> None:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise errors.PluginError(
            f"{name} in {path} holds a blank or a character that no Alibaba Cloud key has; "
            "copy it anew."
        )


def _endpoint(path: str, text: str) -> str:
    host = text[len("https://") :] if text.lower().startswith("https://") else text
    host = host.lower()
    if not _HOST.fullmatch(host) or (":" in host and not 0 < int(host.rsplit(":")[-1]) < 65536):
        raise errors.PluginError(
            f"dns_aliyun_endpoint in {path} must be a host name such as {DEFAULT_ENDPOINT}, "
            "without a path, and is reached over https alone."
        )
    return host


def _warn_of_unknown_keys(path: str, values: dict[str, str]) -> None:
    for name in values:
        if not name.startswith(_PREFIX) or name.startswith(_NEIGHBOURS) or name in _KNOWN:
            continue
        if not re.fullmatch(r"[a-z0-9_]+", name):  # may be a value in the wrong place
            logger.warning("%s has a line whose key is not valid; it is ignored.", path)
            continue
        near = difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.0)[0]
        logger.warning("%s in %s is not a known key; did you mean %s?", name, path, near)
