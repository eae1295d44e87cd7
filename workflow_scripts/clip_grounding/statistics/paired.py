"""The scores of all contenders side by side, phrase by phrase, so that means can be compared.

Means of different phrases do not compare: in the strict protocol a phrase counts for every
contender or for none.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clip_grounding.errors import InputError
from clip_grounding.scoring import strict
from clip_grounding.tables import KEYS, read_categories, read_column_names, read_table
from clip_grounding.vocabulary import CONTENDER, EFFECT_METRICS, MAP_METRICS

PROTOCOLS = {
    "poster": ("poster_iou",),
    "strict": tuple(strict.METRICS),
    "effects": EFFECT_METRICS,
    "evidence": MAP_METRICS,
}
"""The metrics of each protocol, the primary one first."""

METRICS = [*PROTOCOLS["poster"], *PROTOCOLS["strict"]]
"""The metrics of ``scores.parquet``."""

Scores = pd.DataFrame | str | Path | list
"""A table with scores, its file, or a list of either."""


@dataclass(frozen=True)
class PairedScores:
    """One direction's scores; nothing in it depends on the order of the table's rows."""

    phrases: pd.DataFrame
    """Columns narrative, phrase, image (from 0, in image-id order), region_area."""
    contenders: list[tuple[str, str, str]]
    """(model, attribution, prompt), sorted."""
    protocols: dict[str, tuple[str, ...]]
    """The metrics of each protocol among the scores."""
    values: np.ndarray
    """Scores as float32, shape (n_phrases, n_contenders, n_metrics); NaN where not compared."""

    @property
    def n_images(self) -> int:
        """How many images the phrases belong to."""
        return int(self.phrases["image"].max()) + 1

    @property
    def metrics(self) -> list[str]:
        """Names of the scores."""
        return [metric for own in self.protocols.values() for metric in own]


def each_direction(
    scores: Scores,
    columns: tuple[str, ...] = (),
    protocols: dict[str, tuple[str, ...]] = PROTOCOLS,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the scores of one direction after the other, in alphabetical order.

    Parameters
    ----------
    scores : DataFrame, str or Path; or a list of them
        Rows of ``scores.parquet``, or of a table of `evidence.collect`; or the file, of which one
        direction is in memory at a time.
    columns : tuple of str
        Read from the file, where it has them, beside those that `pair_scores` needs.
    protocols : dict
        The metrics of each protocol that are asked for; a table may lack some.

    Yields
    ------
    direction : str
    own : DataFrame
        Names as categories where they come from the file.
    """
    if isinstance(scores, pd.DataFrame):
        yield from scores.groupby("direction", sort=True)
        return
    if isinstance(scores, list):
        for table in scores:
            yield from each_direction(table, columns, protocols)
        return
    keys = [name for name, _ in KEYS] + [*CONTENDER, "region_area"]
    present = read_column_names(scores)
    metrics = [name for own in _protocols_among(present, protocols).values() for name in own]
    needed = [*keys, *metrics, *(name for name in columns if name in present)]
    for direction in read_categories(scores, "direction"):
        own = [("direction", "=", direction)]
        yield direction, read_table(scores, columns=needed, filters=own, categories=True)


def pair_scores(
    scores: pd.DataFrame, protocols: dict[str, tuple[str, ...]] = PROTOCOLS
) -> PairedScores:
    """Arrange the scores of one direction by phrase, contender and metric.

    In the strict protocol only those phrases keep their scores that every contender scores;
    ``mismatched``, which not every phrase can have, has no say in it. The same goes for each
    measure of the evidence by itself. In the poster protocol each contender keeps the phrases
    that the published evaluation scores.

    Parameters
    ----------
    scores : DataFrame
        Rows of one direction, at least one.
    protocols : dict
        The metrics of each protocol that are asked for; the table may lack some.

    Raises
    ------
    InputError
        A contender scores a phrase twice.
    """
    by_phrase = scores.groupby(["narrative", "phrase"], sort=True)
    phrases = by_phrase.agg(
        image_id=("image_id", "first"), region_area=("region_area", "max")
    ).reset_index()
    phrases["image"] = np.unique(phrases.pop("image_id"), return_inverse=True)[1]
    by_contender = scores.groupby(CONTENDER, sort=True)
    contenders = list(by_contender.groups)
    own = _protocols_among(scores.columns, protocols)
    metrics = [metric for names in own.values() for metric in names]
    place = by_phrase.ngroup().to_numpy() * len(contenders) + by_contender.ngroup().to_numpy()
    values = np.full((len(phrases) * len(contenders), len(metrics)), np.nan, dtype=np.float32)
    _refuse_repeated(scores, place)
    values[place] = scores[metrics].to_numpy(dtype=np.float32)
    values = values.reshape(len(phrases), len(contenders), len(metrics))
    others = [(metric,) for name in own if name not in ("poster", "strict") for metric in own[name]]
    for together in (own.get("strict", ()), *others):
        columns = np.flatnonzero(np.isin(metrics, together))
        absent = ~_are_common(values[..., columns], contenders)
        values[np.ix_(absent, np.arange(len(contenders)), columns)] = np.nan
    return PairedScores(phrases, contenders, own, values)


def _protocols_among(
    columns: Iterable[str], protocols: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Keep the metrics that are among the columns, and the protocols that have any."""
    present = set(columns)
    found = {
        protocol: tuple(metric for metric in metrics if metric in present)
        for protocol, metrics in protocols.items()
    }
    return {protocol: metrics for protocol, metrics in found.items() if metrics}


def _refuse_repeated(scores: pd.DataFrame, place: np.ndarray) -> None:
    repeated = pd.Series(place).duplicated().to_numpy()
    if repeated.any():
        row = scores.iloc[repeated.argmax()]
        contender = ", ".join(row[CONTENDER])
        raise InputError(
            f"the table of scores: phrase {row['phrase']} of narrative {row['narrative']} has two"
            f" rows of {contender}: delete scores.parquet, effects.parquet and"
            " evidence_scores.parquet and rerun"
        )


def _are_common(values: np.ndarray, contenders: list[tuple[str, str, str]]) -> np.ndarray:
    """Whether all contenders score a phrase; one that scores none at all takes no part."""
    deciding = [prompt != "mismatched" for _, _, prompt in contenders]
    known = ~np.isnan(values[:, deciding])
    return (known | ~known.any(axis=0)).all(axis=(1, 2))
