"""Recompute the poster's results by region area from the published per-phrase scores alone.

The files name neither regions nor narratives, but the area of a region follows from the score of
its random mask, and narratives from their sums (`published_run`).
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from clip_grounding.statistics.bootstrap import (
    Bootstrap,
    bootstrap_means,
    count_images,
    image_weights,
    interval,
)

SMALL = 0.01
"""Regions under this share of the image are called small."""

AREA_EDGES = np.array([0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5])
"""Bins of the figure; below 0.5 % the recovered area is mostly noise, hence a single bin."""

METHODS = ["random", "unimodal", "matched"]


def random_score(area):
    """Compute the poster score of a random half of the pixels for a region of relative area `area`.

    Half of the region is hit: foreground IoU = (a/2) / (a + 1/2 - a/2) = a / (1 + a). The
    background is the same with 1 - a: (1 - a) / (2 - a). The score is the mean of both.
    """
    return (area / (1 + area) + (1 - area) / (2 - area)) / 2


def empty_score(area):
    """Compute the poster score of the empty mask: foreground IoU 0, background IoU 1 - a."""
    return (1 - area) / 2


def area_from_random_score(score: np.ndarray) -> np.ndarray:
    """Invert `random_score` for areas up to a half.

    With q = a (1 - a) the score is (1 + 2q) / (2 (2 + q)), so q = (4s - 1) / (2 (1 - s)) and
    a = (1 - sqrt(1 - 4q)) / 2. The score is the same for a and 1 - a: the smaller is returned.

    Parameters
    ----------
    score : ndarray of float, shape (n_phrases,)

    Returns
    -------
    ndarray of float64, shape (n_phrases,)
        In [0, 1/2]. Scores outside the range that areas can have, due to the noise of the random
        mask, return the nearest: 0 below a score of 1/4, 1/2 above 1/3.
    """
    score = np.clip(np.asarray(score, dtype=np.float64), 1 / 4, 1 / 3)
    q = (4 * score - 1) / (2 * (1 - score))
    return (1 - np.sqrt(np.maximum(1 - 4 * q, 0))) / 2


def phrase_table(published: pd.DataFrame) -> pd.DataFrame:
    """Arrange the text-to-image scores of each phrase side by side.

    Parameters
    ----------
    published : DataFrame
        Rows of `published_files.PUBLISHED_SCORES`.

    Returns
    -------
    DataFrame
        One row per phrase: narrative, random, unimodal, matched, area, empty (the expected score
        of the empty mask) and dropped (not scored image-to-text).
    """
    own = published[published["direction"] == "text_to_image"]
    table = own.pivot(index=["narrative", "entry"], columns="contender", values="poster_iou")
    table = table[METHODS].astype(np.float64).reset_index().rename_axis(columns=None)
    table["area"] = area_from_random_score(table["random"].to_numpy())
    table["empty"] = empty_score(table["area"])
    other = published[
        (published["direction"] == "image_to_text") & (published["contender"] == "matched")
    ]
    # The published code skips whole narratives.
    table["dropped"] = ~table["narrative"].isin(other["narrative"])
    return table.drop(columns="entry")


def reanalyse_published(phrases: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure what the poster's number hides, each fact with its interval.

    Parameters
    ----------
    phrases : DataFrame
        As made by `phrase_table`.
    bootstrap : Bootstrap
        It draws whole narratives.

    Returns
    -------
    DataFrame
        Columns fact, value, ci_low, ci_high, n_phrases, n_narratives; the facts with
        ``se_ratio`` (standard error from resampling narratives over that of independent
        phrases) have no interval.
    """
    narratives = phrases["narrative"].to_numpy()
    facts = _phrase_facts(phrases)
    means = bootstrap_means(facts.to_numpy(), narratives, bootstrap)
    rows = list(_rows(facts, means, narratives, bootstrap.confidence))

    areas = phrases[["area"]].rename(columns={"area": "median_area"})
    medians = _bootstrap_median(areas["median_area"].to_numpy(), narratives, bootstrap)
    median = next(_rows(areas, medians[:, None], narratives, bootstrap.confidence))
    rows.append({**median, "value": areas["median_area"].median()})

    methods = [*METHODS, "empty"]
    per_narrative = phrases.groupby("narrative")[methods].mean()
    per_narrative.columns = [f"mean_{method}_per_narrative" for method in methods]
    index = per_narrative.index.to_numpy()
    resampled = bootstrap_means(per_narrative.to_numpy(), index, bootstrap)
    for row in _rows(per_narrative, resampled, index, bootstrap.confidence):
        rows.append({**row, "n_phrases": len(phrases)})

    for method in METHODS:
        clustered = means[:, facts.columns.get_loc(f"mean_{method}")].std(ddof=1)
        naive = phrases[method].std() / np.sqrt(len(phrases))
        rows.append(
            {
                "fact": f"se_ratio_{method}",
                "value": clustered / naive,
                "n_phrases": len(phrases),
                "n_narratives": len(index),
            }
        )
    columns = ["fact", "value", "ci_low", "ci_high", "n_phrases", "n_narratives"]
    return pd.DataFrame(rows)[columns]


def _phrase_facts(phrases: pd.DataFrame) -> pd.DataFrame:
    """Return the facts that are means over phrases, NaN where a phrase does not count."""
    small = phrases["area"] < SMALL
    return pd.DataFrame(
        {
            "mean_random": phrases["random"],
            "mean_unimodal": phrases["unimodal"],
            "mean_matched": phrases["matched"],
            "mean_empty": phrases["empty"],
            "empty_minus_unimodal": phrases["empty"] - phrases["unimodal"],
            "share_empty_beats_unimodal": (phrases["empty"] > phrases["unimodal"]).astype(float),
            "share_empty_beats_matched": (phrases["empty"] > phrases["matched"]).astype(float),
            "share_small": small.astype(float),
            "mean_unimodal_small": phrases["unimodal"].where(small),
            "mean_matched_small": phrases["matched"].where(small),
            "mean_empty_small": phrases["empty"].where(small),
            "share_dropped_from_image_to_text": phrases["dropped"].astype(float),
            "mean_area": phrases["area"],
        }
    )


def _rows(
    values: pd.DataFrame, resampled: np.ndarray, narratives: np.ndarray, confidence: float
) -> Iterator[dict]:
    """Return one row per column of `values`, with the interval of its resampled means."""
    low, high = interval(resampled, confidence, count_images(values.to_numpy(), narratives))
    for number, (fact, column) in enumerate(values.items()):
        known = column.notna().to_numpy()
        yield {
            "fact": fact,
            "value": column.mean(),
            "ci_low": low[number],
            "ci_high": high[number],
            "n_phrases": int(known.sum()),
            "n_narratives": len(np.unique(narratives[known])),
        }


def _bootstrap_median(values: np.ndarray, clusters: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Resampled medians, (resamples,), drawing whole clusters: the lower one of an even number."""
    order = np.argsort(values)
    values = values[order]
    _, index = np.unique(clusters, return_inverse=True)
    index = index[order]
    medians = []
    blocks = image_weights(index.max() + 1, bootstrap.resamples, bootstrap.seed)
    for weights in blocks:
        for drawn in weights:
            counts = drawn[index].cumsum()
            medians.append(values[np.searchsorted(counts, counts[-1] / 2)])
    return np.array(medians)


def scores_by_area(phrases: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Average the published scores within bins of region area.

    Parameters
    ----------
    phrases : DataFrame
        As made by `phrase_table`.
    bootstrap : Bootstrap
        It draws whole narratives.

    Returns
    -------
    DataFrame
        One row per contender (matched, unimodal) and non-empty bin of `AREA_EDGES`: contender,
        area_from, area_to, n_phrases, mean, ci_low, ci_high.
    """
    bins = np.searchsorted(AREA_EDGES[1:-1], phrases["area"], side="right")
    rows = []
    for contender in ("matched", "unimodal"):
        binned = pd.DataFrame(
            {number: phrases[contender].where(bins == number) for number in np.unique(bins)}
        )
        values, narratives = binned.to_numpy(), phrases["narrative"].to_numpy()
        means = bootstrap_means(values, narratives, bootstrap)
        low, high = interval(means, bootstrap.confidence, count_images(values, narratives))
        for column, number in enumerate(binned):
            rows.append(
                {
                    "contender": contender,
                    "area_from": AREA_EDGES[number],
                    "area_to": AREA_EDGES[number + 1],
                    "n_phrases": int((bins == number).sum()),
                    "mean": binned[number].mean(),
                    "ci_low": low[column],
                    "ci_high": high[column],
                }
            )
    return pd.DataFrame(rows)
