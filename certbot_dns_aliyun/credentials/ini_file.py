"""Read a credentials INI file, and never show what stands in it.

Certbot's own reader (ConfigObj) puts a malformed line on the screen and into the log, secret and
all, cuts a value at a ``#``, and makes a list of one with a comma. The syntax read here is the
same for every file that 2.0.0 could read: ``key = value`` with optional quotes, comments, sections.
"""

from __future__ import annotations

import configparser
import os
import re

from certbot import errors

#: Larger than any credentials file, small enough to read without a thought.
_SIZE_LIMIT = 1024 * 1024

_TOP = "top level"
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>.*?)(?P=quote)\s*([#;].*)?""")
_COMMENT = re.compile(r"\s+#.*")


def read(path: str) -> dict[str, str]:
    """Read the top level of an INI file.

    :param path: the file
    :returns: keys and values, as they stand there, without quotes and comments
    :raises errors.PluginError: if it cannot be read; the text holds no part of the file
    """
    parser = configparser.RawConfigParser(
        delimiters=("=",), comment_prefixes=("#", ";"), default_section="", strict=True
    )
    # Type names no more than the key: the parser must not fold it to lower case.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    lines = [line.strip() for line in _text(path).splitlines()]
    try:
        parser.read_string("\n".join([f"[{_TOP}]", *lines]))
    except configparser.DuplicateOptionError as error:
        raise _malformed(path, error.lineno, "sets a key for the second time") from None
    except configparser.DuplicateSectionError as error:
        raise _malformed(path, error.lineno, "opens a section for the second time") from None
    except configparser.ParsingError as error:
        raise _malformed(path, error.errors[0][0], "is not of the form key = value") from None
    except configparser.Error:
        raise errors.PluginError(f"{path} is not a valid INI file.") from None
    return {key: _value(raw) for key, raw in parser.items(_TOP)}


def _malformed(path: str, line: object, what: str) -> errors.PluginError:
    number = int(line) - 1 if isinstance(line, int) else "?"
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
