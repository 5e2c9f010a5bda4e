"use strict";

// Leads a sentence that was pasted into the search, with somebody's own names in it, to its entry in
// the guide. site_search.py gives SENTENCES: for each, its clauses as the fixed words between names.
{
  const MOST = 3;

  const holds = (text, words) => {
    let from = 0;
    for (const part of words) {
      const at = text.indexOf(part, from);
      if (at < 0) return false;
      from = at + part.length;
    }
    return true;
  };

  const lengthOf = (words) => words.join("").length;

  const entries = (query) => {
    // A terminal wraps lines wherever it likes, and a browser drops the breaks.
    const text = query.toLowerCase().replace(/\s/g, "");
    const best = new Map();
    for (const { title, anchor, clauses } of SENTENCES.all) {
      const found = clauses.filter((words) => holds(text, words));
      const score = found.map(lengthOf).reduce((sum, length) => sum + length, 0);
      if (score > (best.get(title)?.score ?? 0)) best.set(title, { title, anchor, score });
    }
    const ranked = [...best.values()].sort((one, other) => other.score - one.score);
    return ranked.slice(0, MOST);
  };

  const others = Search._performSearch;
  // The last one is shown first.
  Search._performSearch = (query, ...terms) => {
    const found = entries(query).map(({ title, anchor, score }) => [
      ...[SENTENCES.page, title, `#${anchor}`, SENTENCES.title, score],
      ...[`${SENTENCES.page}.rst`, SearchResultKind.text],
    ]);
    const anchors = new Set(found.map(([, , anchor]) => anchor));
    const rest = others(query, ...terms).filter(
      ([page, , anchor]) => page !== SENTENCES.page || !anchors.has(anchor),
    );
    return [...rest, ...found.reverse()];
  };
}
