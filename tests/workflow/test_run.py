"""A whole run: every promised file, joined up, and nothing left to do."""

import json

import numpy as np
import pandas as pd
import pytest
from builders import save_checkpoint
from PIL import Image

from clip_grounding.tables import read_provenance

pytestmark = pytest.mark.workflow

TABLES = [
    "narratives.parquet",
    "phrases.parquet",
    "masks/0002.parquet",
    "relevance/random-clip/gradient-attention/text_to_image/0002.parquet",
    "relevance/random-clip/gradient-attention/image_to_text/0000.parquet",
    "scores/random-clip/gradient-attention/image_to_text/0001.parquet",
    "scores/baseline/random/text_to_image/0002.parquet",
    "scores.parquet",
]


def test_a_finished_run_has_nothing_left_to_do(finished):
    assert finished.planned() == {}


@pytest.mark.parametrize("table", TABLES)
def test_every_table_carries_its_provenance(finished, table):
    facts = read_provenance(finished / "results/tiny" / table)
    assert facts["dataset"] == "tiny"
    assert facts["workflow"]
    if table.startswith("relevance"):
        assert facts["checkpoint"].endswith("clip")
        assert facts["attribution"] == {"kind": "gradient_attention", "layers": "last"}
        assert facts["libraries"]["torch"]


def test_every_phrase_is_scored_for_every_contender(finished):
    phrases = pd.read_parquet(finished / "results/tiny/phrases.parquet")
    scores = pd.read_parquet(finished / "results/tiny/scores.parquet")
    counts = scores.groupby(["direction", "model", "attribution", "prompt"]).size()
    own = counts[counts.index.get_level_values("prompt") != "mismatched"]
    assert (own == len(phrases)).all()
    contenders = own.index.droplevel("direction").unique()
    assert sorted(contenders) == [
        ("baseline", "center", "none"),
        ("baseline", "empty", "none"),
        ("baseline", "random", "none"),
        ("random-clip", "gradient-attention", "matched"),
        ("random-clip", "gradient-attention", "unimodal"),
    ]
    assert ("image_to_text", "baseline", "center", "none") not in counts.index


def test_the_shards_are_the_images_in_order_of_their_ids(finished):
    tables = [
        pd.read_parquet(finished / f"results/tiny/masks/000{shard}.parquet") for shard in range(3)
    ]
    ids = [list(table["image_id"].drop_duplicates()) for table in tables]
    every = [image_id for own in ids for image_id in own]
    assert every == sorted(every)
    narratives = pd.read_parquet(finished / "results/tiny/narratives.parquet")
    ranks = narratives.set_index("image_id")["image_rank"]
    for shard, own in enumerate(ids):
        assert (ranks.loc[own] // 5 == shard).all()


def test_the_summary_agrees_with_the_scores(finished):
    summary = pd.read_csv(finished / "results/tiny/summary.csv")
    scores = pd.read_parquet(finished / "results/tiny/scores.parquet")
    row = summary[
        (summary["protocol"] == "poster")
        & (summary["direction"] == "text_to_image")
        & (summary["prompt"] == "unimodal")
        & (summary["slice"] == "all")
        & (summary["average"] == "phrase")
    ].iloc[0]
    own = scores[(scores["direction"] == "text_to_image") & (scores["prompt"] == "unimodal")]
    assert float(row["mean"]) == pytest.approx(own["poster_iou"].mean(), abs=1e-6)
    assert np.isnan(row["published"])


def test_the_figures_are_pictures(finished):
    figures = sorted((finished / "results/tiny/figures").rglob("*.png"))
    assert {"scores.png", "gradient-attention.png"} <= {figure.name for figure in figures}
    for figure in figures:
        width, height = Image.open(figure).size
        assert min(width, height) > 300
        assert figure.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_the_gallery_shows_as_many_items_as_asked_of_all_shards(finished):
    folder = finished / "results/tiny/gallery"
    text = (folder / "files/index.js").read_text()
    items = json.loads(text[text.index("(") + 1 : text.rindex(")")])["items"]
    assert len(items) == 20
    narratives = pd.read_parquet(finished / "results/tiny/narratives.parquet")
    ranks = narratives.set_index("narrative")["image_rank"]
    assert {ranks[item["narrative"]] // 5 for item in items} == {0, 1, 2}
    assert (folder / "index.html").is_file()


def test_the_checkpoint_is_linked_and_its_content_recorded(finished):
    manifest = json.loads((finished / "data/models/random-clip/manifest.json").read_text())
    assert "model.safetensors" in manifest["files"]
    assert (finished / "data/models/random-clip/model.safetensors").is_symlink()


def test_raising_max_images_reruns_no_finished_shard(finished):
    fewer = {**finished.config, "max_images": 5}
    more = {**finished.config, "max_images": 10}
    assert finished.planned("results/tiny/masks/0000.parquet", config=fewer) == {}
    assert finished.planned("results/tiny/masks/0001.parquet", config=more) == {}
    planned = finished.planned(config=more)
    assert set(planned) <= {
        "collect_scores", "summarize_scores", "compare_contenders", "rank_contenders",
        "summarize_waterfall", "summarize_areas", "summarize_curves", "build_gallery",
        *(rule for rule in planned if rule.startswith("plot_")),
    }  # fmt: skip


def test_another_model_adds_its_own_jobs_and_the_summaries(finished, tmp_path):
    folder = save_checkpoint(tmp_path / "other", ["in this image i can see"], seed=1)
    config = {
        **finished.config,
        "datasets": {
            "tiny": {**finished.config["datasets"]["tiny"], "models": ["random-clip", "other"]}
        },
        "models": {**finished.config["models"], "other": {"checkpoint": str(folder)}},
    }
    planned = finished.planned(config=config)
    assert planned["fetch_checkpoint"] == 1
    assert planned["compute_relevance"] == 6
    assert planned["score_relevance"] == 6
    untouched = {"render_scenes", "index_phrases", "rasterize_masks", "score_baseline"}
    assert not untouched & set(planned)
