"""Per-phrase scores of one shard under both protocols, for models and baselines.

A contender's maps are binarised or ranked once and scored against every region that they
are compared with: the phrase's own for ``matched`` and ``unimodal``, a disjoint one for
``mismatched``.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa

from clip_grounding.errors import InputError
from clip_grounding.geometry import WHOLE, View
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.scoring import poster, strict
from clip_grounding.scoring.baselines import load_baseline
from clip_grounding.scoring.draws import Draw, choose_partners, phrase_generator
from clip_grounding.scoring.image_regions import ImageRegions, read_regions
from clip_grounding.tables import KEYS

METRICS = ["poster_iou", *strict.METRICS]
"""The score columns: the poster's, then the strict protocol's."""

_COLUMNS = [
    ("prompt", pa.string()),
    *((metric, pa.float32()) for metric in METRICS),
    ("region_area", pa.float32()),
    ("degenerate", pa.bool_()),
    ("poster_excluded", pa.string()),
    ("strict_excluded", pa.string()),
    ("partner_narrative", pa.int32()),
    ("partner_phrase", pa.int32()),
]
SCORES = pa.schema([*KEYS, *_COLUMNS])
COLLECTED_SCORES = pa.schema(
    [*KEYS, *((name, pa.string()) for name in ("direction", "model", "attribution")), *_COLUMNS]
)
"""The scores of all contenders in one table, ``scores.parquet``."""

_ROWS = 256
"""Rows of an image that are scored at once: their maps take 0.2 MB each on the poster's grid."""

NO_PARTNER = {"partner_narrative": -1, "partner_phrase": -1}
"""The partner of a map that is the phrase's own."""

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
    relevance: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    seed: int,
    view: View = WHOLE,
) -> pd.DataFrame:
    """Score the text-to-image relevance maps of a shard.

    Parameters
    ----------
    relevance : DataFrame
        Rows of ``tables.RELEVANCE["text_to_image"]``.
    phrases, masks : DataFrame
        The shard's phrases and regions.
    seed : int
        Draws the mismatched phrases.
    view : View
        What the model sees of an image.

    Returns
    -------
    DataFrame
        Rows of `SCORES`, and the column ``curve``, see `sum_curves`.

    Raises
    ------
    InputError
        Relevance that is not finite.
    """
    rows, left_out = join_maps(relevance, phrases, "image_id", seed)
    scores = _ImageScores(rows, masks, view)
    maps = rows["relevance"].to_numpy()
    shapes = rows[["grid_height", "grid_width"]].to_numpy()
    for regions, positions in scores.images(maps):
        # Phrases of one text, and all unimodal prompts of an image, share a map.
        _, first, index = np.unique(
            [values.tobytes() for values in maps[positions]],
            return_index=True,
            return_inverse=True,
        )
        grids = np.stack(maps[positions[first]]).reshape(-1, *shapes[positions[0]])
        foregrounds, degenerate = poster.relevance_foreground(grids)
        scores.add(regions, positions, foregrounds, grids, index, degenerate[index])
    return add_left_out(scores.frame(), left_out, masks)


def score_baseline_text_to_image(
    kind: str, phrases: pd.DataFrame, masks: pd.DataFrame, grid: tuple[int, int], seed: int
) -> pd.DataFrame:
    """Score a baseline on regions.

    One that is drawn is drawn per pixel for the poster's score and per cell of `grid`, the
    resolution of the models' maps, for the strict ones; of the others, the map on `grid` is
    scored as a model's.
    """
    baseline = load_baseline(kind)
    rows = phrases.assign(prompt="none", **NO_PARTNER)
    scores = _ImageScores(rows, masks)
    keys = rows[["narrative", "phrase"]].to_numpy()
    for regions, positions in scores.images():
        if baseline.CONTRACT["is_drawn"]:
            pixels, grids = (
                np.stack(
                    [
                        baseline.map_image(shape, phrase_generator(seed, *key, draw))
                        for key in keys[positions]
                    ]
                )
                for shape, draw in (((poster.SIZE, poster.SIZE), Draw.PIXELS), (grid, Draw.CELLS))
            )
            index = np.arange(len(positions))
            foregrounds = poster.binarize(pixels.reshape(len(pixels), -1))
            degenerate = np.zeros(len(positions), dtype=bool)
        else:
            grids = baseline.map_image(grid, None)[None]
            index = np.zeros(len(positions), dtype=int)
            foregrounds, degenerate = poster.relevance_foreground(grids)
        scores.add(regions, positions, foregrounds, grids, index, degenerate[index])
    return scores.frame()


def exclude_wordless(
    scores: pd.DataFrame, phrases: pd.DataFrame, tokenizer: TextTokenizer
) -> pd.DataFrame:
    """Take the strict text-to-image scores from phrases of which a model reads no word.

    Their prompt is the empty text: what a map says of it is nothing that the phrase asks for.

    Parameters
    ----------
    scores : DataFrame
        Rows of `SCORES`, and the column ``curve``.
    phrases : DataFrame
        The shard's.
    tokenizer : TextTokenizer
        The model's.
    """
    texts = {text: not tokenizer.words(text) for text in phrases["utterance"].unique()}
    wordless = phrases.loc[phrases["utterance"].map(texts).astype(bool), ["narrative", "phrase"]]
    rows = pd.MultiIndex.from_frame(scores[["narrative", "phrase"]]).isin(
        pd.MultiIndex.from_frame(wordless)
    )
    rows &= scores["strict_excluded"].isna().to_numpy()  # a reason that is there stays
    scores = scores.astype({"strict_excluded": object})
    scores.loc[rows, list(strict.METRICS)] = np.nan
    scores.loc[rows, "strict_excluded"] = "no_tokens"
    return scores


class _ImageScores:
    """Scores of rows that have a region, filled in image by image."""

    def __init__(self, rows: pd.DataFrame, masks: pd.DataFrame, view: View = WHOLE):
        self._rows, self._masks, self._view = rows, masks, view
        self._regions = rows["mask"].to_numpy()
        self._columns = {
            name: np.empty(len(rows)) for name in [*METRICS, "region_area", "degenerate"]
        }
        self._columns["curve"] = np.empty((len(rows), len(strict.LEVELS)))

    def images(self, maps: np.ndarray | None = None) -> Iterator[tuple[ImageRegions, np.ndarray]]:
        """Yield an image's regions and the positions of its rows, at most `_ROWS` at a time.

        With `maps`, those of the rows, rows of equal maps follow each other.
        """
        masks_of = dict(iter(self._masks.groupby("image_id")))
        for image_id, positions in self._rows.groupby("image_id").indices.items():
            regions = read_regions(masks_of[image_id])
            if maps is not None and len(positions) > _ROWS:
                order = np.argsort([values.tobytes() for values in maps[positions]], kind="stable")
                positions = positions[order]
            for start in range(0, len(positions), _ROWS):
                yield regions, positions[start : start + _ROWS]

    def add(self, regions, positions, foregrounds, grids, index, degenerate) -> None:
        """Score the rows at `positions`: row i has foreground and grid `index[i]`."""
        own = self._regions[positions]
        values = regions.strict_scores(grids, index, own, self._view)
        values["poster_iou"] = regions.poster_scores(foregrounds, index, own)
        values["degenerate"] = degenerate
        for name, column in self._columns.items():
            column[positions] = values[name]

    def frame(self) -> pd.DataFrame:
        """All rows, with their scores."""
        columns = {name: values for name, values in self._columns.items() if values.ndim == 1}
        return self._rows[["narrative", "phrase", "image_id", "prompt", *NO_PARTNER]].assign(
            **{**columns, "degenerate": columns["degenerate"] > 0},
            curve=list(self._columns["curve"]),
            poster_excluded=None,
            strict_excluded=None,
        )


def join_maps(
    relevance: pd.DataFrame, phrases: pd.DataFrame, within: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join phrases with their maps, and with another phrase's, see `contenders.choose_partners`.

    Parameters
    ----------
    relevance, phrases : DataFrame
        Of a shard.
    within : {"image_id", "narrative"}
        Whose phrases a map may be borrowed from.
    seed : int

    Returns
    -------
    rows : DataFrame
        The columns of both, partner_narrative and partner_phrase; the borrowed maps' rows have
        the prompt ``mismatched``.
    left_out : DataFrame
        The phrases without a partner, and the column ``reason``.
    """
    _refuse_unfinite(relevance)
    phrases = phrases.reset_index(drop=True)
    rows = phrases.merge(relevance, on=["narrative", "phrase", "image_id"], validate="one_to_many")
    partners, reasons = np.full(len(phrases), -1), np.full(len(phrases), None, dtype=object)
    for positions in phrases.groupby(within).indices.values():
        chosen, reasons[positions] = choose_partners(phrases.iloc[positions], seed)
        partners[positions] = np.where(chosen < 0, -1, positions[chosen])
    has_partner = partners >= 0
    own = phrases[has_partner].reset_index(drop=True)
    matched = rows[rows["prompt"] == "matched"]  # in the order of the phrases
    borrowed = matched.iloc[partners[has_partner]].reset_index(drop=True)
    mismatched = pd.concat([own, borrowed.drop(columns=phrases.columns)], axis=1).assign(
        prompt="mismatched",
        partner_narrative=borrowed["narrative"],
        partner_phrase=borrowed["phrase"],
    )
    joined = pd.concat([rows.assign(**NO_PARTNER), mismatched], ignore_index=True)
    return joined, phrases.assign(reason=reasons)[~has_partner]


def add_left_out(scores: pd.DataFrame, left_out: pd.DataFrame, masks: pd.DataFrame) -> pd.DataFrame:
    """Add a ``mismatched`` row without scores for each phrase without a partner.

    Parameters
    ----------
    scores : DataFrame
        Rows of `SCORES` and ``curve``.
    left_out : DataFrame
        See `join_maps`.
    masks : DataFrame
        The shard's regions.
    """
    if left_out.empty:
        return scores
    areas = region_areas(masks)
    rows = left_out[["narrative", "phrase", "image_id"]].assign(
        prompt="mismatched",
        **dict.fromkeys([*METRICS, "curve"], np.nan),
        region_area=[areas[row.image_id, row.mask] for row in left_out.itertuples()],
        degenerate=False,
        poster_excluded=left_out["reason"],
        strict_excluded=left_out["reason"],
        **NO_PARTNER,
    )
    return pd.concat([scores, rows.astype({"curve": object})], ignore_index=True)


def region_areas(masks: pd.DataFrame) -> dict[tuple[int, int], float]:
    """Each region's share of its image, by image and mask."""
    shares = masks["area"] / (masks["height"] * masks["width"])
    return dict(zip(zip(masks["image_id"], masks["mask"], strict=True), shares, strict=True))


def _refuse_unfinite(relevance: pd.DataFrame) -> None:
    """Refuse relevance that is not a number: a broken model must not score at all."""
    values = relevance["relevance"].to_list()
    if values and np.isfinite(np.concatenate(values)).all():
        return
    for row in relevance.itertuples():
        if not np.isfinite(row.relevance).all():
            raise InputError(
                f"relevance of narrative {row.narrative}, phrase {row.phrase} ({row.prompt}) holds "
                "values that are not finite: the model's weights or its precision are at fault"
            )


def sum_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """Sum the threshold curves of each image's phrases; rows of `THRESHOLDS`.

    Parameters
    ----------
    scores : DataFrame
        Rows of `SCORES` and the column ``curve``: IoU at each of ``strict.LEVELS``.
    """
    scored = scores[scores["strict_excluded"].isna()]
    rows = [
        pd.DataFrame(
            {
                "image_id": image_id,
                "prompt": prompt,
                "level": strict.LEVELS,
                "iou_sum": np.sum(own.to_list(), axis=0),
                "n_phrases": len(own),
            }
        )
        for (image_id, prompt), own in scored.groupby(["image_id", "prompt"])["curve"]
    ]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=THRESHOLDS.names)
