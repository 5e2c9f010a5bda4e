"""Read a credentials INI file, and never show what stands in it.

Certbot's own reader (ConfigObj) puts a malformed line on the screen and into the log, secret and
all, cuts a value at a ``#``, and makes a list of one with a comma. The syntax read here is the
same for every file that 2.0.0 could read: ``key = value`` with optional quotes, comments, sections.
"""

from __future__ import annotations

import configparser
import os
import re
from dataclasses import dataclass

from certbot import errors

#: Larger than any credentials file, small enough to read without a thought.
_SIZE_LIMIT = 1024 * 1024

_TOP = "\x1f"  # no section of a real file has that name
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>.*?)(?P=quote)\s*([#;].*)?""")
_COMMENT = re.compile(r"\s+#.*")


@dataclass(frozen=True)
class Section:
    """A section of the file, or what stands before the first one.

    :param name: its name; empty for what stands before the first one
    :param line: the number of the line that opens it
    :param values: its keys and values, without quotes and comments
    """

    name: str
    line: int
    values: dict[str, str]


def read(path: str) -> list[Section]:
    """Read an INI file.

    :returns: what stands before the first section, then the sections
    :raises errors.PluginError: if it cannot be read; the text holds no part of the file
    """
    parser = configparser.RawConfigParser(
        delimiters=("=",), comment_prefixes=("#", ";"), default_section="", strict=True
    )
    # Keys keep their case: one may be a value in the wrong place, and is to be recognized as such.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    lines = [f"[{_TOP}]", *(line.strip() for line in _text(path).splitlines())]
    try:
        parser.read_string("\n".join(lines))
    except configparser.DuplicateOptionError as error:
        raise _malformed(path, error.lineno, "sets a key for the second time") from None
    except configparser.DuplicateSectionError as error:
        raise _malformed(path, error.lineno, "opens a section for the second time") from None
    except configparser.ParsingError as error:
        raise _malformed(path, error.errors[0][0], "is not of the form key = value") from None
    except configparser.Error:
        raise errors.PluginError(f"{path} is not a valid INI file.") from None
    return [
        Section(
            name.replace(_TOP, "").strip(),
            next(i for i, line in enumerate(lines) if line.startswith(f"[{name}]")),
            {key: _value(raw) for key, raw in parser.items(name)},
        )
        for name in parser.sections()
    ]


def _malformed(path: str, line: int | None, what: str) -> errors.PluginError:
    number = line - 1 if line else "?"
    return errors.PluginError(
        f"Line {number} of the credentials file {path} {what}; correct that line."
    )


def _value(raw: str) -> str:
    quoted = _QUOTED.fullmatch(raw)
    return quoted.group("text") if quoted else _COMMENT.sub("", raw)


def _text(path: str) -> str:
    try:
        if os.path.isdir(path):
            raise errors.PluginError(f"{path} is a folder; name the credentials file in it.")
        with open(path, "rb") as file:
            content = file.read(_SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise errors.PluginError(
            f"The credentials file {path} does not exist; give the path of yours with "
            "--dns-aliyun-credentials."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid path"
        raise errors.PluginError(
            f"The credentials file {path} cannot be read ({reason}); "
            "run Certbot as a user who may read it."
        ) from None
    if len(content) > _SIZE_LIMIT or b"\0" in content:
        raise errors.PluginError(f"{path} is not a credentials file: it must be a UTF-8 text file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise errors.PluginError(
            f"The credentials file {path} is not UTF-8 text; save it anew as plain UTF-8."
        ) from None
