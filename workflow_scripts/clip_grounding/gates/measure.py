"""Measure how far an attribution's maps depend on the weights and on the prompt.

Maps are compared by Spearman's correlation over an item's units, signed: neither absolute values
nor a scale of its own could make two maps alike.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from clip_grounding.errors import InputError
from clip_grounding.evidence.correlation import standard_ranks
from clip_grounding.evidence.maps import is_constant, unit_values
from clip_grounding.gates.columns import MEASURED
from clip_grounding.gates.items import (
    Draw,
    Item,
    Key,
    assign_models,
    draw_part,
    item_generator,
    list_items,
)
from clip_grounding.gates.passes import Passes
from clip_grounding.gates.randomise import list_steps, randomised, tower_parameters
from clip_grounding.relevance.job import Explainer

N_OTHERS = 10
"""Other images that a map is compared with."""

TOWERS = {"text_to_image": ("image", "text"), "image_to_text": ("text", "image")}
"""The tower that is explained, and the one that the targets are embedded by."""


def measure_gates(
    passes: Passes,
    explainer: Explainer,
    stock: nn.Module,
    randomisable: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    relevance: pd.DataFrame,
    seed: int,
    n_models: int,
    n_target: int,
    n_curve: int,
) -> pd.DataFrame:
    """Measure every statistic of the gates ``weights``, ``target`` and ``curve`` per phrase.

    Parameters
    ----------
    passes : Passes
    explainer : Explainer
        With the model as it is.
    stock : Module
        The transformers model that `randomisable` was opened from: changed in place meanwhile.
    randomisable : Explainer
        The same as `explainer`, with the model `stock`.
    narratives, phrases : DataFrame
        The narratives, and the drawn phrases.
    relevance : DataFrame
        The method's maps of these phrases, rows of the relevance tables.
    seed : int
        Draws permutations, phrases and vectors.
    n_models : int
        Randomised models. Each item is explained by one of them.
    n_target, n_curve : int
        Images of the gates ``target`` and ``curve``, which differ clearly enough on few.

    Returns
    -------
    DataFrame
        Rows of `columns.MEASURED`.

        ``R``: correlation with the map of the randomised model. ``D``: R less the mean correlation
        with the randomised model's maps of other images. ``mismatched``: correlation with the map
        for another phrase, less that with the map after a shift by one pixel. ``random_target``:
        the same with the map for a random vector. Of ``curve``: correlation with the map after one
        tower is randomised from the projection down to ``layer``.
    """
    items = list_items(passes.direction, explainer, narratives, phrases, seed)
    if not items:
        return MEASURED.empty_table().to_pandas()
    targets = _single(passes.embed_targets(explainer, items))
    matched, mismatched = _find_maps(items, relevance)
    explained, _ = TOWERS[passes.direction]
    names = list(tower_parameters(stock, explained))
    rows: list[tuple] = []
    numbers = assign_models(len(items), n_models)
    for number in np.unique(numbers):
        own = [item for item, model in zip(items, numbers, strict=True) if model == number]
        with randomised(stock, names, seed, int(number)):
            maps = passes.explain(randomisable, own, targets)
        rows += compare_weights(own, matched, maps, seed)
    drawn = draw_part(items, n_target, seed)
    rows += _compare_targets(passes, explainer, drawn, targets, matched, mismatched, seed)
    drawn = draw_part(items, n_curve, seed)
    rows += _compare_curves(passes, explainer, stock, randomisable, drawn, targets, matched, seed)
    return pd.DataFrame(rows, columns=MEASURED.names)


def correlate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute Spearman's correlation of every map with every other.

    Parameters
    ----------
    first : ndarray of float, shape (n, n_units)
    second : ndarray of float, shape (m, n_units)

    Returns
    -------
    ndarray of float64, shape (n, m)
        0 where one of the two is constant.
    """
    maps = np.concatenate([first, second])
    ranks = np.where(is_constant(maps), 0, standard_ranks(maps.T))
    return ranks[:, : len(first)].T @ ranks[:, len(first) :]


def _find_maps(
    items: list[Item], relevance: pd.DataFrame
) -> tuple[dict[Key, np.ndarray], dict[Key, np.ndarray]]:
    """Return each phrase's map (n_units,), and that of its mismatched phrase, if it has one."""
    own = relevance[relevance["prompt"] == "matched"]
    keys = zip(own["narrative"], own["phrase"], strict=True)
    table = dict(zip(keys, own["relevance"], strict=True))

    def read(item: Item, key: Key) -> np.ndarray:
        if key not in table:
            raise InputError(
                f"the relevance of narrative {key[0]}, phrase {key[1]} is missing: delete the"
                " relevance table and rerun"
            )
        return unit_values(np.asarray(table[key])[None], item.units)[0]

    matched = {key: read(item, key) for item in items for key in item.keys}
    mismatched = {
        key: read(item, item.partners[key])
        for item in items
        for key in item.keys
        if key in item.partners
    }
    return matched, mismatched


def compare_weights(
    items: list[Item], matched: dict[Key, np.ndarray], maps: dict[Key, np.ndarray], seed: int
) -> Iterator[tuple]:
    """Yield R and D of the items that one randomised model explained.

    Parameters
    ----------
    items : list of Item
    matched : dict of Key to ndarray, shape (n_units,)
        The maps of the model as it is.
    maps : dict of Key to ndarray, shape (1, n_units)
        Those of the randomised model.
    seed : int
        Draws the other images.
    """

    def stack(item: Item, tables: dict[Key, np.ndarray], size: int | None = None):
        return np.stack([np.ravel(tables[key])[:size] for key in item.keys])

    for item in items:
        own, after = stack(item, matched), stack(item, maps)
        by_size: dict[int, list[Item]] = {}  # captions have only their first words in common
        for other in _draw_others(item, items, seed):
            size = min(own.shape[1], int(other.units.max()) + 1)
            by_size.setdefault(size, []).append(other)
        differences = []
        for size, others in by_size.items():
            foreign = np.concatenate([stack(other, maps, size) for other in others])
            rho = correlate(own[:, :size], np.concatenate([after[:, :size], foreign]))
            differences += list(np.diag(rho) - rho[:, len(own) :].T)
        same = np.diag(correlate(own, after))
        for number, key in enumerate(item.keys):
            yield _row(item, key, "weights", "R", same[number])
            if differences:
                yield _row(item, key, "weights", "D", np.mean(differences, axis=0)[number])
            else:
                yield _row(item, key, "weights", "D", np.nan, excluded="no_other_image")


def _draw_others(item: Item, items: list[Item], seed: int) -> list[Item]:
    """Draw items of other images whose units are at the same places; of captions, the nearest."""
    others = [other for other in items if other.image_id != item.image_id]
    if item.tokens is None:
        others = [other for other in others if other.shape == item.shape]
    order = item_generator(seed, Draw.OTHERS, item.number).permutation(len(others))
    return [others[position] for position in order[:N_OTHERS]]


def _compare_targets(
    passes: Passes,
    explainer: Explainer,
    items: list[Item],
    targets: dict[Key, Tensor],
    matched: dict[Key, np.ndarray],
    mismatched: dict[Key, np.ndarray],
    seed: int,
) -> Iterator[tuple]:
    """Yield how much more a map changes with its target than with a shift by one pixel.

    Of images the image is shifted, of captions the region's image that they are explained for.
    """
    is_image = passes.direction == "text_to_image"
    shifted = targets if is_image else _single(passes.embed_targets(explainer, items, shifted=True))
    asked = {
        key: torch.cat([shifted[key], _draw_vector(shifted[key], key, seed)])
        for item in items
        for key in item.keys
    }
    maps = passes.explain(explainer, items, asked, shifted=is_image)
    for item in items:
        for key in item.keys:
            own = matched[key][None]
            reference, of_vector = correlate(own, maps[key])[0]
            yield _row(item, key, "target", "random_target", of_vector - reference)
            if key in mismatched:
                value = correlate(own, mismatched[key][None])[0, 0] - reference
                yield _row(item, key, "target", "mismatched", value)
            else:
                yield _row(item, key, "target", "mismatched", np.nan, excluded="no_partner")


def _draw_vector(like: Tensor, key: Key, seed: int) -> Tensor:
    """Draw a random unit vector of the shape (1, width)."""
    values = item_generator(seed, Draw.VECTORS, *key).standard_normal(like.shape[1])
    values /= np.linalg.norm(values)
    return torch.from_numpy(values[None]).to(like)


def _compare_curves(
    passes: Passes,
    explainer: Explainer,
    stock: nn.Module,
    randomisable: Explainer,
    items: list[Item],
    targets: dict[Key, Tensor],
    matched: dict[Key, np.ndarray],
    seed: int,
) -> Iterator[tuple]:
    """Yield the correlations after one tower is randomised, one step deeper at a time."""
    explained, other = TOWERS[passes.direction]
    for depth, layer, names in _cascade(stock, explained):
        with randomised(stock, names, seed):
            maps = passes.explain(randomisable, items, targets)
        for item in items:
            for key in item.keys:
                value = correlate(matched[key][None], maps[key])[0, 0]
                yield _row(item, key, "curve", f"{explained} tower", value, depth, layer)
    steps = list(_cascade(stock, other))
    embedded = []
    for _, _, names in steps:
        with randomised(stock, names, seed):
            embedded.append(passes.embed_targets(randomisable, items))
    keys = [key for item in items for key in item.keys]
    stacked = {key: torch.stack([own[key] for own in embedded]) for key in keys}
    maps = passes.explain(explainer, items, stacked)
    for item in items:
        for key in item.keys:
            values = correlate(matched[key][None], maps[key])[0]
            for (depth, layer, _), value in zip(steps, values, strict=True):
                yield _row(item, key, "curve", f"{other} tower", value, depth, layer)


def _cascade(stock: nn.Module, tower: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield depth, layer, and the names of all parameters from the projection down to there."""
    names: list[str] = []
    for depth, (layer, own) in enumerate(list_steps(tower_parameters(stock, tower)), start=1):
        names = [*names, *own]
        yield depth, layer, names


def _single(targets: dict[Key, Tensor]) -> dict[Key, Tensor]:
    return {key: target[None] for key, target in targets.items()}


def _row(item, key, gate, statistic, value, depth=0, layer=None, excluded=None) -> tuple:
    return (*key, item.image_id, gate, statistic, depth, layer, value, excluded)
