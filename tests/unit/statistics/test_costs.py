"""Costs: what benchmark files say, added up per contender and put beside its rows alone."""

import numpy as np
import pandas as pd
import pytest
from score_tables import (
    MATCHED,
    MISMATCHED,
    RANDOM,
    UNIMODAL,
    phrase_keys,
    phrase_tables,
    score_table,
)

from clip_grounding.scoring.images import COLLECTED_SCORES
from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.costs import add_costs, count_maps, read_costs
from clip_grounding.statistics.summary import summarize
from clip_grounding.tables import write_table

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(folder, shard, seconds, peak, contender="m/a/text_to_image"):
    path = folder / "compute_relevance" / contender / f"{shard:04d}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rest = "\t".join([str(peak)] * 7)
    path.write_text(f"{HEAD}{seconds}\t0:00:04\t{rest}\t3.88\n")
    return path


def cost_of(paths):
    (cost,) = read_costs(paths).to_dict("records")
    return cost


def test_seconds_add_up_over_shards_and_the_peak_is_the_highest(tmp_path):
    paths = [benchmark(tmp_path, 0, 4.5, 496.02), benchmark(tmp_path, 1, 10.25, 812.5)]
    assert cost_of(paths) == {
        "direction": "text_to_image", "model": "m", "attribution": "a",
        "seconds": 14.75, "peak_mb": 812.5,
    }  # fmt: skip


@pytest.mark.parametrize("cell", ["NA", "-"])
def test_a_job_too_short_for_a_sample_has_seconds_and_no_peak(tmp_path, cell):
    short, long = benchmark(tmp_path, 0, 0.3, cell), benchmark(tmp_path, 1, 4, 500)
    assert np.isnan(cost_of([short])["peak_mb"])
    assert cost_of([short])["seconds"] == 0.3
    assert cost_of([short, long])["peak_mb"] == 500


def test_seconds_are_missing_where_a_shard_s_are(tmp_path):
    paths = [benchmark(tmp_path, 0, "-", 500), benchmark(tmp_path, 1, 4, 500)]
    assert np.isnan(cost_of(paths)["seconds"])


def test_contenders_and_directions_are_kept_apart(tmp_path):
    names = ["m/a/text_to_image", "m/a/image_to_text", "m/b/text_to_image", "n/a/text_to_image"]
    paths = [benchmark(tmp_path, 0, i, 500, name) for i, name in enumerate(names)]
    costs = read_costs(paths).set_index(["model", "attribution", "direction"])["seconds"]
    assert {"/".join(key): seconds for key, seconds in costs.items()} == dict(
        zip(names, range(4), strict=True)
    )


def test_the_cost_of_a_map_stands_beside_the_two_prompts_that_have_maps(tmp_path):
    keys = phrase_keys(8)
    scores = score_table(keys, [MATCHED, UNIMODAL, MISMATCHED, RANDOM])
    write_table(tmp_path / "scores.parquet", scores, COLLECTED_SCORES, {})
    maps = count_maps(tmp_path / "scores.parquet")
    assert set(maps["n_maps"]) == {2 * len(keys)}
    assert len(maps) == 2
    summary = summarize(scores, *phrase_tables(keys), Bootstrap(5, 0.9, seed=0))
    costs = read_costs([benchmark(tmp_path, 0, 3, 700.4)])
    costed = add_costs(summary, costs, maps)
    has_cost = costed["seconds_per_map"].notna()
    assert set(costed.loc[has_cost, "prompt"]) == {"matched", "unimodal"}
    assert set(costed.loc[has_cost, "direction"]) == {"text_to_image"}
    assert set(costed.loc[has_cost, "seconds_per_map"]) == {3 / (2 * len(keys))}
    assert set(costed.loc[has_cost, "peak_mb"]) == {700}
    expected = summary["prompt"].isin(["matched", "unimodal"]) & (
        summary["direction"] == "text_to_image"
    )
    assert (has_cost == expected).all()
    assert (costed["peak_mb"].notna() == has_cost).all()
    pd.testing.assert_frame_equal(costed[summary.columns], summary)


def test_without_benchmark_files_all_costs_are_empty_cells(tmp_path):
    keys = phrase_keys(4)
    scores = score_table(keys, [MATCHED, RANDOM])
    write_table(tmp_path / "scores.parquet", scores, COLLECTED_SCORES, {})
    summary = summarize(scores, *phrase_tables(keys), Bootstrap(5, 0.9, seed=0))
    costed = add_costs(summary, read_costs([]), count_maps(tmp_path / "scores.parquet"))
    lines = costed.to_csv(index=False).splitlines()
    assert lines[0].endswith(",seconds_per_map,peak_mb")
    assert all(line.endswith(",,") for line in lines[1:])
