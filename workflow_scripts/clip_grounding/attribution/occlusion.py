"""Occlusion (Zeiler and Fergus, ECCV 2014): how much the similarity falls without a token.

A patch or word is taken out of the sequence: no token attends to it at any layer, and the
others keep their positions. One pass without a token serves all targets of an item, which
Captum's occlusion, one similarity at a time, would repeat for each.
"""

import torch
from torch import Tensor

from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "fall of the similarity when a token is taken out (Zeiler and Fergus, ECCV 2014)",
    "uses_prompt": True,
    "refuses": {},
    "parameters": {},
    "cost": {"passes": "tokens", "backward": 0},
}


@torch.no_grad()
def occlusion(clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor) -> Tensor:
    """Compute s(all tokens) − s(without the token); see `clip_grounding.attribution`.

    Tokens that are not content have relevance 0, as has the only token of a sequence.
    """
    hidden, rows, content = tower.embed(inputs), tower.pooled_rows(inputs), tower.content(inputs)

    def similarity(keep: Tensor) -> Tensor:
        return clip.similarity(tower.embed_kept(hidden, rows, keep)[items], targets)

    keep = torch.ones_like(content)
    whole = similarity(keep)
    relevance = torch.zeros(len(targets), content.shape[1], device=targets.device)
    if content.shape[1] == 1:
        return relevance
    for token in content.any(0).nonzero()[:, 0]:
        keep[:, token] = ~content[:, token]
        relevance[:, token] = whole - similarity(keep)
        keep[:, token] = True
    return relevance
