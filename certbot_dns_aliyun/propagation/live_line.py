"""One line at a terminal that is written over while somebody waits."""

from __future__ import annotations

import os
import shutil
import sys

_TO_THE_BEGINNING_AND_EMPTY = "\r\x1b[K"


class LiveLine:
    """The line, at standard output; nothing where that is no terminal, or is not to be used.

    :param is_wanted: False to be quiet
    :ivar is_shown: whether there is a terminal to write to
    """

    def __init__(self, is_wanted: bool) -> None:
        self.is_shown = is_wanted and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._text = ""

    def write(self, text: str) -> None:
        """Put a text in the place of the one before, cut to the terminal's width."""
        text = text[: shutil.get_terminal_size().columns - 1]
        if text != self._text:
            self._text = text
            self._put(_TO_THE_BEGINNING_AND_EMPTY + text)

    def clear(self) -> None:
        """Make room for a line of somebody else."""
        if self._text:
            self._text = ""
            self._put(_TO_THE_BEGINNING_AND_EMPTY)

    def end(self) -> None:
        """Leave the last text as a line of its own."""
        if self._text:
            self._text = ""
            self._put("\n")

    def _put(self, text: str) -> None:
        if not self.is_shown:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except (OSError, ValueError):  # the terminal is gone
            self.is_shown = False
