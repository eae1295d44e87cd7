"""The evidence of the gallery's items: does the model use the region, does the map show it?

It is there for the images that were drawn alone (docs/evidence.md). The outcomes go into the page's
index, because the page filters by them; measures and curves go with the maps.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from clip_grounding.evidence.collect import UNSEEN
from clip_grounding.evidence.outcomes import OUTCOME_NAMES
from clip_grounding.figures.style import OUTCOME_LABELS, OUTCOMES
from clip_grounding.tables import read_evaluations
from clip_grounding.vocabulary import PHRASE

EFFECTS = ["necessity", "p_value", "sufficiency"]
"""What the page shows of a region."""

CURVES = ("matched", "unimodal")
"""The prompts whose removal curves the page draws."""

EXCLUDED = {
    "covers_image": "the region covers the whole image",
    "no_control": "there are fewer than three other places of its size",
    "few_controls": "there are too few other places of its size",
    "few_tokens": "there are too few patches or words",
    "no_tokens": "the model reads no word of it",
    "beyond_context": "it is beyond the words that the model reads",
}
"""Why a phrase has no value, in words."""

_DIGITS = 3
_Table = tuple[tuple[str, ...], pd.DataFrame]


def read_evidence(
    files: Mapping[str, list[str]],
    measured: list[list[str]],
    evaluations: list[list[str]],
    n_shards: int,
    filters: list,
) -> dict[str, Iterator[_Table]]:
    """Read the tables that `gather_evidence` takes.

    Parameters
    ----------
    files : mapping of str to list of str
        The shards of each table, see `tables.read_evaluations`.
    measured : list of [model, direction]
    evaluations : list of [model, attribution, direction]
    n_shards : int
    filters : list
        Of the rows, as for `tables.read_table`.
    """
    maps = dict.fromkeys(("outcomes", "faithfulness", "removal"), evaluations)
    return {
        stage: read_evaluations(files[stage], own, n_shards, filters)
        for stage, own in {"effects": measured, **maps}.items()
    }


def gather_evidence(
    items: pd.DataFrame,
    effects: Iterable[_Table],
    outcomes: Iterable[_Table],
    faithfulness: Iterable[_Table],
    removal: Iterable[_Table],
) -> list[dict]:
    """Gather the evidence of every item.

    Phrases that a model does not read (`evidence.collect.UNSEEN`) have no values, as they are left
    out of every mean.

    Parameters
    ----------
    items : DataFrame
        See `selection.choose_items`.
    effects : iterable of ((model, direction), DataFrame)
        Rows of `evidence.columns.EFFECTS`.
    outcomes, faithfulness, removal : iterable of ((model, attribution, direction), DataFrame)
        Rows of `evidence.columns.OUTCOMES`, `FAITHFULNESS` and `REMOVAL`.

    Returns
    -------
    list of dict
        Empty for an item that was not drawn. Else ``effects``, a dict by model of ``excluded``, a
        key of `EXCLUDED` or None, and ``values``, those of `EFFECTS` by prompt; and ``maps``, a
        dict by (model, attribution) of ``excluded``, ``outcomes``, ``faithfulness`` and ``srg`` by
        prompt, and ``curves`` of `CURVES`: the similarity to the whole item, then the MoRF and LeRF
        similarities. What was not measured is None, or has no curve.
    """
    gathered: list[dict] = [{} for _ in range(len(items))]
    for (model, direction), table in effects:
        for number, rows in _rows_of(items, direction, table):
            entry = gathered[number].setdefault("effects", {})
            reason = _find_reason(rows)
            values = {} if reason else {row.prompt: _measures(row) for row in rows.itertuples()}
            entry[model] = {"excluded": reason, "values": values}
    for column, tables in (("outcome", outcomes), ("faithfulness", faithfulness), ("srg", removal)):
        for (model, attribution, direction), table in tables:
            for number, rows in _rows_of(items, direction, table):
                maps = gathered[number].setdefault("maps", {})
                own = maps.setdefault((model, attribution), _no_measures())
                if gathered[number]["effects"][model]["excluded"] in UNSEEN:
                    continue
                _add_measures(own, column, rows)
    for evidence in gathered:
        for (model, _), own in evidence.get("maps", {}).items():
            own["excluded"] = evidence["effects"][model]["excluded"] or own["excluded"]
    return gathered


def add_evidence(index: dict, packed: list[dict], gathered: list[dict]) -> None:
    """Add the evidence to what the page loads.

    Parameters
    ----------
    index : dict
        See `index.build_index`. Gets ``evidence``, the names and colours that the page needs; and
        its items that were drawn get ``outcomes``, the outcome of the matched map of each model and
        attribution in the order of the contenders, None where there is none.
    packed : list of dict
        See `images.pack_items`. Those that were drawn get ``effects``, and their pairs
        ``evidence``: the entries of `gather_evidence`.
    gathered : list of dict
        See `gather_evidence`.
    """
    pairs = [
        (contender["model"], contender["attribution"])
        for contender in index["contenders"]
        if contender["prompt"] == "matched"
    ]
    index["evidence"] = {
        "outcomes": {name: OUTCOME_LABELS[name] for name in OUTCOME_NAMES.values()},
        "colors": OUTCOMES,
        "excluded": EXCLUDED,
    }
    for item, entry, evidence in zip(index["items"], packed, gathered, strict=True):
        if not evidence:
            continue
        maps = evidence.get("maps", {})
        item["outcomes"] = [
            maps[pair]["outcomes"].get("matched") if pair in maps else None for pair in pairs
        ]
        entry["effects"] = evidence["effects"]
        for pair in entry["pairs"]:
            own = maps.get((pair["model"], pair["attribution"]))
            if own:
                pair["evidence"] = own


def _rows_of(items: pd.DataFrame, direction: str, table: pd.DataFrame):
    """Yield the number of every item of a direction that has rows, and these."""
    numbered = items.assign(item=range(len(items)))
    own = numbered.loc[numbered["direction"] == direction, [*PHRASE, "item"]]
    yield from table.merge(own, on=PHRASE).groupby("item", sort=False)


def _find_reason(rows: pd.DataFrame) -> str | None:
    reasons = rows["excluded"].dropna()
    return None if reasons.empty else str(reasons.iloc[0])


def _measures(row) -> list[float | None]:
    return [_round(getattr(row, name)) for name in EFFECTS]


def _no_measures() -> dict:
    return {"excluded": None, "outcomes": {}, "faithfulness": {}, "srg": {}, "curves": {}}


def _add_measures(own: dict, column: str, rows: pd.DataFrame) -> None:
    """Add a measure of an item's maps, prompt by prompt; and the curves of removal."""
    own["excluded"] = own["excluded"] or _find_reason(rows)
    for row in rows.itertuples():
        value = getattr(row, column)
        if column == "outcome":
            own["outcomes"][row.prompt] = value if isinstance(value, str) else None
            continue
        own[column][row.prompt] = _round(value)
        if column == "srg" and row.prompt in CURVES and not np.isnan(value):
            whole = [row.similarity]
            own["curves"][row.prompt] = [
                np.round(np.concatenate([whole, curve]).astype(float), 2).tolist()
                for curve in (row.morf, row.lerf)
            ]


def _round(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), _DIGITS)
