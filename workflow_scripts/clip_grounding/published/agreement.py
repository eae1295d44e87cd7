"""Compare our scores, phrase by phrase, with those that the poster's authors published.

Both are in scoring order (narratives in file order, phrases in order), so the i-th published
score belongs to our i-th scored phrase; the number of phrases per narrative is checked first.
"""

import numpy as np
import pandas as pd

from clip_grounding.errors import InputError

CLOSE = 1e-3
"""Scores that differ by no more than this count as equal."""

N_WORST = 10

_CONTENDERS = {"random": "random", "unimodal": "unimodal prompt", "matched": "matched prompt"}
_WORST_COLUMNS = [
    *("direction", "contender", "narrative", "phrase", "image_id", "utterance"),
    *("poster_iou", "published", "difference"),
]


def compare_published(
    scores: pd.DataFrame,
    phrases: pd.DataFrame,
    published: pd.DataFrame,
    model: str,
    attribution: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare our poster scores with the published ones.

    Random scores come from other random numbers: only their means are comparable, and the worst
    phrases leave them out.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``scores.parquet``: narrative, phrase, image_id, direction, model,
        attribution, prompt, poster_iou.
    phrases : DataFrame
        Rows of ``phrases.parquet``: narrative, phrase, utterance.
    published : DataFrame
        Rows of `published_files.PUBLISHED_SCORES`.
    model, attribution : str
        Whose ``matched`` and ``unimodal`` scores are compared.

    Returns
    -------
    agreement : DataFrame
        One row per direction and contender that `scores` has: direction, contender, model,
        attribution, n_phrases, pearson, spearman, mean_abs_difference, share_within_0.001,
        mean, published_mean.
    worst : DataFrame
        The ten phrases per direction and contender that differ most: direction, contender,
        narrative, phrase, image_id, utterance, poster_iou, published, difference.

    Raises
    ------
    InputError
        The scored phrases are not those of the published run.
    """
    agreement, worst = [], []
    for (direction, contender), theirs in published.groupby(["direction", "contender"], sort=False):
        ours = _select(scores, direction, contender, model, attribution)
        if ours.empty:
            continue  # a run need not have both directions or the random baseline
        _check_phrases(ours, theirs, f"{direction} {_CONTENDERS[contender]}")
        pair = ours.assign(
            published=theirs["poster_iou"].to_numpy(dtype=np.float64),
            poster_iou=ours["poster_iou"].astype(np.float64),
        )
        pair["difference"] = pair["poster_iou"] - pair["published"]
        labels = {"direction": direction, "contender": contender}
        who = pair[["model", "attribution"]].iloc[0].to_dict()
        agreement.append({**labels, **who, **_measure(pair)})
        if contender != "random":
            largest = pair["difference"].abs().sort_values(ascending=False, kind="stable")
            worst.append(pair.loc[largest.index[:N_WORST]].assign(**labels))
    if not worst:
        raise InputError(
            f"scores.parquet: it has no poster scores of model {model} with attribution"
            f" {attribution}: evaluate them first"
        )
    worst = pd.concat(worst).merge(
        phrases[["narrative", "phrase", "utterance"]], how="left", on=["narrative", "phrase"]
    )
    return pd.DataFrame(agreement), worst[_WORST_COLUMNS]


def _select(
    scores: pd.DataFrame, direction: str, contender: str, model: str, attribution: str
) -> pd.DataFrame:
    """Select our scored phrases of a contender, in scoring order."""
    key = (
        ("baseline", "random", "none") if contender == "random" else (model, attribution, contender)
    )
    columns = zip(["direction", "model", "attribution", "prompt"], [direction, *key], strict=True)
    chosen = scores["poster_iou"].notna()
    for column, value in columns:
        chosen &= scores[column] == value
    return scores[chosen].sort_values(["narrative", "phrase"], ignore_index=True)


def _check_phrases(ours: pd.DataFrame, theirs: pd.DataFrame, what: str) -> None:
    remedy = (
        "they can be compared only on all of PNG val2017, with the narratives as published and"
        " max_images: null"
    )
    if len(ours) != len(theirs):
        raise InputError(
            f"scores.parquet, {what}: {len(ours):,} phrases are scored, the published run scored"
            f" {len(theirs):,}: {remedy}"
        )
    different = np.flatnonzero(ours["narrative"].to_numpy() != theirs["narrative"].to_numpy())
    if len(different):
        first = different[0]
        raise InputError(
            f"scores.parquet, {what}: scored phrase {first} is of narrative"
            f" {ours['narrative'].iloc[first]}, in the published run of narrative"
            f" {theirs['narrative'].iloc[first]}: {remedy}"
        )


def _measure(pair: pd.DataFrame) -> dict:
    ours, theirs, gap = pair["poster_iou"], pair["published"], pair["difference"].abs()
    return {
        "n_phrases": len(pair),
        "pearson": _correlation(ours, theirs),
        "spearman": _correlation(ours.rank(), theirs.rank()),
        "mean_abs_difference": gap.mean(),
        f"share_within_{CLOSE:g}": (gap <= CLOSE).mean(),
        "mean": ours.mean(),
        "published_mean": theirs.mean(),
    }


def _correlation(a: pd.Series, b: pd.Series) -> float:
    """Return Pearson's correlation; NaN where either is constant."""
    return a.corr(b) if a.nunique() > 1 and b.nunique() > 1 else np.nan
