"""Slices of the phrases: does a score hold for things and stuff, small regions, long captions?

A phrase is in at most one level of each slice.
"""

import numpy as np
import pandas as pd

from clip_grounding.errors import InputError

SLICES = {
    "all": ["all"],
    "kind": ["thing", "stuff"],
    "number": ["singular", "plural"],
    "region_area": ["<1%", "1-5%", "5-20%", ">20%"],
    "repeated": ["yes", "no"],
    "caption_words": ["<=20", "21-40", "41-70", ">70"],
}
"""The levels of each slice, in the order in which they are listed."""


def assign_levels(
    scored: pd.DataFrame, phrases: pd.DataFrame, narratives: pd.DataFrame
) -> pd.DataFrame:
    """Say in which level of each slice the scored phrases are.

    Parameters
    ----------
    scored : DataFrame
        Columns narrative, phrase and region_area (share of the image's pixels).
    phrases, narratives : DataFrame
        The columns of `tables.PHRASES` and `tables.NARRATIVES`.

    Returns
    -------
    DataFrame
        A row for each of `scored`, a column for each of `SLICES`. None where a phrase is in no
        level: ``kind`` of a phrase that names both things and stuff.

    Raises
    ------
    InputError
        A scored phrase or its narrative is not in the tables.
    """
    spoken = phrases.assign(utterance=phrases["utterance"].str.casefold())
    facts = phrases.assign(repeated=spoken.duplicated(["narrative", "utterance"], keep=False))
    columns = ["narrative", "phrase", "is_thing", "is_plural", "repeated"]
    texts = narratives.assign(words=narratives["text"].str.split(" ").str.len())
    rows = scored.merge(
        facts[columns], how="left", on=["narrative", "phrase"], indicator="listed"
    ).merge(texts[["narrative", "words"]], how="left", on="narrative")
    unknown = rows["words"].isna() | (rows["listed"] != "both")
    if unknown.any():
        row = rows.iloc[unknown.to_numpy().argmax()]
        raise InputError(
            f"scores.parquet: phrase {row['phrase']} of narrative {row['narrative']} is not in"
            " phrases.parquet and narratives.parquet: delete the scores and rerun"
        )
    # In float32, as the areas are stored: 0.2 as a double is below 0.2 as a float.
    area = rows["region_area"].to_numpy(dtype=np.float32)
    words = rows["words"].to_numpy()
    conditions = {
        "all": [np.ones(len(rows), dtype=bool)],
        "kind": [rows["is_thing"].eq(True), rows["is_thing"].eq(False)],
        "number": [rows["is_plural"].eq(False), rows["is_plural"].eq(True)],
        "region_area": [area < 0.01, area < 0.05, area <= 0.2, area > 0.2],
        "repeated": [rows["repeated"].eq(True), rows["repeated"].eq(False)],
        "caption_words": [words <= 20, words <= 40, words <= 70, words > 70],
    }
    return pd.DataFrame(
        {
            name: np.select(conditions[name], [np.array(level, object) for level in levels], None)
            for name, levels in SLICES.items()
        }
    )
