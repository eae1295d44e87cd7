"""Faithfulness: does a map add up to what the model does when tokens are taken out?

Every subset of an item's units has the same size, so a map that knows nothing scores 0
however it is distributed: with subsets of varying size any positive map would follow the
size, which the similarity follows too.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from clip_grounding.evidence.columns import CEILINGS, FAITHFULNESS
from clip_grounding.evidence.correlation import standard_ranks
from clip_grounding.evidence.maps import FEWEST_UNITS, WITHIN, is_constant, unit_values
from clip_grounding.evidence.sets import unpack_sets

FEWEST_SUBSETS = 64
"""With fewer subsets half of them cannot tell an additive map."""

_PENALTIES = 10.0 ** np.arange(-4, 3)
"""Of the ridge regression, in units of the mean squared singular value."""


def score_faithfulness(
    direction: str, rows: pd.DataFrame, similarities: pd.DataFrame, phrases: pd.DataFrame
) -> pd.DataFrame:
    """Correlate what maps predict with what the model does, over each item's subsets.

    A map predicts of a subset the sum of its values there. ``faithfulness`` is the Spearman
    correlation with the phrase's similarity, ``faithfulness_margin`` with its similarity less
    the mean of the item's phrases whose regions are disjoint from its own, where there are any.

    Parameters
    ----------
    direction : {"text_to_image", "image_to_text"}
    rows : DataFrame
        Maps, as `maps.join_drawn_maps` gives them.
    similarities : DataFrame
        Rows of `columns.SIMILARITIES`.
    phrases : DataFrame
        The shard's phrases.

    Returns
    -------
    DataFrame
        Rows of `columns.FAITHFULNESS`. A constant map is degenerate and scores 0.
    """
    maps_of = dict(iter(rows.groupby(WITHIN[direction])))
    frames = []
    for number, item in _items(direction, similarities, phrases):
        own = maps_of[number]
        scores = own[["narrative", "phrase", "image_id", "prompt"]].assign(
            faithfulness=np.nan, faithfulness_margin=np.nan, degenerate=False, excluded=None
        )
        units, subsets = _read_subsets(item)
        if subsets.shape[1] < FEWEST_UNITS:
            frames.append(scores.assign(excluded="few_tokens"))
            continue
        values = unit_values(np.stack(own["relevance"].to_list()), units)
        predicted = standard_ranks(subsets.astype(np.float64) @ values.T)
        predicted[:, is_constant(values)] = 0
        observed = np.stack(item["similarities"].to_list(), axis=1).astype(np.float64)
        index = pd.MultiIndex.from_frame(item[["narrative", "phrase"]]).get_indexer(
            pd.MultiIndex.from_frame(own[["narrative", "phrase"]])
        )
        frames.append(
            scores.assign(
                faithfulness=_correlate(predicted, observed, index),
                faithfulness_margin=_correlate(
                    predicted, similarity_margins(observed, item["segment_ids"]), index
                ),
                degenerate=is_constant(values),
            )
        )
    return pd.concat(frames, ignore_index=True)[FAITHFULNESS.names]


def score_ceilings(
    direction: str, similarities: pd.DataFrame, phrases: pd.DataFrame
) -> pd.DataFrame:
    """Score how additive the model is at all: the faithfulness of a map made for it.

    The map is fitted to one half of the subsets and scored on the other.

    Returns
    -------
    DataFrame
        Rows of `columns.CEILINGS`.
    """
    frames = []
    for _, item in _items(direction, similarities, phrases):
        _, subsets = _read_subsets(item)
        scores = item[["narrative", "phrase", "image_id"]]
        if len(subsets) < FEWEST_SUBSETS:
            frames.append(scores.assign(ceiling=np.nan, excluded="few_subsets"))
            continue
        observed = np.stack(item["similarities"].to_list(), axis=1).astype(np.float64)
        ceilings = additive_ceilings(subsets, observed)
        frames.append(scores.assign(ceiling=ceilings, excluded=None))
    return pd.concat(frames, ignore_index=True)[CEILINGS.names]


def additive_ceilings(subsets: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Spearman correlation of a ridge regression on one half of the subsets with the other half.

    The penalty of each column is the one with the least squared error when every subset of the
    fitted half is left out in turn.

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
    return _correlate(standard_ranks(predicted), observed[half:], np.arange(len(best)))


def similarity_margins(observed: np.ndarray, segment_ids: pd.Series) -> np.ndarray:
    """Similarities less the mean of those of phrases with disjoint regions.

    Parameters
    ----------
    observed : ndarray of float64, shape (n_subsets, n_phrases)
        Of an item's phrases.
    segment_ids : sequence of sequence of int
        The segments of each phrase's region.

    Returns
    -------
    ndarray of float64, shape (n_subsets, n_phrases)
        NaN where no other phrase has a disjoint region.
    """
    segments = [frozenset(ids) for ids in segment_ids]
    disjoint = np.array([[own.isdisjoint(other) for own in segments] for other in segments])
    count = disjoint.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return observed - (observed @ disjoint) / count


def _items(
    direction: str, similarities: pd.DataFrame, phrases: pd.DataFrame
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Each item's similarities with the segments of its phrases."""
    columns = ["narrative", "phrase", "segment_ids"]
    joined = similarities.merge(
        phrases[columns], on=columns[:2], how="left", validate="one_to_one"
    )
    yield from joined.groupby(WITHIN[direction])


def _read_subsets(item: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The units of a map's values and the subsets of an item, the same for all its phrases."""
    units = np.asarray(item["units"].iloc[0])
    return units, unpack_sets(item["subsets"].iloc[0], int(units.max(initial=-1)) + 1)


def _correlate(ranks: np.ndarray, values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Spearman correlation of ranked column i with column `index[i]` of `values`."""
    return np.einsum("mi,mi->i", ranks, standard_ranks(values)[:, index])
