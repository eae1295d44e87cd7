"""Encode the gallery's pictures, and describe the colours of relevance for the page."""

import io
from base64 import b64encode

import numpy as np
from matplotlib.colors import to_hex
from PIL import Image

from clip_grounding.figures.captions import SHADES
from clip_grounding.figures.overlays import overlay
from clip_grounding.figures.style import COLORS, DIRECTION_LABELS, LABELS, PHRASE

LONGEST_SIDE = 400
"""Longest side of a picture in pixels; smaller images stay as they are."""

_QUALITY = 72


def encode_picture(image: Image.Image) -> str:
    """Return an image as a data URI of a WebP, no larger than `LONGEST_SIDE`."""
    scale = LONGEST_SIDE / max(image.size)
    if scale < 1:
        size = [max(1, round(scale * side)) for side in image.size]
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY, method=4)
    return "data:image/webp;base64," + b64encode(out.getvalue()).decode("ascii")


def describe_look() -> dict:
    """Return colours and names as in the figures.

    Returns
    -------
    dict
        ``colors`` and ``labels`` per contender, ``directions``; ``grey`` and ``tints``: an
        overlaid pixel is grey × luminance + the tint of its relevance (base64, 256 × RGB);
        ``shade``, of the most relevant token; ``gold``, of the phrase's underline.
    """
    levels = np.linspace(0, 1, 256)[None]
    black = overlay(np.zeros((1, 256, 3), np.uint8), levels)
    white = overlay(np.full((1, 256, 3), 255, np.uint8), levels)
    return {
        "colors": COLORS,
        "labels": LABELS,
        "directions": DIRECTION_LABELS,
        "grey": round(float(np.mean(white.astype(float) - black) / 255), 2),
        "tints": b64encode(black.tobytes()).decode("ascii"),
        "shade": to_hex(SHADES(1.0)),
        "gold": PHRASE,
    }
