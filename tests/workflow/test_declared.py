"""Jobs read what they declare, and nothing else of the run's folder.

Every job's Python tells which files it opens. pyarrow opens its own: its readers are wrapped.
"""

import json
from base64 import b64decode
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from workflows import Run

pytestmark = pytest.mark.workflow

# Read when Python starts. A job is known by its log, which it opens for writing before it works;
# by then it has imported what it needs.
LISTEN = """
import os, sys

here = os.environ["LISTENED"]

def note(path, flags=os.O_RDONLY):
    if isinstance(path, (str, bytes, os.PathLike)) and not os.path.isdir(path):
        how = "r" if flags & os.O_ACCMODE == os.O_RDONLY else "w"
        with open(os.path.join(here, f"{os.getpid()}.txt"), "a") as file:
            file.write(how + os.path.abspath(os.fsdecode(path)) + "\\n")

def wrap(module, name):
    function = getattr(module, name)
    def opening(source, *arguments, **named):
        note(source)
        return function(source, *arguments, **named)
    setattr(module, name, opening)

def listen(event, arguments, state={"inside": False, "wrapped": False}):
    if event != "open" or state["inside"]:
        return
    state["inside"] = True
    note(arguments[0], arguments[2])
    if not state["wrapped"] and str(arguments[0]).endswith(".log"):
        parquet = sys.modules.get("pyarrow.parquet")
        for name in ("read_table", "read_schema", "ParquetFile") if parquet else ():
            wrap(parquet, name)
        state["wrapped"] = True
    state["inside"] = False

if os.environ.get("LISTENED") and "/.snakemake/scripts/" in " ".join(sys.orig_argv):
    sys.addaudithook(listen)
"""


@pytest.fixture(scope="module")
def listened(tmp_path_factory, checkpoint):
    """Of every job of a run, by its log, the files that it declares and those that it opened."""
    folder = tmp_path_factory.mktemp("listened")
    run, notes = Run(folder / "run", small_config(checkpoint)), folder / "notes"
    for path in (run.folder, notes, folder / "hook"):
        path.mkdir()
    (folder / "hook/sitecustomize.py").write_text(LISTEN)
    environment = {"PYTHONPATH": str(folder / "hook"), "LISTENED": str(notes)}
    replace(run, environment=environment).snakemake()
    declared, outputs = read_records(run)
    opened = dict(read_notes(path, run.folder) for path in notes.iterdir())
    return declared, {log: paths - outputs[log] for log, paths in opened.items()}


def small_config(checkpoint):
    dataset = {"kind": "scenes", "image_count": 4, "seed": 9, "models": ["random-clip"]}
    return {
        "dataset": "tiny",
        "datasets": {"tiny": dataset},
        "models": {"random-clip": {"checkpoint": str(checkpoint)}},
        "images_per_shard": 2,
        "bootstrap": {"resamples": 50},
        "figures": {"examples": 2},
        "gallery": {"items": 4},
        "evidence": {"subsets": 64},
    }


def read_records(run):
    """Inputs and outputs by log, as Snakemake recorded them."""
    declared, outputs = {}, defaultdict(set)
    for path in (run / ".snakemake/metadata").rglob("*"):
        if path.is_file():
            record = json.loads(path.read_text())
            (log,) = record["log"]
            declared[log] = set(record["input"])
            name = "".join(path.relative_to(run / ".snakemake/metadata").parts)
            outputs[log].add(b64decode(name.replace("@", "")).decode())
    return declared, outputs


def read_notes(path, folder):
    """The log that a job wrote, and the run's files that it read but did not write itself."""
    files = {"r": set(), "w": set()}
    for line in path.read_text().splitlines():
        opened = Path(line[1:])
        if opened.is_relative_to(folder):
            own = opened.relative_to(folder)
            if not any(part.startswith(".") for part in own.parts):  # temporary, or a memory
                files[line[0]].add(own)
    (log,) = {str(path) for path in files["w"] if path.parts[0] == "logs"}
    return log, {
        # a checkpoint is declared by its manifest
        f"{path.parent}/manifest.json" if path.is_relative_to("data/models") else str(path)
        for path in files["r"] - files["w"]
        if path.parts[0] in ("data", "results", "benchmarks")
    }


def test_every_job_was_heard(listened):
    declared, opened = listened
    assert set(opened) == set(declared)
    assert len(declared) > 40
    assert sum(map(len, opened.values())) > 100


def test_a_job_opens_every_input_that_it_declares(listened):
    declared, opened = listened
    unread = {log: paths - opened[log] for log, paths in declared.items()}
    assert {log: paths for log, paths in unread.items() if paths} == {}


def test_a_job_opens_nothing_that_it_does_not_declare(listened):
    declared, opened = listened
    more = {log: paths - declared[log] for log, paths in opened.items()}
    assert {log: paths for log, paths in more.items() if paths} == {}
