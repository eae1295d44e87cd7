"""The target `evidence` on a finished run: its tables, its charts, and what reruns."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from workflows import Run, copy_run, merged

from clip_grounding.evidence.draws import draw_images

pytestmark = pytest.mark.workflow

IMAGES = 7
MEASURED = {"measure_effects", "measure_similarities", "measure_removal"}


@pytest.fixture(scope="module")
def measured(finished, tmp_path_factory) -> Run:
    """The evidence of one direction, on a sample of two shards of the finished run."""
    change = {
        "max_images": 10,
        "evaluate": {"directions": ["text_to_image"]},
        "evidence": {"images": IMAGES, "subsets": 64, "removal_images": 3},
    }
    folder = tmp_path_factory.mktemp("evidence") / "run"
    run = Run(copy_run(finished, folder).folder, merged(finished.config, change))
    run.snakemake("evidence")
    return run


def table_of(run, stage, attribution=""):
    folder = run / "results/tiny" / stage / "random-clip" / attribution / "text_to_image"
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])


def test_a_run_does_not_measure_evidence_unless_asked(finished):
    assert not list((finished / "results/tiny").glob("e*.csv"))
    planned = finished.planned("evidence")
    assert planned["measure_effects"] == planned["measure_similarities"] == 6
    assert planned["measure_removal"] == 12  # maps and random ones
    assert planned["score_evidence"] == 21  # constant ones, and the centre, of images


def test_all_of_it_is_of_the_drawn_images(measured):
    phrases = pd.read_parquet(measured / "results/tiny/phrases.parquet")
    phrases = phrases[phrases["image_rank"] < 10]
    for stage, attribution, images in (
        ("effects", "", IMAGES),
        ("similarities", "", IMAGES),
        ("ceilings", "", IMAGES),
        ("faithfulness", "gradient-attention", IMAGES),
        ("outcomes", "random", IMAGES),
        ("removal", "gradient-attention", 3),
    ):
        drawn = draw_images(phrases["image_id"].to_numpy(), images / 12, 0)
        assert 0 < drawn.sum() < len(phrases)
        found = table_of(measured, stage, attribution)
        keys = phrases.loc[drawn, ["narrative", "phrase"]]
        assert set(zip(found["narrative"], found["phrase"], strict=True)) == set(
            zip(keys["narrative"], keys["phrase"], strict=True)
        ), stage


def test_the_summary_agrees_with_the_tables(measured):
    evidence = pd.read_csv(measured / "results/tiny/evidence.csv")
    own = evidence[(evidence["slice"] == "all") & (evidence["prompt"] == "matched")]
    means = own.set_index(["attribution", "metric"])["mean"]
    for stage, attribution, metric in (
        ("effects", "", "necessity"),
        ("faithfulness", "gradient-attention", "faithfulness"),
        ("removal", "gradient-attention", "srg"),
        ("outcomes", "gradient-attention", "localisation"),
    ):
        table = table_of(measured, stage, attribution)
        expected = table.loc[table["prompt"] == "matched", metric].mean()
        found = means[attribution or "none", metric]
        np.testing.assert_allclose(found, expected, atol=2e-6, rtol=1e-5)
    parquet = pd.read_parquet(measured / "results/tiny/evidence.parquet")
    assert list(parquet.columns) == list(evidence.columns)
    np.testing.assert_allclose(parquet["mean"], evidence["mean"], atol=1e-6)


def test_the_removal_curves_are_means_of_what_was_measured(measured):
    curves = pd.read_csv(measured / "results/tiny/removal.csv")
    for attribution, prompt in (("gradient-attention", "unimodal"), ("random", "none")):
        table = table_of(measured, "removal", attribution)
        table = table[(table["prompt"] == prompt) & table["excluded"].isna()]
        own = curves[(curves["attribution"] == attribution) & (curves["prompt"] == prompt)]
        assert (own["n_phrases"] == len(table)).all()
        for order in ("morf", "lerf"):
            curve = own[own["order"] == order].sort_values("removed")
            expected = [table["similarity"].mean(), *np.stack(table[order]).mean(axis=0)]
            np.testing.assert_allclose(curve["mean"], expected, atol=1e-4)
            assert (curve["ci_low"] <= curve["mean"]).all()


def test_constant_maps_are_degenerate_and_score_zero(measured):
    table = table_of(measured, "faithfulness", "constant")
    assert table["degenerate"].all()
    assert (table["faithfulness"] == 0).all()
    assert (table_of(measured, "outcomes", "constant")["localisation"].dropna() == 0.5).all()


def test_the_charts_are_pictures(measured):
    for name in ("evidence", "effects", "outcomes", "removal"):
        with Image.open(measured / f"results/tiny/figures/{name}.png") as picture:
            assert min(picture.size) > 300


def test_only_what_a_setting_concerns_runs_again(measured):
    assert measured.planned("evidence") == {}
    more = merged(measured.config, {"evidence": {"subsets": 65}})
    planned = measured.planned("evidence", config=more)
    assert "measure_effects" not in planned
    assert planned["measure_similarities"] == 2
    assert not {"compute_relevance", "score_relevance", "summarize_scores"} & set(planned)
    more = merged(measured.config, {"evidence": {"controls": 21}})
    planned = measured.planned("evidence", config=more)
    assert MEASURED & set(planned) == {"measure_effects"}
    more = merged(measured.config, {"bootstrap": {"resamples": 100}})
    assert not MEASURED & set(measured.planned("evidence", config=more))
