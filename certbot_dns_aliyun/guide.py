"""The entry of a sentence in the guide to all of them (docs/errors.rst)."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path


def entry_of(text: str) -> str | None:
    """Find the entry that explains a sentence.

    :returns: the fragment of its address on the page; None if there is no entry
    """
    return next((entry for pattern, entry in _index() if pattern.search(text)), None)


@functools.cache
def _index() -> list[tuple[re.Pattern[str], str]]:
    # docs/make_errors.py writes it.
    index = Path(__file__).with_name("guide.json").read_text(encoding="ascii")
    return [(re.compile(pattern), entry) for pattern, entry in json.loads(index)]
