/* The grid: a card per item, made when the reader comes near it. */
"use strict";

(function () {
  const { element } = Gallery;
  const BATCH = 16;
  const PANELS = 3; // on a card; all are in the detail
  const TALLEST = 200;
  const PROMPTS = ["matched", "unimodal", "mismatched"];
  let listed = [], made = 0, view = null;

  Gallery.listed = () => listed;

  /* Show other items, or the same in another way. */
  Gallery.showItems = function (items, state) {
    const grid = document.getElementById("items");
    const pairs = Gallery.selectedPairs(state);
    [listed, made, view] = [items, 0, { pairs, metric: state.metric }];
    grid.replaceChildren();
    makeMore();
  };

  function makeMore(least = 0) {
    const grid = document.getElementById("items");
    const stop = Math.min(listed.length, Math.max(made + BATCH, least));
    grid.append(...listed.slice(made, stop).map(makeCard));
    made = stop;
    const more = document.getElementById("more");
    more.hidden = made === listed.length;
    observer.unobserve(more); // observed anew, it reports even if it has not left the screen
    if (!more.hidden) observer.observe(more);
  }

  const observer = new IntersectionObserver(
    (entries) => entries.some((entry) => entry.isIntersecting) && makeMore(), { rootMargin: "800px" });

  /* Put the keyboard's focus on the card at a place of the list. */
  Gallery.focusCard = function (place) {
    const at = Math.max(0, Math.min(listed.length - 1, place));
    if (at >= made) makeMore(at + 1);
    const link = document.querySelectorAll("#items article > h2 a")[at];
    if (!link) return;
    link.focus({ preventScroll: true });
    link.closest("article").scrollIntoView({ block: "nearest" });
  };

  Gallery.focusedPlace = function () {
    const card = document.activeElement?.closest?.("#items article");
    return card ? [...document.querySelectorAll("#items article")].indexOf(card) : -1;
  };

  /* How many cards stand side by side. */
  Gallery.columns = function () {
    const columns = getComputedStyle(document.getElementById("items")).gridTemplateColumns;
    return columns.split(" ").length;
  };

  function makeCard(item) {
    const link = element("a", { href: `#item=${item.name}`, textContent: item.phraseText || "(no words)", dir: "auto" });
    return element("article", {}, element("h2", {}, link), Gallery.factsOf(item, view.pairs), ...bodyOf(item));
  }

  function bodyOf(item) {
    const { pairs, metric } = view;
    const prompts = pairs.length > 1 ? ["matched"] : PROMPTS; // of several models, each one's map
    const panels = Gallery.panelsOf(item, pairs, prompts);
    const shown = panels.slice(0, PANELS);
    const rest = panels.length > shown.length
      ? element("p", { className: "rest", textContent: `and ${panels.length - shown.length} more, in the item itself` }) : null;
    const region = element("figure", {}, Gallery.regionCanvas(item, TALLEST),
      element("figcaption", {}, element("span", { className: "name", textContent: "region" })));
    if (item.direction === "text_to_image") {
      const maps = shown.map((panel) => Gallery.mapPanel(item, panel, metric, TALLEST));
      return [element("div", { className: "strip" }, region, ...maps), rest, Gallery.captionOf(item)]
        .filter(Boolean);
    }
    const [first, ...others] = shown;
    const scores = element("p", { className: "scores" },
      ...others.map((panel) => Gallery.scoreLine(item, panel, metric)));
    const words = element("div", {}, first ? Gallery.captionPanel(item, first, metric) : Gallery.captionOf(item), scores);
    return [element("div", { className: "strip beside" }, region, words), rest].filter(Boolean);
  }

  /* Direction, kind, area, categories, outcomes of some pairs; and why the item is here. */
  Gallery.factsOf = function (item, pairs = []) {
    const { directions, reasons } = Gallery.index;
    const facts = [
      directions[item.direction],
      item.kind,
      `${Gallery.percent(item.area)} of the image`,
      item.categories.join(", "),
      ...new Set(pairs.map((pair) => Gallery.outcome(item, pair)).filter(Boolean)),
    ];
    const line = element("p", { className: "facts", textContent: facts.join(" · ") });
    if (item.reason !== "sample") {
      line.prepend(element("span", { className: "reason", textContent: reasons[item.reason] }), " ");
    }
    return line;
  };
})();
