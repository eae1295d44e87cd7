"""Time and memory of scoring one image with many phrases: python tests/benchmarks/phrases.py

Scores text-to-image maps of an image of 640 x 480 with 1, 10, ..., 10,000 phrases under both
protocols, each number in a process of its own, and prints seconds, milliseconds a phrase and the
largest memory. `--most 20000` goes on to 20,000 phrases.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from pycocotools import mask as coco_mask

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent / "workflow_scripts")]

from clip_grounding.scoring.images import score_text_to_image, sum_curves  # noqa: E402

HEIGHT, WIDTH, SIDE, SEGMENTS = 480, 640, 7, 60
SIZES = (1, 10, 100, 1000, 10_000, 20_000)


def make_image(n_phrases: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """One image cut into sixty segments; every phrase names up to three, and has a map."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    labels = (rows // (HEIGHT // 6)) * 10 + columns // (WIDTH // 10)
    named = [
        sorted(generator.choice(SEGMENTS, generator.integers(1, 4), replace=False).tolist())
        for _ in range(n_phrases)
    ]
    numbers: dict[tuple, int] = {}
    for segments in named:
        numbers.setdefault(tuple(segments), len(numbers))
    masks = []
    for segments, number in numbers.items():
        code = coco_mask.encode(np.asfortranarray(np.isin(labels, segments), dtype=np.uint8))
        masks.append((0, number, HEIGHT, WIDTH, code["counts"], int(coco_mask.area(code))))
    grids = np.maximum(generator.standard_t(2, (n_phrases, SIDE * SIDE)), 0).astype(np.float32)
    whole = np.maximum(generator.standard_t(2, SIDE * SIDE), 0).astype(np.float32)
    relevance = [
        (0, phrase, 0, prompt, SIDE, SIDE, grid)
        for phrase in range(n_phrases)
        for prompt, grid in (("matched", grids[phrase]), ("unimodal", whole))
    ]
    phrases = [
        (0, phrase, 0, f"region {phrase}", numbers[tuple(segments)], segments)
        for phrase, segments in enumerate(named)
    ]
    keys = ["narrative", "phrase", "image_id"]
    return (
        pd.DataFrame(
            relevance, columns=[*keys, "prompt", "grid_height", "grid_width", "relevance"]
        ),
        pd.DataFrame(phrases, columns=[*keys, "utterance", "mask", "segment_ids"]),
        pd.DataFrame(masks, columns=["image_id", "mask", "height", "width", "counts", "area"]),
    )


def measure(n_phrases: int) -> None:
    """Score one image, and print a line."""
    image = make_image(n_phrases)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    scores = score_text_to_image(*image, seed=0)
    sum_curves(scores)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{n_phrases:>7,} phrases, {len(image[2]):>6,} regions, {len(scores):>7,} rows:"
        f" {seconds:8.2f} CPU s, {1000 * seconds / n_phrases:7.1f} ms a phrase,"
        f" {peak / 1024:6,.0f} MB at most ({before / 1024:,.0f} before)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=10_000)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.only:
        measure(chosen.only)
        return
    for size in SIZES:
        if size <= chosen.most:
            subprocess.run([sys.executable, __file__, "--only", str(size)], check=True)


if __name__ == "__main__":
    main()
