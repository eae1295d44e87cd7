"""Certify the methods that pass the gates and whose maps show what the model uses."""

import pandas as pd
import pyarrow as pa

from clip_grounding.statistics.bootstrap import FEWEST_IMAGES

CERTIFICATES = pa.schema(
    [
        *((name, pa.string()) for name in ("direction", "model", "attribution")),
        ("certificate", pa.string()),
        ("reason", pa.string()),
    ]
)
"""A row per evaluation: ``passed``, ``failed`` or ``not applicable``, and why."""

BLIND = "its maps are the same for every prompt"
UNMEASURED = "faithfulness and SRG are not measured (evidence: images is 0)"

_MEASURES = {"faithfulness": "faithfulness", "srg": "SRG"}
_KEYS = ["model", "attribution", "direction"]


def certify(
    gates: pd.DataFrame,
    evidence: pd.DataFrame | None,
    gated: list[list[str]],
    blind: list[list[str]],
) -> pd.DataFrame:
    """Decide on the certificate of every evaluation.

    A method passes on a model if the upper bound of every statistic of every gate lies below its
    limit, and the intervals of its faithfulness and SRG lie above those of random maps.

    Parameters
    ----------
    gates : DataFrame
        Rows of `summary.GATES`.
    evidence : DataFrame or None
        Rows of ``evidence.parquet``; None where no evidence is measured.
    gated, blind : list of [model, attribution, direction]
        What the gates are for, and the methods without a prompt.

    Returns
    -------
    DataFrame
        The columns `CERTIFICATES`; one row per evaluation, to be joined by direction, model and
        attribution.
    """
    rows = []
    for model, attribution, direction in gated:
        own = gates[(gates[_KEYS] == [model, attribution, direction]).all(axis=1)]
        if evidence is None:
            rows.append((direction, model, attribution, "not applicable", UNMEASURED))
            continue
        reasons = [*_gate_reasons(own), *_evidence_reasons(evidence, model, attribution, direction)]
        passed = list(own.loc[own["passed"].notna(), "gate"].unique())
        if reasons:
            rows.append((direction, model, attribution, "failed", "; ".join(reasons)))
        else:
            words = f"{' and '.join(passed)} passed; faithfulness and SRG above random's"
            rows.append((direction, model, attribution, "passed", words))
    rows += [
        (direction, model, attribution, "not applicable", BLIND)
        for model, attribution, direction in blind
    ]
    return pd.DataFrame(rows, columns=CERTIFICATES.names)


def _gate_reasons(gates: pd.DataFrame) -> list[str]:
    """Return why the gates of an evaluation are not passed."""
    tested = gates[gates["passed"].notna()]
    if tested.empty:
        return ["no image of the sample has a map to test"]
    reasons = []
    for row in tested[~tested["passed"].astype(bool)].itertuples():
        name = f"{row.gate}: {row.statistic}"
        if row.n_images < FEWEST_IMAGES:
            reasons.append(f"{name} has only {row.n_images} images")
        else:
            reasons.append(
                f"{name} is {row.mean:.2f}, its upper bound {row.bound:.2f} not below {row.limit:g}"
            )
    return reasons


def _evidence_reasons(
    evidence: pd.DataFrame, model: str, attribution: str, direction: str
) -> list[str]:
    """Return what of the evidence does not lie above that of random maps."""
    own = evidence[
        (evidence["model"] == model)
        & (evidence["direction"] == direction)
        & (evidence["slice"] == "all")
        & (evidence["protocol"] == "evidence")
    ]
    reasons = []
    for metric, name in _MEASURES.items():
        rows = own[own["metric"] == metric]
        method = rows[(rows["attribution"] == attribution) & (rows["prompt"] == "matched")]
        chance = rows[rows["attribution"] == "random"]
        if len(method) != 1 or len(chance) != 1 or method["ci_low"].isna().any():
            reasons.append(f"{name} has no value")
            continue
        low, high = float(method["ci_low"].iloc[0]), float(chance["ci_high"].iloc[0])
        if not low > high:
            reasons.append(
                f"{name}: the lower bound {low:.2f} is not above random's upper bound {high:.2f}"
            )
    return reasons
