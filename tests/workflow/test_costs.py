"""What maps cost comes from their tables, and no map is made again for want of it."""

import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest
from workflows import Run

from clip_grounding.footers import CONTENTS
from clip_grounding.tables import read_cost

pytestmark = pytest.mark.workflow

METHOD = "results/tiny/relevance/random-clip/gradient-attention"


@pytest.fixture
def own(finished, tmp_path) -> Run:
    """A copy of the finished run, to change."""
    shutil.copytree(finished.folder, tmp_path / "run", symlinks=True)
    return Run(tmp_path / "run", finished.config)


def costs_of(run) -> pd.DataFrame:
    summary = pd.read_csv(run / "results/tiny/summary.csv")
    columns = ["seconds_per_map", "timed_maps", "untimed_tables", "peak_mb"]
    return summary[["direction", "prompt", *columns]].drop_duplicates()


def test_a_run_from_nothing_reports_what_its_maps_cost(finished):
    costs = costs_of(finished)
    has_maps = costs["prompt"].isin(["matched", "unimodal"])
    assert costs.loc[~has_maps, ["seconds_per_map", "peak_mb"]].isna().all(axis=None)
    for direction in ("text_to_image", "image_to_text"):
        jobs = [read_cost(path) for path in (finished / METHOD / direction).iterdir()]
        jobs = pd.DataFrame(jobs)
        rows = costs[has_maps & (costs["direction"] == direction)]
        assert len(jobs) == 3
        assert set(rows["prompt"]) == {"matched", "unimodal"}
        expected = jobs["cpu_seconds"].sum() / jobs["maps"].sum()
        assert (rows["seconds_per_map"] - expected).abs().max() < 1e-6
        assert set(rows["timed_maps"]) == {jobs["maps"].sum()}
        assert set(rows["untimed_tables"]) == {0}


def test_costs_do_not_depend_on_benchmark_files(own):
    shutil.rmtree(own / "benchmarks")
    assert own.planned() == {}


def test_tables_without_a_record_have_no_cost_and_no_map_is_made_again(own):
    for path in (own / METHOD / "text_to_image").iterdir():
        table = pq.read_table(path, partitioning=None)
        contents = pq.read_metadata(path).metadata[CONTENTS.encode()]
        with pq.ParquetWriter(path, table.schema, write_page_checksum=True) as out:
            out.write_table(table)
            out.add_key_value_metadata({CONTENTS: contents})
        assert read_cost(path) is None
    assert "compute_relevance" not in own.planned()
    own.snakemake("results/tiny/summary.csv", "--forcerun", "summarize_scores")
    costs = costs_of(own).query("prompt == 'matched'").set_index("direction")
    assert costs["seconds_per_map"].isna().to_dict() == {
        "text_to_image": True, "image_to_text": False,
    }  # fmt: skip
    assert costs["untimed_tables"].to_dict() == {"text_to_image": 3, "image_to_text": 0}
