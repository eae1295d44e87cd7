"""Compute faithfulness: do sums of a map's values predict the similarity of subsets?

Every subset of an item's units has the same size, so an uninformed map scores 0
however it is distributed: with subsets of varying size any positive map would follow the
size, which the similarity follows too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clip_grounding.evidence.columns import CEILINGS, FAITHFULNESS
from clip_grounding.evidence.correlation import standard_ranks
from clip_grounding.evidence.maps import FEWEST_UNITS, WITHIN, is_constant, unit_values
from clip_grounding.evidence.sets import unpack_sets

FEWEST_SUBSETS = 64
"""With fewer subsets, half of them do not determine an additive map."""

_PENALTIES = 10.0 ** np.arange(-4, 3)
"""Penalties of the ridge regression, in units of the mean squared singular value."""


def score_faithfulness(
    direction: str, rows: pd.DataFrame, similarities: pd.DataFrame, phrases: pd.DataFrame
) -> pd.DataFrame:
    """Correlate the predictions of maps with the model's similarities, over each item's subsets.

    A map's prediction for a subset is the sum of its values there. ``faithfulness`` is the Spearman
    correlation with the phrase's similarity, ``faithfulness_margin`` with its similarity less
    the mean of the item's phrases whose regions are disjoint from its own, where there are any.

    Parameters
    ----------
    direction : {"text_to_image", "image_to_text"}
    rows : DataFrame
        Maps, as returned by `maps.join_drawn_maps`.
    similarities : DataFrame
        Rows of `columns.SIMILARITIES`.
    phrases : DataFrame
        The shard's phrases.

    Returns
    -------
    DataFrame
        Rows of `columns.FAITHFULNESS`. A constant map is degenerate and scores 0.
    """
    items = dict(_items(direction, similarities, phrases))
    maps = rows["relevance"].to_numpy()
    keys = list(zip(rows["narrative"], rows["phrase"], strict=True))
    columns = {
        "faithfulness": np.full(len(rows), np.nan),
        "faithfulness_margin": np.full(len(rows), np.nan),
        "degenerate": np.zeros(len(rows), bool),
        "excluded": np.full(len(rows), None),
    }
    for number, positions in rows.groupby(WITHIN[direction]).indices.items():
        item = items[number]
        if item.subsets.shape[1] < FEWEST_UNITS:
            columns["excluded"][positions] = "few_tokens"
            continue
        values = unit_values(np.stack(maps[positions]), item.units)
        predicted = standard_ranks(item.subsets.astype(np.float64) @ values.T)
        constant = is_constant(values)
        predicted[:, constant] = 0
        own = [item.keys[keys[position]] for position in positions]
        margins = similarity_margins(item.observed, item.segments)
        columns["faithfulness"][positions] = _correlate(predicted, item.observed, own)
        columns["faithfulness_margin"][positions] = _correlate(predicted, margins, own)
        columns["degenerate"][positions] = constant
    names = ["narrative", "phrase", "image_id", "prompt"]
    return rows[names].assign(**columns)[FAITHFULNESS.names]


def score_ceilings(
    direction: str, similarities: pd.DataFrame, phrases: pd.DataFrame
) -> pd.DataFrame:
    """Score how additive the model is: the faithfulness of a map that is fitted to it.

    The map is fitted to one half of the subsets and scored on the other.

    Returns
    -------
    DataFrame
        Rows of `columns.CEILINGS`.
    """
    rows = []
    for _, item in _items(direction, similarities, phrases):
        is_scored = len(item.subsets) >= FEWEST_SUBSETS
        excluded = None if is_scored else "few_subsets"
        ceilings = (
            additive_ceilings(item.subsets, item.observed)
            if is_scored
            else np.full(len(item.keys), np.nan)
        )
        rows += [
            (*key, item.image_id, ceiling, excluded)
            for key, ceiling in zip(item.keys, ceilings, strict=True)
        ]
    return pd.DataFrame(rows, columns=CEILINGS.names)


def additive_ceilings(subsets: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Fit a ridge regression to half of the subsets, and correlate it with the other half.

    Each column's penalty is the one with the smallest squared error in leave-one-out
    cross-validation on the fitted half.

    Parameters
    ----------
    subsets : ndarray of bool, shape (n_subsets, n_units)
    observed : ndarray of float64, shape (n_subsets, n_columns)

    Returns
    -------
    ndarray of float64, shape (n_columns,)
    """
    half = len(subsets) // 2
    center, mean = subsets[:half].mean(axis=0), observed[:half].mean(axis=0)
    left, scale, right = np.linalg.svd(subsets[:half] - center, full_matrices=False)
    projected = left.T @ (observed[:half] - mean)
    errors, slopes = [], []
    for penalty in _PENALTIES * np.square(scale).mean():
        shrunk = np.square(scale) / (np.square(scale) + penalty)
        leverage = np.square(left) @ shrunk + 1 / half
        residual = observed[:half] - mean - left @ (shrunk[:, None] * projected)
        errors.append(np.square(residual / (1 - leverage)[:, None]).sum(axis=0))
        weights = scale / (np.square(scale) + penalty)
        slopes.append(right.T @ (weights[:, None] * projected))
    best = np.argmin(errors, axis=0)
    chosen = np.stack(slopes)[best, :, np.arange(len(best))].T
    predicted = (subsets[half:] - center) @ chosen
    return _correlate(standard_ranks(predicted), observed[half:], list(range(len(best))))


def similarity_margins(observed: np.ndarray, segments: list[frozenset]) -> np.ndarray:
    """Subtract from similarities the mean of those of phrases with disjoint regions.

    Parameters
    ----------
    observed : ndarray of float64, shape (n_subsets, n_phrases)
        Of an item's phrases.
    segments : list of frozenset of int
        Of each phrase's region.

    Returns
    -------
    ndarray of float64, shape (n_subsets, n_phrases)
        NaN where no other phrase has a disjoint region.
    """
    disjoint = np.array([[own.isdisjoint(other) for own in segments] for other in segments])
    count = disjoint.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return observed - (observed @ disjoint) / count


@dataclass(frozen=True)
class _Similarities:
    """An item's subsets, and the similarities of its phrases to them."""

    image_id: int
    keys: dict[tuple[int, int], int]  # (narrative, phrase) -> column of `observed`
    observed: np.ndarray  # (n_subsets, n_phrases)
    segments: list[frozenset]
    units: np.ndarray  # (n_values,)
    subsets: np.ndarray  # (n_subsets, n_units)


def _items(
    direction: str, similarities: pd.DataFrame, phrases: pd.DataFrame
) -> Iterator[tuple[int, _Similarities]]:
    """Yield each item's number and similarities."""
    names = ["narrative", "phrase"]
    segments = similarities[names].merge(
        phrases[[*names, "segment_ids"]], on=names, how="left", validate="one_to_one"
    )["segment_ids"]
    columns = {name: similarities[name].to_numpy() for name in similarities}
    for number, own in similarities.groupby(WITHIN[direction]).indices.items():
        keys = zip(columns["narrative"][own], columns["phrase"][own], strict=True)
        units = np.asarray(columns["units"][own[0]])
        yield (
            number,
            _Similarities(
                columns["image_id"][own[0]],
                {key: column for column, key in enumerate(keys)},
                np.stack(columns["similarities"][own], axis=1).astype(np.float64),
                [frozenset(segments.iloc[position]) for position in own],
                units,
                unpack_sets(columns["subsets"][own[0]], int(units.max(initial=-1)) + 1),
            ),
        )


def _correlate(ranks: np.ndarray, values: np.ndarray, index: list[int]) -> np.ndarray:
    """Compute the Spearman correlation of ranked column i with column `index[i]` of `values`."""
    return np.einsum("mi,mi->i", ranks, standard_ranks(values)[:, index])
