"""Domain names, as DNS writes them (A-labels) and as people and the Alidns API may (U-labels)."""

from __future__ import annotations

import re

import idna

APEX = "@"
#: Characters, without a final dot (RFC 1035, 2.3.4).
LONGEST_NAME = 253

_DOMAIN = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+", re.ASCII)
_PLAIN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_A_LABEL = "xn--"
#: Zero-width joiner and non-joiner, which mean something within some scripts alone.
_JOINERS = {0x200C: None, 0x200D: None}


def normalize(name: str) -> str:
    """Give a name in lower case and without a final dot."""
    return name.rstrip(".").lower()


def is_possible(name: str) -> bool:
    """Tell whether DNS can hold a name: 253 characters, 63 a label (RFC 1035, 2.3.4)."""
    return len(name) <= LONGEST_NAME and all(0 < len(label) <= 63 for label in name.split("."))


def is_plain(name: str) -> bool:
    """Tell whether a name has letters, digits, hyphens and underscores alone, as any at Alidns has.

    The labels of such a one are what stands between the dots of its text. That of others has
    escapes for dots, blanks and the like (RFC 1035, 5.1), and is not to be taken apart.
    """
    return _PLAIN.fullmatch(name) is not None


def is_domain(name: str) -> bool:
    """Tell whether a name is one below a top-level domain, of plain labels that DNS can hold."""
    return _DOMAIN.fullmatch(name) is not None


def is_within(name: str, zone: str) -> bool:
    """Tell whether a name is the zone's apex or below it."""
    return name == zone or name.endswith("." + zone)


def zone_candidates(validation_name: str, guess: str | None = None) -> list[str]:
    """List the zones that could hold a name: the guess first, then the longest first.

    A top-level domain is never among them.

    :param validation_name: the name of the TXT record, ``_acme-challenge.www.example.com``
    :param guess: the zone that public DNS names, if it names one
    """
    labels = validation_name.split(".")
    by_length = [".".join(labels[i:]) for i in range(len(labels) - 1)]
    first = [guess] if guess in by_length else []
    return first + [zone for zone in by_length if zone != guess]


def resource_record(name: str, zone: str) -> str:
    """Give the RR of a name in a zone, as the API wants it: ``@`` for the apex itself.

    https://help.aliyun.com/document_detail/29805.html
    """
    return APEX if name == zone else name[: -len(zone) - 1]


def full_name(rr: str, zone: str) -> str:
    """Give the name that an RR stands for in a zone; the reverse of :func:`resource_record`."""
    return zone if rr == APEX else f"{rr}.{zone}"


def to_unicode(name: str) -> str:
    """Give the U-label form of a name (RFC 5890, 2.3).

    A label that is no valid A-label stays as it is.
    """
    return ".".join(_unicode_label(label) for label in name.split("."))


def to_ascii(name: str) -> str:
    """Give the A-label form of a name that a person typed; the reverse of :func:`to_unicode`.

    Full-width characters, dots of other scripts and what nobody sees are mapped as UTS 46 has it.

    :raises UnicodeError: if there is a character in it that no domain name has
    """
    mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
    return ".".join(_ascii_label(label) for label in mapped.split("."))


def is_spelled(text: str, name: str) -> bool:
    """Tell whether a text is a name, each of its labels in either form."""
    return len(text) <= LONGEST_NAME and to_unicode(text.lower()) == to_unicode(name)


def _unicode_label(label: str) -> str:
    if not label.startswith(_A_LABEL):
        return label
    try:
        text = label[len(_A_LABEL) :].encode("ascii").decode("punycode")
        text.encode("utf-8")
    except UnicodeError:
        return label
    return text if not text.isascii() and _punycode(text) == label else label


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except idna.IDNAError:
        # Emoji, say, which UTS 46 lets pass; or a joiner where there is nothing to join.
        visible = label.translate(_JOINERS)
        return visible if visible.isascii() else _punycode(visible)


def _punycode(label: str) -> str:
    return _A_LABEL + label.encode("punycode").decode("ascii")
