"""How much faster shards are scored than phrase by phrase: python tests/benchmarks/scoring.py

Scores 1,000 text-to-image phrases at 640 x 480 under both protocols, with the library and
with a loop over scikit-image and scikit-learn, in one process. The library also scores the
mismatched prompt of each phrase meanwhile; the loop does not.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from pycocotools import mask as coco_mask

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "support"), str(TESTS.parent / "workflow_scripts")]

from slow_scores import slow_text_to_image  # noqa: E402 (needs the path)

from clip_grounding.scoring.images import score_text_to_image  # noqa: E402

HEIGHT, WIDTH, PER_IMAGE, SIDE = 480, 640, 10, 7


def make_shard(n_images: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Images cut into ten regions and a void border, a phrase and a heavy-tailed map for each."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    relevance, phrases, masks = [], [], []
    for image in range(n_images):
        centers = generator.uniform(0, [HEIGHT, WIDTH], size=(PER_IMAGE, 2))
        distances = [np.hypot(rows - y, columns - x) for y, x in centers]
        labels = np.argmin(distances, axis=0)
        labels[:4] = -1
        for mask in range(-1, PER_IMAGE):
            code = coco_mask.encode(np.asfortranarray(labels == mask, dtype=np.uint8))
            masks.append((image, mask, HEIGHT, WIDTH, code["counts"]))
        for mask in range(PER_IMAGE):
            grid = np.maximum(generator.standard_t(2, SIDE * SIDE), 0).astype(np.float32)
            relevance.append((image, mask, image, "matched", SIDE, SIDE, grid))
            phrases.append((image, mask, image, f"region {mask}", mask, [mask + 1]))
    keys = ["narrative", "phrase", "image_id"]
    return (
        pd.DataFrame(
            relevance, columns=[*keys, "prompt", "grid_height", "grid_width", "relevance"]
        ),
        pd.DataFrame(phrases, columns=[*keys, "utterance", "mask", "segment_ids"]),
        pd.DataFrame(masks, columns=["image_id", "mask", "height", "width", "counts"]),
    )


def score_in_a_loop(relevance, phrases, masks) -> pd.DataFrame:
    """One phrase after the other."""
    regions = masks.set_index(["image_id", "mask"])["counts"]
    scores = []
    for row, phrase in zip(relevance.itertuples(), phrases.itertuples(), strict=True):
        region, void = (
            coco_mask.decode({"size": [HEIGHT, WIDTH], "counts": regions[row.image_id, mask]}) > 0
            for mask in (phrase.mask, -1)
        )
        grid = row.relevance.reshape(SIDE, SIDE)
        scores.append(slow_text_to_image(grid, region, void))
    return pd.DataFrame(scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phrases", type=int, default=1000)
    shard = make_shard(parser.parse_args().phrases // PER_IMAGE)

    start = time.perf_counter()
    ours = score_text_to_image(*shard, seed=0)
    middle = time.perf_counter()
    slow = score_in_a_loop(*shard)
    end = time.perf_counter()

    matched = ours[ours["prompt"] == "matched"].reset_index(drop=True)
    differences = (matched[slow.columns] - slow).abs().max()
    print(f"library {middle - start:.1f} s, loop {end - middle:.1f} s")
    print(f"ratio   {(end - middle) / (middle - start):.1f}")
    print("largest differences:", differences.round(6).to_dict())


if __name__ == "__main__":
    main()
