"""Average the evidence, with intervals from resampling the images."""

import numpy as np
import pandas as pd
import pyarrow as pa

from clip_grounding.evidence.collect import CURVE_AREAS
from clip_grounding.evidence.outcomes import OUTCOME_NAMES
from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.summary import summarize
from clip_grounding.vocabulary import CONTENDER, EFFECT_METRICS, MAP_METRICS, PHRASE

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

_OUTCOMES = "outcomes"
_PROTOCOLS = {
    "effects": EFFECT_METRICS,
    "evidence": ("ceiling", *MAP_METRICS, *CURVE_AREAS),
    "strict": ("ap",),
    _OUTCOMES: tuple(OUTCOME_NAMES.values()),
}


def summarize_evidence(
    effects: pd.DataFrame,
    evidence: pd.DataFrame,
    scores: pd.DataFrame,
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    bootstrap: Bootstrap,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average every measure of the evidence over the drawn phrases, slice by slice.

    A phrase counts in a measure's means for every contender or for none, as in `summarize`. The
    means of a direction are resampled with the same images.

    Parameters
    ----------
    effects, evidence : DataFrame
        Rows of `collect.EFFECT_SCORES` and `collect.EVIDENCE_SCORES`.
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
    keys = [*PHRASE, "direction"]
    drawn = scores.merge(effects[keys].drop_duplicates(), on=keys, validate="many_to_one")
    tables = [effects, _mark_outcomes(evidence), drawn]
    rows = summarize(tables, phrases, narratives, bootstrap, _PROTOCOLS)
    rows = rows[rows["average"] == "phrase"]
    is_share = rows["protocol"] == _OUTCOMES
    shares = rows[is_share].rename(columns={"metric": "outcome"})
    means = rows[~is_share].reset_index(drop=True)
    return means[EVIDENCE.names], shares.reset_index(drop=True)[OUTCOME_SHARES.names]


def _mark_outcomes(evidence: pd.DataFrame) -> pd.DataFrame:
    """Mark each phrase's outcome with 1 and the other outcomes with 0; NaN where it has none."""
    known = evidence["outcome"].notna()
    marks = {
        name: (evidence["outcome"] == name).astype(np.float64).where(known)
        for name in OUTCOME_NAMES.values()
    }
    return evidence.assign(**marks)
