"""The access key that signs a call."""

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
