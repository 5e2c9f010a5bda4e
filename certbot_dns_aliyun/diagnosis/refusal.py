"""What the CA said when it refused a challenge, sorted by what there is to look at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

#: In the words of CAs: only some of the places from which they look saw it otherwise.
_FROM_ELSEWHERE = ("secondary validation", "perspective", "mpic")


class Matter(Enum):
    """What a refusal is about."""

    RECORD = "the TXT record, and who serves it"
    CAA = "CAA records"
    CAA_UNREAD = "CAA records that the CA could not look up"
    DNSSEC = "answers that may not pass DNSSEC"
    RATE = "the CA's rate limits"
    TROUBLE = "the CA's own trouble"
    NAME = "the name, for which the CA does not issue"
    OTHER = "neither the name nor its zone"


_MATTERS = {
    "caa": Matter.CAA,
    "dnssec": Matter.DNSSEC,
    "rateLimited": Matter.RATE,
    "serverInternal": Matter.TROUBLE,
    "badNonce": Matter.TROUBLE,
    "rejectedIdentifier": Matter.NAME,
    "unsupportedIdentifier": Matter.NAME,
    "accountDoesNotExist": Matter.OTHER,
    "badPublicKey": Matter.OTHER,
    "badSignatureAlgorithm": Matter.OTHER,
    "externalAccountRequired": Matter.OTHER,
    "malformed": Matter.OTHER,
    "orderNotReady": Matter.OTHER,
    "userActionRequired": Matter.OTHER,
}


@dataclass(frozen=True)
class Refusal:
    """One challenge that the CA refused.

    :param domain: the name that was to be proved
    :param name: the validation name
    :param kind: the type of the error (RFC 8555, 6.7), with or without its prefix
    :param detail: the CA's words; they are looked through, and never shown
    """

    domain: str
    name: str
    kind: str = ""
    detail: str = ""

    @property
    def matter(self) -> Matter:
        """What it is about; what is not known may always be the record."""
        kind = self.kind.rpartition(":")[2]
        if kind == "dns":
            words = self.detail.upper()
            if "CAA" in words.replace(self.domain.upper(), ""):
                return Matter.CAA_UNREAD
            return Matter.DNSSEC if "SERVFAIL" in words or "DNSSEC" in words else Matter.RECORD
        return _MATTERS.get(kind, Matter.RECORD)

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether the place from which the CA looks first was content."""
        said = self.detail.lower().replace(self.domain.lower(), "")
        return any(words in said for words in _FROM_ELSEWHERE)
