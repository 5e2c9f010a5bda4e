"""The site's search in Chinese: any two characters that stand side by side are found.

Sphinx' own needs a dictionary for the pages, and cuts nothing in what the reader types.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.search.zh import SearchChinese

#: What is searched for, as the browser does it: `_RUNS` again, and words of other scripts.
_IN_THE_BROWSER = r"""
const splitQuery = (query) =>
  (query.match(/[\u4e00-\u9fff]+|[a-zA-Z0-9_]+/g) || []).flatMap((run) =>
    run < "\u4e00" || run.length < 3
      ? [run]
      : Array.from({ length: run.length - 1 }, (_, i) => run.slice(i, i + 2))
  );
"""

_RUNS = re.compile("[\u4e00-\u9fff]+")


class Pairs(SearchChinese):
    """Words for the index of the pages; words in Latin letters are Sphinx' matter."""

    js_splitter_code = _IN_THE_BROWSER

    def split(self, input: str) -> list[str]:
        """Give the pairs of Chinese characters, and the words in Latin letters."""
        latin: list[str] = self.latin1_letters.findall(input)
        self.latin_terms.update(latin)
        return latin + [
            run[at : at + 2] for run in _RUNS.findall(input) for at in range(max(1, len(run) - 1))
        ]


def setup(app: Any) -> dict[str, bool]:
    """See Sphinx's documentation on extensions."""
    app.add_search_language(Pairs)
    return {"parallel_read_safe": True}
