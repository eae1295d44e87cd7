"""What would end in a traceback later is said before anything is planned."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clip_grounding.errors import InputError
from clip_grounding.workflow.surroundings import check_surroundings

LIBRARY = Path(__file__).parents[3] / "workflow_scripts"
CHECK = """
import resource, sys
from pathlib import Path
from clip_grounding.errors import InputError
from clip_grounding.workflow.surroundings import check_surroundings
for kind, limit in zip((resource.RLIMIT_FSIZE, resource.RLIMIT_AS), sys.argv[1:], strict=True):
    resource.setrlimit(kind, (int(limit), resource.RLIM_INFINITY))
try:
    check_surroundings(Path("/somewhere"))
except InputError as error:
    print(ascii(str(error)))
"""


def check(folder, largest=10**9, addresses=-1, **environment) -> str:
    """Check in a process of its own, with the largest file and address space in bytes."""
    return subprocess.run(
        [sys.executable, "-c", CHECK, str(largest), str(addresses)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(LIBRARY), **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def test_a_usual_folder_is_accepted_and_left_as_it_is(tmp_path):
    (tmp_path / "results").mkdir()
    assert check(tmp_path) == ""
    assert [path.name for path in tmp_path.rglob("*")] == ["results"]


def test_a_folder_for_temporary_files_without_room_is_named(tmp_path):
    said = check(tmp_path, 1000, TMPDIR=str(tmp_path))
    assert f"{tmp_path}/temporary files: cannot be written (File too large)" in said


def test_a_missing_folder_for_temporary_files_is_named(tmp_path):
    said = check(tmp_path, TMPDIR=str(tmp_path / "gone"))
    assert f"{tmp_path / 'gone'}: TMPDIR names this folder, which does not exist" in said


def test_too_few_addresses_are_refused_because_libraries_would_hang(tmp_path):
    assert "only 1.0 GB of addresses here (ulimit -v)" in check(tmp_path, addresses=2**30)
    assert check(tmp_path, addresses=2**33) == ""


def test_a_locale_that_spells_paths_otherwise_is_refused(tmp_path):
    said = check(tmp_path, LC_ALL="C", PYTHONUTF8="0")
    assert "as ascii here" in said
    assert check(tmp_path, LC_ALL="C", PYTHONUTF8="1") == ""


def test_a_repository_whose_path_has_braces_is_refused():
    with pytest.raises(InputError, match=r"clone \{2\}: Snakemake takes braces .*: rename"):
        check_surroundings(Path("/home/clone {2}"))
