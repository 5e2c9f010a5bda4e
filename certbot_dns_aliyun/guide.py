"""The entry of a sentence in the guide to all of them (docs/errors.rst)."""

from __future__ import annotations

import json
import re
from pathlib import Path


def entry_of(text: str) -> str | None:
    """Find the entry that explains a sentence.

    :returns: the fragment of its address on the page; None if there is no entry
    """
    # docs/make_errors.py writes it.
    index = Path(__file__).with_name("guide.json").read_text(encoding="ascii")
    return next((entry for pattern, entry in json.loads(index) if re.search(pattern, text)), None)
