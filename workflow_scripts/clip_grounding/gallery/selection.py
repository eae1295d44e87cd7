"""Choose the phrases that the gallery shows, with a reason for each.

An item is a phrase in one direction. `random` draws items evenly; `stratified` keeps a part for
the best, the worst and the most surprising, and spreads the rest over kinds and areas.
"""

import numpy as np
import pandas as pd

from clip_grounding.statistics.slices import assign_levels
from clip_grounding.vocabulary import PHRASE

METRIC = "ap"
"""Strict average precision, which best, worst and surprising refer to."""

SELECTED_BY = [*PHRASE, "image_id", "direction", "model", "prompt", "region_area", METRIC]
"""The columns of ``scores.parquet`` that a selection needs."""

NOTABLE_SHARE = 0.05
"""Share of a direction's items for each of `REASONS` except the last."""

REASONS = {
    "best": "highest score",
    "worst": "lowest score",
    "gained": "gains most from the prompt",
    "lost": "loses most from the prompt",
    "disputed": "models disagree most",
    "sample": "spread over kind and area",
}
"""Why an item is shown. Without strata, every item is a `sample`."""


def choose_items(
    scores: pd.DataFrame,
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    directions: list[str],
    items: int,
    strategy: str,
    seed: int,
) -> pd.DataFrame:
    """Choose the items that the gallery shows.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``scores.parquet``.
    phrases, narratives : DataFrame
        The columns of `tables.PHRASES` and `tables.NARRATIVES`.
    directions : list of str
        Each gets an equal part of the items.
    items : int
        How many to choose; fewer where there are fewer.
    strategy : {"stratified", "random"}
    seed : int

    Returns
    -------
    DataFrame
        Columns direction, narrative, phrase, image_id, region_area, kind, area_level and
        ``reason``, a key of `REASONS`. Directions take turns, and so do the reasons.
    """
    chosen = []
    for number, direction in enumerate(directions):
        candidates = list_candidates(scores[scores["direction"] == direction], seed)
        levels = assign_levels(candidates, phrases, narratives)
        candidates = candidates.assign(
            direction=direction,
            kind=levels["kind"].fillna("mixed").to_numpy(),
            area_level=levels["region_area"].to_numpy(),
        )
        quota = items // len(directions) + (number < items % len(directions))
        taken = _take_notable(candidates, quota) if strategy == "stratified" else []
        taken += _take_sample(candidates, quota - len(taken), strategy, {i for i, _ in taken})
        positions, reasons = (
            (list(part) for part in zip(*taken, strict=True)) if taken else ([], [])
        )
        own = candidates.iloc[positions].assign(reason=reasons, turn=range(len(positions)))
        chosen.append(own)
    ordered = pd.concat(chosen).sort_values("turn", kind="stable")
    columns = [*PHRASE, "image_id", "region_area", "kind", "area_level", "reason"]
    return ordered[["direction", *columns]].reset_index(drop=True)


def list_candidates(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """List a direction's phrases in a random order, the same in each direction.

    Returns
    -------
    DataFrame
        Columns narrative, phrase, image_id, region_area, and of `METRIC` with the matched
        prompt: ``score``, the mean over models and attributions, ``gain``, how much it exceeds
        the unimodal prompt's, and ``dispute``, its range over models and attributions.
    """
    explained = scores[scores["model"] != "baseline"]
    facts = explained.drop_duplicates(PHRASE)[[*PHRASE, "image_id", "region_area"]]
    matched = explained[explained["prompt"] == "matched"].groupby(PHRASE)[METRIC]
    unimodal = explained[explained["prompt"] == "unimodal"].groupby(PHRASE)[METRIC]
    values = pd.DataFrame(
        {
            "score": matched.mean(),
            "gain": matched.mean() - unimodal.mean(),
            "dispute": (matched.max() - matched.min()).where(matched.count() > 1),
        }
    )
    table = facts.merge(values.reset_index(), on=PHRASE, how="left").sort_values(PHRASE)
    order = np.random.default_rng(seed).permutation(len(table))
    return table.iloc[order].reset_index(drop=True)


def _take_notable(candidates: pd.DataFrame, quota: int) -> list[tuple[int, str]]:
    """Return position and reason of the extremes, reasons in turn, an image once per reason."""
    rankings = {
        "best": candidates["score"].sort_values(ascending=False, kind="stable"),
        "worst": candidates["score"].sort_values(kind="stable"),
        "gained": candidates["gain"].sort_values(ascending=False, kind="stable"),
        "lost": candidates["gain"].sort_values(kind="stable"),
        "disputed": candidates["dispute"].sort_values(ascending=False, kind="stable"),
    }
    queues = {reason: list(ranking.dropna().index) for reason, ranking in rankings.items()}
    images = candidates["image_id"].to_numpy()
    shown: dict[str, set[int]] = {reason: set() for reason in queues}
    taken: dict[int, str] = {}
    for _ in range(max(1, round(NOTABLE_SHARE * quota))):
        for reason, queue in queues.items():
            free = (i for i in queue if i not in taken and images[i] not in shown[reason])
            position = next(free, None)
            if position is not None and len(taken) < quota:
                taken[position] = reason
                shown[reason].add(images[position])
    return list(taken.items())


def _take_sample(
    candidates: pd.DataFrame, count: int, strategy: str, taken: set[int]
) -> list[tuple[int, str]]:
    """Return position and reason of the rest: strata take turns, each in the order drawn."""
    free = candidates[~candidates.index.isin(taken)]
    if strategy == "stratified":
        turn = free.groupby(["kind", "area_level"]).cumcount()
        free = free.loc[turn.sort_values(kind="stable").index]
    return [(position, "sample") for position in free.index[:count]]
