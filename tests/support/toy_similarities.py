"""Tables of maps and of similarities under subsets, for models that are functions of a set."""

import numpy as np
import pandas as pd

from clip_grounding.evidence.draws import Draw, item_generator
from clip_grounding.evidence.sets import pack_sets
from clip_grounding.evidence.subsets import draw_subsets


def toy_phrases(n_images, per_image, segments=None):
    """One narrative per image; every phrase its own segment, or those of `segments`."""
    phrases = pd.DataFrame(
        [(image, phrase, 100 + image) for image in range(n_images) for phrase in range(per_image)],
        columns=["narrative", "phrase", "image_id"],
    )
    ids = segments or [[phrase] for phrase in range(per_image)]
    return phrases.assign(
        segment_ids=[np.array(ids[phrase]) for phrase in phrases["phrase"]],
        utterance=[f"phrase {phrase}" for phrase in phrases["phrase"]],
    )


def toy_similarities(phrases, similarity_of, units, n_subsets=256):
    """`similarity_of`: a phrase's row and bool (n_subsets, n_units) to similarities."""
    units, rows = np.asarray(units), []
    n_units = units.max() + 1
    for row in phrases.itertuples():
        subsets = draw_subsets(n_units, n_subsets, item_generator(0, Draw.SUBSETS, row.narrative))
        values = similarity_of(row, subsets).astype(np.float32)
        whole = similarity_of(row, np.ones((1, n_units), bool))[0]
        key = row.narrative, row.phrase, row.image_id
        rows.append((*key, whole, values, units.astype(np.int16), pack_sets(subsets)))
    columns = ["narrative", "phrase", "image_id", "similarity", "similarities", "units", "subsets"]
    return pd.DataFrame(rows, columns=columns)


def toy_maps(phrases, map_of, prompt="matched"):
    """`map_of`: a phrase's row to its map's values."""
    maps = [np.asarray(map_of(row), np.float32) for row in phrases.itertuples()]
    return phrases.assign(prompt=prompt, relevance=maps)
