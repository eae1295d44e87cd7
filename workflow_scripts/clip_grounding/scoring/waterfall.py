"""From the poster's score to the strict one, one defect corrected at a time.

Each step is the score of a phrase after one more correction, so the differences of the
steps' means say what each defect moves. The last step is the strict protocol's ``iou``.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa

from clip_grounding.geometry import WHOLE, View, pad_to_square, square_padding, upsample_to_square
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.regions import decode_region
from clip_grounding.scoring import poster
from clip_grounding.scoring.captions import read_captions
from clip_grounding.tables import KEYS, VOID_MASK

STEPS = {
    "text_to_image": ["poster", "foreground_only", "exact_region", "no_padding", "no_void"],
    "image_to_text": [
        "poster",
        "foreground_only",
        "true_mention",
        "true_offsets",
        "shared_ignored",
        "no_skipping",
    ],
}
"""The steps of a direction, in order:

poster
    The published score.
foreground_only
    The foreground's IoU, not its mean with the background's.
exact_region
    Compared at native size with the exact region, instead of at 224 x 224 with a bicubic
    and truncated one.
no_padding
    The padding of the square cropped away, before Otsu too.
no_void
    Pixels without a panoptic label ignored.
true_mention
    The phrase's own mention in the caption, not the first of its words.
true_offsets
    Every token that overlaps the phrase's characters.
shared_ignored
    Tokens of other phrases that name one of its segments ignored.
no_skipping
    The same over all phrases within the context length, not only over captions of 70 words.
"""

WATERFALL = pa.schema(
    [*KEYS, ("prompt", pa.string()), ("step", pa.string()), ("score", pa.float32())]
)


def correct_text_to_image(
    relevance: pd.DataFrame, phrases: pd.DataFrame, masks: pd.DataFrame, view: View = WHOLE
) -> Iterator[pd.DataFrame]:
    """Score each map of a shard after each correction; rows of `WATERFALL`.

    `view` is what the model sees of an image.
    """
    regions = masks.set_index(["image_id", "mask"])
    rows = relevance.merge(
        phrases[["narrative", "phrase", "mask"]], on=["narrative", "phrase"], validate="many_to_one"
    )
    for image_id, own in rows.groupby("image_id"):
        pixels = {}
        for record in regions.loc[image_id].itertuples():
            size = record.height, record.width
            where = f"image {image_id}, mask {record.Index}"
            pixels[record.Index] = decode_region(*size, record.counts, where)
        valid = ~pixels.get(VOID_MASK, np.zeros(size, dtype=bool))
        scores = [
            _image_steps(
                np.reshape(row.relevance, (row.grid_height, row.grid_width)),
                pixels[row.mask],
                valid,
                view,
            )
            for row in own.itertuples()
        ]
        yield _frame(own, "text_to_image", scores)


def _image_steps(
    grid: np.ndarray, region: np.ndarray, valid: np.ndarray, view: View
) -> list[float]:
    foregrounds, _ = poster.relevance_foreground(grid[None])
    predicted, truth = foregrounds[0], poster.region_truth(region).ravel()
    height, width = region.shape
    rows, columns = square_padding(height, width)
    square = upsample_to_square(grid, height, width, view)
    image = square[rows : rows + height, columns : columns + width]
    return [
        poster.two_class_iou(predicted[None], truth[None])[0],
        _foreground_iou(predicted, truth),
        _otsu_iou(square, pad_to_square(region)),
        _otsu_iou(image, region),
        _otsu_iou(image[valid], region[valid]),
    ]


def correct_image_to_text(
    relevance: pd.DataFrame,
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    masks: pd.DataFrame,
    tokenizer: TextTokenizer,
) -> Iterator[pd.DataFrame]:
    """Score each caption's token relevance after each correction; rows of `WATERFALL`."""
    captions = read_captions(phrases, narratives, masks, tokenizer)
    rows = relevance.merge(phrases, on=["narrative", "phrase", "image_id"], validate="many_to_one")
    scores = [
        _token_steps(captions[row.narrative], row, tokenizer.phrase_words(row.utterance))
        for row in rows.itertuples()
    ]
    if scores:
        yield _frame(rows, "image_to_text", scores)


def _token_steps(caption, row, phrase_words: list[str]) -> list[float]:
    steps = [np.nan] * 5
    final = np.nan
    if caption.exclude_strictly(row) is None:
        final = caption.score_strictly(row, row.relevance)["iou"]
    # A phrase without a token has no mention to start from.
    if (
        caption.poster_excluded is None
        and caption.is_complete
        and caption.strict_truths[row.phrase].any()
    ):
        predicted, _ = poster.token_foreground(row.relevance)
        truth = caption.poster_truths[row.phrase]
        offsets = caption.strict_truths[row.phrase]
        start = int(offsets.argmax())
        mention = np.zeros_like(offsets)
        mention[start:] = poster.text_truth(caption.words[start:], phrase_words)
        steps = [
            poster.two_class_iou(predicted[None], truth[None])[0],
            _foreground_iou(predicted, truth),
            _foreground_iou(predicted, mention),
            _foreground_iou(predicted, offsets),
            final,
        ]
    return [*steps, final]


def _foreground_iou(predicted: np.ndarray, truth: np.ndarray) -> float:
    either = (predicted | truth).sum()
    return (predicted & truth).sum() / either if either else 0.0


def _otsu_iou(values: np.ndarray, truth: np.ndarray) -> float:
    return _foreground_iou(poster.binarize(values.reshape(1, -1))[0], truth.ravel())


def _frame(rows: pd.DataFrame, direction: str, scores: list[list[float]]) -> pd.DataFrame:
    keys = rows[["narrative", "phrase", "image_id", "prompt"]]
    steps = STEPS[direction]
    return keys.loc[keys.index.repeat(len(steps))].assign(
        step=steps * len(rows), score=np.concatenate(scores)
    )
