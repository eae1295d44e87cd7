"""Average relevance maps over the units that are taken out, and make uninformed control maps."""

import numpy as np
import pandas as pd

from clip_grounding.errors import InputError
from clip_grounding.scoring.draws import Draw, center_map, random_map
from clip_grounding.scoring.images import join_maps

WITHIN = {"text_to_image": "image_id", "image_to_text": "narrative"}
"""The column that identifies the items of a direction."""

FEWEST_UNITS = 3
"""With fewer units a map has nothing to rank."""


def join_drawn_maps(
    direction: str, relevance: pd.DataFrame, drawn: pd.DataFrame, phrases: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Join the drawn phrases with their maps, and with the map of another phrase.

    A map of another prompt is compared with the model's similarities for the phrase itself, as its
    average precision is with the phrase's region.

    Parameters
    ----------
    direction : {"text_to_image", "image_to_text"}
    relevance : DataFrame
        Rows of ``tables.RELEVANCE[direction]`` of the shard.
    drawn : DataFrame
        With the columns narrative, phrase and image_id of the drawn phrases.
    phrases : DataFrame
        The shard's phrases.
    seed : int
        Draws the mismatched phrases.

    Returns
    -------
    DataFrame
        The rows of `scoring.images.join_maps`.

    Raises
    ------
    InputError
        A drawn phrase has no map.
    """
    keys = ["narrative", "phrase", "image_id"]
    drawn = drawn[keys].drop_duplicates()
    own = phrases.merge(drawn, on=keys)
    mapped = relevance.merge(drawn, on=keys)
    present = pd.MultiIndex.from_frame(mapped[keys])
    missing = ~pd.MultiIndex.from_frame(drawn).isin(present)
    if missing.any():
        row = drawn.iloc[missing.argmax()]
        raise InputError(
            f"the relevance of narrative {row['narrative']}, phrase {row['phrase']} is missing,"
            " but its similarities are there: delete the relevance table and rerun"
        )
    rows, _ = join_maps(mapped, own, WITHIN[direction], seed)
    return rows


def read_maps(
    attribution: str,
    direction: str,
    relevance: pd.DataFrame | None,
    similarities: pd.DataFrame,
    phrases: pd.DataFrame,
    grid: tuple[int, int],
    seed: int,
) -> pd.DataFrame:
    """Return an attribution's maps of the drawn phrases, or those of one of `vocabulary.CONTROLS`.

    Parameters
    ----------
    attribution : str
    direction : {"text_to_image", "image_to_text"}
    relevance : DataFrame or None
        The attribution's maps of the shard; None for a control.
    similarities : DataFrame
        Rows of `columns.SIMILARITIES`: of the drawn phrases.
    phrases : DataFrame
        The shard's phrases.
    grid, seed
        See `control_maps`.

    Returns
    -------
    DataFrame
        The rows of `join_drawn_maps`.
    """
    if relevance is None:
        return control_maps(attribution, direction, phrases, similarities, grid, seed)
    return join_drawn_maps(direction, relevance, similarities, phrases, seed)


def control_maps(
    kind: str, direction: str, phrases: pd.DataFrame, similarities: pd.DataFrame, grid, seed: int
) -> pd.DataFrame:
    """Make maps that are independent of the phrase, as rows like those of `join_drawn_maps`.

    Parameters
    ----------
    kind : {"random", "center", "constant"}
        ``center`` is for images only.
    direction : {"text_to_image", "image_to_text"}
    phrases : DataFrame
        The shard's phrases.
    similarities : DataFrame
        Rows of `columns.SIMILARITIES`.
    grid : tuple of int
        Rows and columns of the model's patches.
    seed : int
        Draws the random maps, phrase by phrase, as for the baseline of the scores.
    """
    keys = ["narrative", "phrase", "image_id"]
    rows = phrases.merge(similarities[[*keys, "units"]], on=keys)
    sizes = rows.pop("units").map(len)
    draw = Draw.CELLS if direction == "text_to_image" else Draw.PIXELS
    if kind == "random":
        maps = [
            random_map(size, seed, row.narrative, row.phrase, draw)
            for size, row in zip(sizes, rows.itertuples(), strict=True)
        ]
    elif kind == "center":
        maps = [center_map(*grid).ravel()] * len(rows)
    else:
        maps = [np.ones(size, np.float32) for size in sizes]
    return rows.assign(prompt="none", relevance=maps)


def unit_values(maps: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Average maps over the tokens of each unit.

    The mean, so that a constant map stays constant for long and short words. Sums
    would follow the words' lengths, and so may the similarity.

    Parameters
    ----------
    maps : ndarray of float32, shape (n_maps, n_values)
    units : ndarray of int, shape (n_values,)
        The unit of each value, −1 for none.

    Returns
    -------
    ndarray of float64, shape (n_maps, n_units)
    """
    members = (units[:, None] == np.arange(units.max(initial=-1) + 1)).astype(np.float64)
    return (maps.astype(np.float64) @ members) / members.sum(axis=0)


def is_constant(values: np.ndarray) -> np.ndarray:
    """Return whether maps (n_maps, n_units) have the same value at all units, (n_maps,)."""
    return values.max(axis=1) == values.min(axis=1)
