"""Small score tables as the workflow stores them, for the tests of means and comparisons."""

import numpy as np
import pandas as pd

from clip_grounding.statistics.paired import METRICS

MATCHED = ("m", "a", "matched")
UNIMODAL = ("m", "a", "unimodal")
MISMATCHED = ("m", "a", "mismatched")
RANDOM = ("baseline", "random", "none")


def phrase_keys(n_images: int, seed: int = 0) -> pd.DataFrame:
    """One or two narratives per image with one to five phrases each: ragged clusters."""
    generator = np.random.default_rng(seed)
    image_of = np.repeat(np.arange(n_images), generator.integers(1, 3, n_images))
    narrative = np.repeat(np.arange(len(image_of)), generator.integers(1, 6, len(image_of)))
    keys = pd.DataFrame({"narrative": narrative, "image_id": 100 + 7 * image_of[narrative]})
    return keys.assign(phrase=2 * keys.groupby("narrative").cumcount())


def score_table(keys: pd.DataFrame, contenders: list, seed: int = 0, shift=0.0) -> pd.DataFrame:
    """Random scores in all metrics, those of an image alike, in both directions."""
    generator = np.random.default_rng(seed)
    effect = generator.random(keys["image_id"].max() + 1)[keys["image_id"]]
    region_area = generator.choice(np.float32([0.005, 0.03, 0.1, 0.4]), len(keys))
    frames = []
    for direction in ("text_to_image", "image_to_text"):
        for i, (model, attribution, prompt) in enumerate(contenders):
            scores = effect[:, None] / 2 + generator.random((len(keys), len(METRICS))) / 2
            frames.append(
                keys.assign(
                    direction=direction,
                    model=model,
                    attribution=attribution,
                    prompt=prompt,
                    **pd.DataFrame((scores - shift * i).astype(np.float32), columns=METRICS),
                    region_area=region_area,
                    degenerate=False,
                    poster_excluded=None,
                    strict_excluded=None,
                    partner_narrative=-1,
                    partner_phrase=-1,
                )
            )
    return pd.concat(frames, ignore_index=True)


def phrase_tables(keys: pd.DataFrame, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The phrases and narratives that the keys belong to, as far as slices need them."""
    generator = np.random.default_rng(seed)
    n = len(keys)
    phrases = keys.assign(
        utterance=generator.choice(["Dog", "dog", "sky", "two trees"], n),
        is_thing=generator.choice(np.array([True, False, None], dtype=object), n),
        is_plural=generator.random(n) < 0.3,
    )
    narratives = keys[["narrative", "image_id"]].drop_duplicates()
    lengths = generator.integers(1, 100, len(narratives))
    return phrases, narratives.assign(text=[" ".join(["word"] * k) for k in lengths])
