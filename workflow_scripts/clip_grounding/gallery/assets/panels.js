/* Panels: what one contender saw for an item, with its score; the same on cards and in detail. */
"use strict";

(function () {
  const { element, dot, print } = Gallery;
  const drawings = new WeakMap();
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      drawings.get(target)();
    }
  }, { rootMargin: "400px" });

  /* A canvas that is drawn when it comes near the screen; `tallest` in pixels. */
  Gallery.canvasOf = function (item, label, tallest, draw) {
    const [height, width] = item.size;
    const canvas = element("canvas", { role: "img", "aria-label": label });
    canvas.style.aspectRatio = `${width} / ${height}`;
    canvas.style.maxWidth = `${Math.round((tallest * width) / height)}px`;
    drawings.set(canvas, async () => {
      try {
        draw(canvas, await Gallery.loadItem(item));
        canvas.classList.add("drawn");
      } catch (error) {
        Gallery.notify(error.message);
      }
    });
    observer.observe(canvas);
    return canvas;
  };

  Gallery.regionCanvas = function (item, tallest) {
    const outlined = item.direction === "text_to_image";
    const how = outlined ? "outlined" : "shown and all else darkened";
    return Gallery.canvasOf(item, `Image ${item.image}, the region of “${item.phraseText}” ${how}`,
      tallest, outlined ? Gallery.drawRegion : Gallery.drawMasked);
  };

  /* An item's panels of pairs of model and attribution, in the order of the contenders. */
  Gallery.panelsOf = function (item, pairs, prompts) {
    const shown = Gallery.index.contenders.filter((contender, place) =>
      prompts.includes(contender.prompt) && item.scores[place] &&
      pairs.some((pair) => pair.model === contender.model && pair.attribution === contender.attribution));
    return shown.map((contender) =>
      ({ contender, name: pairs.length > 1 ? Gallery.pairName(contender) : contender.prompt }));
  };

  /* Model and attribution, as far as there are several. */
  Gallery.pairName = function (contender) {
    const parts = ["model", "attribution"].filter((key) =>
      new Set(Gallery.pairs.map((pair) => pair[key])).size > 1);
    return parts.map((key) => contender[key]).join(" · ");
  };

  function packedOf({ pairs }, { model, attribution, prompt }) {
    const pair = pairs.find((own) => own.model === model && own.attribution === attribution);
    return [pair, pair.maps[prompt]];
  }

  /* The contender's name and score. */
  Gallery.scoreLine = function (item, { contender, name }, metric) {
    const score = print(Gallery.score(item, contender, metric));
    return element("span", { className: "score", title: `${name}: ${Gallery.metricName(metric)} ${score}` },
      dot(contender.name), element("span", { className: "name", textContent: name }),
      element("b", { textContent: score }));
  };

  Gallery.mapPanel = function (item, panel, metric, tallest) {
    const score = print(Gallery.score(item, panel.contender, metric));
    const label = `Relevance for “${item.phraseText}”, ${panel.name}, ${Gallery.metricName(metric)} ${score}`;
    const canvas = Gallery.canvasOf(item, label, tallest, (target, data) =>
      Gallery.drawOverlay(target, data, ...packedOf(data, panel.contender)));
    return element("figure", {}, canvas,
      element("figcaption", {}, Gallery.scoreLine(item, panel, metric)));
  };

  /* The caption without shades first: they come with the item's data. */
  Gallery.captionPanel = function (item, panel, metric) {
    const plain = Gallery.captionOf(item);
    const figure = element("figure", { className: "words" },
      element("figcaption", {}, Gallery.scoreLine(item, panel, metric)), plain);
    Gallery.loadItem(item).then(
      (data) => plain.replaceWith(Gallery.captionOf(item, ...packedOf(data, panel.contender))),
      (error) => Gallery.notify(error.message));
    return figure;
  };
})();
