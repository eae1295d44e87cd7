"""Run forward passes of items without some of their tokens, at the cost of the rest.

Kept tokens are gathered into a short sequence, which gives the same embedding as masking the
others (`Tower.embed_kept`): no token attends to a removed one, and positions stay.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from clip_grounding.evidence.sets import order_by_size
from clip_grounding.models.towers import Tower
from clip_grounding.relevance.batches import MemoryFit


@dataclass(frozen=True)
class Sequence:
    """An item as the first block's input.

    Attributes
    ----------
    hidden : Tensor, shape (n_tokens, width)
    row : int
        Which row is pooled.
    content : ndarray of int64, shape (n_content,)
        Positions of the tokens that can be taken out; all others always stay.
    """

    hidden: Tensor
    row: int
    content: np.ndarray

    def keep(self, sets: np.ndarray) -> np.ndarray:
        """Turn sets of content tokens, bool (n_sets, n_content), into sets of all tokens."""
        kept = np.ones((len(sets), len(self.hidden)), bool)
        kept[:, self.content] = sets
        return kept


def embed_sets(
    tower: Tower, fit: MemoryFit, sequences: list[Sequence], sets: list[np.ndarray]
) -> list[Tensor]:
    """Embed sequences with only some of their content tokens kept.

    Sequences of one length go through the tower together, whichever item they belong to.

    Parameters
    ----------
    tower : Tower
    fit : MemoryFit
        Whole sequences per pass; more short ones, up to the same number of tokens.
    sequences : list of Sequence
    sets : list of ndarray of bool, shape (n_sets, n_content)
        The content tokens to keep, for each sequence.

    Returns
    -------
    list of Tensor, shape (n_sets, width)
        Unit embeddings, for each sequence.
    """
    groups: dict[int, list[_Group]] = {}
    for item, (sequence, own) in enumerate(zip(sequences, sets, strict=True)):
        for rows, columns in order_by_size(sequence.keep(own)):
            groups.setdefault(columns.shape[1], []).append(_Group(item, rows, columns))
    n_tokens = max(len(sequence.hidden) for sequence in sequences)
    parts: list[list[tuple]] = [[] for _ in sequences]
    for length, own in groups.items():
        outputs = _embed_length(tower, fit, sequences, own, n_tokens // length)
        for group, embeddings in zip(own, outputs, strict=True):
            parts[group.item].append((group.rows, embeddings))
    return [_in_order(*zip(*own, strict=True)) for own in parts]


class _Group(NamedTuple):
    """Sets of one size of one item: their row numbers, and the tokens that they keep."""

    item: int
    rows: np.ndarray
    columns: np.ndarray


def _embed_length(
    tower: Tower, fit: MemoryFit, sequences: list[Sequence], groups: list[_Group], per_bundle: int
) -> tuple[Tensor, ...]:
    """Embed groups of one length, `per_bundle` sets counting as one item of `fit`."""
    columns = np.concatenate([group.columns for group in groups])
    sizes = [len(group.rows) for group in groups]
    items = np.repeat([group.item for group in groups], sizes)
    pooled_rows = np.array([sequence.row for sequence in sequences])[items]
    rows = (columns < pooled_rows[:, None]).sum(axis=1)

    def embed(bundles: list[range]) -> list[Tensor]:
        part = slice(bundles[0].start, bundles[-1].stop)
        hidden = _gather(sequences, items[part], columns[part])
        own = torch.from_numpy(rows[part]).to(hidden.device)
        return list(tower.embed_gathered(hidden, own).split([len(bundle) for bundle in bundles]))

    starts = range(0, len(items), per_bundle)
    bundles = [range(start, min(start + per_bundle, len(items))) for start in starts]
    return torch.cat(fit.run(embed, bundles)).split(sizes)


def _gather(sequences: list[Sequence], items: np.ndarray, columns: np.ndarray) -> Tensor:
    """Gather the kept tokens of sets, (n_sets, length, width); `items` are in ascending order."""
    parts = []
    for item in np.unique(items):
        hidden = sequences[item].hidden
        parts.append(hidden[torch.from_numpy(columns[items == item]).to(hidden.device)])
    return torch.cat(parts)


def _in_order(rows: tuple[np.ndarray, ...], embeddings: tuple[Tensor, ...]) -> Tensor:
    """Put parts of a sequence's embeddings together in the order of its sets."""
    order = torch.from_numpy(np.argsort(np.concatenate(rows)))
    return torch.cat(embeddings)[order.to(embeddings[0].device)]
