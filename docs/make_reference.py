"""Writes docs/reference.rst: every option and every INI key, from the code itself."""

from __future__ import annotations

import textwrap
from pathlib import Path

from certbot_dns_aliyun.credentials import kinds, settings
from certbot_dns_aliyun.dns_aliyun import Authenticator

PAGE = Path(__file__).with_name("reference.rst")

INTRODUCTION = """\
.. Written by docs/make_reference.py from the code; edit that, then run it.

Reference
=========

Options
-------
"""


def page() -> str:
    """Give the text of reference.rst."""
    return "\n".join([INTRODUCTION, *_options(), *_keys()])


def _options() -> list[str]:
    lines: list[str] = []

    def add(name: str, **details: object) -> None:
        lines.append(f"``--dns-aliyun-{name}``")
        text = str(details["help"])
        if "choices" in details:
            words = ", ".join(f"``{word}``" for word in details["choices"])  # type: ignore[attr-defined]
            text += f" One of {words}."
        if details.get("default") is not None:
            text += f" Default: ``{details['default']}``."
        lines.append(textwrap.indent(textwrap.fill(text, 96, break_on_hyphens=False), "   "))
        lines.append("")

    Authenticator.add_parser_arguments(add)
    return lines


def _keys() -> list[str]:
    title = "Kinds of credentials, and their INI keys"
    lines = [title, "-" * len(title), ""]
    for kind, (must, may) in kinds.KINDS.items():
        lines.append(kind[:1].upper() + kind[1:])
        lines += [f"   - {_key(name)}" for name in must]
        lines += [f"   - {_key(name)}, which may be left out" for name in may]
        lines.append("")
    default = f"the API's host, ``{settings.DEFAULT_ENDPOINT}`` if it is left out"
    targets = "names that CNAMEs of others may lead to (`delegation <delegation.rst>`_)"
    lines += [
        "Of every kind",
        f"   - {_key('endpoint')}: {default}",
        f"   - {_key(settings.TARGETS)}: {targets}",
        "",
    ]
    lines.append("Other names for the same key")
    lines += [f"   - {_key(alias)}: {_key(name)}" for alias, name in kinds.ALIASES.items()]
    return [*lines, ""]


def _key(name: str) -> str:
    return f"``{kinds.PREFIX}{name}``"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
