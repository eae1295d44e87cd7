"""Rankings: which model and attribution is best, and which ones cannot be told apart?

**Tied with the leader.** The best contender leads the first group. The next ones belong to it
until one of them differs from the leader: that one leads the next group, and so on. So a
group's members are tied with their leader. They need not be tied with each other, and the
last of a group need not differ from the first of the next but for their leaders: "not told
apart" is not transitive, and a group says "no evidence of a difference", not "equal".

**Correction.** The leader is whoever scored best, which favours it, and which comparisons
follow depends on the ones before. Correcting for the comparisons that were made would ignore
both. So p-values are corrected over all pairs of contenders of a metric and direction
(`statistics.sign_flip_tests`): whichever of them the walk looks at, the chance that it finds
any difference where there is none stays below α.
"""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from clip_grounding.statistics.bootstrap import (
    cluster_sums,
    interval,
    resampled_means,
    sign_flip_tests,
)
from clip_grounding.statistics.comparisons import sum_differences
from clip_grounding.statistics.paired import METRICS, PairedScores, each_direction, pair_scores
from clip_grounding.vocabulary import CONTENDER

RANKED = {"ap": "strict", "poster_iou": "poster"}
"""The metrics that contenders are ranked by, with their protocols."""

COLUMNS = [
    "protocol",
    "direction",
    "metric",
    "rank",
    "tie_group",
    "model",
    "attribution",
    "n_phrases",
    "n_images",
    "mean",
    "ci_low",
    "ci_high",
]


def rank_contenders(
    scores: pd.DataFrame | str | Path, resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """Rank the matched contenders of each direction, with groups of those that tie.

    Parameters
    ----------
    scores : DataFrame, str or Path
        Rows of ``scores.parquet``, or the file.
    resamples : int
        Resamples of the bootstrap, and sign flips of the tests.
    confidence : float
        Of the intervals; a difference counts if its corrected p-value is below 1 − confidence.
    seed : int

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, best first; ``tie_group`` counts from 1. Means are over the
        phrases that every contender of the ranking has. One without any score is not ranked.
    """
    tables = [pd.DataFrame(columns=COLUMNS)]
    for direction, own in each_direction(scores):
        paired = pair_scores(own)
        for metric, protocol in RANKED.items():
            table = _rank(share_phrases(paired, metric), metric, resamples, confidence, seed)
            tables.append(table.assign(protocol=protocol, direction=direction, metric=metric))
    rankings = pd.concat([table for table in tables if len(table)] or tables)[COLUMNS]
    return rankings.sort_values(
        ["protocol", "direction"], ascending=[False, True], kind="stable", ignore_index=True
    )


def share_phrases(paired: PairedScores, metric: str) -> PairedScores:
    """Keep the matched contenders that have a score, and the phrases that all of these have."""
    column = METRICS.index(metric)
    known = ~np.isnan(paired.values[:, :, column])
    is_ranked = known.any(axis=0) & [prompt == "matched" for _, _, prompt in paired.contenders]
    ranked = np.flatnonzero(is_ranked)
    values = paired.values[:, ranked]
    values[~known[:, ranked].all(axis=1)] = np.nan
    return PairedScores(paired.phrases, [paired.contenders[i] for i in ranked], values)


def find_tie_groups(p_values: np.ndarray, level: float) -> np.ndarray:
    """Number the groups of contenders that are tied with their leader.

    Parameters
    ----------
    p_values : ndarray of float, shape (n_contenders, n_contenders)
        Of the difference between the two; best contender first. Symmetric.
    level : float
        A difference with a p-value below it counts.

    Returns
    -------
    ndarray of int64, shape (n_contenders,)
        From 1, never falling.
    """
    groups = np.ones(len(p_values), dtype=np.int64)
    leader = 0
    for i in range(1, len(p_values)):
        differs = p_values[leader, i] < level
        groups[i] = groups[i - 1] + differs
        leader = i if differs else leader
    return groups


def _rank(
    paired: PairedScores, metric: str, resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    images = paired.phrases["image"].to_numpy()
    values = paired.values[:, :, METRICS.index(metric)]
    sums, counts = cluster_sums(values, images, paired.n_images)
    if not counts.any():
        return pd.DataFrame(columns=COLUMNS)
    means = sums.sum(axis=0) / counts.sum(axis=0)
    n_images = np.count_nonzero(counts, axis=0)
    low, high = interval(resampled_means(sums, counts, resamples, seed), confidence, n_images)
    order = np.argsort(-means, kind="stable")  # contenders of equal means stay in order of names
    p_values = _test_all_pairs(paired, metric, resamples, seed)[np.ix_(order, order)]
    names = pd.DataFrame(paired.contenders, columns=CONTENDER)
    return names.assign(
        n_phrases=counts.sum(axis=0).astype(np.int64),
        n_images=n_images,
        mean=means,
        ci_low=low,
        ci_high=high,
    ).iloc[order].assign(
        rank=range(1, len(order) + 1), tie_group=find_tie_groups(p_values, 1 - confidence)
    )  # fmt: skip


def _test_all_pairs(paired: PairedScores, metric: str, flips: int, seed: int) -> np.ndarray:
    """Corrected p-values, shape (n_contenders, n_contenders), 1 on the diagonal."""
    n = len(paired.contenders)
    first, second = np.array(list(combinations(range(n), 2)), dtype=int).reshape(-1, 2).T
    sums, _ = sum_differences(paired, metric, list(combinations(paired.contenders, 2)))
    p_values = np.ones((n, n))
    p_values[first, second] = p_values[second, first] = sign_flip_tests(sums, flips, seed)[1]
    return p_values
