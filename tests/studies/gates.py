"""How often do the gates of the weights fail a method that deserves to pass, or pass an edge map?

Two simulations of 200 methods on 100 images, decided as one of 12 methods and as the only one:

* methods that pass by construction: every map is a smooth random field of its own, and the maps of
  one randomised model have a field in common, as those of a model that prefers some places have;
* `edges`, the edge maps of 100 of 300 rendered scenes, whatever the model.

Run: python tests/studies/gates.py
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))

from clip_grounding.gates import controls
from clip_grounding.gates.columns import LIMITS, MEASURED
from clip_grounding.gates.items import Item, assign_models
from clip_grounding.gates.measure import compare_weights
from clip_grounding.gates.summary import summarize_gates
from clip_grounding.models.loading import open_model
from clip_grounding.scenes.render import render_scene, scene_generator
from clip_grounding.scenes.tokenizer import build_tokenizer
from clip_grounding.scenes.train import IMAGE_SIZE, build_model, prepare_image
from clip_grounding.statistics.bootstrap import Bootstrap

N_METHODS, N_IMAGES, N_MODELS, PHRASES, GRID = 200, 100, 5, 3, 8
FAMILIES = (1, 12)
SHARED = 0.5
"""Share of a map's variance that the maps of an image have in common, and those of a model."""


def list_items(n_images):
    return [
        Item(
            number=image,
            image_id=image,
            file=("", 0, 0),
            phrases=pd.DataFrame({"narrative": image, "phrase": range(PHRASES)}),
            partners={},
            units=np.arange(GRID**2),
            shape=(0, GRID, 0, GRID),
            tokens=None,
        )
        for image in range(n_images)
    ]


def smooth_fields(generator, count):
    """Random fields, smoothed over neighbouring patches, each of variance 1, (count, 64)."""
    fields = generator.standard_normal((count, GRID + 2, GRID + 2))
    fields = sum(
        np.roll(fields, shift, (1, 2)) for shift in np.ndindex(3, 3)
    )[:, 2:, 2:].reshape(count, -1)  # fmt: skip
    return fields / 3


def decide(items, matched, maps_of):
    """Whether the gates of the weights are passed, by the size of the family."""
    numbers = assign_models(len(items), N_MODELS)
    rows = []
    for number in range(N_MODELS):
        own = [item for item, model in zip(items, numbers, strict=True) if model == number]
        rows += compare_weights(own, matched, maps_of(number), seed=0)
    table = pd.DataFrame(rows, columns=MEASURED.names)
    passed = []
    for size in FAMILIES:
        tables = [(("model", "method", "text_to_image"), table)]
        tables += [(("model", f"other-{n}", "text_to_image"), table[:0]) for n in range(size - 1)]
        gates = summarize_gates(tables, Bootstrap(20, 0.95, 0))
        passed.append(bool(gates["passed"].all()))
    return passed


def random_method(seed, items):
    generator = np.random.default_rng(seed)

    def maps(common):
        images = smooth_fields(generator, len(items)).repeat(PHRASES, axis=0)
        own = smooth_fields(generator, len(items) * PHRASES)
        values = np.sqrt(1 - SHARED) * own + np.sqrt(SHARED) * images + common
        return dict(zip([key for item in items for key in item.keys], values, strict=True))

    matched = maps(smooth_fields(generator, 1)[0])
    models = [maps(smooth_fields(generator, 1)[0]) for _ in range(N_MODELS)]
    return matched, models.__getitem__


def scene_edges():
    """Edge maps of rendered scenes, (300, 64)."""
    clip = open_model(build_model(build_tokenizer(["a"])).eval().requires_grad_(False))
    pixels = [
        prepare_image(render_scene(scene_generator(0, index), evaluated=True).image)
        for index in range(300)
    ]
    pixels = torch.from_numpy(np.stack(pixels))
    assert pixels.shape[-1] == IMAGE_SIZE
    maps = controls.edges(clip, clip.image, pixels, torch.zeros(300, 1), torch.arange(300))
    return maps[:, clip.image.content(pixels[:1])[0]].numpy()


def report(name, passed):
    for size, own in zip(FAMILIES, np.array(passed).T, strict=True):
        print(f"{name}, {size} methods: {own.sum()} of {len(own)} pass", flush=True)


def main():
    print("limits", {key: LIMITS[key] for key in LIMITS if key[0] == "weights"})
    items = list_items(N_IMAGES)
    passed = [decide(items, *random_method(seed, items)) for seed in range(N_METHODS)]
    report("pass by construction", passed)
    edges, passed = scene_edges(), []
    for seed in range(N_METHODS):
        chosen = np.random.default_rng(seed).choice(len(edges), N_IMAGES, replace=False)
        shown = zip(items, edges[chosen], strict=True)
        matched = {key: own for item, own in shown for key in item.keys}
        passed.append(decide(items, matched, lambda _, maps=matched: maps))
    report("edges", passed)


if __name__ == "__main__":
    main()
