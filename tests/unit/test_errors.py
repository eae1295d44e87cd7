"""A job that lacks room, permission or memory ends with one sentence and no part of a file."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from clip_grounding.errors import InputError, describe_exhaustion

LIBRARY = Path(__file__).parents[2] / "workflow_scripts"
BEGIN = """
from clip_grounding.logs import start_log
start_log("logs/job.log", ["results/d/scores.parquet"])
"""
WRITE = f"""{BEGIN}
import numpy as np
import pandas as pd
from clip_grounding.tables import MASKS, write_table
row = {{"image_id": 1, "mask": 0, "segment_ids": [3], "height": 2, "width": 3, "area": 6}}
counts = [np.random.default_rng(number).bytes(1000) for number in range(1000)]
masks = pd.DataFrame([{{**row, "counts": own}} for own in counts])
write_table("results/d/scores.parquet", masks, MASKS, {{}})
"""


def end(folder: Path, script: str, *limits, environment=None) -> tuple[str, str]:
    """Run a script like a job, under limits; return what its log and its terminal say."""

    def restrict():
        for kind, value in limits:
            resource.setrlimit(kind, (value, value))

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(LIBRARY), **(environment or {})},
        preexec_fn=restrict,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 120)  # 120: Python could not flush a full terminal
    log = folder / "logs/job.log"
    return log.read_text() if log.is_file() else "", done.stderr


def test_a_table_beyond_the_largest_file_is_one_sentence_and_no_file(tmp_path):
    log, _ = end(tmp_path, WRITE, (resource.RLIMIT_FSIZE, 100_000))
    assert log.count("\n") == 1
    assert "results/d/scores.parquet: cannot be written (File too large" in log
    assert "ulimit -f" in log
    assert list((tmp_path / "results/d").iterdir()) == []


def test_an_import_without_enough_memory_is_one_sentence():
    script = """
snakemake = object()  # as in a rule's script
from clip_grounding import errors
raise ImportError("libtorch_cpu.so: failed to map segment from shared object")
"""
    _, terminal = end(Path(), script)
    assert terminal.startswith("error: too little memory (libtorch_cpu.so")
    assert terminal.count("\n") == 1


def test_only_a_rules_script_changes_how_python_ends():
    _, terminal = end(Path(), "from clip_grounding import errors\nraise MemoryError")
    assert "Traceback" in terminal


def test_too_little_memory_is_one_sentence(tmp_path):
    log, _ = end(tmp_path, f"{BEGIN}\nbytearray(2**50)")
    assert log.startswith("error: too little memory (MemoryError)")
    assert "--cores or batch_size" in log
    assert log.count("\n") == 1


def test_the_reason_is_on_the_terminal_if_the_log_cannot_be_written(tmp_path):
    script = f"{BEGIN}\nimport sys\nsys.stderr.close(); sys.stderr = open('/dev/full', 'w')\n"
    _, terminal = end(
        tmp_path,
        f"{script}from clip_grounding.errors import InputError\nraise InputError('a.zip: gone')",
    )
    assert terminal == "error: a.zip: gone\n"


def test_a_log_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "logs").symlink_to("/proc/nothing")
    _, terminal = end(tmp_path, f"snakemake = object()\n{BEGIN}")
    assert "Traceback" not in terminal
    assert terminal.startswith("error: ")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device): make room in"),
        (errno.EDQUOT, "Disk quota exceeded): make room in"),
        (errno.EFBIG, "raise the limit on the size of files"),
        (errno.EROFS, "Read-only file system): check that"),
        (errno.EACCES, "Permission denied: allow it to be used"),
    ],
)
def test_each_reason_names_the_folder_and_the_remedy(tmp_path, number, remedy):
    output = tmp_path / "results/d/scores.parquet"
    output.parent.mkdir(parents=True)
    for error in (
        OSError(number, os.strerror(number)),
        OSError(number, os.strerror(number), str(output)),
    ):
        sentence = describe_exhaustion(error, [str(output)])
        assert sentence is not None
        assert remedy in sentence
        if number in (errno.ENOSPC, errno.EDQUOT):
            assert "bytes are free" in sentence
        if number != errno.EFBIG and error.filename:
            assert str(output.parent) in sentence


def test_another_error_keeps_its_traceback(tmp_path):
    log, _ = end(tmp_path, f"{BEGIN}\n{{}}['key']")
    assert "Traceback" in log
    assert "KeyError: 'key'" in log


def test_a_damaged_file_that_may_be_whole_says_both(tmp_path):
    script = f"""{BEGIN}
from clip_grounding.errors import InputError
try:
    raise MemoryError("realloc of size 20 failed")
except MemoryError as error:
    raise InputError("a.parquet: not a readable table: delete it and rerun") from error
"""
    log, _ = end(tmp_path, script)
    first, second = log.splitlines()
    assert first == "error: a.parquet: not a readable table: delete it and rerun"
    assert second.startswith("If that file is whole: too little memory")


def test_a_threads_lack_is_named():
    for text in ("can't start new thread", "Failed to launch worker thread 1"):
        assert "no thread could be started" in describe_exhaustion(RuntimeError(text))
    assert describe_exhaustion(InputError("a.zip: gone")) is None
