"""The poster's protocol: the published evaluation, step by step, in float32 as published.

Maps are upsampled to within some units in the last place of torch's, so a pixel exactly at a
threshold may fall on the other side of it.

A phrase's score is the mean of the foreground and the background IoU of the Otsu
foreground of its relevance map. What that number hides is documented in docs/protocols.md.
"""

import numpy as np
from PIL import Image

from clip_grounding.geometry import interpolate, linear_weights, pad_to_square
from clip_grounding.models.tokenizer import first_mention
from clip_grounding.scoring.otsu import otsu_thresholds

SIZE = 224
"""Pixels per side at which text-to-image maps and masks are compared."""

MAX_WORDS = 70
"""A narrative with more space-separated words is not scored image-to-text."""


def two_class_iou(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean of foreground and background IoU, in float32 as published.

    Parameters
    ----------
    predicted, truth : ndarray of bool, shape (n, n_values)

    Returns
    -------
    ndarray of float32, shape (n,)
        A class absent from both prediction and truth counts 0.
    """
    both = (predicted & truth).sum(axis=1)
    return iou_of_counts(both, predicted.sum(axis=1), truth.sum(axis=1), predicted.shape[1])


def iou_of_counts(both, predicted, truth, n_values: int) -> np.ndarray:
    """`two_class_iou` from the numbers of values in both, in the prediction and in the truth."""
    either = predicted + truth - both
    foreground = np.float32(both) / np.float32(np.maximum(either, 1))
    background = np.float32(n_values - either) / np.float32(np.maximum(n_values - both, 1))
    return (foreground + background) / np.float32(2)


def upsample(grids: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Upsample bilinearly, half-pixel centres (torch's ``align_corners=False``).

    Parameters
    ----------
    grids : ndarray of float32, shape (n, rows, columns)

    Returns
    -------
    ndarray of float32, shape (n, size, size)
    """
    for axis in (2, 1):
        grids = interpolate(grids, axis, *linear_weights(grids.shape[axis], size))
    return grids


def region_truth(region: np.ndarray) -> np.ndarray:
    """Bring a region's native mask to the comparison grid.

    Padded to a square, resized with Pillow's bicubic filter and truncated: only pixels
    that stay exactly 255 are foreground, so small regions shrink or vanish.

    Parameters
    ----------
    region : ndarray of bool, shape (height, width)

    Returns
    -------
    ndarray of bool, shape (224, 224)
    """
    padded = pad_to_square(region.view(np.uint8) * np.uint8(255))
    truth = np.zeros((SIZE, SIZE), dtype=bool)
    rows = np.flatnonzero(padded.any(axis=1))
    if len(rows) == 0:
        return truth
    # Pillow resizes along rows, then along columns. Empty rows and columns stay empty, so each
    # pass is given only the others, which changes no pixel and saves most of the work.
    band = slice(rows[0], rows[-1] + 1)
    wide = np.zeros((len(padded), SIZE), dtype=np.uint8)
    wide[band] = _resize(padded[band], SIZE, band.stop - band.start)
    columns = np.flatnonzero(wide.any(axis=0))
    if len(columns):
        part = slice(columns[0], columns[-1] + 1)
        truth[:, part] = _resize(wide[:, part], part.stop - part.start, SIZE) == 255
    return truth


def _resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def binarize(values: np.ndarray) -> np.ndarray:
    """Foreground of each row: strictly above its Otsu threshold, so nothing of a constant row."""
    return values > otsu_thresholds(values)[:, None]


def relevance_foreground(grids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Binarise text-to-image relevance maps.

    Parameters
    ----------
    grids : ndarray of float32, shape (n, rows, columns)

    Returns
    -------
    foreground : ndarray of bool, shape (n, 224 * 224)
    degenerate : ndarray of bool, shape (n,)
        Flat maps: they have no min-max, and nothing is predicted.
    """
    maps = upsample(grids).reshape(len(grids), -1)
    # Between equal values interpolation leaves differences of a last digit.
    flat = grids.min(axis=(1, 2)) == grids.max(axis=(1, 2))
    maps[flat] = 0
    low = maps.min(axis=1, keepdims=True)
    span = maps.max(axis=1, keepdims=True) - low
    degenerate = ~(span[:, 0] > 0)
    maps = (maps - low) / np.where(degenerate[:, None], 1, span)
    return binarize(maps), degenerate


def token_foreground(relevance: np.ndarray) -> tuple[np.ndarray, bool]:
    """Binarise one caption's token relevance, (n_words,); says whether it is flat (degenerate)."""
    if len(relevance) == 0 or relevance.min() == relevance.max():
        return np.zeros(len(relevance), dtype=bool), True
    total = relevance.sum()
    shares = relevance / total if total > 0 else relevance
    return binarize(shares[None])[0], False


def text_truth(words: list[str], phrase_words: list[str]) -> np.ndarray:
    """Word tokens of a caption that the published evaluation takes for a phrase, (n_words,)."""
    start, stop = first_mention(words, phrase_words)
    positions = np.arange(len(words))
    return (positions >= start) & (positions < stop)


def is_too_wordy(text: str) -> bool:
    """Say whether the published evaluation skips a narrative of this text image-to-text."""
    return len(text.split(" ")) > MAX_WORDS
