"""What maps cost comes from benchmark files, and no map is made again for want of one."""

import shutil

import pandas as pd
import pytest
from workflows import Run

pytestmark = pytest.mark.workflow

MAPS = "results/tiny/relevance/random-clip/gradient-attention/text_to_image/0001.parquet"


@pytest.fixture
def own(finished, tmp_path) -> Run:
    """A copy of the finished run, to change."""
    shutil.copytree(finished.folder, tmp_path / "run", symlinks=True)
    return Run(tmp_path / "run", finished.config)


def costs_of(run) -> pd.DataFrame:
    """Seconds and peak of the text-to-image maps, and of everything without maps."""
    summary = pd.read_csv(run / "results/tiny/summary.csv")
    return summary[["direction", "model", "prompt", "seconds_per_map", "peak_mb"]].drop_duplicates()


def test_a_run_from_nothing_reports_what_its_maps_cost(finished):
    costs = costs_of(finished)
    has_maps = costs["prompt"].isin(["matched", "unimodal"])
    assert costs.loc[~has_maps, ["seconds_per_map", "peak_mb"]].isna().all(axis=None)
    folder = finished / "benchmarks/tiny/compute_relevance/random-clip/gradient-attention"
    phrases = len(pd.read_parquet(finished / "results/tiny/phrases.parquet"))
    for direction in ("text_to_image", "image_to_text"):
        jobs = [pd.read_csv(path, sep="\t") for path in (folder / direction).iterdir()]
        jobs = pd.concat(jobs)
        rows = costs[has_maps & (costs["direction"] == direction)]
        assert len(jobs) == 3
        assert set(rows["prompt"]) == {"matched", "unimodal"}
        expected = jobs["s"].sum() / (2 * phrases)
        assert (rows["seconds_per_map"] - expected).abs().max() < 1e-6
        assert set(rows["peak_mb"]) == {round(jobs["max_rss"].max())}


def test_deleted_benchmark_files_empty_the_cost_and_rerun_no_map(own):
    shutil.rmtree(own / "benchmarks")
    planned = own.planned()
    assert set(planned) == {
        "summarize_scores", "plot_cost", "plot_scores", "plot_strict", "plot_slices",
        "plot_thresholds",
    }  # fmt: skip
    own.snakemake("results/tiny/figures/cost.png")
    assert costs_of(own)[["seconds_per_map", "peak_mb"]].isna().all(axis=None)
    assert own.planned("results/tiny/figures/cost.png") == {}


def test_one_deleted_benchmark_file_leaves_the_other_direction_its_cost(own):
    folder = own / "benchmarks/tiny/compute_relevance/random-clip/gradient-attention"
    (folder / "text_to_image/0001.tsv").unlink()
    assert "compute_relevance" not in own.planned()
    own.snakemake("results/tiny/summary.csv")
    known = costs_of(own).dropna(subset="seconds_per_map")
    assert set(known["direction"]) == {"image_to_text"}


def test_maps_that_are_made_again_refresh_their_cost(own):
    before = costs_of(own).dropna(subset="seconds_per_map").set_index(["direction", "prompt"])
    own.snakemake(MAPS, "--forcerun", "compute_relevance")
    assert own.planned("results/tiny/summary.csv") == {"summarize_scores": 1}
    own.snakemake("results/tiny/summary.csv")
    after = costs_of(own).dropna(subset="seconds_per_map").set_index(["direction", "prompt"])
    changed = before["seconds_per_map"] != after["seconds_per_map"]
    assert set(changed[changed].index.get_level_values("direction")) == {"text_to_image"}
