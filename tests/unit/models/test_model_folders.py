"""A model's folder: whatever the workflow did not write there survives, and is named."""

import os
from pathlib import Path

import pytest

from clip_grounding.errors import InputError
from clip_grounding.models.folders import (
    MANIFEST,
    NOTE,
    RECORD,
    clear_folder,
    finish_part,
    part_of,
    refuse_foreign_manifest,
    refuse_overlap,
    start_part,
)


def fill(folder, files, revision="abc", checkpoint="owner/clip"):
    part = start_part(folder, checkpoint)
    for name, text in files.items():
        (part / name).write_text(text)
    finish_part(folder, checkpoint, revision)


def contents(folder):
    own = {MANIFEST, RECORD}
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in own
    }


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models" / "mine"
    fill(folder, {"config.json": "{}", "weights": "old"})
    return folder


def test_a_folder_that_the_workflow_made_is_made_anew(folder):
    fill(folder, {"config.json": "[]"})
    assert contents(folder) == {"config.json": "[]"}
    assert os.listdir(folder.parent) == ["mine"]


@pytest.mark.parametrize("name", ["notes.txt", "original/weights", ".hidden"])
def test_files_of_somebodys_are_named_and_stay(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("mine")
    before = contents(folder)
    with pytest.raises(InputError, match=f"{folder}: holds {Path(name).parts[0]}, which"):
        start_part(folder, "owner/clip")
    assert contents(folder) == before
    assert not part_of(folder).exists()


def test_moving_the_files_away_is_a_remedy(folder, tmp_path):
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="move what you need of this folder elsewhere"):
        fill(folder, {"weights": "new"})
    (folder / "notes.txt").rename(tmp_path / "notes.txt")
    fill(folder, {"weights": "new"})
    assert contents(folder) == {"weights": "new"}


def test_files_that_appear_while_the_folder_is_made_stay(folder):
    part = start_part(folder, "owner/clip")
    (part / "weights").write_text("new")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes.txt, which the workflow did not write"):
        finish_part(folder, "owner/clip", "abc")
    assert contents(folder) == {"config.json": "{}", "weights": "old", "notes.txt": "mine"}


def test_a_folder_without_a_record_stays(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "weights").write_text("mine")
    (folder / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"holds config.json and 1 more, which the workflow did"):
        start_part(folder, "owner/clip")
    assert contents(folder) == {"config.json": "{}", "weights": "mine"}


def test_own_weights_in_the_place_of_a_link_stay(tmp_path):
    folder, source = tmp_path / "mine", tmp_path / "source"
    source.write_text("theirs")
    part = start_part(folder, "source")
    (part / "weights").symlink_to(source)
    finish_part(folder, "source", None)
    (folder / "weights").unlink()
    (folder / "weights").write_text("mine")
    with pytest.raises(InputError, match="holds weights, which the workflow did not write"):
        start_part(folder, "source")
    assert (folder / "weights").read_text() == "mine"


def test_links_are_removed_and_what_they_point_at_stays(tmp_path):
    folder, source = tmp_path / "mine", tmp_path / "source"
    source.write_text("theirs")
    part = start_part(folder, "source")
    (part / "weights").symlink_to(source)
    finish_part(folder, "source", None)
    fill(folder, {"config.json": "{}"})
    assert contents(folder) == {"config.json": "{}"}
    assert source.read_text() == "theirs"


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "weights").write_text("mine")
    (tmp_path / "mine").symlink_to("own")
    with pytest.raises(InputError, match=r"mine: is a link to own, .* remove the link"):
        start_part(tmp_path / "mine", "owner/clip")
    assert contents(tmp_path / "own") == {"weights": "mine"}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(InputError, match="which the workflow did not write"):
        start_part(tmp_path / "mine", "owner/clip")
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_somebody_has_under_the_parts_name_stays(tmp_path, kind):
    part = part_of(tmp_path / "mine")
    if kind == "folder":
        part.mkdir()
        (part / "weights").write_text("mine")
    elif kind == "file":
        part.write_text("mine")
    else:
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / NOTE).write_text("owner/clip")
        part.symlink_to("own")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="which the workflow did not write"):
        start_part(tmp_path / "mine", "owner/clip")
    assert contents(tmp_path) == before


def test_a_part_of_the_same_origin_is_resumed_and_of_another_dropped(tmp_path):
    part = start_part(tmp_path / "mine", "owner/clip")
    (part / "weights").write_text("half")
    assert contents(start_part(tmp_path / "mine", "owner/clip", resume=True)) == {
        NOTE: "owner/clip",
        "weights": "half",
    }
    assert contents(start_part(tmp_path / "mine", "other", resume=True)) == {NOTE: "other"}


def test_a_record_that_names_other_folders_removes_nothing_there(folder, tmp_path):
    (tmp_path / "precious").write_text("mine")
    record = (folder / RECORD).read_text().replace('"weights"', '"../../precious"')
    (folder / RECORD).write_text(record)
    assert "weights" in clear_folder(folder)
    assert (tmp_path / "precious").exists()
    assert (folder / "weights").exists()


def test_a_kill_at_any_removal_leaves_a_folder_that_is_made_anew(folder, monkeypatch):
    unlink = Path.unlink
    for survivors in range(3):
        removed = []

        def killed(path, *args, removed=removed, limit=survivors, **kwargs):
            if path.parent == folder and len(removed) == limit:
                raise KeyboardInterrupt
            removed.append(path)
            unlink(path, *args, **kwargs)

        monkeypatch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            clear_folder(folder)
        monkeypatch.setattr(Path, "unlink", unlink)
        fill(folder, {"config.json": "{}", "weights": "new"})
        assert contents(folder) == {"config.json": "{}", "weights": "new"}


@pytest.mark.parametrize("text", ["{}", "no JSON", "[" * 100_000, '["files"]'])
def test_somebodys_manifest_is_refused_before_snakemake_deletes_it(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match=r"holds manifest.json, which the workflow did not"):
        refuse_foreign_manifest(tmp_path)


def test_the_workflows_own_manifest_passes(folder, tmp_path):
    refuse_foreign_manifest(folder)
    refuse_foreign_manifest(tmp_path / "absent")


def test_folders_that_overlap_are_refused_either_way_and_by_links(folder, tmp_path):
    original = folder / "original"
    original.mkdir()
    (tmp_path / "link").symlink_to(original)
    (tmp_path / "circle").symlink_to("circle")
    for source in (folder, original, folder.parent, tmp_path / "link", part_of(folder).parent):
        with pytest.raises(InputError, match=f"{source}: overlaps with {folder}"):
            refuse_overlap(source, folder)
    for source in (tmp_path / "elsewhere", tmp_path / "circle", folder.with_name("mine2")):
        refuse_overlap(source, folder)
