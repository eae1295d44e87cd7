"""The evidence of a run: its tables, its charts, its gallery, and what reruns."""

import json
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from workflows import Run, copy_run, merged

from clip_grounding.evidence.draws import draw_images

pytestmark = pytest.mark.workflow

IMAGES = 7
CHARTS = ("evidence", "effects", "outcomes", "removal")
STATISTICS = ("summarize_scores", "compare_contenders", "rank_contenders")
OF_STATISTICS = ("heatmap", "cost", "scores", "strict", "differences", "slices", "thresholds")
"""Charts of the tables that have the evidence beside the scores."""

MEASURED = {"measure_effects", "measure_similarities", "measure_removal"}


@pytest.fixture(scope="module")
def measured(finished, tmp_path_factory) -> Run:
    """The evidence of one direction, on a sample of two shards of the finished run, as one part."""
    change = {
        "max_images": 10,
        "evaluate": {"directions": ["text_to_image"]},
        "evidence": {"images": IMAGES, "subsets": 64, "removal_images": 3},
    }
    folder = tmp_path_factory.mktemp("evidence") / "run"
    run = Run(copy_run(finished, folder).folder, merged(finished.config, change))
    run.snakemake()
    return run


def table_of(run, stage, attribution=""):
    folder = run / "results/tiny" / stage / "random-clip" / attribution / "text_to_image"
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])


def test_no_image_means_no_evidence(finished):
    assert finished.config["evidence"]["images"] == 0
    assert not list((finished / "results/tiny").glob("e*.csv"))
    refused = finished.snakemake("--dry-run", "evidence", check=False)
    assert refused.returncode
    assert "evidence: images is 0, so there is no evidence to measure" in refused.stdout


def test_a_run_measures_evidence_and_leaves_the_scores_alone(finished):
    planned = finished.planned(config=merged(finished.config, {"evidence": {"images": 100}}))
    assert planned == {
        "measure_effects": 2,  # all shards are one part
        "measure_similarities": 2,
        "measure_removal": 4,  # maps and random ones
        "score_ceilings": 2,
        "score_evidence": 7,  # constant ones, and the centre, of images
        "collect_evidence": 1,
        "summarize_evidence": 1,
        **dict.fromkeys(STATISTICS, 1),
        **{f"plot_{chart}": 1 for chart in (*CHARTS, *OF_STATISTICS)},
        "build_gallery": 1,
    }


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


def test_the_main_tables_have_the_evidence(measured):
    results = measured / "results/tiny"
    evidence = pd.read_csv(results / "evidence.csv", keep_default_na=False)
    summary = pd.read_csv(results / "summary.csv", keep_default_na=False)
    keys = [*evidence.columns[: evidence.columns.get_loc("level") + 1]]
    summary = summary[summary["average"] == "phrase"]
    both = evidence.merge(summary, on=keys, validate="one_to_one")
    assert set(both["metric"]) == {
        "ap", "necessity", "sufficiency", "faithfulness", "faithfulness_margin", "srg",
        "localisation",
    }  # fmt: skip
    measures = both[both["metric"] != "ap"]  # which has other images there
    for column in ("n_phrases", "n_images", "mean", "ci_low", "ci_high"):
        assert (measures[f"{column}_x"] == measures[f"{column}_y"]).all()
    rankings = pd.read_csv(results / "rankings.csv")
    assert {"effects", "evidence"} < set(rankings["protocol"])
    comparisons = pd.read_csv(results / "comparisons.csv", keep_default_na=False)
    srg = comparisons[comparisons["metric"] == "srg"]
    assert {"unimodal", "mismatched", "none"} <= set(srg["reference_prompt"])
    coverage = pd.read_csv(results / "coverage.csv", keep_default_na=False)
    drawn = len(
        pd.read_parquet(results / "effects.parquet").drop_duplicates(["narrative", "phrase"])
    )
    counted = coverage[coverage["protocol"].isin(["effects", "evidence"])]
    assert set(counted.loc[counted["outcome"] == "all", "n_phrases"]) == {drawn}


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
    for name in CHARTS:
        with Image.open(measured / f"results/tiny/figures/{name}.png") as picture:
            assert min(picture.size) > 300


def test_the_report_has_the_tables_and_charts(measured, tmp_path):
    measured.snakemake("--report", tmp_path / "report.zip")
    with ZipFile(tmp_path / "report.zip") as archive:
        page = archive.read("report/report.html").decode()
    paths = [
        *(f"results/tiny/{name}.csv" for name in ("evidence", "outcomes", "removal")),
        *(f"results/tiny/figures/{chart}.{kind}" for chart in CHARTS for kind in ("pdf", "png")),
    ]
    for path in paths:
        assert f'"{path}": ' in page, path


def test_the_gallery_shows_the_outcomes_and_curves_of_the_tables(measured):
    folder = measured / "results/tiny/gallery/files"
    (index,) = read_data(folder / "index.js")
    _, images = read_data(folder / "images-000.js")
    packed = {number: own for image in images for number, own in image["items"].items()}
    outcomes = table_of(measured, "outcomes", "gradient-attention")
    removal = table_of(measured, "removal", "gradient-attention")
    keys = ["narrative", "phrase", "prompt"]
    outcomes, removal = outcomes.set_index(keys), removal.set_index(keys)
    drawn, with_curves = 0, 0
    for number, item in enumerate(index["items"]):
        key = (item["narrative"], item["phrase"], "matched")
        assert ("outcomes" in item) == (key in outcomes.index)
        if "outcomes" not in item:
            continue
        drawn += 1
        expected = outcomes.loc[key, "outcome"]
        assert item["outcomes"] == [expected if isinstance(expected, str) else None]
        (pair,) = packed[str(number)]["pairs"]
        assert ("matched" in pair["evidence"]["curves"]) == (key in removal.index)
        if key in removal.index:
            with_curves += 1
            lerf = pair["evidence"]["curves"]["matched"][1]
            np.testing.assert_allclose(lerf[1:], removal.loc[key, "lerf"], atol=0.006)
    assert 0 < with_curves < drawn < len(index["items"])


def read_data(path):
    """The JSON arguments of a data script's call."""
    text = path.read_text(encoding="ascii")
    return json.loads(f"[{text[text.index('(') + 1 : text.rindex(')')]}]")


def test_only_what_a_setting_concerns_runs_again(measured):
    assert measured.planned() == {}
    more = merged(measured.config, {"evidence": {"subsets": 65}})
    planned = measured.planned(config=more)
    assert "measure_effects" not in planned
    assert planned["measure_similarities"] == 1
    assert not {"compute_relevance", "score_relevance", "collect_scores"} & set(planned)
    more = merged(measured.config, {"evidence": {"controls": 21}})
    planned = measured.planned(config=more)
    assert MEASURED & set(planned) == {"measure_effects"}
    more = merged(measured.config, {"bootstrap": {"resamples": 100}})
    assert not MEASURED & set(measured.planned(config=more))
