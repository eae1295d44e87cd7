"""Jobs refuse inputs that are not what their places say."""

import shutil
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest

from clip_grounding.errors import InputError
from clip_grounding.tables import MASKS, read_provenance, write_table
from clip_grounding.workflow import job as jobs

ROW = {"image_id": 1, "mask": 0, "segment_ids": [3], "height": 2, "width": 3, "counts": b"06"}
TABLE = pd.DataFrame([{**ROW, "area": 6}])


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start a job in an empty folder with those inputs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "start_log", lambda path, outputs: None)

    def start(*inputs, output="results/d/out.parquet"):
        params = {"spec": '{"dataset":"d"}', "code": "c0de"}
        snakemake = SimpleNamespace(
            rule="rasterize_masks",
            params=SimpleNamespace(**params, get=params.get),
            input=list(inputs),
            output=[output],
            log=["log"],
        )
        return jobs.start_job(snakemake)

    return start


def write(start, path, *inputs):
    start(*inputs, output=path).write_table(path, TABLE, MASKS)
    return path


def test_a_table_of_this_workflow_is_taken_with_its_identity(start):
    masks = write(start, "results/d/masks/0000.parquet")
    again = write(start, "results/d/scores/0000.parquet", masks)
    (identity,) = read_provenance(again)["stamp"]["inputs"].values()
    assert len(identity) == 32


def test_a_copy_of_another_table_is_refused_with_both_names(start):
    one = write(start, "results/d/masks/0000.parquet")
    other = write(start, "results/d/masks/0001.parquet")
    shutil.copy(one, other)
    with pytest.raises(InputError, match=f"{other}: a copy of {one}: delete it and rerun"):
        start(other)


def test_a_changed_table_is_refused(start):
    path = write(start, "results/d/masks/0000.parquet")
    table = pq.read_table(path)
    pq.write_table(table[:0], path)
    with pytest.raises(InputError, match="changed since it was written"):
        start(path)


def test_a_table_without_a_stamp_is_refused(start, tmp_path):
    write_table(tmp_path / "masks.parquet", TABLE, MASKS, {})
    with pytest.raises(InputError, match=r"masks.parquet: it does not say what made it"):
        start("masks.parquet")


def test_a_damaged_table_is_refused(start):
    path = write(start, "results/d/masks/0000.parquet")
    with open(path, "r+b") as file:
        file.truncate(300)
    with pytest.raises(InputError, match=r"0000.parquet: not a readable table"):
        start(path)
