"""Two runs in one folder: the second says whose the first is, and how to go on safely."""

import subprocess
import time

import pandas as pd
import psutil
import pytest
from workflows import copy_run

from clip_grounding.tables import read_table

pytestmark = pytest.mark.workflow


def test_a_second_run_names_the_first_and_following_it_helps(finished, tmp_path):
    finished = copy_run(finished, tmp_path / "run")
    target = "results/tiny/relevance/random-clip/gradient-attention/image_to_text/0000.parquet"
    right = read_table(finished / target)
    (finished / target).unlink()
    command, environment = finished.command(target)
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=-1)
    locks = finished / ".snakemake/locks"
    deadline = time.monotonic() + 120
    while not list(locks.glob("run-*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = finished.snakemake(target, check=False)
    children = psutil.Process(first.pid).children(recursive=True)
    for process in (first, *children):
        process.kill()
    first.communicate()
    assert second.returncode == 1
    assert f"process {first.pid}, which is running: wait for its end" in second.stdout
    assert "Traceback" not in second.stdout

    third = finished.snakemake(target, check=False)
    assert f"process {first.pid}, which was killed or lost to a power cut" in third.stdout
    assert "repeat the command with --unlock added" in third.stdout

    finished.snakemake(target, "--unlock")
    finished.snakemake(target)
    pd.testing.assert_frame_equal(read_table(finished / target), right)
    assert not locks.exists() or not list(locks.iterdir())
