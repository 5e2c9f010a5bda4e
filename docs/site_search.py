"""The site's search: in Chinese, too, and for a whole sentence with somebody's own names in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
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


#: The page with the sentences, and what stands on it for somebody's own names.
_GUIDE = "errors"
_NAMES = re.compile("<[^<>]+>|…")
_ENDS = re.compile(r"[;；。]|\.(?= |$)")


def give_sentences(app: Any, page: str, template: str, context: Any, tree: Any) -> None:
    """Let the search know the sentences of the guide, in the language of the site."""
    if page != "search":
        return
    guide = app.env.get_doctree(_GUIDE)
    title = app.env.titles[_GUIDE].astext()
    sentences = {"page": _GUIDE, "title": title, "all": [*_sentences(guide)]}
    app.add_js_file(None, body=f"const SENTENCES = {json.dumps(sentences)};")
    # After the search itself, and before it begins.
    app.add_js_file("pasted.js", defer="defer")


def _sentences(guide: nodes.document) -> Iterator[dict[str, object]]:
    """Give each sentence once for each of its codes, or once."""
    entry: list[tuple[str, str]] = []
    for paragraph in guide.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.block_quote):
            continue
        strange = (nodes.strong, addnodes.index)
        said = [part for part in paragraph.children if not isinstance(part, strange)]
        codes = [part.astext() for part in said if isinstance(part, nodes.literal)]
        if paragraph["ids"]:
            entry = [("", paragraph["ids"][0])]
        if not entry or not codes:
            continue
        if " " not in codes[0]:
            entry = [(code, nodes.make_id(code)) for code in codes]
            continue
        # The second one is empty where the site speaks the language of the sentence.
        texts = [codes[0], "".join(part.astext() for part in said[1:]).strip()]
        clauses = [fixed for text in texts for fixed in _clauses(text)]
        for code, anchor in entry:
            more = {"anchor": anchor, "clauses": [*_clauses(code), *clauses]}
            yield {"title": texts[1] or texts[0], **more}


def _clauses(text: str) -> Iterator[list[str]]:
    for clause in _ENDS.split(text):
        folded = re.sub(r"\s", "", clause.lower())
        fixed = [part for part in _NAMES.split(folded) if part]
        if fixed:
            yield fixed


def setup(app: Any) -> dict[str, bool]:
    """See Sphinx's documentation on extensions."""
    app.connect("html-page-context", give_sentences)
    app.add_search_language(English)
    app.add_search_language(Chinese)
    return {"parallel_read_safe": True}
