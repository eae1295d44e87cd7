"""Measure region effects: the similarity without a phrase's region, and with nothing else.

No attribution is involved. Controls of the same shape elsewhere suffer equally from tokens being
taken out, so chance is ½ whatever the region's area.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from clip_grounding.evidence.columns import EFFECTS
from clip_grounding.evidence.items import UNIMODAL, Item, ReadImage, each_batch
from clip_grounding.evidence.passes import embed_sets
from clip_grounding.evidence.regions import Region, caption_regions, image_regions
from clip_grounding.evidence.sets import pack_sets
from clip_grounding.evidence.shares import TIE, share_below
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.relevance.job import Explainer
from clip_grounding.scoring.captions import read_captions
from clip_grounding.scoring.draws import choose_partners
from clip_grounding.vocabulary import PHRASE, PROMPTS

N_CONTROLS = 20

_MEASURES = ("similarity", "drop", "control_drop", "necessity", "sufficiency", "p_value")


def measure_effects(
    direction: str,
    explainer: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    read_image: ReadImage,
    seed: int,
    n_controls: int = N_CONTROLS,
) -> Iterator[pd.DataFrame]:
    """Measure the region effects of a shard's phrases.

    Parameters
    ----------
    direction : {"text_to_image", "image_to_text"}
        Whose tokens are taken out: the image's patches or the caption's words.
    explainer : Explainer
        The model.
    narratives, phrases, masks : DataFrame
        Rows of the shard; of `phrases` those that were drawn.
    read_image : callable
        Takes file name, height and width; returns uint8 RGB of shape (height, width, 3).
    seed : int
        Draws controls and mismatched phrases.
    n_controls : int
        The largest number of controls of a region.

    Yields
    ------
    DataFrame
        Rows of `columns.EFFECTS`, some images' at a time: each phrase with its own text or
        region, with the empty text or a black image (``unimodal``), and with those of another
        phrase (``mismatched``) where there is one with a disjoint region.
    """
    areas = (masks["area"] / (masks["height"] * masks["width"])).to_numpy()
    areas = dict(zip(zip(masks["image_id"], masks["mask"], strict=True), areas, strict=True))
    tower, batches = each_batch(direction, explainer, narratives, phrases, masks, read_image)
    if direction == "text_to_image":
        grid, view = explainer.clip.grid, explainer.preprocess.view
        masks_of = dict(iter(masks.groupby("image_id")))

        def find_regions(item: Item) -> tuple[list[Region], np.ndarray]:
            return image_regions(item, masks_of[item.number], grid, view, n_controls, seed)
    else:
        captions = read_captions(phrases, narratives, masks, explainer.tokenizer)

        def find_regions(item: Item) -> tuple[list[Region], np.ndarray]:
            return caption_regions(item, captions[item.number], n_controls, seed)

    for batch in batches:
        found = [find_regions(item) for item in batch]
        sets = [_list_sets(item, regions) for item, (regions, _) in zip(batch, found, strict=True)]
        embeddings = embed_sets(tower, explainer.fit, [item.sequence for item in batch], sets)
        rows = []
        for item, (regions, index), own in zip(batch, found, embeddings, strict=True):
            rows += _item_rows(item, regions, index, item.cosines(own), areas, seed)
        yield pd.DataFrame(rows, columns=EFFECTS.names)


def compare_with_controls(
    whole: np.ndarray, kept: np.ndarray, removed: np.ndarray
) -> dict[str, np.ndarray]:
    """Compare a region's effect on the similarity with that of its controls.

    Parameters
    ----------
    whole : ndarray of float, shape (n,)
        Similarities to the whole item.
    kept, removed : ndarray of float, shape (1 + n_controls, n)
        Similarities with only the region kept, and without it; then those of the controls.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``necessity``: share of the controls that lower the similarity less when they are taken
        out, ties half. ``sufficiency``: share of those with a lower similarity when only they
        are kept. ``p_value``: of necessity, (1 + controls that lower it as much) / (1 + all).
    """
    drops = whole - removed
    drop, others = drops[0], drops[1:]
    at_least = (others >= drop - TIE).sum(axis=0)
    return {
        "similarity": whole,
        "drop": drop,
        "control_drop": others.mean(axis=0),
        "necessity": share_below(others, drop),
        "sufficiency": share_below(kept[1:], kept[0]),
        "p_value": (1 + at_least) / (1 + len(others)),
    }


def exclude_wordless(
    effects: pd.DataFrame, phrases: pd.DataFrame, tokenizer: TextTokenizer
) -> pd.DataFrame:
    """Remove the effects of phrases of which a model reads no word, as the strict protocol does.

    Their prompt is the empty text: nothing in it asks for a region of the image.

    Parameters
    ----------
    effects : DataFrame
        Rows of `columns.EFFECTS`, of ``text_to_image``.
    phrases : DataFrame
        With these phrases.
    tokenizer : TextTokenizer
        The model's.
    """
    wordless = {text for text in phrases["utterance"].unique() if not tokenizer.words(text)}
    keys = [*PHRASE, "image_id"]
    texts = effects[keys].merge(phrases[[*keys, "utterance"]], on=keys, how="left")["utterance"]
    rows = texts.isin(wordless).to_numpy()
    effects = effects.astype({"excluded": object})
    effects.loc[rows, [name for name in _MEASURES if name != "similarity"]] = np.nan
    effects.loc[rows, "excluded"] = "no_tokens"
    return effects


def _list_sets(item: Item, regions: list[Region]) -> np.ndarray:
    """List all tokens, then for each region itself and its controls kept, and the same removed."""
    sets = [np.ones((1, len(item.sequence.content)), bool)]
    for region in regions:
        if region.excluded is None:
            own = np.concatenate([region.target[None], region.controls])
            sets += [own, ~own]
    return np.concatenate(sets)


def _item_rows(
    item: Item,
    regions: list[Region],
    index: np.ndarray,
    cosines: np.ndarray,
    areas: dict,
    seed: int,
) -> list[tuple]:
    """Return the rows of an item's phrases, from the cosines of `_list_sets` with its targets."""
    measures, start = [], 1
    for region in regions:
        if region.excluded is not None:
            nothing = dict.fromkeys(_MEASURES, np.full(cosines.shape[1], np.nan))
            measures.append({**nothing, "similarity": cosines[0]})
            continue
        size = 1 + len(region.controls)
        kept, removed = cosines[start : start + size], cosines[start + size : start + 2 * size]
        start += 2 * size
        measures.append(compare_with_controls(cosines[0], kept, removed))
    packed = [_pack_region(item, region) for region in regions]
    partners, _ = choose_partners(item.phrases, seed)
    rows = []
    for i, phrase in enumerate(item.phrases.itertuples()):
        region = regions[index[i]]
        targets = [item.own_targets[i], UNIMODAL]
        if partners[i] >= 0:
            targets.append(item.own_targets[partners[i]])
        for prompt, target in zip(PROMPTS, targets, strict=False):
            rows.append(
                (
                    *(phrase.narrative, phrase.phrase, phrase.image_id, prompt),
                    *(measures[index[i]][name][target] for name in _MEASURES),
                    *(int(region.target.sum()), len(region.controls)),
                    areas[phrase.image_id, phrase.mask],
                    region.excluded,
                    packed[index[i]],
                )
            )
    return rows


def _pack_region(item: Item, region: Region) -> bytes:
    """Pack the compared tokens, the region and its controls as sets of a map's values."""
    sets = np.concatenate([region.compared[None], region.target[None], region.controls])
    values = np.zeros((len(sets), len(item.units)), bool)
    values[:, item.units >= 0] = sets
    return pack_sets(values)
