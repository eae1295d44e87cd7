"""The commands of everyday use work from any folder, and without a home of one's own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def make(folder, *arguments, **environment) -> str:
    return subprocess.run(
        ["make", "--file", ROOT / "Makefile", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


SHOW = ("--eval", 'show: ; @echo "$$XDG_CACHE_HOME"', "--silent", "show")


def test_a_home_that_cannot_be_written_to_is_replaced_for_caches(tmp_path):
    (tmp_path / "home").write_text("a file")
    without = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": ""}
    assert make(tmp_path, *SHOW, **without).strip() == f"{tmp_path}/.snakemake/caches"
    chosen = str(tmp_path / "caches")
    assert make(tmp_path, *SHOW, XDG_CACHE_HOME=chosen).strip() == chosen


def test_a_folder_with_spaces_and_other_letters_is_no_hindrance(tmp_path):
    folder = tmp_path / "my clone für CLIP"
    folder.mkdir()
    (folder / ".venv/bin").mkdir(parents=True)
    program = folder / ".venv/bin/snakemake"
    program.write_text('#!/bin/sh\necho "ran with $# arguments"\n')
    program.chmod(0o755)
    for name in ("requirements.txt", "constraints.txt", ".venv/.installed"):
        (folder / name).touch()
    assert "ran with 9 arguments" in make(folder, "demo", "CORES=1")
