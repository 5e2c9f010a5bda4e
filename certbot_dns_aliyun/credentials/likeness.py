"""What a key of the credentials file was meant to be, if it is not one that is known.

People write them in capitals, with dashes, without the prefix, or as other plugins and tools of
Alibaba Cloud call them.
"""

from __future__ import annotations

import difflib
import re
import unicodedata

from certbot_dns_aliyun.credentials.kinds import ALIASES, PREFIX, SETTINGS

#: How like a key must be to the one that it is taken for, by difflib's measure; and how like with a
#: mistyped prefix, which other plugins' keys resemble.
_LIKE = 0.8
_VERY_LIKE = 0.9

#: What other tools call a setting, without underscores; what they set that is none here, is like
#: nothing.
_ELSEWHERE = {
    "region": "",
    "regionid": "",
    "credentials": "",
    "accesstoken": "security_token",
    "id": "access_key",
    "key": "access_key",
    "keyid": "access_key",
    "accessid": "access_key",
    "accesskeysecretkey": "access_key_secret",
    "accesssecret": "access_key_secret",
    "secret": "access_key_secret",
    "keysecret": "access_key_secret",
    "secretaccesskey": "access_key_secret",
    "token": "security_token",
    "ststoken": "security_token",
    "sessiontoken": "security_token",
    "ramrole": "ecs_ram_role",
    "ramrolename": "ecs_ram_role",
    "ramrolearn": "role_arn",
    "ramsessionname": "role_session_name",
    "sessionname": "role_session_name",
    "policy": "role_policy",
    "expiredseconds": "role_duration_seconds",
    "durationseconds": "role_duration_seconds",
    "oidctokenfilepath": "oidc_token_file",
    "profilename": "profile",
    "uri": "credentials_uri",
}


def _squeezed(key: str) -> str:
    """Give the letters and digits of a key, in lower case."""
    return re.sub("[^a-z0-9]", "", unicodedata.normalize("NFKC", key).lower())


_MEANT = {
    **_ELSEWHERE,
    **{_squeezed(name): of for name, of in ALIASES.items()},
    **{_squeezed(name): name for name in (*SETTINGS, "endpoint", "delegation_targets")},
}
_OURS = _squeezed(PREFIX)
_WHOLE = {_OURS + name: of for name, of in _MEANT.items() if len(name) > len("secret")}

#: Plugins of other authors whose keys begin like ours and may stand in the same file.
_NEIGHBOUR = re.compile(rf"{_OURS}(next|esa)")
_PREFIX = re.compile(
    rf"{_OURS}(next|esa)?|dnsalias(aliyun)?|dnsali(babacloud|cloud|dns)|ali(babacloud|cloud|yun)?"
)

_IN_FRONT = re.compile(r"\s*(export\s+)?(certbot[-_](dns[-_]aliyun:)?)?", re.IGNORECASE)


def is_ours(key: str) -> bool:
    """Tell whether a key was meant for this plugin, however it is written."""
    squeezed = _of_today(key)
    if _NEIGHBOUR.match(squeezed):
        return False
    return squeezed.startswith(_OURS) or _nearest(squeezed, _WHOLE, _VERY_LIKE) is not None


def meant(key: str) -> str | None:
    """Give the known key that an unknown one was most likely meant to be; None if none is likely.

    A colon or a blank ends the key: what stands behind may be the value.
    """
    squeezed = _of_today(key)
    prefix = _PREFIX.match(squeezed)
    if prefix:
        name = _nearest(squeezed[prefix.end() :], _MEANT, _LIKE)
    else:
        name = _nearest(squeezed, _WHOLE, _VERY_LIKE) or _unprefixed(squeezed)
    return PREFIX + name if name else None


def _unprefixed(squeezed: str) -> str | None:
    # A bare "key" or "token" may be anybody's.
    return None if squeezed in _ELSEWHERE else _MEANT.get(squeezed)


def _of_today(key: str) -> str:
    """Give the letters of a key without what a shell, or Certbot before 1.7, puts in front."""
    return _squeezed(re.split(r"[:\s]", _IN_FRONT.sub("", key, count=1))[0])


def _nearest(squeezed: str, names: dict[str, str], cutoff: float) -> str | None:
    found = difflib.get_close_matches(squeezed, names, n=1, cutoff=cutoff)
    return names[found[0]] if found else None
