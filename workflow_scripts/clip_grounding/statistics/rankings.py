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

import numpy as np
import pandas as pd

from clip_grounding.statistics.bootstrap import (
    MEANS,
    Bootstrap,
    cluster_sums,
    mean_table,
    sign_flip_tests,
)
from clip_grounding.statistics.comparisons import sum_differences
from clip_grounding.statistics.paired import PairedScores, Scores, each_direction, pair_scores
from clip_grounding.vocabulary import CONTENDER, EFFECT_METRICS, EVALUATION, MAP_METRICS

RANKED = {
    "ap": "strict",
    "poster_iou": "poster",
    **dict.fromkeys(EFFECT_METRICS, "effects"),
    **dict.fromkeys(MAP_METRICS, "evidence"),
}
"""The metrics that contenders are ranked by, with their protocols."""

COLUMNS = [
    "protocol",
    "direction",
    "metric",
    "rank",
    "tie_group",
    "model",
    "attribution",
    *MEANS,
]


def rank_contenders(scores: Scores, bootstrap: Bootstrap) -> pd.DataFrame:
    """Rank the matched contenders of each direction, with groups of those that tie.

    Parameters
    ----------
    scores : DataFrame, str or Path; or a list of them
        Rows of ``scores.parquet``, or of a table of `evidence.collect`; or the file.
    bootstrap : Bootstrap
        Of the images. The tests have as many sign flips as it has resamples, from the same seed,
        and a difference counts if its corrected p-value is below 1 − confidence.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, best first; ``tie_group`` counts from 1. Means are over the
        phrases that every contender of the ranking has. One without any score is not ranked.
    """
    tables = [pd.DataFrame(columns=COLUMNS)]
    for direction, own in each_direction(scores):
        paired = pair_scores(own)
        for metric in filter(paired.metrics.__contains__, RANKED):
            table = _rank(share_phrases(paired, metric), metric, bootstrap)
            tables.append(table.assign(protocol=RANKED[metric], direction=direction, metric=metric))
    rankings = pd.concat([table for table in tables if len(table)] or tables)[COLUMNS]
    return rankings.sort_values(
        ["protocol", "direction"], ascending=[False, True], kind="stable", ignore_index=True
    )


def add_certificates(rankings: pd.DataFrame, certificates: pd.DataFrame | None) -> pd.DataFrame:
    """Put beside each rank whether the method is certified on the model.

    Parameters
    ----------
    rankings : DataFrame
        The result of `rank_contenders`.
    certificates : DataFrame or None
        Rows of ``certificates.parquet``; None where nothing is tested.

    Returns
    -------
    DataFrame
        With the column ``certificate``: ``passed``, ``failed`` or ``not applicable``; missing for
        what has no certificate.
    """
    if certificates is None:
        return rankings.assign(certificate=None)
    known = certificates[[*EVALUATION, "certificate"]]
    return rankings.merge(known, how="left", on=EVALUATION, validate="many_to_one")


def share_phrases(paired: PairedScores, metric: str) -> PairedScores:
    """Keep the matched contenders that have a score, and the phrases that all of these have."""
    column = paired.metrics.index(metric)
    known = ~np.isnan(paired.values[:, :, column])
    is_ranked = known.any(axis=0) & [prompt == "matched" for _, _, prompt in paired.contenders]
    ranked = np.flatnonzero(is_ranked)
    values = paired.values[:, ranked]
    values[~known[:, ranked].all(axis=1)] = np.nan
    ranked_contenders = [paired.contenders[i] for i in ranked]
    return PairedScores(paired.phrases, ranked_contenders, paired.protocols, values)


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


def _rank(paired: PairedScores, metric: str, bootstrap: Bootstrap) -> pd.DataFrame:
    images = paired.phrases["image"].to_numpy()
    values = paired.values[:, :, paired.metrics.index(metric)]
    sums, counts = cluster_sums(values, images, paired.n_images)
    if not counts.any():
        return pd.DataFrame(columns=COLUMNS)
    names = pd.DataFrame(paired.contenders, columns=CONTENDER)
    means = mean_table(names, sums, counts, bootstrap)
    # Contenders of equal means stay in order of names.
    order = np.argsort(-means["mean"].to_numpy(), kind="stable")
    p_values = _test_all_pairs(paired, metric, bootstrap)[np.ix_(order, order)]
    groups = find_tie_groups(p_values, 1 - bootstrap.confidence)
    return means.iloc[order].assign(rank=range(1, len(order) + 1), tie_group=groups)


def _test_all_pairs(paired: PairedScores, metric: str, bootstrap: Bootstrap) -> np.ndarray:
    """Corrected p-values, shape (n_contenders, n_contenders), 1 on the diagonal."""
    n = len(paired.contenders)
    first, second = np.array(list(combinations(range(n), 2)), dtype=int).reshape(-1, 2).T
    sums, _ = sum_differences(paired, metric, list(combinations(paired.contenders, 2)))
    p_values = np.ones((n, n))
    _, adjusted = sign_flip_tests(sums, bootstrap.resamples, bootstrap.seed)
    p_values[first, second] = p_values[second, first] = adjusted
    return p_values
