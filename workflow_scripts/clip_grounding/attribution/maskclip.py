"""MaskCLIP (Zhou et al., ECCV 2022): similarity of each patch's value with the text.

The last attention is left out: every patch's value goes through the output projection to the
embedding space, and is compared with the text there.
"""

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own idiom)
from torch import Tensor

from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "similarity of each patch's value to the text (MaskCLIP, Zhou et al., ECCV 2022)",
    "uses_prompt": True,
    "refuses": {
        "image_to_text": "it embeds patches one by one, and a word's value alone is no text that"
        " the model was trained to embed",
    },
    "parameters": {},
    "cost": {"passes": 0, "backward": 0},
}


@torch.no_grad()
def maskclip(clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor) -> Tensor:
    """Compute each embedded value's cosine with the target; see `clip_grounding.attribution`.

    In a block, the value bypasses the residual and the MLP, as in the paper. A pooling head is
    applied as if its probe attended to that patch alone.
    """
    pooled = clip.open_pool(tower, inputs)
    dense = tower.pool.read_values(pooled.values.transpose(1, 2))
    return torch.einsum("ptw,pw->pt", F.normalize(dense, dim=-1)[items], targets)
