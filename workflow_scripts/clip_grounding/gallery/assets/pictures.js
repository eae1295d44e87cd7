/* Drawing: the region outlined, everything but the region darkened, relevance over grey. */
"use strict";

(function () {
  const LARGEST = 900; // pixels; more is not seen
  const DARKNESS = 0.82;
  const LUMINANCE = [0.299, 0.587, 0.114];

  /* Give a canvas the pixels that it covers on the screen, and the picture on them. */
  function start(canvas, image) {
    const wide = canvas.clientWidth || image.width;
    canvas.width = Math.max(1, Math.min(LARGEST, Math.round(wide * (globalThis.devicePixelRatio || 1))));
    canvas.height = Math.max(1, Math.round((canvas.width * image.height) / image.width));
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(image.bitmap, 0, 0, canvas.width, canvas.height);
    return context;
  }

  function drawOutline(context, image, segments) {
    const { width, height } = context.canvas;
    const across = width / image.width, down = height / image.height;
    context.beginPath();
    for (let i = 0; i < segments.length; i += 4) {
      context.moveTo(segments[i] * across, segments[i + 1] * down);
      context.lineTo(segments[i + 2] * across, segments[i + 3] * down);
    }
    const unit = width / (context.canvas.clientWidth || width);
    context.lineCap = "round";
    for (const [color, line] of [["#000", 3], ["#fff", 1.4]]) {
      context.strokeStyle = color;
      context.lineWidth = line * unit;
      context.stroke();
    }
  }

  Gallery.drawRegion = function (canvas, { image, outline }) {
    drawOutline(start(canvas, image), image, outline);
  };

  Gallery.drawMasked = function (canvas, { image, region }) {
    const context = start(canvas, image);
    const veil = new OffscreenCanvas(image.width, image.height);
    const pixels = new ImageData(image.width, image.height);
    region.forEach((inside, i) => {
      pixels.data[4 * i + 3] = inside ? 0 : 255 * DARKNESS;
    });
    veil.getContext("2d").putImageData(pixels, 0, 0);
    context.drawImage(veil, 0, 0, canvas.width, canvas.height);
  };

  /* A pixel is grey × its luminance + the tint of its relevance, as in the figures. */
  Gallery.drawOverlay = function (canvas, { image, outline }, pair, packed) {
    const context = start(canvas, image);
    const { width, height } = canvas;
    const levels = Gallery.upsample(
      Gallery.unpackLevels(packed), pair, [image.height, image.width], [height, width]);
    const pixels = context.getImageData(0, 0, width, height);
    const data = pixels.data, grey = Gallery.index.grey, [red, green, blue] = LUMINANCE;
    for (let i = 0; i < levels.length; i++) {
      const light = grey * (red * data[4 * i] + green * data[4 * i + 1] + blue * data[4 * i + 2]);
      const tint = 3 * Math.min(255, Math.floor(256 * levels[i]));
      for (let c = 0; c < 3; c++) data[4 * i + c] = light + Gallery.tints[tint + c];
    }
    context.putImageData(pixels, 0, 0);
    drawOutline(context, image, outline);
  };
})();
