"""Measure SRG, the symmetric relevance gain, of maps that order the removal of units.

MoRF takes the most relevant units out first, LeRF the least relevant (Blücher et al.,
"Decoupling Pixel Flipping and Occlusion Strategy for Consistent XAI Benchmarks", TMLR 2024).
Their difference is 0 in expectation for an uninformed map, and changes its sign with the map; the
whole item and the empty one would cancel, so neither is needed.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from clip_grounding.evidence.columns import REMOVAL, STEPS
from clip_grounding.evidence.draws import Draw, item_generator
from clip_grounding.evidence.items import Item, ReadImage, each_batch
from clip_grounding.evidence.maps import FEWEST_UNITS, WITHIN, is_constant, unit_values
from clip_grounding.evidence.passes import embed_sets
from clip_grounding.evidence.sets import distinct_sets
from clip_grounding.relevance.job import Explainer


def measure_removal(
    direction: str,
    explainer: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    read_image: ReadImage,
    rows: pd.DataFrame,
    seed: int,
) -> Iterator[pd.DataFrame]:
    """Measure the similarities of phrases while their maps order the removal.

    Parameters
    ----------
    direction : {"text_to_image", "image_to_text"}
    explainer : Explainer
        The model.
    narratives, phrases, masks : DataFrame
        Rows of the shard; of `phrases` those that were drawn.
    read_image : callable
        Takes file name, height and width; returns uint8 RGB of shape (height, width, 3).
    rows : DataFrame
        Maps of these phrases, as returned by `maps.join_drawn_maps`.
    seed : int
        Orders units of equal relevance, the same way for all maps of an item.

    Yields
    ------
    DataFrame
        Rows of `columns.REMOVAL`, some images' at a time.
    """
    maps_of = dict(iter(rows.groupby(WITHIN[direction])))
    tower, batches = each_batch(direction, explainer, narratives, phrases, masks, read_image)
    for batch in batches:
        own = [maps_of[item.number] for item in batch]
        sets, index = [], []
        for item, maps in zip(batch, own, strict=True):
            kept = _order_removal(item, maps, seed)
            distinct, which = distinct_sets(kept.reshape(-1, item.n_units))
            sets.append(item.keep_units(distinct))
            index.append(which)
        embeddings = embed_sets(tower, explainer.fit, [item.sequence for item in batch], sets)
        yield pd.concat(
            [
                _score_item(item, maps, item.cosines(embedded)[which])
                for item, maps, which, embedded in zip(batch, own, index, embeddings, strict=True)
            ],
            ignore_index=True,
        )


def removal_sets(values: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Return the units that are kept as more and more are taken out.

    Parameters
    ----------
    values : ndarray of float, shape (n_maps, n_units)
    ties : ndarray of int, shape (n_units,)
        A permutation: of equal values the unit with the lower number goes first, out of both
        ends. So the negated map has the two orders exchanged, whatever is tied.

    Returns
    -------
    ndarray of bool, shape (n_maps, 2, 9, n_units)
        With the largest taken out first, and with the smallest.
    """
    n_units = values.shape[1]
    ordered = np.stack([-values, values], axis=1)
    ranks = np.lexsort((np.broadcast_to(ties, ordered.shape), ordered)).argsort(axis=-1)
    removed = np.arange(1, STEPS) * n_units // STEPS
    return ranks[:, :, None] >= removed[:, None]


def _order_removal(item: Item, maps: pd.DataFrame, seed: int) -> np.ndarray:
    """List the whole item, and what remains at each step of each map, bool (n, n_units)."""
    values = unit_values(np.stack(maps["relevance"].to_list()), item.units)
    ties = item_generator(seed, Draw.TIES, item.number).permutation(item.n_units)
    kept = removal_sets(values, ties).reshape(-1, item.n_units)
    return np.concatenate([np.ones((1, item.n_units), bool), kept])


def _score_item(item: Item, maps: pd.DataFrame, cosines: np.ndarray) -> pd.DataFrame:
    """Return the rows of an item's maps, from the cosines of `_order_removal`."""
    keys = ["narrative", "phrase"]
    index = pd.MultiIndex.from_frame(item.phrases[keys]).get_indexer(
        pd.MultiIndex.from_frame(maps[keys])
    )
    targets = item.own_targets[index]
    curves = cosines[1:].reshape(len(maps), 2, STEPS - 1, -1)
    curves = curves[np.arange(len(maps)), :, :, targets]
    whole = cosines[0, targets]
    few = item.n_units < FEWEST_UNITS
    values = unit_values(np.stack(maps["relevance"].to_list()), item.units)
    if few:
        whole, curves = np.full_like(whole, np.nan), np.full_like(curves, np.nan)
    morf, lerf = curves[:, 0], curves[:, 1]
    return maps[[*keys, "image_id", "prompt"]].assign(
        srg=(lerf - morf).mean(axis=1),
        morf_aopc=(whole[:, None] - morf).mean(axis=1),
        lerf_aopc=(whole[:, None] - lerf).mean(axis=1),
        similarity=whole,
        morf=list(morf),
        lerf=list(lerf),
        degenerate=False if few else is_constant(values),
        excluded="few_tokens" if few else None,
    )[REMOVAL.names]
