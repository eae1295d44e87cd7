"""How far evidence jobs are from the bare passes they need: python tests/benchmarks/evidence.py

A full-size CLIP ViT-B/32 with random weights and JPEGs of 640 x 480 with nine phrases each, as
for relevance jobs. The floor of a job: decoding and preprocessing, the passes of the texts and
regions, and the stock encoder's layers on as many sequences of each length as the job needs,
without any mask. CPU seconds of both, timed in turns in this process; median of the turns.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from pycocotools import mask as coco_mask

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "support"), str(TESTS.parent / "workflow_scripts")]

from benchmarks.relevance import Bench  # noqa: E402 (needs the path)

from clip_grounding.evidence.effects import measure_effects  # noqa: E402
from clip_grounding.evidence.faithfulness import score_ceilings, score_faithfulness  # noqa: E402
from clip_grounding.evidence.maps import control_maps  # noqa: E402
from clip_grounding.evidence.outcomes import score_outcomes  # noqa: E402
from clip_grounding.evidence.removal import measure_removal  # noqa: E402
from clip_grounding.evidence.subsets import measure_similarities  # noqa: E402
from clip_grounding.models.towers import Tower  # noqa: E402

TARGET = 1.15
DIRECTIONS = ("text_to_image", "image_to_text")


class CountingTower(Tower):
    """Counts the sequences of each length."""

    def embed_gathered(self, hidden, rows):
        self.lengths[hidden.shape[1]] += len(hidden)
        return super().embed_gathered(hidden, rows)


def counting(tower: Tower) -> CountingTower:
    counted = CountingTower(**vars(tower))
    object.__setattr__(counted, "lengths", Counter())
    return counted


class EvidenceBench(Bench):
    """The shard of the relevance benchmark with what evidence reads besides."""

    def __init__(self, folder: Path, images: int, threads: int):
        super().__init__(folder, images, threads)
        texts = self.shard.narratives.set_index("narrative")["text"]
        spans = []
        for narrative, own in self.shard.phrases.groupby("narrative"):
            end = 0
            for utterance in own["utterance"]:
                start = texts[narrative].index(utterance, end)
                end = start + len(utterance)
                spans.append((start, end))
        starts, ends = zip(*spans, strict=True)
        phrases = self.shard.phrases.assign(
            char_start=starts,
            char_end=ends,
            segment_ids=[[own] for own in self.shard.phrases["mask"]],
        )
        masks = self.shard.masks
        sizes = masks[["height", "width"]].to_numpy().tolist()
        areas = [
            int(coco_mask.area({"size": size, "counts": counts}))
            for size, counts in zip(sizes, masks["counts"], strict=True)
        ]
        self.shard = replace(self.shard, phrases=phrases, masks=masks.assign(area=areas))
        clip = self.explainer.clip
        self.counted = replace(
            self.explainer,
            clip=replace(clip, image=counting(clip.image), text=counting(clip.text)),
        )

    def run(
        self, job: Callable, direction: str, *extra, explainer=None, **settings
    ) -> pd.DataFrame:
        frames = job(
            direction,
            explainer or self.explainer,
            self.shard.narratives,
            self.shard.phrases,
            self.shard.masks,
            self.archive.pixels,
            *extra,
            **settings,
        )
        return pd.concat(frames, ignore_index=True)

    def lengths(self, job: Callable, direction: str, *extra, **settings) -> Counter:
        """How many sequences of each length a job runs."""
        side = "image" if direction == "text_to_image" else "text"
        lengths = getattr(self.counted.clip, side).lengths
        lengths.clear()
        self.run(job, direction, *extra, explainer=self.counted, **settings)
        return Counter(lengths)

    @torch.no_grad()
    def bare(self, direction: str, lengths: Counter) -> None:
        """Everything that a job cannot do without."""
        if direction == "text_to_image":
            self.forward_texts()
            pixels = [self.prepare(name) for name in self.shard.narratives["file_name"]]
            stock, n_tokens = self.stock.vision_model, 50
            hidden = stock.pre_layrnorm(stock.embeddings(torch.from_numpy(np.stack(pixels))))
            mask = {}
        else:
            for image in range(len(self.shard.narratives)):
                self.forward_images(self.regions(image))
            stock, n_tokens = self.stock.text_model, max(lengths)
            ids = [self.explainer.tokenizer(text).ids for text in self.shard.narratives["text"]]
            hidden = stock.embeddings(self.explainer._ids(ids))
            mask = {"is_causal": True}
        for length, count in lengths.items():
            batch = 32 * (n_tokens // length)
            rows = torch.arange(count) % len(hidden)
            for own in rows.split(batch):
                stock.encoder(inputs_embeds=hidden[own, :length], **mask)


def cpu_in_turns(turns: int, *works: Callable[[], None]) -> list[float]:
    """Median CPU seconds of each work, all in turns after one turn to warm up."""
    seconds: list[list[float]] = [[] for _ in works]
    for turn in range(turns + 1):
        for own, work in zip(seconds, works, strict=True):
            start = time.process_time()
            work()
            if turn:
                own.append(time.process_time() - start)
    return [median(own) for own in seconds]


def measure(bench: EvidenceBench, direction: str, subsets: int, turns: int) -> Iterator[str]:
    """Lines on a direction's jobs against their floors, and on the scoring of their tables."""
    phrases, seed = bench.shard.phrases, {"seed": 0}
    drawn = {**seed, "n_subsets": subsets}
    similarities = bench.run(measure_similarities, direction, **drawn)
    rows = control_maps("random", direction, phrases, similarities, (7, 7), seed=0)
    jobs = {
        "region effects": (measure_effects, (), seed),
        f"similarities of {subsets} subsets": (measure_similarities, (), drawn),
        "SRG of a map per phrase": (measure_removal, (rows,), seed),
    }
    for what, (job, extra, settings) in jobs.items():
        lengths = bench.lengths(job, direction, *extra, **settings)
        whole = partial(bench.run, job, direction, *extra, **settings)
        ours, floor = cpu_in_turns(turns, whole, partial(bench.bare, direction, lengths))
        yield (
            f"{direction}, {what}: whole job / bare passes {ours / floor:.2f} (target {TARGET});"
            f" {sum(lengths.values())} passes, {floor:.1f} s"
        )
    effects = bench.run(measure_effects, direction, **seed)
    scoring = {
        "faithfulness": partial(score_faithfulness, direction, rows, similarities, phrases),
        "ceilings": partial(score_ceilings, direction, similarities, phrases),
        "outcomes": partial(score_outcomes, rows, effects),
    }
    for what, seconds in zip(scoring, cpu_in_turns(turns, *scoring.values()), strict=True):
        yield f"{direction}, {what}: {1000 * seconds / len(rows):.2f} ms per map"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--subsets", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        bench = EvidenceBench(Path(name), arguments.images, arguments.threads)
        for direction in DIRECTIONS:
            for line in measure(bench, direction, arguments.subsets, arguments.turns):
                print(line, flush=True)


if __name__ == "__main__":
    main()
