/* Which items are listed, in which order. */
"use strict";

(function () {
  const mean = (values) => {
    const known = values.filter((value) => value !== null);
    return known.length ? known.reduce((a, b) => a + b) / known.length : null;
  };
  const minus = (a, b) => (a === null || b === null ? null : a - b);

  /* Values to sort by, of an item's scores of some pairs of model and attribution. */
  Gallery.SORTS = {
    chosen: { label: "order of selection" },
    matched: { label: "matched score", value: (item, pairs, metric) => mean(scores(item, pairs, metric, "matched")) },
    gain: { label: "matched − unimodal", value: (...of) => difference(...of, "unimodal") },
    specific: { label: "matched − mismatched", value: (...of) => difference(...of, "mismatched") },
    dispute: { label: "disagreement between models", value: dispute },
    unimodal: { label: "unimodal score", value: (item, pairs, metric) => mean(scores(item, pairs, metric, "unimodal")) },
    area: { label: "region's area", value: (item) => item.area },
  };

  function scores(item, pairs, metric, prompt) {
    return pairs.map((pair) => Gallery.score(item, Gallery.contender(pair, prompt), metric));
  }

  function difference(item, pairs, metric, prompt) {
    const matched = scores(item, pairs, metric, "matched");
    return mean(scores(item, pairs, metric, prompt).map((other, i) => minus(matched[i], other)));
  }

  /* The range of the matched scores over models and attributions. */
  function dispute(item, pairs, metric) {
    const known = scores(item, pairs, metric, "matched").filter((value) => value !== null);
    return known.length > 1 ? Math.max(...known) - Math.min(...known) : null;
  }

  /* The pairs of model and attribution that the filters leave. */
  Gallery.selectedPairs = function (state) {
    return Gallery.pairs.filter((pair) =>
      (!state.model || pair.model === state.model) &&
      (!state.attribution || pair.attribution === state.attribution));
  };

  Gallery.listItems = function (state) {
    const words = state.search.toLocaleLowerCase("en").split(/\s+/).filter(Boolean);
    const pairs = Gallery.selectedPairs(state);
    const items = Gallery.index.items.filter((item) =>
      (!state.direction || item.direction === state.direction) &&
      (!state.category || item.categories.includes(state.category)) &&
      (!state.kind || item.kind === state.kind) &&
      (!state.area || item.areaLevel === state.area) &&
      (!state.reason || item.reason === state.reason) &&
      hasOutcome(item, pairs, state.outcome) &&
      words.every((word) => item.words.includes(word)));
    const sign = state.order === "down" ? -1 : 1;
    const { value } = Gallery.SORTS[state.by];
    if (!value) return sign < 0 ? items : items.reverse();
    const values = new Map(items.map((item) => [item, value(item, pairs, state.metric)]));
    const rank = (item) => values.get(item) ?? sign * Infinity; // without a value: last
    return items.sort((a, b) => compare(rank(a), rank(b)) * sign);
  };

  /* Whether the matched map of one of the pairs has an outcome; for `none`, whether none has any. */
  function hasOutcome(item, pairs, wanted) {
    if (!wanted) return true;
    const known = pairs.map((pair) => Gallery.outcome(item, pair)).filter((outcome) => outcome !== null);
    return wanted === "none" ? known.length === 0 : known.includes(wanted);
  }

  function compare(a, b) {
    return a < b ? -1 : a > b ? 1 : 0;
  }
})();
