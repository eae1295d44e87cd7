/* Regions and relevance as numbers: decoding, upsampling onto the image, outlines.
   The same geometry as geometry.py (seen_part, upsample_to_image). */
"use strict";

globalThis.Gallery = {};

/* Relevance levels, 0 … 1: base64 of 16 bits each, the low byte first. */
Gallery.unpackLevels = function (packed) {
  const bytes = atob(packed);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) =>
    (bytes.charCodeAt(2 * i) + 256 * bytes.charCodeAt(2 * i + 1)) / 65535);
};

Gallery.unpackBytes = function (packed) {
  return Uint8ClampedArray.from(atob(packed), (character) => character.charCodeAt(0));
};

/* COCO's compressed run lengths to 0 and 1, row by row. Runs go down the columns, zeros first. */
Gallery.decodeRegion = function (counts, height, width) {
  const runs = [];
  for (let at = 0; at < counts.length;) {
    let run = 0, shift = 0, code;
    do {
      code = counts.charCodeAt(at++) - 48;
      run |= (code & 31) << shift;
      shift += 5;
    } while (code & 32);
    if (code & 16) run |= -1 << shift;
    runs.push(runs.length > 2 ? run + runs[runs.length - 2] : run);
  }
  const region = new Uint8Array(height * width);
  let position = 0;
  runs.forEach((run, number) => {
    for (const stop = position + run; position < stop; position++) {
      if (number % 2) region[(position % height) * width + Math.floor(position / height)] = 1;
    }
  });
  return region;
};

/* Of the sides of an image's padded square: their padding at each end, the pixels to which the
   model's preprocessing resizes them, the first of these that patches cover, and how many. */
function seenPart(sides, [size, covered, crops]) {
  const longer = Math.max(...sides);
  const paddings = sides.map((side) => Math.floor((longer - side) / 2));
  const squares = sides.map((side, axis) => side + 2 * paddings[axis]);
  return squares.map((square, axis) => {
    const resized = crops ? Math.floor((size * square) / Math.min(...squares)) : size;
    const first = Math.floor((resized - size) / 2);
    return { padding: paddings[axis], square, resized, first, covered };
  });
}

/* For each of `shown` pixels that cover `size` pixels of an image: the cells of a grid of
   `cells` below and above it, and the share of the upper. The grid covers what is seen. */
function weights(cells, size, seen, shown) {
  const low = new Int32Array(shown), high = new Int32Array(shown);
  const share = new Float32Array(shown);
  for (let i = 0; i < shown; i++) {
    const pixel = ((((i + 0.5) * size) / shown + seen.padding) * seen.resized) / seen.square;
    const center = Math.max(((pixel - seen.first) * cells) / seen.covered - 0.5, 0);
    low[i] = Math.min(Math.floor(center), cells - 1);
    high[i] = Math.min(low[i] + 1, cells - 1);
    share[i] = low[i] === high[i] ? 0 : center - low[i];
  }
  return { low, high, share };
}

/* A grid of levels upsampled onto an image that is shown `shownWidth` × `shownHeight` pixels
   large: bilinear, half-pixel centres, padding cropped away, level beyond what the patches see.
   Gives 0 … 1 over what is shown. */
Gallery.upsample = function (levels, { grid, view }, [height, width], [shownHeight, shownWidth]) {
  const [rows, columns] = grid;
  const seen = seenPart([height, width], view);
  const vertical = weights(rows, height, seen[0], shownHeight);
  const horizontal = weights(columns, width, seen[1], shownWidth);
  const out = new Float32Array(shownHeight * shownWidth);
  let lowest = Infinity, highest = -Infinity;
  for (let y = 0; y < shownHeight; y++) {
    const above = vertical.low[y] * columns, below = vertical.high[y] * columns;
    const down = vertical.share[y];
    for (let x = 0; x < shownWidth; x++) {
      const left = horizontal.low[x], right = horizontal.high[x], across = horizontal.share[x];
      const top = levels[above + left] * (1 - across) + levels[above + right] * across;
      const bottom = levels[below + left] * (1 - across) + levels[below + right] * across;
      const value = top * (1 - down) + bottom * down;
      out[y * shownWidth + x] = value;
      lowest = Math.min(lowest, value);
      highest = Math.max(highest, value);
    }
  }
  const span = highest > lowest ? highest - lowest : 1;
  return out.map((value) => (value - lowest) / span);
};

/* The outline of a region as segments x1, y1, x2, y2 in pixels of its image: marching squares
   between pixel centres, so that diagonal edges are straight, closed at the image's edge. */
Gallery.outline = function (region, height, width) {
  const stride = width + 2; // a border of zeros on all sides
  const padded = new Uint8Array((height + 2) * stride);
  for (let y = 0; y < height; y++) {
    padded.set(region.subarray(y * width, (y + 1) * width), (y + 1) * stride + 1);
  }
  const segments = [];
  for (let y = 0; y <= height; y++) {
    for (let x = 0, at = y * stride; x <= width; x++, at++) {
      const corners = padded[at] | (padded[at + 1] << 1)
        | (padded[at + stride + 1] << 2) | (padded[at + stride] << 3);
      if (corners !== 0 && corners !== 15) addSegments(segments, corners, x, y);
    }
  }
  return segments;
};

/* Of the square between four pixel centres, around the corner (x, y) of four pixels; its corners
   that are inside as bits: 1 top left, 2 top right, 4 bottom right, 8 bottom left. */
function addSegments(segments, corners, x, y) {
  const top = [x, y - 0.5], bottom = [x, y + 0.5], left = [x - 0.5, y], right = [x + 0.5, y];
  const draw = (a, b) => segments.push(...a, ...b);
  if (corners === 1 || corners === 14 || corners === 5) draw(left, top);
  if (corners === 2 || corners === 13 || corners === 10) draw(top, right);
  if (corners === 4 || corners === 11 || corners === 5) draw(right, bottom);
  if (corners === 8 || corners === 7 || corners === 10) draw(bottom, left);
  if (corners === 3 || corners === 12) draw(left, right);
  if (corners === 6 || corners === 9) draw(top, bottom);
}
