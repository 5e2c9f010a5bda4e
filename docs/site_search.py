"""The site's search: in Chinese, too, and for a whole sentence with somebody's own names in it."""

from __future__ import annotations

import re
from typing import Any

from sphinx.search.en import SearchEnglish
from sphinx.search.zh import SearchChinese

#: Sphinx wants every word that was typed on a page. Of a pasted sentence, with a reader's own names
#: in it, those are taken that the best page has. Two Chinese characters side by side are a word.
_IN_THE_BROWSER = r"""
var splitQuery = (query) => {
  const words = (
    query.match(/[\u4e00-\u9fff]+|(?:(?![\u4e00-\u9fff])[\p{Letter}\p{Number}_])+/gu) || []
  ).flatMap((word) =>
    word < "\u4e00" || word > "\u9fff" || word.length < 3
      ? [word]
      : Array.from({ length: word.length - 1 }, (_, at) => word.slice(at, at + 2)),
  );
  const stemmer = new Stemmer();
  const pagesWith = (word) => {
    const stem = stemmer.stemWord(word.toLowerCase());
    const pages = [Search._index.terms, Search._index.titleterms].flatMap((index) =>
      Object.hasOwn(index, stem)
        ? index[stem]
        : Object.keys(index)
            .filter((term) => stem.length > 2 && term.includes(stem))
            .flatMap((term) => index[term]),
    );
    return new Set(pages);
  };
  const found = words.map((word) => [word, pagesWith(word)]);
  const hits = new Map();
  found.forEach(([, pages]) => pages.forEach((page) => hits.set(page, (hits.get(page) || 0) + 1)));
  const [best] = [...hits.keys()].sort((one, other) => hits.get(other) - hits.get(one));
  const kept = found.filter(([, pages]) => pages.has(best)).map(([word]) => word);
  return kept.length ? kept : words;
};
"""

_RUNS = re.compile("[\u4e00-\u9fff]+")


class English(SearchEnglish):
    """As Sphinx has it, but for what is typed."""

    js_splitter_code = _IN_THE_BROWSER


class Chinese(SearchChinese):
    """Pairs of Chinese characters; Sphinx' own needs a dictionary, and has none in the browser."""

    # The stemmer of this name is what Sphinx looks for in the script that it takes for Chinese.
    language_name = "English"
    js_splitter_code = _IN_THE_BROWSER

    def split(self, input: str) -> list[str]:
        """Give the words for the index of the pages."""
        latin: list[str] = self.latin1_letters.findall(input)
        self.latin_terms.update(latin)
        return latin + [
            run[at : at + 2] for run in _RUNS.findall(input) for at in range(max(1, len(run) - 1))
        ]


def setup(app: Any) -> dict[str, bool]:
    """See Sphinx's documentation on extensions."""
    app.add_search_language(English)
    app.add_search_language(Chinese)
    return {"parallel_read_safe": True}
