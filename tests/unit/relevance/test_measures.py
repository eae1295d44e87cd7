"""What a job measures of itself: the attribution's calls, and nothing around them."""

import multiprocessing
import os
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from clip_grounding.errors import InputError
from clip_grounding.models.towers import Tower
from clip_grounding.relevance import job, measures
from clip_grounding.tables import RELEVANCE, read_cost, read_provenance, write_table

CPU = torch.device("cpu")
FORK = multiprocessing.get_context("fork")
SCHEMA = pa.schema([("narrative", pa.int32())])


def burn(seconds):
    """Use the CPU for that long, however many others do."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def explain(attribute, n_targets=3):
    """Call the method as a job does, on one item of two content tokens."""
    content = torch.ones(1, 2, dtype=torch.bool)
    tower = SimpleNamespace(content=lambda _: content)
    clip = SimpleNamespace(device=CPU)
    explainer = job.Explainer(clip, None, None, attribute, None)
    return explainer._explain(tower, torch.zeros(1), [torch.zeros(n_targets, 4)])


def burning(clip, tower: Tower, inputs, targets, items):
    burn(0.2)
    time.sleep(0.3)
    return torch.zeros(len(items), 2)


def test_the_calls_of_the_method_are_timed_and_nothing_around_them(tmp_path):
    measures.start_measuring(CPU, 7)

    def frames():
        burn(0.4)  # as reading images does
        for _ in range(2):
            explain(burning)
            burn(0.4)
        yield pd.DataFrame({"narrative": [1, 2]})

    write_table(tmp_path / "t.parquet", frames(), SCHEMA, {"seed": 1})
    cost = read_cost(tmp_path / "t.parquet")
    assert 0.4 <= cost["cpu_seconds"] < 0.6
    assert cost["wall_seconds"] >= 0.99  # no more is known beside other jobs
    assert (cost["maps"], cost["threads"], cost["processor"]) == (6, 7, "cpu")
    assert cost["device"]
    assert cost["peak_mb"] > 50
    assert cost["peak_gpu_mb"] is None
    assert "cost" not in read_provenance(tmp_path / "t.parquet")


def measure_work(conn):
    """Send the CPU and wall-clock seconds of a fixed piece of work."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    meter = measures._Meter(CPU, 1)
    meter.begin()
    sum(i * i for i in range(5_000_000))
    meter.end(1)
    conn.send((meter.record()["cpu_seconds"], meter.record()["wall_seconds"]))


def run_beside(count):
    """CPU and wall-clock seconds of jobs that share one core."""
    pipes = [FORK.Pipe() for _ in range(count)]
    jobs = [FORK.Process(target=measure_work, args=(end,)) for _, end in pipes]
    for one in jobs:
        one.start()
    return np.array([own.recv() for own, _ in pipes]).T


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot share a core on purpose")
def test_jobs_side_by_side_on_one_core_cost_no_more_cpu_time():
    (alone,), _ = run_beside(1)
    cpu, wall = run_beside(4)
    assert (cpu < 2 * alone).all()
    assert wall.max() > 2 * cpu.max()


def test_a_call_that_fails_is_not_counted(tmp_path):
    def failing(*_):
        burn(0.3)
        raise InputError("out of memory")

    measures.start_measuring(CPU, 1)
    with pytest.raises(InputError):
        explain(failing)
    explain(burning)
    write_table(tmp_path / "t.parquet", pd.DataFrame({"narrative": [1]}), SCHEMA, {})
    cost = read_cost(tmp_path / "t.parquet")
    assert 0.2 <= cost["cpu_seconds"] < 0.3
    assert cost["maps"] == 3


def test_a_table_of_a_job_that_measures_nothing_has_no_cost(tmp_path):
    for _ in range(2):
        measures.start_measuring(CPU, 1)
        write_table(tmp_path / "a.parquet", pd.DataFrame({"narrative": [1]}), SCHEMA, {})
        write_table(tmp_path / "b.parquet", pd.DataFrame({"narrative": [1]}), SCHEMA, {})
    assert read_cost(tmp_path / "a.parquet")["maps"] == 0
    assert read_cost(tmp_path / "b.parquet") is None


def test_a_gpu_is_waited_for_before_and_after_a_call(tmp_path, monkeypatch):
    waits = []
    fake = SimpleNamespace(
        synchronize=lambda device: (waits.append(device), time.sleep(0.1)),
        reset_peak_memory_stats=lambda device: None,
        max_memory_allocated=lambda device: 3 * 2**20,
        get_device_name=lambda device: "H100",
    )
    monkeypatch.setattr(torch, "cuda", fake)
    gpu = SimpleNamespace(type="cuda")
    measures.start_measuring(gpu, 4)
    measures.begin_attribution()
    measures.end_attribution([1, 2])
    write_table(tmp_path / "t.parquet", pd.DataFrame({"narrative": [1]}), SCHEMA, {})
    cost = read_cost(tmp_path / "t.parquet")
    assert waits == [gpu, gpu]
    assert cost["wall_seconds"] >= 0.1  # the wait at the end; that at the start is not its own
    assert cost["cpu_seconds"] is None
    assert (cost["processor"], cost["device"], cost["peak_gpu_mb"]) == ("gpu", "H100", 3.0)


@pytest.mark.parametrize("direction", ["text_to_image", "image_to_text"])
def test_a_job_counts_each_computed_map_once(small, direction, tmp_path):
    rows = small.relevance(direction)
    write_table(tmp_path / "t.parquet", rows, RELEVANCE[direction], {})
    cost = read_cost(tmp_path / "t.parquet")
    if direction == "text_to_image":
        texts = small.phrases.groupby("image_id")["utterance"].nunique()
        expected = (texts + 1).sum()
    else:
        expected = (small.phrases.groupby("narrative")["mask"].nunique() + 1).sum()
    assert cost["maps"] == expected
    assert cost["cpu_seconds"] > 0
