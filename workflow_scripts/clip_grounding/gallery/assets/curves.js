/* The similarity while a map orders what is taken out: MoRF and LeRF, matched against unimodal. */
"use strict";

(function () {
  const { element, dot, print } = Gallery;
  const SHOWN = ["matched", "unimodal"];
  const WIDTH = 280, HEIGHT = 160, LEFT = 38, RIGHT = 10, TOP = 8, BOTTOM = 24;
  const LAST = 0.9; // of the units, removed at the end of a curve
  const STEP = 0.1;
  let drawn = 0;

  function shape(tag, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  /* The curves of a pair of model and attribution, where they were measured; else nothing. */
  Gallery.removalCurves = function (item, pair) {
    if (!item.outcomes) return null;
    const place = element("div", { className: "curves" });
    Gallery.loadItem(item).then(({ pairs }) => {
      const own = pairs.find(({ model, attribution }) =>
        model === pair.model && attribution === pair.attribution);
      if (own?.evidence?.curves.matched) place.append(...figures(item, pair, own.evidence));
    }, (error) => Gallery.notify(error.message));
    return place;
  };

  function figures(item, pair, { curves, srg }) {
    const units = item.direction === "text_to_image" ? "patches" : "words";
    const shown = SHOWN.filter((prompt) => curves[prompt]);
    const range = spread(shown.flatMap((prompt) => curves[prompt].flat()));
    const named = ["most", "least"].map((which, order) => {
      const own = shown.map((prompt) => [prompt, curves[prompt][order]]);
      const text = `${which === "most" ? "Most" : "Least"} relevant ${units} removed first (${order ? "LeRF" : "MoRF"})`;
      return element("figure", {}, element("figcaption", { textContent: text }),
        drawCurves(`${text}: ${pair.model}, ${pair.attribution}`, own, range));
    });
    const key = element("p", { className: "scores" }, ...shown.map((prompt) =>
      element("span", { className: "score" }, dot(prompt),
        element("span", { className: "name", textContent: `${prompt}${prompt === "unimodal" ? " (dashed)" : ""}, SRG` }),
        element("b", { textContent: print(srg[prompt], 1) }))),
      element("span", { className: "name", textContent: `similarity, cosine × 100, by the share of ${units} removed` }));
    return [...named, key];
  }

  function spread(values) {
    const low = Math.min(...values), high = Math.max(...values);
    const margin = 0.05 * (high - low) || 1;
    return [low - margin, high + margin];
  }

  /* Two to six round numbers within a range. */
  function ticks([low, high]) {
    const rough = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough);
    const out = [];
    for (let at = Math.ceil(low / step); at * step <= high; at++) out.push(at * step);
    return [out, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
  }

  function drawCurves(title, curves, range) {
    const [low, high] = range, [marks, digits] = ticks(range);
    const across = (share) => LEFT + ((WIDTH - LEFT - RIGHT) * share) / LAST;
    const down = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low);
    const number = drawn++;
    const ids = { title: `curves-title-${number}`, desc: `curves-desc-${number}` };
    const grid = marks.flatMap((value) => [
      shape("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: down(value), y2: down(value) }),
      shape("text", { x: LEFT - 5, y: down(value) + 3.5, "text-anchor": "end" }, print(value, digits)),
    ]);
    const shares = [0, 0.3, 0.6, 0.9].map((share) => shape("text",
      { x: across(share), y: HEIGHT - 8, "text-anchor": share === LAST ? "end" : "middle" }, `${Math.round(100 * share)} %`));
    const lines = [...curves].reverse().map(([prompt, values]) => shape("polyline", {
      points: values.map((value, i) => `${across(i * STEP).toFixed(1)},${down(value).toFixed(1)}`).join(" "),
      fill: "none", stroke: Gallery.index.colors[prompt], "stroke-width": 2, "stroke-linejoin": "round",
      ...(prompt === "unimodal" ? { "stroke-dasharray": "5 3" } : {}),
    }));
    return shape("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-labelledby": ids.title, "aria-describedby": ids.desc,
    }, shape("title", { id: ids.title }, title), shape("desc", { id: ids.desc }, describe(curves)),
    ...grid, ...shares, ...lines);
  }

  /* The curves in words: the similarity at the start, half way and at the end. */
  function describe(curves) {
    const parts = curves.map(([prompt, values]) =>
      `${prompt} ${print(values[0], 1)} with nothing removed, ${print(values[5], 1)} with 50 %, ${print(values[9], 1)} with 90 %`);
    return `Similarity as cosine × 100: ${parts.join("; ")}.`;
  }
})();
