"""Find each phrase's outcome: does the model use its region, and does the map show it?

Both questions compare with the same controls, so both have the same chance level.
"""

import numpy as np
import pandas as pd

from clip_grounding.evidence.columns import OUTCOMES
from clip_grounding.evidence.maps import is_constant
from clip_grounding.evidence.sets import unpack_sets
from clip_grounding.evidence.shares import share_below

LEVEL = 0.05
"""Significance level: p-values up to this one count."""

OUTCOME_NAMES = {
    (True, True): "grounded",
    (True, False): "missed",
    (False, True): "flattered",
    (False, False): "neither",
}
"""By whether the region is used and whether it is shown: the map of what the model uses, a map
that misses it, a map that flatters the model, and nothing to see."""

_TIE = 1e-9


def score_outcomes(rows: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """Determine whether maps show the regions of their phrases, and whether the model uses them.

    Parameters
    ----------
    rows : DataFrame
        Maps, as returned by `maps.join_drawn_maps`.
    effects : DataFrame
        Rows of `columns.EFFECTS`, of the same phrases.

    Returns
    -------
    DataFrame
        Rows of `columns.OUTCOMES`. ``localisation`` is the share of the controls against which
        a map's average precision is lower than against the region. A phrase with too few
        controls for a p-value of `LEVEL` has no outcome (``few_controls``).
    """
    matched = effects[effects["prompt"] == "matched"]
    keys = zip(matched["narrative"], matched["phrase"], strict=True)
    facts = zip(matched["p_value"], matched["excluded"], matched["sets"], strict=True)
    facts_of = dict(zip(keys, facts, strict=True))
    maps = rows["relevance"].to_numpy()
    columns = {
        "localisation": np.full(len(rows), np.nan),
        "localisation_p": np.full(len(rows), np.nan),
        "necessity_p": np.full(len(rows), np.nan),
        "outcome": np.full(len(rows), None),
        "degenerate": np.zeros(len(rows), bool),
        "excluded": np.full(len(rows), None),
    }
    for key, positions in rows.groupby(["narrative", "phrase"]).indices.items():
        necessity_p, excluded, packed = facts_of[key]
        if isinstance(excluded, str):
            columns["excluded"][positions] = excluded
            continue
        values = np.stack(maps[positions])
        unpacked = unpack_sets(packed, values.shape[1])
        compared = unpacked[0]
        values, sets = values[:, compared], unpacked[1:, compared]
        localisation, p_values = localise(values, sets)
        columns["localisation"][positions] = localisation
        columns["localisation_p"][positions] = p_values
        columns["necessity_p"][positions] = necessity_p
        columns["degenerate"][positions] = is_constant(values)
        if 1 / len(sets) > LEVEL:  # the smallest p-value that the controls allow
            columns["excluded"][positions] = "few_controls"
            continue
        columns["outcome"][positions] = [
            OUTCOME_NAMES[necessity_p <= LEVEL, bool(p_value <= LEVEL)] for p_value in p_values
        ]
    names = ["narrative", "phrase", "image_id", "prompt"]
    return rows[names].assign(**columns)[OUTCOMES.names]


def localise(values: np.ndarray, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare a map's average precision for a region with those for its controls.

    Parameters
    ----------
    values : ndarray of float, shape (n_maps, n_tokens)
    sets : ndarray of bool, shape (1 + n_controls, n_tokens)
        The region and its controls.

    Returns
    -------
    localisation : ndarray of float64, shape (n_maps,)
        Share of the controls with a lower average precision, ties half.
    p_values : ndarray of float64, shape (n_maps,)
        (1 + controls with at least the region's) / (1 + all).
    """
    precisions = average_precisions(values, sets).T
    own, others = precisions[0], precisions[1:]
    at_least = (others >= own - _TIE).sum(axis=0)
    return share_below(others, own, _TIE), (1 + at_least) / (1 + len(others))


def average_precisions(values: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Compute the average precision of every map for every set; equal values share a rank.

    Parameters
    ----------
    values : ndarray of float, shape (n_maps, n)
    sets : ndarray of bool, shape (n_sets, n)
        None of them empty.

    Returns
    -------
    ndarray of float64, shape (n_maps, n_sets)
    """
    n = values.shape[1]
    order = np.argsort(-values, axis=1, kind="stable")
    ranked = np.take_along_axis(values, order, axis=1)
    # Precision counts up to the last of equal values.
    last = np.ones(ranked.shape, bool)
    last[:, :-1] = ranked[:, :-1] != ranked[:, 1:]
    ends = np.where(last, np.arange(n), n)
    ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    inside = sets[:, order].swapaxes(0, 1).astype(np.float64)
    hits = inside.cumsum(axis=2)
    precision = np.take_along_axis(hits, ends[:, None], axis=2) / (ends[:, None] + 1)
    return (inside * precision).sum(axis=2) / hits[:, :, -1]
