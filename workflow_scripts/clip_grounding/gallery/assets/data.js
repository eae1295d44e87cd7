/* The data: the index of all items, and images in chunks that are loaded when they are needed. */
"use strict";

(function () {
  const waiting = new Map(); // chunk: {promise, resolve}
  const places = new Map(); // image: its place in the order of the chunks

  Gallery.setIndex = function (index) {
    Gallery.index = index;
    for (const item of index.items) {
      if (!places.has(item.image)) places.set(item.image, places.size);
    }
    index.items.forEach((item, number) => {
      const [start, end] = item.span;
      item.number = number;
      item.name = `${item.direction}-${item.narrative}-${item.phrase}`;
      item.text = index.captions[item.caption];
      item.phraseText = Array.from(item.text).slice(start, end).join("");
      item.words = [item.text, ...item.categories, item.image].join(" ").toLocaleLowerCase("en");
    });
    Gallery.pairs = index.contenders.filter(({ prompt }) => prompt === "matched");
    Gallery.tints = Gallery.unpackBytes(index.tints);
  };

  /* A chunk's script calls this. */
  Gallery.addImages = function (chunk, images) {
    waiting.get(chunk).resolve(new Map(images.map((image) => [image.image, image])));
  };

  function loadChunk(chunk) {
    if (!waiting.has(chunk)) {
      const entry = {};
      entry.promise = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `files/images-${String(chunk).padStart(3, "0")}.js`;
        script.onerror = () => reject(new Error(`${script.src} cannot be loaded`));
        entry.resolve = resolve;
        document.head.append(script);
      });
      waiting.set(chunk, entry);
    }
    return waiting.get(chunk).promise;
  }

  /* An item's image, its picture decoded, and the item's region, outline and maps. */
  Gallery.loadItem = async function (item) {
    const chunk = Math.floor(places.get(item.image) / Gallery.index.imagesPerChunk);
    const image = (await loadChunk(chunk)).get(item.image);
    if (!image.bitmap) {
      image.bitmap = new Image();
      image.bitmap.src = image.picture;
    }
    await image.bitmap.decode();
    const { mask, pairs, effects } = image.items[item.number];
    return { image, pairs, effects, ...shapeOf(image, mask) };
  };

  /* A region and its outline, kept: every canvas of an item draws them. */
  function shapeOf(image, mask) {
    image.shapes ??= {};
    if (!image.shapes[mask]) {
      const region = Gallery.decodeRegion(image.regions[mask], image.height, image.width);
      image.shapes[mask] = { region, outline: Gallery.outline(region, image.height, image.width) };
    }
    return image.shapes[mask];
  }

  /* The score of an item's contender; null where there is none. */
  Gallery.score = function (item, contender, metric) {
    const scores = item.scores[Gallery.index.contenders.indexOf(contender)];
    return scores ? scores[Gallery.index.metrics.indexOf(metric)] : null;
  };

  Gallery.contender = function (pair, prompt) {
    return Gallery.index.contenders.find((other) =>
      other.model === pair.model && other.attribution === pair.attribution && other.prompt === prompt);
  };
})();
