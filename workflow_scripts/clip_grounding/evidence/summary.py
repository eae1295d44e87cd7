"""Average the evidence, with intervals from resampling the images."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from clip_grounding.evidence.columns import EFFECT_METRICS
from clip_grounding.evidence.outcomes import OUTCOME_NAMES
from clip_grounding.statistics.bootstrap import Bootstrap, cluster_sums, mean_table
from clip_grounding.statistics.slices import SLICES, assign_levels
from clip_grounding.vocabulary import CONTENDER, PHRASE

UNSEEN = ("beyond_context", "no_tokens")
"""The strict protocol's reasons for which the model does not read the phrase at all."""

_MEANS = [
    *(("n_phrases", pa.int64()), ("n_images", pa.int64())),
    *((name, pa.float64()) for name in ("mean", "ci_low", "ci_high")),
]
_CELL = [("direction", pa.string()), *((name, pa.string()) for name in CONTENDER)]
_SLICE = [("slice", pa.string()), ("level", pa.string())]

EVIDENCE = pa.schema([("protocol", pa.string()), *_CELL, ("metric", pa.string()), *_SLICE, *_MEANS])
"""A row per protocol, direction, contender, metric and slice.

Protocol ``effects`` has the attribution ``none``, and so has the metric ``ceiling``. The metric
``ap`` of the protocol ``strict`` is that of the drawn images, to be compared with the others.
"""

OUTCOME_SHARES = pa.schema([*_CELL, *_SLICE, ("outcome", pa.string()), *_MEANS])
"""The same for each outcome: its share of the phrases that have one."""

_Table = tuple[tuple[str, ...], pd.DataFrame]


def summarize_evidence(
    effects: Iterable[_Table],
    ceilings: Iterable[_Table],
    faithfulness: Iterable[_Table],
    removal: Iterable[_Table],
    outcomes: Iterable[_Table],
    scores: pd.DataFrame,
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    bootstrap: Bootstrap,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average every measure of the evidence over the drawn phrases, slice by slice.

    Phrases that the model does not read (`UNSEEN`) are left out of everything, as in the strict
    protocol. The means of a direction are resampled with the same images.

    Parameters
    ----------
    effects, ceilings : iterable of ((model, direction), DataFrame)
        Rows of `columns.EFFECTS` and `columns.CEILINGS`.
    faithfulness, removal, outcomes : iterable of ((model, attribution, direction), DataFrame)
        Rows of `columns.FAITHFULNESS`, `columns.REMOVAL` and `columns.OUTCOMES`.
    scores : DataFrame
        Rows of ``scores.parquet`` with the column ``ap``.
    phrases, narratives : DataFrame
        The columns of `tables.PHRASES` and `tables.NARRATIVES`.
    bootstrap : Bootstrap
        Of the images.

    Returns
    -------
    evidence, shares : DataFrame
        The columns `EVIDENCE` and `OUTCOME_SHARES`. A cell without a phrase has no row.
    """
    gathered: dict[str, _Values] = {}
    unseen: dict[tuple[str, str], pd.MultiIndex] = {}
    for (model, direction), table in effects:
        values = gathered.setdefault(direction, _Values(table))
        unseen[model, direction] = _keys(table[table["excluded"].isin(UNSEEN)])
        values.add(table, ("effects", model, "none"), EFFECT_METRICS, unseen[model, direction])
    for (model, direction), table in ceilings:
        own, out = table.assign(prompt="matched"), unseen[model, direction]
        gathered[direction].add(own, ("evidence", model, "none"), ("ceiling",), out)
    for tables, metrics in (
        (faithfulness, ("faithfulness", "faithfulness_margin")),
        (removal, ("srg", "morf_aopc", "lerf_aopc")),
        (outcomes, ("localisation",)),
    ):
        for (model, attribution, direction), table in tables:
            out = unseen[model, direction]
            gathered[direction].add(table, ("evidence", model, attribution), metrics, out)
            if "outcome" in table:
                shares = _mark_outcomes(table)
                gathered[direction].add(
                    shares, ("", model, attribution), OUTCOME_NAMES.values(), out
                )
    for (direction, model, attribution), table in scores.groupby(
        ["direction", "model", "attribution"], observed=True
    ):
        if direction in gathered:
            gathered[direction].add(table, ("strict", model, attribution), ("ap",))
    means = [
        own.average(phrases, narratives, bootstrap).assign(direction=direction)
        for direction, own in sorted(gathered.items())
    ]
    rows = pd.concat(means, ignore_index=True)
    is_share = rows["protocol"] == ""
    shares = rows[is_share].rename(columns={"metric": "outcome"})
    evidence = rows[~is_share].reset_index(drop=True)
    return evidence[EVIDENCE.names], shares.reset_index(drop=True)[OUTCOME_SHARES.names]


class _Values:
    """The measures of one direction's drawn phrases, a column for each."""

    def __init__(self, effects: pd.DataFrame):
        drawn = effects.drop_duplicates(PHRASE).sort_values(PHRASE, kind="stable")
        self._phrases = drawn[[*PHRASE, "image_id", "region_area"]].reset_index(drop=True)
        self._index = _keys(self._phrases)
        self._keys: list[tuple[str, ...]] = []
        self._columns: list[np.ndarray] = []

    def add(
        self,
        table: pd.DataFrame,
        names: tuple[str, str, str],
        metrics: Iterable[str],
        left_out: pd.MultiIndex | None = None,
    ) -> None:
        """Add a table's metrics, prompt by prompt; `names` are protocol, model and attribution."""
        if left_out is not None:
            table = table[~_keys(table).isin(left_out)]
        for prompt, own in table.groupby("prompt", observed=True):
            positions = self._index.get_indexer(_keys(own))
            drawn = positions >= 0
            for metric in metrics:
                column = np.full(len(self._index), np.nan)
                column[positions[drawn]] = own[metric].to_numpy(np.float64)[drawn]
                self._keys.append((*names, prompt, metric))
                self._columns.append(column)

    def average(
        self, phrases: pd.DataFrame, narratives: pd.DataFrame, bootstrap: Bootstrap
    ) -> pd.DataFrame:
        """Average each column over the phrases of each level of each slice."""
        _, images = np.unique(self._phrases["image_id"], return_inverse=True)
        names = pd.DataFrame(self._keys, columns=["protocol", *CONTENDER, "metric"])
        if len(images) == 0:
            empty = {"slice": "", "level": "", **dict.fromkeys([name for name, _ in _MEANS], 0)}
            return names.iloc[:0].assign(**empty)
        values = np.stack(self._columns, axis=1)
        levels = assign_levels(self._phrases, phrases, narratives)
        tables = []
        for name, level in ((name, level) for name, own in SLICES.items() for level in own):
            rows = (levels[name] == level).to_numpy()
            sums, counts = cluster_sums(values[rows], images[rows], images.max() + 1)
            known = counts.sum(axis=0) > 0
            if not known.any():
                continue
            own = names[known].assign(slice=name, level=level)
            tables.append(mean_table(own, sums[:, known], counts[:, known], bootstrap))
        return pd.concat(tables, ignore_index=True)


def _keys(table: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(table[PHRASE])


def _mark_outcomes(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Mark each phrase's outcome with 1 and the other outcomes with 0; NaN where it has none."""
    known = outcomes["outcome"].notna()
    marks = {
        name: (outcomes["outcome"] == name).astype(np.float64).where(known)
        for name in OUTCOME_NAMES.values()
    }
    return outcomes[[*PHRASE, "prompt"]].assign(**marks)
