"""Describe every item for the gallery's list: text, scores, kind and reason."""

import numpy as np
import pandas as pd

from clip_grounding.figures.selection import name_contenders
from clip_grounding.figures.style import BASELINES
from clip_grounding.gallery.selection import REASONS
from clip_grounding.scoring.images import METRICS
from clip_grounding.statistics.slices import SLICES
from clip_grounding.vocabulary import PHRASE

ORDER = ["matched", "unimodal", "mismatched", *BASELINES]
"""Contenders as the page lists them."""

_DIGITS = 4


def build_index(
    items: pd.DataFrame, scores: pd.DataFrame, phrases: pd.DataFrame, narratives: pd.DataFrame
) -> dict:
    """Describe the items for the page.

    Parameters
    ----------
    items : DataFrame
        See `selection.choose_items`.
    scores, phrases, narratives : DataFrame
        Tables that hold at least the items' rows.

    Returns
    -------
    dict
        ``items``, one dict each, with the text of the phrase whose map is the mismatched one as
        ``partner``, None where there is none; ``captions``, which items name by number;
        ``contenders``, ``metrics``: an item's ``scores`` have a list for each contender, null
        where it has no row, with a value for each metric, null where it is excluded; ``reasons``,
        ``areas``.
    """
    contenders = list_contenders(scores)
    values = _group_scores(items, scores, contenders)
    texts = narratives.set_index("narrative")["text"]
    sizes = narratives.set_index("narrative")[["height", "width"]]
    captions = {narrative: number for number, narrative in enumerate(items["narrative"].unique())}
    facts = phrases.set_index(PHRASE)
    utterances = facts["utterance"].to_dict()
    partners = read_partners(scores)
    return {
        "contenders": contenders,
        "metrics": METRICS,
        "reasons": REASONS,
        "areas": SLICES["region_area"],
        "captions": [texts.loc[narrative] for narrative in captions],
        "items": [
            {
                "direction": row.direction,
                "narrative": int(row.narrative),
                "phrase": int(row.phrase),
                "image": int(row.image_id),
                "size": sizes.loc[row.narrative].tolist(),
                "caption": captions[row.narrative],
                "span": [int(fact["char_start"]), int(fact["char_end"])],
                "categories": list(dict.fromkeys(fact["categories"])),
                "kind": row.kind,
                "area": round(float(row.region_area), _DIGITS),
                "areaLevel": row.area_level,
                "reason": row.reason,
                "partner": utterances.get(partners.get((row.direction, row.narrative, row.phrase))),
                "scores": own,
            }
            for row, own, fact in zip(
                items.itertuples(),
                values,
                (facts.loc[key] for key in items[PHRASE].itertuples(index=False, name=None)),
                strict=True,
            )
        ],
    }


def read_partners(scores: pd.DataFrame) -> dict[tuple, tuple]:
    """Read which phrase lent its map to each phrase as the mismatched one.

    Returns
    -------
    dict of (direction, narrative, phrase) to (narrative, phrase)
        Phrases without a partner are left out. All models and attributions share partners.
    """
    borrowed = scores[scores["partner_narrative"] >= 0].drop_duplicates(["direction", *PHRASE])
    keys = borrowed[["direction", *PHRASE]].itertuples(index=False, name=None)
    partners = borrowed[["partner_narrative", "partner_phrase"]].itertuples(index=False, name=None)
    return dict(zip(keys, partners, strict=True))


def list_contenders(scores: pd.DataFrame) -> list[dict]:
    """List each model's prompts in the order of `ORDER`, then the baselines.

    ``name`` is the key of the contender's label and colour in `figures.style`.
    """
    rows = scores[["model", "attribution", "prompt"]].drop_duplicates()
    rows = rows.assign(name=name_contenders(rows), baseline=rows["model"] == "baseline")
    rows["pair"] = rows.groupby(["model", "attribution"], sort=False).ngroup()
    rows.loc[rows["baseline"], "pair"] = -1
    rows["rank"] = rows["name"].map(ORDER.index)
    rows = rows.sort_values(["baseline", "pair", "rank"])
    return rows[["model", "attribution", "prompt", "name"]].to_dict("records")


def _group_scores(items: pd.DataFrame, scores: pd.DataFrame, contenders: list[dict]) -> list[list]:
    """Return each item's scores, contender by contender."""
    names = [tuple(c[key] for key in ("model", "attribution", "prompt")) for c in contenders]
    places = {name: place for place, name in enumerate(names)}
    wanted = items[["direction", *PHRASE]].assign(item=range(len(items)))
    rows = scores.merge(wanted, on=["direction", *PHRASE])
    numbers = np.round(rows[METRICS].to_numpy(float), _DIGITS)
    out: list[list] = [[None] * len(contenders) for _ in range(len(items))]
    keys = rows[["item", "model", "attribution", "prompt"]].itertuples(index=False, name=None)
    for (item, *name), own in zip(keys, numbers, strict=True):
        out[item][places[tuple(name)]] = [None if np.isnan(v) else float(v) for v in own]
    return out
