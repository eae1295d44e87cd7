/* Captions: the phrase marked, and for image to text each token shaded by its relevance. */
"use strict";

(function () {
  const element = Gallery.element;
  const DARK_TEXT = 0.62; // on shades from here on black is easier to read, on weaker ones white

  /* The level of each character, by the most relevant of its tokens; −1 where there is none. */
  function characterLevels(length, tokens, levels) {
    const out = new Float32Array(length).fill(-1);
    levels.forEach((level, token) => {
      for (let i = tokens[2 * token]; i < tokens[2 * token + 1]; i++) out[i] = Math.max(out[i], level);
    });
    return out;
  }

  function shade(text, level) {
    const part = element("span", { textContent: text });
    if (level > 0) {
      part.className = level >= DARK_TEXT ? "token strong" : "token";
      const alpha = Math.round(255 * level).toString(16).padStart(2, "0");
      part.style.background = Gallery.index.shade + alpha;
    }
    return part;
  }

  /* A paragraph of the item's caption. Offsets count code points, as Python does. */
  Gallery.captionOf = function (item, pair = null, packed = null) {
    const characters = Array.from(item.text);
    const tokens = pair && pair.tokens;
    const levels = tokens && characterLevels(characters.length, tokens, Gallery.unpackLevels(packed));
    const seen = tokens ? tokens.reduce((last, end) => Math.max(last, end), 0) : characters.length;
    const [start, end] = item.span;
    const paragraph = element("p", { className: "caption", dir: "auto" });
    const mark = element("mark", { className: "phrase" });
    mark.style.textDecorationColor = Gallery.index.gold;
    const stateAt = (i) => [i >= start && i < end, i < seen, levels ? levels[i] : -1];
    for (let from = 0, to; from < characters.length; from = to) {
      const [isPhrase, isSeen, level] = stateAt(from);
      to = from + 1;
      while (to < characters.length && String(stateAt(to)) === String(stateAt(from))) to++;
      const part = shade(characters.slice(from, to).join(""), level);
      if (!isSeen) part.className = "unseen";
      if (isPhrase) mark.append(part);
      if (isPhrase && !mark.parentNode) paragraph.append(mark);
      if (!isPhrase) paragraph.append(part);
    }
    return paragraph;
  };
})();
