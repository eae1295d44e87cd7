"""Pack the relevance maps of the gallery's items, as they were scored, for the page.

The page shows values relative to the map's own range, so a map is packed to 16 bits
per patch or token. `mismatched` is another phrase's matched map: the one that the scores say was
borrowed.
"""

from base64 import b64encode

import numpy as np
import pandas as pd

from clip_grounding.geometry import View


def pack_maps(
    relevance: pd.DataFrame, direction: str, key: tuple, partner: tuple | None, view: View
) -> dict:
    """Pack an item's maps of one model and attribution.

    Parameters
    ----------
    relevance : DataFrame
        Rows of ``tables.RELEVANCE[direction]``, indexed by narrative, phrase and prompt.
    direction : str
    key, partner : (narrative, phrase)
        The item, and the phrase of its mismatched map, None where there is none.
    view : View
        What the model sees of an image.

    Returns
    -------
    dict
        ``maps`` by prompt, see `pack_patches` and `pack_tokens`; ``grid``, (rows, columns), and
        ``view``, or ``tokens``, the start and end of each in turn.
    """
    rows = {
        "matched": relevance.loc[(*key, "matched")],
        "unimodal": relevance.loc[(*key, "unimodal")],
    }
    if partner is not None:
        rows["mismatched"] = relevance.loc[(*partner, "matched")]
    matched = rows["matched"]
    if direction == "text_to_image":
        maps = {prompt: pack_patches(row["relevance"]) for prompt, row in rows.items()}
        grid = [int(matched["grid_height"]), int(matched["grid_width"])]
        return {"grid": grid, "view": list(view), "maps": maps}
    maps = {prompt: pack_tokens(row["relevance"]) for prompt, row in rows.items()}
    spans = np.stack([matched["token_starts"], matched["token_ends"]], axis=1)
    return {"tokens": spans.ravel().tolist(), "maps": maps}


def pack_patches(relevance: np.ndarray) -> str:
    """Pack a map from its smallest to its largest value, base64 of 16 bits per patch.

    A flat map is all zeros.
    """
    span = np.ptp(relevance)
    return _pack((relevance - relevance.min()) / (span if span > 0 else 1))


def pack_tokens(relevance: np.ndarray) -> str:
    """Pack a caption's relevance from 0 to its largest value, base64 of 16 bits per token."""
    largest = relevance.max(initial=0)
    return _pack(np.maximum(relevance, 0) / (largest if largest > 0 else 1))


def _pack(levels: np.ndarray) -> str:
    return b64encode(np.round(65535 * levels).astype("<u2").tobytes()).decode("ascii")
