"""A job that is killed leaves nothing that looks whole, and the next run carries on."""

import shutil
import signal
import subprocess
import threading
import time

import pandas as pd
import psutil
import pytest
from workflows import Run, copy_run

from clip_grounding.tables import read_table

pytestmark = pytest.mark.workflow


def kill_when_writing(run: Run, folder, seen: list) -> None:
    """SIGKILL the job that writes into `folder`, as soon as its temporary file is there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(folder.glob(".*.part")):
        time.sleep(0.02)
    for process in psutil.process_iter(["cmdline"]):
        if f"{run.folder}/.snakemake/scripts/" in " ".join(process.info["cmdline"] or []):
            seen.append(process.pid)
            process.kill()


def test_a_job_killed_while_writing_leaves_no_file_and_is_redone(finished):
    config = {
        **finished.config,
        "attributions": {"killed": {"kind": "gradient_attention", "layers": "all"}},
        "evaluate": {"attributions": ["killed"]},
    }
    target = "results/tiny/relevance/random-clip/killed/image_to_text/0001.parquet"
    folder = (finished / target).parent
    killed = []
    killer = threading.Thread(target=kill_when_writing, args=(finished, folder, killed))
    killer.start()
    done = finished.snakemake(target, config=config, check=False)
    killer.join()
    assert killed
    assert done.returncode != 0
    assert not (finished / target).exists()

    finished.snakemake(target, config=config)
    assert (finished / target).exists()
    assert [path.name for path in folder.iterdir()] == ["0001.parquet"]
    assert finished.planned(target, config=config) == {}


def test_an_interrupted_launcher_ends_its_jobs_and_the_next_run_goes_on(finished):
    """Ctrl-C: Snakemake waits for what runs, and nothing has to be unlocked."""
    config = {
        **finished.config,
        "attributions": {"stopped": {"kind": "gradient_attention", "layers": 2}},
        "evaluate": {"attributions": ["stopped"]},
    }
    target = "results/tiny/relevance/random-clip/stopped/text_to_image/0001.parquet"
    launcher = threading.Thread(
        target=lambda: finished.snakemake(target, config=config, check=False)
    )
    launcher.start()
    deadline = time.monotonic() + 60
    parents = []
    while time.monotonic() < deadline and not parents:
        parents = [
            process
            for process in psutil.process_iter(["cmdline"])
            if str(finished / "overlay.yaml") in (process.info["cmdline"] or [])
            and process.children(recursive=True)
        ]
        time.sleep(0.05)
    parents[0].send_signal(signal.SIGINT)
    launcher.join()
    finished.snakemake(target, config=config)
    assert (finished / target).exists()


def test_a_memory_that_is_removed_in_mid_run_is_one_sentence_and_no_loss(finished, tmp_path):
    finished = copy_run(finished, tmp_path / "run")
    target = "results/tiny/relevance/random-clip/gradient-attention/text_to_image/0002.parquet"
    right = read_table(finished / target)
    (finished / target).unlink()
    command, environment = finished.command(target)
    run = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    memory = finished / ".snakemake"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(memory.glob("scripts/*compute_relevance.py")):
        time.sleep(0.05)
    shutil.rmtree(memory, ignore_errors=True)
    said, _ = run.communicate()
    if run.returncode:  # it may have been done with it
        assert "removed while this run needed it: run again" in said
    assert "Traceback" not in said
    finished.snakemake(target)
    pd.testing.assert_frame_equal(read_table(finished / target), right)
