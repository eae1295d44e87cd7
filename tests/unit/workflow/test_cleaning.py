"""``make clean``: what Snakemake recorded as made goes, everything else stays and is listed."""

import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from clip_grounding.errors import InputError
from clip_grounding.gallery.page import ASSETS, list_files, write_page
from clip_grounding.models.folders import finish_part, start_part
from clip_grounding.workflow.cleaning import clean_folder

SCRIPT = Path(__file__).parents[3] / "workflow_scripts" / "clean.py"


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def record(root, *names, kind="metadata"):
    """Note outputs as Snakemake does: a long name in folders whose names begin with @."""
    for name in names:
        encoded = urlsafe_b64encode(name.encode()).decode()
        pieces = [encoded[start : start + 254] for start in range(0, len(encoded), 254)]
        path = Path(*[f"@{piece}" for piece in pieces[:-1]], pieces[-1])
        touch(root, Path(".snakemake") / kind / path)


def test_what_runs_made_goes_and_everything_else_stays(tmp_path):
    long = f"results/tiny/{'x' * 100}/{'y' * 100}/scores.parquet"
    made = ["results/tiny/summary.csv", "data/tiny/images.zip", long]
    own = ["results/tiny/notes.md", "data/tiny/downloads/val2017.zip", "results/README.md"]
    told = ["logs/tiny/score.log", "benchmarks/tiny/score.tsv", "benchmarks/performance.json"]
    touch(tmp_path, *made, *own, *told, "logs/mine.txt", "results/half.parquet")
    touch(tmp_path, "results/tiny/.summary.csv.123.part")
    record(tmp_path, *made)
    record(tmp_path, "results/half.parquet", kind="incomplete")
    left = [str(path) for path in clean_folder(tmp_path, list_files)]
    assert left == ["data/tiny/downloads/val2017.zip", "results/tiny/notes.md", "logs/mine.txt"]
    remaining = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert remaining == {*left, "results/README.md"}


def test_nothing_outside_data_and_results_goes_whatever_is_recorded(tmp_path):
    run = tmp_path / "run"
    names = ["../precious", "data/../../precious", "config.yaml", str(tmp_path / "precious")]
    touch(run, *names)
    record(run, *names)
    clean_folder(run, list_files)
    assert (tmp_path / "precious").exists()
    assert (run / "config.yaml").exists()


def test_a_link_goes_and_the_file_that_it_points_at_stays(tmp_path):
    touch(tmp_path, "own/images.zip", "own/folder/file", "data/tiny/x")
    (tmp_path / "data/tiny/images.zip").symlink_to(tmp_path / "own/images.zip")
    (tmp_path / "data/tiny/linked").symlink_to(tmp_path / "own/folder")
    record(tmp_path, "data/tiny/images.zip", "data/tiny/x")
    assert clean_folder(tmp_path, list_files) == [Path("data/tiny/linked")]
    assert (tmp_path / "own/images.zip").exists()
    assert (tmp_path / "own/folder/file").exists()


def test_of_a_models_folder_what_its_manifest_lists_goes(tmp_path):
    folder = tmp_path / "data/models/mine"
    (start_part(folder, "owner/clip") / "weights").write_text("theirs")
    finish_part(folder, "owner/clip", "abc")
    (start_part(folder.with_name("other"), "owner/other") / "weights").write_text("half")
    touch(tmp_path, "data/models/mine/notes.txt", "data/models/.digests.json")
    record(tmp_path, "data/models/mine/manifest.json")
    assert clean_folder(tmp_path, list_files) == [Path("data/models/mine/notes.txt")]
    assert sorted(path.name for path in (tmp_path / "data/models").iterdir()) == ["mine"]


def test_of_a_gallery_what_is_the_pages_goes(tmp_path):
    folder = tmp_path / "results/tiny/gallery"
    write_page(folder / "index.html", folder / "files", {}, [{"image": 1}])
    assert len(list((folder / "files").iterdir())) == len(list(ASSETS.iterdir())) + 1
    touch(tmp_path, "results/tiny/gallery/files/mine.js")
    record(tmp_path, "results/tiny/gallery/index.html", "results/tiny/gallery/files/index.js")
    assert clean_folder(tmp_path, list_files) == [Path("results/tiny/gallery/files/mine.js")]


def test_chunks_of_a_larger_gallery_go_and_files_of_somebodys_stay(tmp_path):
    page, files = tmp_path / "index.html", tmp_path / "files"
    write_page(page, files, {}, ({"image": number} for number in range(20)))
    touch(tmp_path, "files/images-mine.js", "files/notes.txt")
    assert (files / "images-001.js").exists()
    write_page(page, files, {}, [{"image": 1}])
    assert not (files / "images-001.js").exists()
    assert (files / "images-mine.js").exists()
    assert (files / "notes.txt").exists()


def test_a_folder_in_use_is_not_cleaned(tmp_path):
    touch(tmp_path, ".snakemake/locks/0.output.lock", "results/tiny/summary.csv")
    record(tmp_path, "results/tiny/summary.csv")
    with pytest.raises(InputError, match="snakemake --unlock"):
        clean_folder(tmp_path, list_files)
    assert (tmp_path / "results/tiny/summary.csv").exists()


def test_the_script_lists_what_is_left(tmp_path):
    touch(tmp_path, "results/notes.md")
    done = subprocess.run(
        [sys.executable, SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "  results/notes.md\n" in done.stdout
