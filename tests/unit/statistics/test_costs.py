"""Costs: what relevance tables recorded, by contender and device, beside its rows alone."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from score_tables import MATCHED, MISMATCHED, RANDOM, UNIMODAL, phrase_keys, phrase_tables
from score_tables import score_table as scores_of

from clip_grounding.errors import InputError
from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.costs import COSTS, add_costs, read_costs
from clip_grounding.statistics.summary import summarize

CPU = {"processor": "cpu", "device": "Xeon", "threads": 4, "peak_mb": 500.4, "peak_gpu_mb": None}
GPU = {**CPU, "processor": "gpu", "device": "H100", "cpu_seconds": None, "peak_gpu_mb": 900.6}


def record(maps, cpu_seconds, **changes):
    own = {**CPU, "maps": maps, "wall_seconds": 9 * cpu_seconds, "cpu_seconds": cpu_seconds}
    return {**own, **changes}


def on_gpu(maps, wall_seconds, **changes):
    return {**GPU, "maps": maps, "wall_seconds": wall_seconds, **changes}


def tables(folder, records, contender="m/a/text_to_image"):
    """A relevance table per record, one without a record for None."""
    paths = [folder / "relevance" / contender / f"{i:04d}.parquet" for i in range(len(records))]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for path, own in zip(paths, records, strict=True):
        table = pa.table({"narrative": [1]})
        if own is not None:
            table = table.replace_schema_metadata({"cost": json.dumps(own)})
        pq.write_table(table, path)
    return paths


def cost_of(folder, *records):
    (cost,) = read_costs(tables(folder, records)).to_dict("records")
    return cost


def test_of_a_cpu_its_seconds_count_and_every_map_weighs_the_same(tmp_path):
    cost = cost_of(tmp_path, record(30, 1.5), record(10, 4.5, peak_mb=812.5))
    assert pd.isna(cost.pop("peak_gpu_mb"))
    assert cost == {
        "direction": "text_to_image", "model": "m", "attribution": "a",
        "seconds_per_map": 6 / 40, "processor": "cpu", "device": "Xeon", "threads": 4,
        "timed_maps": 40, "untimed_tables": 0, "peak_mb": 812,
    }  # fmt: skip


def test_of_a_gpu_the_time_until_it_has_finished_counts(tmp_path):
    cost = cost_of(tmp_path, on_gpu(8, 1.0), on_gpu(8, 3.0))
    assert cost["seconds_per_map"] == 4 / 16
    assert (cost["processor"], cost["device"], cost["peak_gpu_mb"]) == ("gpu", "H100", 901)


@pytest.mark.parametrize(
    "other",
    [on_gpu(10, 90), record(10, 90, device="EPYC"), record(10, 90, threads=1)],
    ids=["gpu", "processor", "threads"],
)
def test_jobs_on_different_devices_are_not_averaged(tmp_path, other):
    cost = cost_of(tmp_path, {**other, "peak_mb": 9e9}, record(8, 2.0), record(8, 2.0))
    assert cost["seconds_per_map"] == 0.25
    assert (cost["device"], cost["threads"], cost["timed_maps"]) == ("Xeon", 4, 16)
    assert cost["peak_mb"] == 500


def test_old_tables_have_no_cost_and_are_counted(tmp_path, capsys):
    cost = cost_of(tmp_path, None, record(10, 4.0), None)
    assert (cost["seconds_per_map"], cost["timed_maps"], cost["untimed_tables"]) == (0.4, 10, 2)
    assert capsys.readouterr().out.startswith("2 of 3 relevance tables are of a version that")
    cost = cost_of(tmp_path / "old", None, None)
    assert cost["untimed_tables"] == 2
    assert all(pd.isna(cost[name]) for name in COSTS if name != "untimed_tables")


def test_a_shard_without_phrases_costs_nothing(tmp_path):
    assert cost_of(tmp_path, record(0, 0.0), record(4, 1.0))["seconds_per_map"] == 0.25
    assert np.isnan(cost_of(tmp_path / "all", record(0, 0.0))["seconds_per_map"])


def test_contenders_and_directions_are_kept_apart(tmp_path):
    names = ["m/a/text_to_image", "m/a/image_to_text", "m/b/text_to_image", "n/a/text_to_image"]
    paths = [tables(tmp_path, [record(1, i)], name)[0] for i, name in enumerate(names)]
    costs = read_costs(paths).set_index(["model", "attribution", "direction"])["seconds_per_map"]
    assert {"/".join(key): seconds for key, seconds in costs.items()} == dict(
        zip(names, range(4), strict=True)
    )


@pytest.mark.parametrize("content", [b"PAR1 and nothing", None])
def test_a_damaged_or_missing_table_is_refused_by_name(tmp_path, content):
    (path,) = tables(tmp_path, [None])
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=r"0000\.parquet: .*rerun|0000\.parquet: .*missing"):
        read_costs([path])


def summary_of(*contenders):
    keys = phrase_keys(8)
    scores = scores_of(keys, contenders)
    return summarize(scores, *phrase_tables(keys), Bootstrap(5, 0.9, seed=0))


def test_the_cost_of_a_map_stands_beside_the_two_prompts_that_have_maps(tmp_path):
    summary = summary_of(MATCHED, UNIMODAL, MISMATCHED, RANDOM)
    costed = add_costs(summary, read_costs(tables(tmp_path, [record(12, 3.0)])))
    expected = summary["prompt"].isin(["matched", "unimodal"]) & (
        summary["direction"] == "text_to_image"
    )
    assert 0 < expected.sum() < len(summary)
    for name in COSTS[:-1]:
        assert (costed[name].notna() == expected).all(), name
    assert set(costed.loc[expected, "seconds_per_map"]) == {0.25}
    pd.testing.assert_frame_equal(costed[summary.columns], summary)


def test_whole_numbers_and_missing_costs_are_written_as_such(tmp_path):
    summary = summary_of(MATCHED, RANDOM)
    costed = add_costs(summary, read_costs(tables(tmp_path, [record(12, 3.0), None])))
    head, *lines = costed.to_csv(index=False, float_format="%.6f").splitlines()
    assert head.endswith("," + ",".join(COSTS))
    assert {",".join(line.split(",")[-len(COSTS) :]) for line in lines} == {
        "0.250000,cpu,Xeon,4,12,1,500,", "," * (len(COSTS) - 1)
    }  # fmt: skip
