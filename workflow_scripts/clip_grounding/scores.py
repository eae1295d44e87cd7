"""Per-phrase scores of one shard under both protocols, for models and baselines.

A contender's maps are binarised or ranked once and scored against every region that they
are compared with: the phrase's own for ``matched`` and ``null``, a disjoint one for
``mismatched``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pycocotools import mask as coco_mask

from clip_grounding import poster, strict
from clip_grounding.contenders import Draw, center_map, choose_mismatched, random_map
from clip_grounding.errors import InputError
from clip_grounding.tables import KEYS, VOID_MASK

METRICS = ["poster_iou", *strict.METRICS]
"""The score columns: the poster's, then the strict protocol's."""

_COLUMNS = [
    ("prompt", pa.string()),
    *((metric, pa.float32()) for metric in METRICS),
    ("region_area", pa.float32()),
    ("degenerate", pa.bool_()),
    ("poster_excluded", pa.string()),
    ("strict_excluded", pa.string()),
]
SCORES = pa.schema([*KEYS, *_COLUMNS])
COLLECTED_SCORES = pa.schema(
    [*KEYS, *((name, pa.string()) for name in ("direction", "model", "attribution")), *_COLUMNS]
)
"""The scores of all contenders in one table, ``scores.parquet``."""

THRESHOLDS = pa.schema(
    [
        ("image_id", pa.int64()),
        ("prompt", pa.string()),
        ("level", pa.float32()),
        ("iou_sum", pa.float64()),
        ("n_phrases", pa.int32()),
    ]
)
"""Foreground IoU by threshold, summed over the phrases of an image."""


def score_text_to_image(
    relevance: pd.DataFrame, phrases: pd.DataFrame, masks: pd.DataFrame, seed: int
) -> Iterator[pd.DataFrame]:
    """Score the text-to-image relevance maps of a shard.

    Parameters
    ----------
    relevance : DataFrame
        Rows of ``tables.RELEVANCE["text_to_image"]``.
    phrases, masks : DataFrame
        The shard's phrases and regions.
    seed : int
        Draws the mismatched phrases.

    Yields
    ------
    DataFrame
        Rows of `SCORES`, an image's at a time, and the column ``curve``, see `split_curves`.
    """
    refuse_unfinite(relevance)
    maps_of = dict(iter(relevance.groupby("image_id")))
    for regions, own in _images(phrases, masks):
        rows = own.merge(maps_of[regions.image_id], on=["narrative", "phrase", "image_id"])
        rows = add_mismatched(rows, own, seed)
        # Phrases of one text, and all null prompts of an image, share a map.
        _, first, index = np.unique(
            [values.tobytes() for values in rows["relevance"]],
            return_index=True,
            return_inverse=True,
        )
        shape = rows["grid_height"].iloc[0], rows["grid_width"].iloc[0]
        grids = np.stack(rows["relevance"].iloc[first].to_list()).reshape(-1, *shape)
        foregrounds, degenerate = poster.relevance_foreground(grids)
        frame = rows[["narrative", "phrase", "image_id", "prompt"]].assign(
            poster_iou=regions.poster_scores(foregrounds, index, rows["mask"]),
            degenerate=degenerate[index],
            **regions.strict_scores(grids, index, rows["mask"]),
        )
        yield frame.assign(poster_excluded=None, strict_excluded=None)


def score_baseline_text_to_image(
    kind: str, phrases: pd.DataFrame, masks: pd.DataFrame, grid: tuple[int, int], seed: int
) -> Iterator[pd.DataFrame]:
    """Score a baseline on regions: ``random``, ``empty`` or ``center``.

    ``random`` is drawn per pixel for the poster's score and per cell of `grid`, the
    resolution of the models' maps, for the strict ones.
    """
    for regions, own in _images(phrases, masks):
        index = np.arange(len(own)) if kind == "random" else np.zeros(len(own), dtype=int)
        if kind == "random":
            keys = list(zip(own["narrative"], own["phrase"], strict=True))
            noise = [random_map(poster.SIZE**2, seed, *key, Draw.PIXELS) for key in keys]
            foregrounds = poster.binarize(np.stack(noise))
            grids = np.stack([random_map(grid, seed, *key, Draw.CELLS) for key in keys])
        else:
            grids = (center_map(*grid) if kind == "center" else np.zeros(grid, np.float32))[None]
            foregrounds, _ = poster.relevance_foreground(grids)
        frame = own[["narrative", "phrase", "image_id"]].assign(
            prompt="none",
            poster_iou=regions.poster_scores(foregrounds, index, own["mask"]),
            degenerate=kind == "empty",
            **regions.strict_scores(grids, index, own["mask"]),
        )
        yield frame.assign(poster_excluded=None, strict_excluded=None)


@dataclass(frozen=True)
class _Regions:
    """The regions of one image, as both protocols compare maps with them."""

    image_id: int
    height: int
    width: int
    pixels: dict[int, np.ndarray]  # mask -> flat positions at native size
    void: np.ndarray  # flat positions
    truths: dict[int, np.ndarray]  # mask -> the poster's 224 x 224 truth, packed to words

    def poster_scores(self, foregrounds: np.ndarray, index: np.ndarray, masks) -> np.ndarray:
        """Score foreground `index[i]` against region `masks[i]`."""
        predicted = _pack(foregrounds)[index]
        truth = np.stack([self.truths[mask] for mask in masks])
        both, n_predicted, n_truth = (
            np.bitwise_count(words).sum(axis=1, dtype=np.int64)
            for words in (predicted & truth, predicted, truth)
        )
        return poster.iou_of_counts(both, n_predicted, n_truth, poster.SIZE**2)

    def strict_scores(self, grids: np.ndarray, index: np.ndarray, masks) -> dict[str, np.ndarray]:
        """Score map `index[i]` against region `masks[i]`, and the region's share of the image."""
        masks = np.asarray(masks)
        scores = {metric: np.empty(len(index)) for metric in strict.METRICS}
        scores["curve"] = np.empty((len(index), len(strict.LEVELS)))
        for i, grid in enumerate(grids):
            rows = np.flatnonzero(index == i)
            distinct, inverse = np.unique(masks[rows], return_inverse=True)
            image_map = strict.open_map(
                strict.upsample_to_image(grid, self.height, self.width), self.void
            )
            own = strict.score_regions(image_map, [self.pixels[mask] for mask in distinct])
            for metric, values in own.items():
                scores[metric][rows] = values[inverse]
        size = self.height * self.width
        scores["curve"] = list(scores["curve"])
        return {**scores, "region_area": np.array([len(self.pixels[m]) / size for m in masks])}


def _images(
    phrases: pd.DataFrame, masks: pd.DataFrame
) -> Iterator[tuple[_Regions, pd.DataFrame]]:
    """Each image's regions and phrases, in the order of image ids."""
    masks_of = dict(iter(masks.groupby("image_id")))
    for image_id, own in phrases.groupby("image_id"):
        pixels, truths, void = {}, {}, np.empty(0, dtype=np.int64)
        for row in masks_of[image_id].itertuples():
            size = [row.height, row.width]
            region = coco_mask.decode({"size": size, "counts": row.counts}).astype(bool)
            if row.mask == VOID_MASK:
                void = np.flatnonzero(region)
                continue
            pixels[row.mask] = np.flatnonzero(region)
            truths[row.mask] = _pack(poster.region_truth(region).reshape(1, -1))[0]
        yield _Regions(image_id, *size, pixels, void, truths), own


def _pack(masks: np.ndarray) -> np.ndarray:
    """Pack rows of bool to 64-bit words, whose bits count fast; their length is a multiple."""
    return np.packbits(masks, axis=1).view(np.uint64)


def add_mismatched(rows: pd.DataFrame, phrases: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Add a row per phrase with another phrase's map, where one has a disjoint region.

    Parameters
    ----------
    rows : DataFrame
        `phrases` joined with their maps: the ``matched`` rows are in the order of `phrases`.
    phrases : DataFrame
        The phrases among which a map may be borrowed.
    seed : int
    """
    chosen = choose_mismatched(phrases, seed)
    matched = rows[rows["prompt"] == "matched"]
    borrowed = matched.iloc[chosen[chosen >= 0]].drop(columns=phrases.columns)
    own = phrases[chosen >= 0].reset_index(drop=True)
    mismatched = pd.concat([own, borrowed.reset_index(drop=True)], axis=1)
    return pd.concat([rows, mismatched.assign(prompt="mismatched")], ignore_index=True)


def refuse_unfinite(relevance: pd.DataFrame) -> None:
    """Refuse relevance that is not a number: a broken model must not score at all."""
    for row in relevance.itertuples():
        if not np.isfinite(row.relevance).all():
            raise InputError(
                f"relevance of narrative {row.narrative}, phrase {row.phrase} ({row.prompt}) holds "
                "values that are not finite: the model's weights or its precision are at fault"
            )


def split_curves(frames: Iterable[pd.DataFrame], curves: list[pd.DataFrame]):
    """Take the threshold curves out of score frames on their way to the table.

    Parameters
    ----------
    frames : iterable of DataFrame
        Rows of `SCORES` and the column ``curve``: IoU at each of ``strict.LEVELS``.
    curves : list
        Rows of `THRESHOLDS` are appended to it.

    Yields
    ------
    DataFrame
        The frames without ``curve``.
    """
    for frame in frames:
        scored = frame[frame["strict_excluded"].isna()]
        for (image_id, prompt), own in scored.groupby(["image_id", "prompt"]):
            curves.append(
                pd.DataFrame(
                    {
                        "image_id": image_id,
                        "prompt": prompt,
                        "level": strict.LEVELS,
                        "iou_sum": np.sum(own["curve"].to_list(), axis=0),
                        "n_phrases": len(own),
                    }
                )
            )
        yield frame.drop(columns="curve")
