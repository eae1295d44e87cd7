/* The form above the grid: what it offers, and the state that it stands for. */
"use strict";

(function () {
  const { element } = Gallery;
  const byId = (id) => document.getElementById(id);
  const SELECTS = ["by", "metric", "order", "direction", "model", "attribution", "category", "kind", "area", "reason", "outcome"];

  function offer(id, options, any = null) {
    const all = any === null ? [] : [["", any]];
    byId(id).replaceChildren(...[...all, ...options].map(([value, text]) =>
      element("option", { value, textContent: text })));
  }

  Gallery.fillControls = function () {
    const { index, pairs, SORTS } = Gallery;
    const named = (values) => [...new Set(values)].map((value) => [value, value]);
    const categories = named(index.items.flatMap((item) => item.categories));
    offer("by", Object.entries(SORTS).map(([key, sort]) => [key, sort.label]));
    offer("metric", index.metrics.map((metric) => [metric, Gallery.metricName(metric)]));
    offer("order", [["down", "highest first"], ["up", "lowest first"]]);
    offer("direction", Object.entries(index.directions), "both");
    offer("model", named(pairs.map((pair) => pair.model)), "all");
    offer("attribution", named(pairs.map((pair) => pair.attribution)), "all");
    offer("category", categories.sort(([a], [b]) => a.localeCompare(b)), "all");
    offer("kind", [["thing", "thing"], ["stuff", "stuff"], ["mixed", "both at once"]], "all");
    offer("area", index.areas.map((level) => [level, `${level} of the image`]), "all");
    offer("reason", Object.entries(index.reasons), "anything");
    if (index.evidence) offer("outcome", [...Object.entries(index.evidence.outcomes), ["none", "no outcome"]], "all");
    for (const one of document.querySelectorAll(".of-evidence")) one.hidden = !index.evidence;
    byId("by").querySelector("[value=dispute]").disabled = pairs.length < 2;
    setDefaults();
  };

  function setDefaults() {
    for (const option of document.querySelectorAll("#controls option")) {
      option.defaultSelected = option.value === (option.parentNode.id === "metric" ? "ap" : "")
        || (["by", "order"].includes(option.parentNode.id) && option.index === 0);
    }
  }

  Gallery.readControls = function () {
    const state = { search: byId("search").value };
    for (const id of SELECTS) state[id] = byId(id).value;
    return state;
  };

  /* What the colours mean, in the order of the figures. */
  Gallery.fillKey = function () {
    const { index, dot } = Gallery;
    const heat = element("span", { className: "ramp", "aria-hidden": "true" });
    const stops = [0, 51, 102, 153, 204, 255].map((level) => {
      const tint = [0, 1, 2].map((c) => Math.min(255, Gallery.tints[3 * level + c] / (1 - index.grey)));
      return `rgb(${tint.map(Math.round).join(" ")})`;
    });
    heat.style.background = `linear-gradient(to right, ${stops.join(",")})`;
    const words = element("span", { className: "ramp", "aria-hidden": "true" });
    words.style.background = `linear-gradient(to right, ${index.shade}00, ${index.shade})`;
    const contenders = ["matched", "unimodal", "mismatched"].map((name) =>
      element("span", {}, dot(name), index.labels[name]));
    byId("key").replaceChildren(
      element("span", {}, heat, "relevance of pixels"), element("span", {}, words, "of words"), ...contenders);
  };
})();
