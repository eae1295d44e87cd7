/* Making elements. Text only ever enters as text nodes or attributes: a caption cannot be markup. */
"use strict";

(function () {
  /* An element with properties (className, title, …), attributes (with a dash) and children. */
  Gallery.element = function (tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.includes("-") || name === "role") element.setAttribute(name, value);
      else element[name] = value;
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  };

  Gallery.print = function (value, digits = 2) {
    return value === null ? "–" : value.toFixed(digits).replace("-", "−");
  };

  Gallery.percent = function (share) {
    const percent = 100 * share;
    return percent < 0.1 ? "under 0.1 %" : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
  };

  const METRICS = {
    poster_iou: "poster IoU",
    ap: "average precision",
    iou: "IoU",
    best_iou: "best IoU",
    pointing: "pointing game",
    mass: "mass inside",
    chance: "chance level",
  };

  Gallery.metricName = function (metric) {
    return METRICS[metric] ?? metric;
  };

  /* A dot in the colour that a contender has in every figure. */
  Gallery.dot = function (name) {
    const dot = Gallery.element("span", { className: "dot", "aria-hidden": "true" });
    dot.style.background = Gallery.index.colors[name];
    return dot;
  };
})();
