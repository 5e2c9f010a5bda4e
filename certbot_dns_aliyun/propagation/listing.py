"""How many things are named in a sentence: the first few, and how many more there are."""

from __future__ import annotations

from collections.abc import Iterable


def listed(items: Iterable[str], most: int = 3, between: str = ", ") -> str:
    """List the first of some items."""
    everything = list(items)
    more = len(everything) - most
    told = between.join(everything[:most])
    return f"{told} and {more} more" if more > 0 else told
