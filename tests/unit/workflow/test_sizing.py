"""What jobs ask for grows with their work and with every attempt."""

import re
from pathlib import Path

import pytest
import yaml

from clip_grounding.workflow.sizing import (
    index_mb,
    relevance_batch,
    relevance_mb,
    relevance_minutes,
    scoring_mb,
    scoring_minutes,
    size_class,
    table_mb,
    table_minutes,
)

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "cluster.md"
B32 = {"checkpoint": "openai/clip-vit-base-patch32", "revision": "0"}
L14 = {"checkpoint": "openai/clip-vit-large-patch14", "revision": "0"}
DIRECTIONS = ("text_to_image", "image_to_text")
ENTRIES = yaml.safe_load((ROOT / "config.yaml").read_text())["attributions"]
LAST = {"kind": "gradient_attention", "layers": "last"}
ALL = {"kind": "gradient_attention", "layers": "all"}


def minutes(**changes):
    usual = {
        "images": 500,
        "model": B32,
        "attribution": LAST,
        "direction": "text_to_image",
        "threads": 4,
        "gpu": False,
    }
    return relevance_minutes(**{**usual, **changes})


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (B32, "base-patch32"),
        ({"checkpoint": "openai/clip-vit-base-patch16"}, "base-patch16"),
        (L14, "large-patch14"),
        ({"checkpoint": "openai/clip-vit-large-patch14-336"}, "large-patch14-336"),
        ({"checkpoint": "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"}, "base-patch32"),
        ({"checkpoint": "~/models/ViT-L-14"}, "large-patch14"),
        ({"checkpoint": "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"}, "huge-patch14"),
        ({"checkpoint": "google/siglip-so400m-patch14-384"}, "so400m-patch14"),
        ({"checkpoint": "google/siglip2-base-patch16-224"}, "base-patch16"),
        ({"checkpoint": "./a-small-clip"}, "large-patch14-336"),  # unknown: the largest
        ({"train": "scenes"}, "small"),
    ],
)
def test_a_models_size_follows_from_its_name(model, expected):
    assert size_class(model) == expected


@pytest.mark.parametrize(
    "more",
    [
        {"images": 5000},
        {"model": L14},
        {"attribution": ALL},
        {"attribution": {"kind": "gradient_attention", "layers": 6}},
        {"attribution": {"kind": "rollout"}},
        {"attribution": {"kind": "occlusion"}},
        {"attribution": {"kind": "integrated_gradients", "steps": 4}},
        {"attribution": {"kind": "rise", "masks": 100}},
        {"direction": "image_to_text"},
        {"threads": 1},
        {"attempt": 2},
    ],
)
def test_more_work_gets_more_time(more):
    assert minutes(**more) > minutes()


def test_a_gpu_needs_less_time_and_more_memory_than_the_cpu():
    assert minutes(model=L14, gpu=True) < minutes(model=L14)
    assert relevance_mb(B32, LAST, 32, gpu=True) > relevance_mb(B32, LAST, 32, gpu=False)


def test_a_larger_model_a_deeper_method_and_a_larger_batch_get_more_memory():
    usual = relevance_mb(B32, LAST, 32, gpu=False)
    assert relevance_mb(L14, LAST, 32, gpu=False) > usual
    assert relevance_mb(B32, ALL, 32, gpu=False) > usual
    assert relevance_mb(B32, LAST, 512, gpu=False) > usual


@pytest.mark.parametrize(
    ("model", "attribution", "batch_size", "peak_mb"),
    [(B32, LAST, 32, 1130), (B32, ALL, 16, 1650), (L14, LAST, 8, 2210), (L14, ALL, 2, 3750)],
)
def test_what_was_measured_fits(model, attribution, batch_size, peak_mb):
    """Peaks of the script alone on a CPU; Snakemake around it takes some 300 MB."""
    assert relevance_mb(model, attribution, batch_size, gpu=False) > peak_mb + 300


@pytest.mark.parametrize(
    ("model", "attribution", "direction", "images", "seconds"),
    [
        (B32, LAST, "text_to_image", 32, 7.4),
        (B32, ALL, "text_to_image", 16, 35.6),
        (B32, LAST, "image_to_text", 16, 16.2),
        (B32, ALL, "image_to_text", 16, 29.5),
        (L14, LAST, "text_to_image", 8, 49.5),
        (L14, ALL, "text_to_image", 2, 94.8),
    ],
)
def test_the_times_measured_on_one_thread_fit_even_in_large_shards(
    model, attribution, direction, images, seconds
):
    allowed = 60 * minutes(
        images=500, model=model, attribution=attribution, direction=direction, threads=1
    )
    assert allowed > 1.3 * seconds * 500 / images


def test_more_masks_take_more_time_and_no_more_memory():
    rise = {"kind": "rise", "masks": 2000}
    assert minutes(attribution={**rise, "masks": 4000}) > minutes(attribution=rise)
    assert relevance_mb(B32, rise, 32, gpu=False) == relevance_mb(B32, LAST, 32, gpu=False)


def test_every_attempt_gets_as_much_again_and_half_the_batch():
    for attempt in (2, 3):
        assert minutes(attempt=attempt) == attempt * minutes()
        assert scoring_minutes(500, attempt=attempt) == attempt * scoring_minutes(500)
        assert scoring_mb(500, attempt) == attempt * scoring_mb(500)
        assert table_minutes(500, 9, attempt) == attempt * table_minutes(500, 9)
        assert table_mb(500, 9, attempt) == attempt * table_mb(500, 9)
        assert index_mb(500, attempt) == attempt * index_mb(500)
    assert [relevance_batch(32, attempt) for attempt in (1, 2, 3)] == [32, 16, 8]
    assert relevance_batch(1, 3) == 1


def test_the_documented_table_is_what_jobs_ask_for():
    for name, checkpoint in (
        ("ViT-B/32", "clip-vit-base-patch32"),
        ("ViT-B/16", "clip-vit-base-patch16"),
        ("ViT-L/14", "clip-vit-large-patch14"),
    ):
        for layers in ("last", "all"):
            model, method = {"checkpoint": checkpoint}, {**LAST, "layers": layers}
            cells = [name, layers]
            for gpu in (True, False):
                cells += [
                    f"{minutes(model=model, attribution=method, direction=direction, gpu=gpu)} min"
                    for direction in ("text_to_image", "image_to_text")
                ]
                cells.append(f"{relevance_mb(model, method, 32, gpu):,}")
            assert f"| {' | '.join(cells)} |" in DOCS.read_text()


def test_the_documented_methods_are_what_jobs_ask_for():
    shown = [name for name in ENTRIES if f"| {name} |" in DOCS.read_text()]
    assert len(shown) == 11
    for name in shown:
        directions = ENTRIES[name].get("directions", DIRECTIONS)
        cells = [
            f"{minutes(attribution=ENTRIES[name], direction=direction, gpu=gpu):,} min"
            if direction in directions
            else "–"
            for gpu in (True, False)
            for direction in DIRECTIONS
        ]
        assert f"| {' | '.join([name, *cells])} |" in DOCS.read_text()


def test_every_job_of_a_cluster_asks_for_more_when_it_is_tried_again():
    rules = [
        rule
        for path in (ROOT / "rules").glob("*.smk")
        for rule in re.findall(r"^rule \w+:\n(?:(?: .*)?\n)*", path.read_text(), re.MULTILINE)
        if "localrule: True" not in rule
    ]
    assert len(rules) > 15
    for rule in rules:
        for name in ("mem_mb", "runtime"):
            (request,) = re.findall(rf"^        {name}=(.*),$", rule, re.MULTILINE)
            assert not request.isdigit(), f"{rule.split()[1]} {name} is the same for every attempt"
