"""Paired differences: does the phrase steer the map, does the map beat one that looks at nothing?

A contender's differences from the references are taken phrase by phrase and tested by image.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from clip_grounding.statistics.bootstrap import (
    Bootstrap,
    cluster_sums,
    mean_table,
    sign_flip_tests,
)
from clip_grounding.statistics.paired import PairedScores, Scores, each_direction, pair_scores
from clip_grounding.vocabulary import CONTROLS, EFFECT_METRICS, MAP_METRICS

COMPARED = {
    "poster_iou": "poster",
    **dict.fromkeys(("ap", "iou"), "strict"),
    **dict.fromkeys(EFFECT_METRICS, "effects"),
    **dict.fromkeys(MAP_METRICS, "evidence"),
}
"""The metrics that are compared, with their protocols."""

COLUMNS = [
    "protocol",
    "direction",
    "metric",
    "model",
    "attribution",
    "prompt",
    "reference_model",
    "reference_attribution",
    "reference_prompt",
    "n_phrases",
    "n_images",
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
]

FEW_IMAGES = 60
"""Below these the corrected p-values are too small where differences are skewed."""

_BLOCK = 256  # pairs whose differences of every phrase are in memory at once


def compare(scores: Scores, bootstrap: Bootstrap) -> pd.DataFrame:
    """Differences of means on shared phrases, with intervals and corrected p-values.

    Parameters
    ----------
    scores : DataFrame, str or Path; or a list of them
        Rows of ``scores.parquet``, or of a table of `evidence.collect`; or the file.
    bootstrap : Bootstrap
        Of the images. The test has as many sign flips as it has resamples, from the same seed.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`: the mean over phrases of contender − reference, its percentile
        interval from resampling images, its two-sided p-value from flipping images' signs, and
        that value corrected over all comparisons of the same protocol, direction and metric
        (see `statistics.sign_flip_tests`). A pair without a shared phrase has no row.

    Notes
    -----
    The correction's bound on false findings holds where an image's difference is as likely
    negative as positive, and else only approaches it as images grow in number; measured shares
    are in docs/protocols.md. Below `FEW_IMAGES` images the log says so.
    """
    tables = [pd.DataFrame(columns=COLUMNS)]
    for direction, own in each_direction(scores):
        paired = pair_scores(own)
        if paired.n_images < FEW_IMAGES:
            print(
                f"{direction}: {paired.n_images} images are few: where differences are skewed,"
                " p-values come out too small (docs/protocols.md)",
                flush=True,
            )
        pairs = pair_contenders(paired.contenders)
        for metric in filter(paired.metrics.__contains__, COMPARED):
            sums, counts = sum_differences(paired, metric, pairs)
            known = counts.any(axis=0)
            names = [
                (COMPARED[metric], direction, metric, *contender, *reference)
                for contender, reference in pairs
            ]
            table = pd.DataFrame(names, columns=COLUMNS[:9])[known]
            tables.append(_test(table, sums[:, known], counts[:, known], bootstrap))
    comparisons = pd.concat(tables[1:] or tables, ignore_index=True)
    return comparisons.sort_values(
        ["protocol", "direction", "metric"], kind="stable", ignore_index=True
    )


def sum_differences(
    paired: PairedScores, metric: str, pairs: list[tuple]
) -> tuple[np.ndarray, np.ndarray]:
    """Sum each image's differences of one metric, and count them: see `statistics.cluster_sums`.

    Parameters
    ----------
    paired : PairedScores
    metric : str
    pairs : list of (contender, reference)

    Returns
    -------
    sums, counts : ndarray of float64, shape (n_images, n_pairs)
    """
    values = paired.values[:, :, paired.metrics.index(metric)].astype(np.float64)
    places = {contender: place for place, contender in enumerate(paired.contenders)}
    first, second = (np.array([places[pair[side]] for pair in pairs], int) for side in (0, 1))
    images = paired.phrases["image"].to_numpy()
    sums, counts = np.zeros((2, paired.n_images, len(pairs)))
    for start in range(0, len(pairs), _BLOCK):
        part = slice(start, start + _BLOCK)
        differences = values[:, first[part]] - values[:, second[part]]
        sums[:, part], counts[:, part] = cluster_sums(differences, images, paired.n_images)
    return sums, counts


def _test(
    names: pd.DataFrame, sums: np.ndarray, counts: np.ndarray, bootstrap: Bootstrap
) -> pd.DataFrame:
    p_values, adjusted = sign_flip_tests(sums, bootstrap.resamples, bootstrap.seed)
    differences = mean_table(names, sums, counts, bootstrap).rename(columns={"mean": "difference"})
    return differences.assign(p_value=p_values, p_adjusted=adjusted)


def pair_contenders(contenders: list[tuple[str, str, str]]) -> list[tuple]:
    """List the (contender, reference) pairs to compare.

    Every ``matched`` is compared with its own ``unimodal`` and ``mismatched`` (the difference from
    the latter is the prompt specificity), with each baseline, with each control of its model,
    and with the ``matched`` of the other models and attributions, each two once.
    """
    matched = [contender for contender in contenders if contender[2] == "matched"]
    baselines = [contender for contender in contenders if contender[0] == "baseline"]
    controls = [contender for contender in contenders if contender[1] in CONTROLS]
    own = [
        (contender, reference)
        for contender in matched
        for reference in [
            *((*contender[:2], prompt) for prompt in ("unimodal", "mismatched")),
            *baselines,
            *(control for control in controls if control[0] == contender[0]),
        ]
        if reference in contenders
    ]
    return own + list(combinations(matched, 2))
