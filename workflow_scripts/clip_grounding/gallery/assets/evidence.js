/* The evidence of an item: is its region used, does a map show it, and what its removal does. */
"use strict";

(function () {
  const { element, dot, print } = Gallery;
  const PROMPTS = ["matched", "unimodal", "mismatched"];
  const EFFECTS = ["necessity", "p of necessity", "sufficiency"];
  const MAPS = ["outcome", "faithfulness", "SRG"];

  /* The outcome of an item's matched map of a pair; null where there is none. */
  Gallery.outcome = function (item, pair) {
    return item.outcomes?.[Gallery.pairs.indexOf(pair)] ?? null;
  };

  Gallery.outcomeMark = function (name) {
    const mark = element("span", { className: "dot", "aria-hidden": "true" });
    mark.style.background = Gallery.index.evidence.colors[name];
    return mark;
  };

  /* Tables of an item that was drawn, filled when its data are there; null for others. */
  Gallery.evidenceTables = function (item) {
    if (!item.outcomes) return null;
    const place = element("div", { className: "evidence" });
    Gallery.loadItem(item).then(
      (data) => place.append(...effectsTable(data), ...mapsTable(item, data)),
      (error) => Gallery.notify(error.message));
    return place;
  };

  function effectsTable({ effects }) {
    const several = Object.keys(effects).length > 1;
    const rows = Object.entries(effects).flatMap(([model, { values }]) =>
      PROMPTS.filter((prompt) => values[prompt]).map((prompt) =>
        [prompt, several ? `${model} · ${prompt}` : Gallery.index.labels[prompt], values[prompt].map((value) => print(value, 3))]));
    return titled("Does the model use the region?", EFFECTS, rows, reasons(effects, "Not measured"));
  }

  function mapsTable(item, { pairs }) {
    const named = pairs.filter(({ evidence }) => evidence);
    const several = Gallery.pairs.length > 1;
    const rows = named.flatMap((pair) => PROMPTS.filter((prompt) => prompt in pair.evidence.faithfulness)
      .map((prompt) => {
        const { outcomes, faithfulness, srg } = pair.evidence;
        const outcome = outcomes[prompt] ?? null;
        const cells = [outcome === null ? "–" : [Gallery.outcomeMark(outcome), outcome],
          print(faithfulness[prompt], 3), print(srg[prompt] ?? null, 1)];
        return [prompt, several ? `${Gallery.pairName(pair)} · ${prompt}` : Gallery.index.labels[prompt], cells];
      }));
    const left = Object.fromEntries(named.map((pair) => [Gallery.pairName(pair), pair.evidence]));
    return titled("Does the map show what the model uses?", MAPS, rows, reasons(left, "No outcome"));
  }

  /* Why something has no value, a line for each reason. */
  function reasons(entries, what) {
    const found = new Map();
    for (const [name, { excluded }] of Object.entries(entries)) {
      if (excluded) found.set(excluded, [...(found.get(excluded) ?? []), name]);
    }
    const all = Object.keys(entries).length;
    return [...found].map(([reason, names]) => {
      const who = names.length < all ? `${names.join(", ")}: ` : "";
      return element("p", { className: "facts", textContent:
        `${what}: ${who}${Gallery.index.evidence.excluded[reason] ?? reason}.` });
    });
  }

  function titled(title, columns, rows, notes) {
    return [rows.length ? Gallery.table(title, columns, rows) : element("p", { className: "facts", textContent: title }), ...notes];
  }

  /* Text or nodes in a scrolling table: rows of [contender, label, cells]. */
  Gallery.table = function (title, columns, rows, current = -1) {
    const classOf = (place) => (place === current ? "current" : "");
    const head = columns.map((name, place) =>
      element("th", { scope: "col", className: classOf(place), textContent: name }));
    const body = rows.map(([name, label, cells]) => element("tr", {},
      element("th", { scope: "row" }, dot(name), label),
      ...cells.map((cell, place) => element("td", { className: classOf(place) }, ...[cell].flat()))));
    const table = element("table", {}, element("caption", { textContent: title }),
      element("thead", {}, element("tr", {}, element("td"), ...head)), element("tbody", {}, ...body));
    return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": title }, table);
  };
})();
