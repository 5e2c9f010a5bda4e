"""Read a credentials INI file, and never show what stands in it.

Certbot's own reader (ConfigObj, which 2.0.0 used) puts a malformed line on the screen and into the
log, secret and all, and makes a list of a value with a comma. A value that it read is read the same
here, or refused with the number of its line.
"""

from __future__ import annotations

import os
import re
import stat
import time
from dataclasses import dataclass, field

from certbot import errors

#: Larger than any credentials file, small enough to read without a thought.
_SIZE_LIMIT = 1024 * 1024
#: Seconds in which a pipe must have been written and closed, and between two looks at it.
_PIPE_LIMIT = 10.0
_PIPE_PAUSE = 0.05

#: Python takes vertical tabs and the like for ends of lines, too.
_LINE_END = re.compile(r"\r\n|\r|\n")
_SECTION = re.compile(
    r"""(\[[\[\s]*)(?P<name>"[^"]*"|'[^']*'|[^'"\s].*?)((?:\s*\])+)\s*(#.*|;[^=]*)?"""
)
_SETTING = re.compile(r"""(?P<key>"[^"]*"|'[^']*'|[^'"=\s][^=]*?)\s*=\s*(?P<value>.*)""")
_TRIPLE = re.compile(r"""(?P<quote>'''|\"\"\")(?P<text>.*?)(?P=quote)\s*(#.*)?""")
_OPEN_TRIPLE = re.compile(r"""=\s*('''|\"\"\")""")
_QUOTED = re.compile(r""""(?P<double>[^"]*)"\s*(#.*|;[^"]*)?|'(?P<single>[^']*)'\s*(#.*|;[^']*)?""")
_REFERENCE = re.compile(r"%\([^)]*\)s")

#: What pipes held: they can be read but once, and Certbot asks more often. Reading leaves the time
#: of a pipe's last change as it is; making it anew or writing into it does not.
_read_pipes: dict[tuple[str, int, int, int], bytes] = {}


@dataclass(frozen=True)
class Setting:
    """The value of a key, without quotes and comment.

    :param line: the number of its line
    :param fault: why the value cannot be told for sure, as a sentence goes on after ``Line 7``
    """

    line: int
    value: str = field(default="", repr=False)
    fault: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the file, or what stands before the first one.

    :param name: its name; empty for what stands before the first one
    :param line: the number of the line that opens it
    """

    name: str
    line: int
    settings: dict[str, Setting] = field(default_factory=dict)


def read(path: str) -> list[Section]:
    """Read an INI file.

    :returns: what stands before the first section, then the sections
    :raises errors.PluginError: if it cannot be read; the text holds no part of the file
    """
    sections = [Section("", 0)]
    lines = iter(enumerate(_LINE_END.split(_text(path)), start=1))
    for number, whole in lines:
        line = whole.strip()
        if not line or line[0] == "#" or (line[0] == ";" and not _OPEN_TRIPLE.search(line)):
            continue
        opening = _SECTION.fullmatch(line)
        setting = _SETTING.fullmatch(line)
        if opening and opening.group(1).count("[") == opening.group(3).count("]"):
            depth = opening.group(1).count("[")
            name = "[" * (depth - 1) + _unquoted(opening.group("name")) + "]" * (depth - 1)
            if depth == 1 and any(section.name == name for section in sections):
                raise malformed(path, number, "opens a section for the second time")
            sections.append(Section(name, number))
        elif setting and not opening:
            key = _unquoted(setting.group("key"))
            if key in sections[-1].settings:
                raise malformed(path, number, "sets a key for the second time")
            raw = setting.group("value")
            if raw[:3] in ("'''", '"""') and raw[:3] not in raw[3:]:
                quote = raw[:3]
                while quote not in raw[3:]:
                    _, more = next(lines, (0, None))
                    if more is None:
                        raise malformed(path, number, "opens three quotes that are never closed")
                    raw += "\n" + more
                raw = raw.rstrip()
            sections[-1].settings[key] = _setting(number, raw)
        else:
            is_wide = "\N{FULLWIDTH EQUALS SIGN}" in line
            wide = "has a full-width equals sign (U+FF1D) in place of ="
            raise malformed(path, number, wide if is_wide else "is not of the form key = value")
    return sections


def malformed(path: str, number: int, what: str) -> errors.PluginError:
    """Make the error for a line; ``what`` is wrong with it goes on after ``Line 7``."""
    return errors.PluginError(
        f"Line {number} of the credentials file {path} {what}; correct that line."
    )


def _unquoted(text: str) -> str:
    return text[1:-1] if text[0] in "'\"" else text


def _setting(line: int, raw: str) -> Setting:
    if _REFERENCE.search(raw):
        return Setting(line, fault="refers to another key by %(...)s, which is not followed")
    if raw[:3] in ("'''", '"""'):
        quoted = re.fullmatch(_TRIPLE.pattern, raw, re.DOTALL)
        if quoted:
            return Setting(line, quoted.group("text"))
    elif raw[:1] in ("'", '"'):
        quoted = _QUOTED.fullmatch(raw)
        if quoted:
            return Setting(line, quoted.group("double") or quoted.group("single") or "")
    else:
        value, _, note = raw.partition("#")
        if value and not value[-1].isspace() and note and not note[0].isspace():
            return Setting(
                line,
                fault="has a # that may begin a comment or belong to the value "
                "(a blank before it, or quotes around the value, would tell)",
            )
        return Setting(line, value.rstrip())
    return Setting(line, fault="has a quote that is not closed right behind the value")


def _text(path: str) -> str:
    try:
        content = _content(path)
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
    if content is None or len(content) > _SIZE_LIMIT or b"\0" in content:
        raise errors.PluginError(f"{path} is not a credentials file: it must be a UTF-8 text file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise errors.PluginError(
            f"The credentials file {path} is not UTF-8 text; save it anew as plain UTF-8."
        ) from None


def _content(path: str) -> bytes | None:
    """Give what a file or a pipe holds; None for what is neither, such as a device."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise errors.PluginError(f"{path} is a folder; name the credentials file in it.")
    if stat.S_ISFIFO(status.st_mode):
        known = _read_pipes.get(_which(path, status))
        return _content_of_pipe(path) if known is None else known
    if not stat.S_ISREG(status.st_mode):
        return None
    with open(path, "rb") as file:
        return file.read(_SIZE_LIMIT + 1)


def _which(path: str, status: os.stat_result) -> tuple[str, int, int, int]:
    return os.path.abspath(path), status.st_dev, status.st_ino, status.st_ctime_ns


def _content_of_pipe(path: str) -> bytes:
    """Read a pipe to its end, as ``<(…)`` of a shell or ``mkfifo`` makes one, and keep that."""
    deadline = time.monotonic() + _PIPE_LIMIT
    content = b""
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while len(content) <= _SIZE_LIMIT:
            try:
                chunk = os.read(pipe, _SIZE_LIMIT)
                if content and not chunk:
                    break
            except BlockingIOError:  # somebody has it open, and has written nothing more yet
                chunk = b""
            content += chunk
            if chunk:
                continue
            if time.monotonic() > deadline:
                raise errors.PluginError(
                    f"{path} is a pipe that nobody wrote credentials into and closed, within "
                    f"{_PIPE_LIMIT:.0f} seconds; start what writes it first, or give a file."
                )
            time.sleep(_PIPE_PAUSE)
        _read_pipes[_which(path, os.fstat(pipe))] = content
    finally:
        os.close(pipe)
    return content
