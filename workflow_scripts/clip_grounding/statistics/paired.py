"""The scores of all contenders side by side, phrase by phrase, so that means can be compared.

Means of different phrases do not compare: in the strict protocol a phrase counts for every
contender or for none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clip_grounding.errors import InputError
from clip_grounding.scoring import strict
from clip_grounding.tables import KEYS, read_categories, read_table
from clip_grounding.vocabulary import CONTENDER

PROTOCOLS = {"poster": ("poster_iou",), "strict": tuple(strict.METRICS)}
"""The metrics of each protocol, the primary one first."""

METRICS = [metric for metrics in PROTOCOLS.values() for metric in metrics]


@dataclass(frozen=True)
class PairedScores:
    """One direction's scores; nothing in it depends on the order of the table's rows."""

    phrases: pd.DataFrame
    """Columns narrative, phrase, image (from 0, in image-id order), region_area."""
    contenders: list[tuple[str, str, str]]
    """(model, attribution, prompt), sorted."""
    values: np.ndarray
    """Scores as float32, shape (n_phrases, n_contenders, n_metrics); NaN where not compared."""

    @property
    def n_images(self) -> int:
        """How many images the phrases belong to."""
        return int(self.phrases["image"].max()) + 1


def each_direction(
    scores: pd.DataFrame | str | Path, columns: tuple[str, ...] = ()
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give the scores of one direction after the other, in alphabetical order.

    Parameters
    ----------
    scores : DataFrame, str or Path
        Rows of ``scores.parquet``; or the file, of which one direction is in memory at a time.
    columns : tuple of str
        Read from the file beside those that `pair_scores` needs.

    Yields
    ------
    direction : str
    own : DataFrame
        Names as categories where they come from the file.
    """
    if isinstance(scores, pd.DataFrame):
        yield from scores.groupby("direction", sort=True)
        return
    needed = [name for name, _ in KEYS] + [*CONTENDER, *METRICS, "region_area", *columns]
    for direction in read_categories(scores, "direction"):
        own = [("direction", "=", direction)]
        yield direction, read_table(scores, columns=needed, filters=own, categories=True)


def pair_scores(scores: pd.DataFrame) -> PairedScores:
    """Arrange the scores of one direction by phrase, contender and metric.

    In the strict protocol only those phrases keep their scores that every contender scores;
    ``mismatched``, which not every phrase can have, has no say in it. In the poster protocol
    each contender keeps the phrases that the published evaluation scores.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``scores.parquet`` of one direction, at least one.

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
    place = by_phrase.ngroup().to_numpy() * len(contenders) + by_contender.ngroup().to_numpy()
    values = np.full((len(phrases) * len(contenders), len(METRICS)), np.nan, dtype=np.float32)
    _refuse_repeated(scores, place)
    values[place] = scores[METRICS].to_numpy(dtype=np.float32)
    values = values.reshape(len(phrases), len(contenders), len(METRICS))
    is_strict = np.isin(METRICS, PROTOCOLS["strict"])
    common = _are_common(values[..., is_strict], contenders)
    values[np.ix_(~common, np.arange(len(contenders)), is_strict)] = np.nan
    return PairedScores(phrases, contenders, values)


def _refuse_repeated(scores: pd.DataFrame, place: np.ndarray) -> None:
    repeated = pd.Series(place).duplicated().to_numpy()
    if repeated.any():
        row = scores.iloc[repeated.argmax()]
        contender = ", ".join(row[CONTENDER])
        raise InputError(
            f"scores.parquet: phrase {row['phrase']} of narrative {row['narrative']} has two rows"
            f" of {contender} ({row['direction']}): delete the table and rerun"
        )


def _are_common(values: np.ndarray, contenders: list[tuple[str, str, str]]) -> np.ndarray:
    """Whether all contenders score a phrase; one that scores none at all takes no part."""
    deciding = [prompt != "mismatched" for _, _, prompt in contenders]
    known = ~np.isnan(values[:, deciding])
    return (known | ~known.any(axis=0)).all(axis=(1, 2))
