"""Whatever is shown or logged, in characters that this machine's terminal and log have.

What this plugin says is ASCII; paths, names of profiles and zones, and words of a CA may not be. A
log file under the locale POSIX takes nothing else, and a terminal no more than it has.
"""

from __future__ import annotations

import contextlib
import locale
import logging
import sys
from collections.abc import Iterator

from certbot import errors

logger = logging.getLogger(__name__)


def legible(text: str) -> str:
    """Give a text with escapes for what terminal or log lack, and for what moves a cursor."""
    text = "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode()
        for each in text
    )
    for encoding in (locale.getpreferredencoding(False), getattr(sys.stdout, "encoding", None)):
        if encoding:
            text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


@contextlib.contextmanager
def legible_errors() -> Iterator[None]:
    """Let the errors of the context be legible."""
    try:
        yield
    except errors.PluginError as error:
        error.args = (legible(str(error)),)
        _name_entry(str(error))
        raise


class _Legible(logging.Handler):
    """Makes a record legible, before the handlers get it that write it: those are Certbot's."""

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = legible(record.getMessage()), None
        if record.levelno >= logging.WARNING:
            _name_entry(record.msg)


def _name_entry(text: str) -> None:
    from certbot_dns_aliyun.guide import entry_of

    entry = entry_of(text)
    if entry:
        logger.debug("What comes next is explained by docs/errors.rst, entry %s", entry)


def log_legibly() -> None:
    """Let all that this package logs be legible."""
    logging.getLogger(__package__).addHandler(_Legible())
