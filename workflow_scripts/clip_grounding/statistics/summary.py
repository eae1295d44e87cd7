"""Mean score of every contender on every slice, with intervals from resampling the images."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from clip_grounding.statistics.bootstrap import MEANS, Bootstrap, cluster_sums, mean_table
from clip_grounding.statistics.paired import (
    PROTOCOLS,
    PairedScores,
    Scores,
    each_direction,
    pair_scores,
)
from clip_grounding.statistics.slices import SLICES, assign_levels
from clip_grounding.vocabulary import CONTENDER

COLUMNS = [
    "protocol",
    "direction",
    *CONTENDER,
    "metric",
    "slice",
    "level",
    "average",
    *MEANS,
]

_MOST_COLUMNS = 4096
"""Means that are resampled at once: 5,000 images of them are 160 MB each of sums and counts."""


def summarize(
    scores: Scores,
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    bootstrap: Bootstrap,
    protocols: dict[str, tuple[str, ...]] = PROTOCOLS,
) -> pd.DataFrame:
    """Mean and image-clustered bootstrap interval per contender, metric, slice and average.

    The average ``phrase`` weighs every phrase the same, ``narrative`` every narrative: it is
    the mean of the narratives' means. All cells of a direction are resampled with the same
    images.

    Parameters
    ----------
    scores : DataFrame, str or Path; or a list of them
        Rows of ``scores.parquet``, or of one of the tables of `evidence.collect`: one per phrase,
        direction and contender; or the file.
    phrases, narratives : DataFrame
        The columns of `tables.PHRASES` and `tables.NARRATIVES`.
    bootstrap : Bootstrap
        Of the images.
    protocols : dict
        The metrics of each protocol that are averaged.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`. A cell without a phrase has no row.
    """
    tables = [pd.DataFrame(columns=COLUMNS)]
    for direction, own in each_direction(scores, protocols=protocols):
        paired = pair_scores(own, protocols)
        levels = assign_levels(paired.phrases, phrases, narratives)
        for keys, n_phrases, sums, counts in _batch(_cells(paired, levels)):
            known = n_phrases > 0
            names = _name_cells(keys, paired)[known].assign(direction=direction)
            means = mean_table(names, sums[:, known], counts[:, known], bootstrap)
            tables.append(means.assign(n_phrases=n_phrases[known]))  # or narratives are counted
    summary = pd.concat(tables[1:] or tables, ignore_index=True)[COLUMNS]
    return summary.sort_values(["protocol", "direction"], kind="stable", ignore_index=True)


def add_published(summary: pd.DataFrame, published: list[list]) -> pd.DataFrame:
    """Put the published means beside ours: the poster's pooled means of all its phrases.

    Parameters
    ----------
    summary : DataFrame
        The result of `summarize`.
    published : list
        [direction, model, attribution, prompt, mean] of each.
    """
    cell = {"protocol": "poster", "slice": "all", "level": "all", "average": "phrase"}
    keys = ["direction", *CONTENDER]
    rows = pd.DataFrame(published, columns=[*keys, "published"]).astype({"published": float})
    rows = rows.assign(metric=PROTOCOLS["poster"][0], **cell)
    return summary.merge(rows, how="left", on=[*keys, "metric", *cell], validate="one_to_one")


def _cells(paired: PairedScores, levels: pd.DataFrame) -> Iterator[tuple]:
    """Yield (slice, level, average), and per contender × metric n_phrases, sums and counts.

    Sums and counts are those of the images, shape (n_images, n_contenders × n_metrics).
    """
    n_images = paired.n_images
    images = paired.phrases["image"].to_numpy()
    _, narratives = np.unique(paired.phrases["narrative"], return_inverse=True)
    n_narratives = narratives.max() + 1
    image_of_narrative = np.empty(n_narratives, dtype=np.int64)
    image_of_narrative[narratives] = images
    values = paired.values.reshape(len(images), -1)
    for name, level in ((name, level) for name, own in SLICES.items() for level in own):
        rows = (levels[name] == level).to_numpy()
        sums, counts = cluster_sums(values[rows], images[rows], n_images)
        n_phrases = counts.sum(axis=0).astype(np.int64)
        yield (name, level, "phrase"), n_phrases, sums, counts
        sums, counts = cluster_sums(values[rows], narratives[rows], n_narratives)
        with np.errstate(invalid="ignore"):  # a narrative without a phrase has no mean
            means = sums / counts
        yield (
            (name, level, "narrative"),
            n_phrases,
            *cluster_sums(means, image_of_narrative, n_images),
        )


def _batch(cells: Iterator[tuple]) -> Iterator[tuple]:
    """Put cells together, up to `_MOST_COLUMNS` columns: their keys, and each array as one."""
    batch = []
    for cell in cells:
        if batch and (len(batch) + 1) * len(cell[1]) > _MOST_COLUMNS:
            yield _join(batch)
            batch = []
        batch.append(cell)
    yield _join(batch)


def _join(cells: list[tuple]) -> tuple:
    keys, *arrays = zip(*cells, strict=True)
    return keys, *(np.concatenate(parts, axis=-1) for parts in arrays)


def _name_cells(keys: Iterable[tuple[str, str, str]], paired: PairedScores) -> pd.DataFrame:
    protocol_of = {metric: name for name, own in paired.protocols.items() for metric in own}
    rows = [
        (*key, *contender, metric, protocol_of[metric])
        for key in keys
        for contender in paired.contenders
        for metric in paired.metrics
    ]
    return pd.DataFrame(
        rows, columns=["slice", "level", "average", *CONTENDER, "metric", "protocol"]
    )
