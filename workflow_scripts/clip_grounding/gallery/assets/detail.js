/* One item, large: all models and prompts side by side, and every score. */
"use strict";

(function () {
  const { element, print } = Gallery;
  const PROMPTS = ["matched", "unimodal", "mismatched"];
  const dialog = document.getElementById("detail");
  let open = null;

  Gallery.openItem = function (item, state) {
    open = item;
    const index = Gallery.index;
    const pairs = Gallery.selectedPairs(state);
    const isText = item.direction === "image_to_text";
    const title = element("h2", { id: "detail-title", textContent: item.phraseText || "(no words)", dir: "auto", tabIndex: -1 });
    const region = Gallery.regionCanvas(item, 380);
    const picture = element("figure", {}, region);
    picture.style.maxWidth = region.style.maxWidth;
    const overview = element("div", { className: "overview" }, picture,
      element("div", {}, isText ? null : Gallery.captionOf(item), scoreTable(item, state.metric),
        Gallery.evidenceTables(item),
        element("p", { className: "facts", textContent:
          `Image ${item.image}, narrative ${item.narrative}, phrase ${item.phrase} of ${index.dataset}` }),
        item.partner === null ? null : element("p", { className: "facts", dir: "auto", textContent:
          `Mismatched: the map of “${item.partner}”` })));
    const rows = pairs.map((pair) => {
      const panels = Gallery.panelsOf(item, [pair], PROMPTS);
      return element("section", {},
        element("h3", { textContent: `${pair.model} · ${pair.attribution}` }),
        element("div", { className: "panels" }, ...panels.map((panel) =>
          isText ? Gallery.captionPanel(item, panel, state.metric)
            : Gallery.mapPanel(item, panel, state.metric, 340))),
        Gallery.removalCurves(item, pair));
    });
    dialog.replaceChildren(bar(item), title, Gallery.factsOf(item), overview, ...rows);
    if (!dialog.open) dialog.showModal();
    title.focus({ preventScroll: true });
    dialog.scrollTop = 0;
  };

  Gallery.openedLast = () => open;

  /* Go to a neighbour in the list. */
  Gallery.step = function (step) {
    const items = Gallery.listed();
    const next = items[items.indexOf(open) + step];
    if (next) location.replace(`#item=${next.name}`);
  };

  function bar(item) {
    const items = Gallery.listed();
    const place = items.indexOf(item);
    const button = (text, disabled, onclick) => element("button", { type: "button", disabled, onclick }, text);
    const other = Gallery.index.items.find((twin) => twin !== item &&
      twin.narrative === item.narrative && twin.phrase === item.phrase);
    return element("div", { className: "bar" },
      button("← Previous", place <= 0, () => Gallery.step(-1)),
      button("Next →", place < 0 || place === items.length - 1, () => Gallery.step(1)),
      element("span", { className: "place", textContent: place < 0 ? "" : `${place + 1} of ${items.length}` }),
      other ? element("a", { href: `#item=${other.name}`, textContent: `the same, ${Gallery.index.directions[other.direction]}` }) : null,
      button("Copy link", false, copyLink),
      button("Close", false, () => dialog.close()));
  }

  async function copyLink({ target }) {
    try {
      await navigator.clipboard.writeText(location.href);
      target.textContent = "Copied";
    } catch {
      target.textContent = "It is in the address bar";
    }
  }

  function scoreTable(item, metric) {
    const { contenders, metrics, labels } = Gallery.index;
    const several = Gallery.pairs.length > 1;
    const rows = contenders.filter((_, place) => item.scores[place]).map((contender) => {
      const { model, prompt, name } = contender;
      const label = several && model !== "baseline" ? `${Gallery.pairName(contender)} · ${prompt}` : labels[name];
      return [name, label, metrics.map((column) => print(Gallery.score(item, contender, column), 3))];
    });
    return Gallery.table("Scores", metrics.map(Gallery.metricName), rows, metrics.indexOf(metric));
  }
})();
