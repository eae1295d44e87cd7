"""Per-phrase scores of one shard, for a model's relevance maps and for the baselines."""

from collections.abc import Collection, Iterable, Iterator
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
from pycocotools import mask as coco_mask

from clip_grounding import poster
from clip_grounding.baselines import random_map
from clip_grounding.tables import KEYS, VOID_MASK
from clip_grounding.tokens import TextTokenizer

METRICS = ["poster_iou"]
"""The score columns; beside them `degenerate` flags maps in which nothing can be predicted."""

SCORES = pa.schema(
    [
        *KEYS,
        ("prompt", pa.string()),
        *((metric, pa.float32()) for metric in METRICS),
        ("degenerate", pa.bool_()),
    ]
)

COLLECTED_SCORES = pa.schema(
    [
        *KEYS,
        ("direction", pa.string()),
        ("model", pa.string()),
        ("attribution", pa.string()),
        *list(SCORES)[len(KEYS) :],
    ]
)
"""The scores of all contenders in one table, ``scores.parquet``."""

_BATCH = 64  # maps of 224 x 224 float32 held at once: 13 MB


def score_text_to_image(
    relevance: pd.DataFrame, phrases: pd.DataFrame, masks: pd.DataFrame
) -> Iterator[pd.DataFrame]:
    """Score the text-to-image relevance maps of a shard.

    Parameters
    ----------
    relevance : DataFrame
        Rows of ``tables.RELEVANCE["text_to_image"]``.
    phrases, masks : DataFrame
        The shard's phrases and regions.

    Yields
    ------
    DataFrame
        Rows of `SCORES`, in the order of `relevance`.
    """
    truths = _region_truths(masks)
    rows = _join(relevance, phrases)
    for batch in _batches(rows):
        shape = batch["grid_height"].iloc[0], batch["grid_width"].iloc[0]
        grids = np.stack(batch["relevance"].to_list()).reshape(-1, *shape)
        foreground, degenerate = poster.relevance_foreground(grids)
        yield _frame(batch, _region_scores(foreground, truths, batch), degenerate)


def score_image_to_text(
    relevance: pd.DataFrame,
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    tokenizer: TextTokenizer,
) -> Iterator[pd.DataFrame]:
    """Score the image-to-text relevance of a shard; see `score_text_to_image`.

    ``poster_iou`` is null where the published evaluation skips the narrative: more than
    70 words, or more tokens than the context holds.
    """
    texts = _texts(narratives, phrases)
    too_long = {n for n, text in texts.items() if tokenizer.count(text) > tokenizer.context_length}
    rows = _join(relevance, phrases)
    binarized = [poster.token_foreground(relevance) for relevance in rows["relevance"]]
    foregrounds = (foreground for foreground, _ in binarized)
    scores = _token_scores(foregrounds, rows, texts, tokenizer, too_long)
    yield _frame(rows, scores, [degenerate for _, degenerate in binarized])


def score_baseline_text_to_image(
    kind: str, phrases: pd.DataFrame, masks: pd.DataFrame, seed: int
) -> Iterator[pd.DataFrame]:
    """Score a baseline on regions: ``random`` per pixel, or the ``empty`` mask."""
    truths = _region_truths(masks)
    for batch in _batches(phrases):
        foreground = np.stack(
            [_baseline_foreground(kind, poster.SIZE**2, seed, row) for row in batch.itertuples()]
        )
        scores = _region_scores(foreground, truths, batch)
        yield _frame(batch.assign(prompt="none"), scores, kind == "empty")


def score_baseline_image_to_text(
    kind: str,
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    tokenizer: TextTokenizer,
    seed: int,
) -> Iterator[pd.DataFrame]:
    """Score a baseline on word tokens: ``random`` per token, or no token (``empty``).

    As published, a baseline knows no context length: it skips only by words.
    """
    texts = _texts(narratives, phrases)
    foregrounds = [
        _baseline_foreground(kind, len(tokenizer.words(texts[row.narrative])), seed, row)
        for row in phrases.itertuples()
    ]
    scores = _token_scores(foregrounds, phrases, texts, tokenizer)
    yield _frame(phrases.assign(prompt="none"), scores, kind == "empty")


def _baseline_foreground(kind: str, n_values: int, seed: int, phrase) -> np.ndarray:
    if kind == "empty":
        return np.zeros(n_values, dtype=bool)
    return poster.binarize(random_map(n_values, seed, phrase.narrative, phrase.phrase)[None])[0]


def _region_truths(masks: pd.DataFrame) -> dict[tuple[int, int], np.ndarray]:
    """Each region at the comparison grid, packed to bits: a shard's regions fit in memory."""
    truths = {}
    for row in masks[masks["mask"] != VOID_MASK].itertuples():
        region = coco_mask.decode({"size": [row.height, row.width], "counts": row.counts})
        truths[row.image_id, row.mask] = np.packbits(poster.region_truth(region.astype(bool)))
    return truths


def _region_scores(foreground: np.ndarray, truths: dict, rows: pd.DataFrame) -> np.ndarray:
    packed = [truths[key] for key in zip(rows["image_id"], rows["mask"], strict=True)]
    truth = np.unpackbits(np.stack(packed), axis=1).astype(bool)
    return poster.two_class_iou(foreground, truth)


def _token_scores(
    foregrounds: Iterable[np.ndarray],
    rows: pd.DataFrame,
    texts: dict[int, str],
    tokenizer: TextTokenizer,
    skipped: Collection[int] = (),
) -> np.ndarray:
    """Score each row's word tokens; NaN where its narrative is too wordy or in `skipped`."""
    words = cache(tokenizer.words)  # the rows of a narrative share its text
    scores = np.full(len(rows), np.nan, dtype=np.float32)
    for i, (row, foreground) in enumerate(zip(rows.itertuples(), foregrounds, strict=True)):
        text = texts[row.narrative]
        if poster.is_too_wordy(text) or row.narrative in skipped:
            continue
        truth = poster.text_truth(words(text), words(row.utterance))
        scores[i] = poster.two_class_iou(foreground[None], truth[None])[0]
    return scores


def _texts(narratives: pd.DataFrame, phrases: pd.DataFrame) -> dict[int, str]:
    own = narratives[narratives["narrative"].isin(phrases["narrative"])]
    return dict(zip(own["narrative"], own["text"], strict=True))


def _join(relevance: pd.DataFrame, phrases: pd.DataFrame) -> pd.DataFrame:
    columns = ["narrative", "phrase", "utterance", "mask"]
    return relevance.merge(phrases[columns], on=["narrative", "phrase"], validate="many_to_one")


def _batches(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(rows), _BATCH):
        yield rows.iloc[start : start + _BATCH]


def _frame(rows: pd.DataFrame, scores: np.ndarray, degenerate) -> pd.DataFrame:
    return rows[["narrative", "phrase", "image_id", "prompt"]].assign(poster_iou=scores, degenerate=degenerate)
