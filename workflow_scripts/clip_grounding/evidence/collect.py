"""Put the evidence of all shards side by side, phrase by phrase, as the scores are."""

from collections.abc import Iterable, Iterator

import pandas as pd
import pyarrow as pa

from clip_grounding.evidence.columns import REMOVAL
from clip_grounding.tables import KEYS
from clip_grounding.vocabulary import CONTENDER, EFFECT_METRICS, MAP_METRICS, PHRASE

UNSEEN = ("beyond_context", "no_tokens")
"""The strict protocol's reasons for which the model does not read the phrase at all."""

_ROW = [
    *KEYS,
    ("direction", pa.string()),
    *((name, pa.string()) for name in CONTENDER),
    ("region_area", pa.float32()),
]

EFFECT_SCORES = pa.schema(
    [
        *_ROW,
        *((metric, pa.float32()) for metric in (*EFFECT_METRICS, "ceiling")),
        ("effects_excluded", pa.string()),
    ]
)
"""A row per phrase, direction, model and prompt; the attribution is ``none``."""

CURVE_AREAS = ("morf_aopc", "lerf_aopc")

EVIDENCE_SCORES = pa.schema(
    [
        *_ROW,
        *((metric, pa.float32()) for metric in (*MAP_METRICS, *CURVE_AREAS)),
        ("outcome", pa.string()),
        ("degenerate", pa.bool_()),
        ("evidence_excluded", pa.string()),
    ]
)
"""A row per phrase, direction and contender, controls among them.

``srg`` and the areas of the curves are missing where an image is not in the sample of the removal.
"""

_Table = tuple[tuple[str, ...], pd.DataFrame]


def collect_effects(
    effects: Iterable[_Table], ceilings: Iterable[_Table]
) -> Iterator[pd.DataFrame]:
    """Put the effects of regions beside the ceiling of the additive maps.

    Phrases that the model does not read (`UNSEEN`) have no ceiling.

    Parameters
    ----------
    effects, ceilings : iterable of ((model, direction), DataFrame)
        Rows of `columns.EFFECTS` and `columns.CEILINGS`, in the same order.

    Yields
    ------
    DataFrame
        Rows of `EFFECT_SCORES` of a model and direction.
    """
    for (names, own), (same, other) in zip(effects, ceilings, strict=True):
        assert names == same
        model, direction = names
        ceiling = other[[*PHRASE, "ceiling"]].assign(prompt="matched")
        rows = own.merge(ceiling, how="left", on=[*PHRASE, "prompt"], validate="one_to_one")
        rows.loc[rows["excluded"].isin(UNSEEN), "ceiling"] = float("nan")
        rows = rows.rename(columns={"excluded": "effects_excluded"})
        rows = rows.assign(model=model, attribution="none", direction=direction)
        yield rows[EFFECT_SCORES.names]


def collect_evidence(
    effects: Iterable[_Table],
    faithfulness: Iterable[_Table],
    outcomes: Iterable[_Table],
    removal: Iterable[_Table],
) -> Iterator[pd.DataFrame]:
    """Put everything that holds a map against the model into one row.

    A phrase that the model does not read (`UNSEEN`) has no measure, for that reason.

    Parameters
    ----------
    effects : iterable of ((model, direction), DataFrame)
        Rows of `columns.EFFECTS`: of every phrase whether the model reads it.
    faithfulness, outcomes, removal : iterable of ((model, attribution, direction), DataFrame)
        Rows of `columns.FAITHFULNESS`, `columns.OUTCOMES` and `columns.REMOVAL`; the latter may
        lack contenders.

    Yields
    ------
    DataFrame
        Rows of `EVIDENCE_SCORES` of a model, attribution and direction.
    """
    facts = {names: _read_facts(own) for names, own in effects}
    removed = dict(removal)
    keys = [*PHRASE, "prompt"]
    for (names, own), (same, other) in zip(faithfulness, outcomes, strict=True):
        assert names == same
        model, attribution, direction = names
        curves = removed.get(names, REMOVAL.empty_table().to_pandas())
        rows = (
            own.merge(
                curves[[*keys, "srg", *CURVE_AREAS]], how="left", on=keys, validate="one_to_one"
            )
            .merge(
                other[[*keys, "localisation", "outcome"]],
                how="left",
                on=keys,
                validate="one_to_one",
            )
            .merge(facts[model, direction], how="left", on=PHRASE, validate="many_to_one")
        )
        unseen = rows["unseen"].notna()
        rows.loc[unseen, [*MAP_METRICS, *CURVE_AREAS]] = float("nan")
        rows.loc[unseen, "outcome"] = None
        excluded = rows["unseen"].where(unseen, rows["excluded"])
        rows = rows.assign(
            evidence_excluded=excluded, model=model, attribution=attribution, direction=direction
        )
        yield rows[EVIDENCE_SCORES.names]


def _read_facts(effects: pd.DataFrame) -> pd.DataFrame:
    """Return what depends on the phrase alone: its region's area, and why it is not read."""
    first = effects.drop_duplicates(PHRASE)
    unread = effects[effects["excluded"].isin(UNSEEN)].drop_duplicates(PHRASE)
    facts = first[[*PHRASE, "region_area"]].merge(
        unread[[*PHRASE, "excluded"]].rename(columns={"excluded": "unseen"}), how="left", on=PHRASE
    )
    return facts.astype({"unseen": object})
