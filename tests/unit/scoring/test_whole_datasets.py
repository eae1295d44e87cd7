"""Whole small datasets from index to scores, whatever they hold, against the recomputation."""

import io
import json
import os
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from recomputed_scores import Recomputation, largest_differences
from saved_models import save_model
from transformers import AutoTokenizer

from clip_grounding.datasets.index import index_phrases
from clip_grounding.datasets.masks import rasterize_masks
from clip_grounding.geometry import WHOLE, View
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.scoring.captions import score_baseline_image_to_text, score_image_to_text
from clip_grounding.scoring.images import (
    SCORES,
    exclude_wordless,
    score_baseline_text_to_image,
    score_text_to_image,
)
from clip_grounding.tables import RELEVANCE

MODEL, METHOD, SPLIT, SEED, CONTEXT = "toy", "any", "val", 4, 24
PROMPTS = ("matched", "unimodal")
PIECES = ["a red star", "A  red star.", "the star", "caf\u0301e", "&amp; it’s", "\x07 b\x07", "   "]
PIECES += ["", "<|endoftext|>", "車 😀", "red red star", "of", "itâ€™s", "a star " * 15]
PIECES += ["of " * 40 + "all"]
SIZES = [
    (1, 1),
    (1, 2),
    (2, 1),
    (1, 20),
    (7, 5),
    (31, 32),
    (101, 100),
    (224, 224),
    (60, 131),
    (1000, 20),
]
SIZES += [(20, 1000), (3, 700)]
VIEWS = [View(224, 224, crops=True), View(384, 378, crops=False), View(32, 28, crops=True), WHOLE]
KINDS = [
    "uniform",
    "heavy tails",
    "sink",
    "ties",
    "constant",
    "zeros",
    "one above",
    "tiny",
    "signs",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint folder with CLIP's byte pairs and a short context."""
    folder = tmp_path_factory.mktemp("model")
    save_model("openclip", folder, PIECES, max_position_embeddings=CONTEXT)
    return folder


@pytest.fixture(scope="module")
def tokenizers(folder):
    """The library's tokenizer, and the stock one."""
    return TextTokenizer(folder), AutoTokenizer.from_pretrained(folder)


def draw_map(generator, kind, size):
    """Relevance as models make it, and as none should."""
    noise = generator.random(size)
    made = {
        "uniform": noise,
        "heavy tails": np.abs(generator.standard_t(1, size)),
        "sink": noise * np.where(np.arange(size) == size // 2, 1e6, 1),
        "ties": np.floor(noise * 3),
        "constant": np.full(size, 0.3),
        "zeros": np.zeros(size),
        "one above": (np.arange(size) == size - 1) * 0.25,
        "tiny": noise * 1e-12,
        "signs": generator.standard_normal(size),
    }
    return made[kind].astype(np.float32)


def draw_ids(generator, height, width, n_segments):
    """Segments that may be a pixel small or fill the image, and void where there is any."""
    ids = np.zeros((height, width), np.int64)
    names = np.sort(generator.choice(2**24 - 1, n_segments, replace=False)) + 1
    for name in names[: max(1, n_segments)]:
        top, left = generator.integers(0, [height, width])
        rows, columns = generator.integers(1, [height + 1, width + 1])
        if generator.random() < 0.3:
            rows = columns = 1
        if generator.random() < 0.2:
            top, left, rows, columns = 0, 0, height, width
        ids[top : top + rows, left : left + columns] = name
    return ids


def write_dataset(folder, images, narratives):
    """Write the two published files; `images` are segment ids by image id."""
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w") as archive:
        for image_id, ids in images.items():
            out = io.BytesIO()
            rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
            Image.fromarray(rgb.astype(np.uint8)).save(out, "PNG")
            archive.writestr(f"panoptic_{SPLIT}/{image_id}.png", out.getvalue())
    annotations = [
        {
            "image_id": image_id,
            "file_name": f"{image_id}.png",
            "segments_info": [
                {"id": int(own), "category_id": 1 + int(own) % 2} for own in np.unique(ids[ids > 0])
            ],
        }
        for image_id, ids in images.items()
    ]
    panoptic = {
        "images": [
            {"id": key, "file_name": f"{key}.jpg", "height": ids.shape[0], "width": ids.shape[1]}
            for key, ids in images.items()
        ],
        "annotations": annotations,
        "categories": [
            {"id": 1, "name": "star", "isthing": 1},
            {"id": 2, "name": "sky", "isthing": 0},
        ],
    }
    with zipfile.ZipFile(folder / "panoptic.zip", "w") as archive:
        archive.writestr(f"annotations/panoptic_{SPLIT}.json", json.dumps(panoptic))
        archive.writestr(f"annotations/panoptic_{SPLIT}.zip", nested.getvalue())
    (folder / "narratives.json").write_text(json.dumps(narratives))
    return folder / "narratives.json", folder / "panoptic.zip"


texts = st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
datasets = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "direction": st.sampled_from(["text_to_image", "image_to_text"]),
        "sizes": st.lists(
            st.sampled_from(SIZES) | st.tuples(st.integers(1, 40), st.integers(1, 40)),
            min_size=1,
            max_size=2,
        ),
        "captions": st.lists(st.lists(texts, min_size=1, max_size=3), min_size=1, max_size=2),
        "kinds": st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
        "grid": st.tuples(st.integers(1, 8), st.integers(1, 8)),
        "view": st.sampled_from(VIEWS),
    }
)


def build(folder, dataset):
    """Index a drawn dataset and rasterise its regions: narratives, phrases and masks."""
    generator = np.random.default_rng(dataset["seed"])
    images = {
        7 + key: draw_ids(generator, *size, generator.integers(1, 5))
        for key, size in enumerate(dataset["sizes"])
    }
    narratives = []
    for number, caption in enumerate(dataset["captions"]):
        image_id = 7 + number % len(images)
        present = np.unique(images[image_id])
        present = present[present > 0]
        pieces = []
        for utterance in caption:
            named = generator.choice(
                present, generator.integers(0, min(3, len(present)) + 1), replace=False
            )
            pieces.append(
                {"utterance": utterance, "segment_ids": [str(n) for n in named], "plural": False}
            )
        narratives.append(
            {
                "image_id": str(image_id),
                "annotator_id": number,
                "caption": " ".join(caption),
                "segments": pieces,
            }
        )
    paths = write_dataset(folder, images, narratives)
    narratives, phrases = index_phrases(*paths, SPLIT, len(images))
    masks = list(rasterize_masks(narratives, phrases, paths[1], SPLIT))
    return narratives, phrases, pd.concat(masks, ignore_index=True) if masks else None


def draw_relevance(dataset, narratives, phrases, tokenizer):
    """Maps of both directions, of the drawn kinds in turn."""
    generator, kinds = np.random.default_rng(dataset["seed"] + 1), dataset["kinds"]
    spans = {row.narrative: tokenizer(row.text) for row in narratives.itertuples()}
    rows = {"text_to_image": [], "image_to_text": []}
    rows_columns = dataset["grid"]
    for row in phrases.itertuples():
        for prompt in PROMPTS:
            key = row.narrative, row.phrase, row.image_id, prompt
            kind = kinds[len(rows["text_to_image"]) % len(kinds)]
            values = draw_map(generator, kind, rows_columns[0] * rows_columns[1])
            rows["text_to_image"].append((*key, *rows_columns, values))
            own = spans[row.narrative]
            values = draw_map(generator, kind, len(own.starts))
            rows["image_to_text"].append((*key, own.starts, own.ends, values))
    return {
        direction: pd.DataFrame(own, columns=RELEVANCE[direction].names)
        for direction, own in rows.items()
    }


def score(dataset, tokenizer, narratives, phrases, masks, relevance):
    """Scores of the drawn direction, of the maps and of the baselines, by model and attribution."""
    if dataset["direction"] == "text_to_image":
        found = score_text_to_image(
            relevance, phrases, masks, SEED, dataset.get("scored", dataset["view"])
        )
        yield MODEL, METHOD, exclude_wordless(found, phrases, tokenizer)
        for kind in ("random", "empty", "center"):
            found = score_baseline_text_to_image(kind, phrases, masks, dataset["grid"], SEED)
            yield "baseline", kind, found
    else:
        found = score_image_to_text(relevance, phrases, narratives, masks, tokenizer, SEED)
        yield MODEL, METHOD, found
        for kind in ("random", "empty"):
            found = score_baseline_image_to_text(kind, phrases, narratives, masks, tokenizer, SEED)
            yield "baseline", kind, found


def check(tokenizers, folder, dataset):
    """Compare every column of a drawn dataset's scores with the recomputation."""
    narratives, phrases, masks = build(folder, dataset)
    if phrases.empty:
        assert masks is None
        return
    tokenizer, stock = tokenizers
    direction = dataset["direction"]
    relevance = draw_relevance(dataset, narratives, phrases, tokenizer)
    tables = [
        pa.Table.from_pandas(found.drop(columns="curve"), SCORES, preserve_index=False)
        .to_pandas()
        .assign(model=model, attribution=attribution, direction=direction)
        for model, attribution, found in score(
            dataset, tokenizer, narratives, phrases, masks, relevance[direction]
        )
    ]
    recomputation = Recomputation(
        phrases,
        narratives,
        masks,
        {(MODEL, METHOD, direction): table for direction, table in relevance.items()},
        {MODEL: (stock, CONTEXT - 2)},
        {MODEL: dataset["view"]},
        MODEL,
        SEED,
    )
    worst = largest_differences(pd.concat(tables, ignore_index=True), recomputation)
    if log := os.environ.get("FUZZ_LOG"):
        worst.to_csv(log, mode="a", header=False, index=False)
    wrong = worst[worst["difference"] > 1e-6]
    assert wrong.empty, wrong.to_string()


@given(datasets)
@example(  # a map with a fifth of its pixels on the edges of bins
    {
        "seed": 31,
        "sizes": [(7, 38)],
        "captions": [["a red star"]],
        "kinds": ["uniform", "ties", "signs"],
        "grid": (1, 5),
        "view": WHOLE,
        "direction": "text_to_image",
    }
)
@example(  # a map whose two values lie a few roundings apart
    {
        "seed": 55296,
        "sizes": [(1, 2)],
        "captions": [["a red star"]],
        "kinds": ["uniform", "sink"],
        "grid": (1, 3),
        "view": WHOLE,
        "direction": "text_to_image",
    }
)
@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")),
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_column_of_a_dataset_is_that_of_the_recomputation(
    tokenizers, tmp_path_factory, dataset
):
    check(tokenizers, tmp_path_factory.mktemp("dataset", numbered=True), dataset)


@pytest.mark.parametrize(
    ("size", "view"),
    [((101, 100), View(224, 224, crops=True)), ((384, 384), View(384, 378, crops=False))],
)
def test_maps_lie_on_what_the_model_saw(tokenizers, tmp_path, size, view):
    """The crop cuts a rim of 101 x 100 pixels; patches of 14 cover 378 of 384 pixels."""
    dataset = {"seed": 5, "sizes": [size], "captions": [["a red star", "the star"]] * 3}
    dataset |= {"kinds": ["uniform"], "grid": (27, 27), "direction": "text_to_image"}
    check(tokenizers, tmp_path, {**dataset, "view": view})
    with pytest.raises(AssertionError, match="ap"):  # with the map over the whole square
        check(tokenizers, tmp_path, {**dataset, "view": view, "scored": WHOLE})
