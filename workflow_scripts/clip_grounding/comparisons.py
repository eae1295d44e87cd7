"""Paired differences: does the phrase steer the map, does the map beat one that looks at nothing?

A contender's differences from the references are taken phrase by phrase and tested by image.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from clip_grounding.paired import METRICS, pair_scores
from clip_grounding.statistics import (
    cluster_sums,
    holm,
    interval,
    resampled_means,
    sign_flip_p_values,
)

COMPARED = {"poster_iou": "poster", "ap": "strict", "iou": "strict"}
"""The metrics that are compared, with their protocols."""

COLUMNS = [
    "protocol",
    "direction",
    "metric",
    "model",
    "attribution",
    "contender",
    "reference_model",
    "reference_attribution",
    "reference",
    "n_phrases",
    "n_images",
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "p_holm",
]

_FAMILY = ["protocol", "direction", "metric"]


def compare(scores: pd.DataFrame, resamples: int, confidence: float, seed: int) -> pd.DataFrame:
    """Differences of means on shared phrases, with intervals and corrected p-values.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``scores.parquet``.
    resamples : int
        Resamples of the bootstrap, and sign flips of the test.
    confidence, seed
        Of the intervals; of both.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`: the mean over phrases of contender − reference, its percentile
        interval from resampling images, its two-sided p-value from flipping images' signs, and
        that value after Holm's correction over all comparisons of the same protocol, direction
        and metric. A pair without a shared phrase has no row.
    """
    tables = []
    for direction, own in scores.groupby("direction", sort=True):
        paired = pair_scores(own)
        pairs = pair_contenders(paired.contenders)
        first, second = ([paired.contenders.index(pair[side]) for pair in pairs] for side in (0, 1))
        metrics = [METRICS.index(metric) for metric in COMPARED]
        values = paired.values[:, :, metrics].astype(np.float64)
        differences = values[:, first] - values[:, second]
        names = [
            (protocol, direction, metric, *contender, *reference)
            for contender, reference in pairs
            for metric, protocol in COMPARED.items()
        ]
        table = pd.DataFrame(names, columns=COLUMNS[:9])
        images = paired.phrases["image"].to_numpy()
        sums, counts = cluster_sums(
            differences.reshape(len(images), len(names)), images, paired.n_images
        )
        known = counts.any(axis=0)
        sums, counts = sums[:, known], counts[:, known]
        low, high = interval(resampled_means(sums, counts, resamples, seed), confidence)
        tables.append(
            table[known].assign(
                n_phrases=counts.sum(axis=0).astype(np.int64),
                n_images=np.count_nonzero(counts, axis=0),
                difference=sums.sum(axis=0) / counts.sum(axis=0),
                ci_low=low,
                ci_high=high,
                p_value=sign_flip_p_values(sums, resamples, seed),
            )
        )
    comparisons = pd.concat(tables, ignore_index=True)
    comparisons["p_holm"] = comparisons.groupby(_FAMILY)["p_value"].transform(
        lambda family: holm(family.to_numpy())
    )
    return comparisons.sort_values(_FAMILY, kind="stable", ignore_index=True)


def pair_contenders(contenders: list[tuple[str, str, str]]) -> list[tuple]:
    """List the (contender, reference) pairs to compare.

    Every ``matched`` is compared with its own ``null`` and ``mismatched`` (the difference from
    the latter is the prompt specificity), with each baseline, and with the ``matched`` of the
    other models and attributions, each two once.
    """
    matched = [contender for contender in contenders if contender[2] == "matched"]
    baselines = [contender for contender in contenders if contender[0] == "baseline"]
    own = [
        (contender, reference)
        for contender in matched
        for reference in [
            *((*contender[:2], prompt) for prompt in ("null", "mismatched")),
            *baselines,
        ]
        if reference in contenders
    ]
    return own + list(combinations(matched, 2))
