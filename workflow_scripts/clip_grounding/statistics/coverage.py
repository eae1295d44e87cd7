"""What the means leave out: phrases without a score by reason, and maps that say nothing."""

import numpy as np
import pandas as pd

from clip_grounding.statistics.paired import PROTOCOLS, Scores, each_direction, pair_scores
from clip_grounding.vocabulary import CONTENDER

NO_REASON = "not_recorded"


def count_coverage(scores: Scores) -> pd.DataFrame:
    """Count the phrases of every contender by what became of them.

    Parameters
    ----------
    scores : DataFrame, str or Path; or a list of them
        Rows of ``scores.parquet``, or of a table of `evidence.collect`; or the file.

    Returns
    -------
    DataFrame
        Columns protocol, direction, model, attribution, prompt, outcome, n_phrases. The
        outcome ``all`` counts the phrases of the direction; ``scored`` and the reasons for
        being left out add up to it. ``compared`` of the scored ones enter the means,
        ``degenerate`` of them have a map that says nothing.
    """
    rows = []
    reasons = tuple(f"{protocol}_excluded" for protocol in PROTOCOLS)
    for direction, own in each_direction(scores, ("degenerate", *reasons)):
        paired = pair_scores(own)
        n_compared = np.count_nonzero(~np.isnan(paired.values), axis=0)
        groups = dict(iter(own.groupby(CONTENDER)))
        for protocol, metrics in paired.protocols.items():
            column = paired.metrics.index(metrics[0])
            for contender, compared in zip(paired.contenders, n_compared[:, column], strict=True):
                group = groups[contender]
                outcomes = {
                    "all": len(paired.phrases),
                    "scored": int(group[metrics[0]].notna().sum()),
                    "compared": int(compared),
                    "degenerate": int(
                        (group[metrics[0]].notna() & group.get("degenerate", False)).sum()
                    ),
                    **_left_out(group, protocol, len(paired.phrases) - len(group)),
                }
                rows += [(protocol, direction, *contender, *item) for item in outcomes.items()]
    columns = ["protocol", "direction", *CONTENDER, "outcome", "n_phrases"]
    counts = pd.DataFrame(rows, columns=columns)
    return counts.sort_values(["protocol", "direction"], kind="stable", ignore_index=True)


def _left_out(group: pd.DataFrame, protocol: str, n_absent: int) -> dict[str, int]:
    """Count a contender's phrases without a score, by reason in alphabetical order."""
    reasons = group.loc[group[PROTOCOLS[protocol][0]].isna(), f"{protocol}_excluded"].astype(object)
    reasons = [*reasons.where(reasons.notna(), NO_REASON), *[NO_REASON] * n_absent]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}
