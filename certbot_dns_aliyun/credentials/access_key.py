"""The access key that signs a call, and where one comes from."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AccessKey:
    """An access key id with its secret, and the token that goes with a temporary one (STS).

    Its text form names none of them, so that it may stand in any log.
    """

    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)

    def is_sound(self) -> bool:
        """Tell whether a call can carry each part; another program may have given anything."""
        return all(map(is_key_text, (self.key_id, self.secret, self.security_token)))

    def is_swapped(self) -> bool:
        """Tell whether the id stands where the secret belongs; the secret must not be sent then."""
        return self.secret.startswith("LTAI") and not self.key_id.startswith(("LTAI", "STS."))


def is_key_text(text: object) -> bool:
    """Tell whether something may be part of an access key: text that a call can carry."""
    return isinstance(text, str) and text.isascii() and text.isprintable() and " " not in text


class KeySource:
    """Where access keys come from: this one, from a file or the environment, has just one.

    :ivar origin: what it is, for logs and messages
    """

    def __init__(self, key: AccessKey, origin: str) -> None:
        self.origin = origin
        self._key = key

    @property
    def identity(self) -> str:
        """What tells the account from others, now and in later runs, if anything does.

        Not to be shown.
        """
        return self._key.key_id

    def get(self) -> AccessKey:
        """Give the access key for the next call. May be called from several threads.

        :raises certbot_dns_aliyun.errors.AlidnsError: if there is none
        """
        return self._key

    def renew(self, rejected: AccessKey) -> bool:
        """Get another key in place of one that the API has rejected.

        :returns: whether there is another one now
        """
        return False
