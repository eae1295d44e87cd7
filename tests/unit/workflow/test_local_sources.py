"""Files of this machine: known by content, and followed to where they have moved."""

import json
import os
import shutil
import zipfile

import pytest

from clip_grounding.errors import InputError
from clip_grounding.workflow.local_sources import (
    check_image_count,
    describe_source,
    follow_file,
    follow_folder,
)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "data/.digests.json"


@pytest.fixture
def linked(tmp_path):
    """A source and the workflow's link to it, of an earlier day."""
    source, link = tmp_path / "old/images.zip", tmp_path / "data/ds/images.zip"
    for path in (source, link):
        path.parent.mkdir(parents=True)
    source.write_text("content")
    link.symlink_to(source)
    os.utime(link, (10**9, 10**9), follow_symlinks=False)
    return source, link


def test_the_same_content_elsewhere_is_described_the_same(tmp_path, linked, cache):
    source, _ = linked
    copy = shutil.copyfile(source, tmp_path / "copy.zip")
    described = [
        describe_source({"url": [str(path)], "size": None}, cache) for path in (source, copy)
    ]
    assert described[0] == described[1]
    copy.write_text("CONTENT")
    os.utime(copy, (0, 0))
    assert describe_source({"url": [str(copy)], "size": None}, cache) != described[0]


def test_servers_are_described_by_their_urls_and_a_later_mirror_not_at_all(linked, cache):
    source, _ = linked
    server = {"url": ["http://server/images.zip"], "sha256": "0"}
    assert describe_source(server, cache) == server
    mirrored = {**server, "url": [*server["url"], str(source)]}
    assert describe_source(mirrored, cache) == server
    assert not cache.exists()


def test_a_link_follows_its_moved_source_and_keeps_its_time(tmp_path, linked, cache):
    source, link = linked
    moved = source.rename(tmp_path / "images.zip")
    follow_file(link, moved, cache)
    assert link.readlink() == moved
    assert link.lstat().st_mtime == 10**9


def test_a_link_follows_a_copy_but_not_another_content(tmp_path, linked, cache):
    source, link = linked
    other = tmp_path / "images.zip"
    other.write_text("CONTENT")
    follow_file(link, other, cache)
    assert link.readlink() == source
    shutil.copyfile(source, other)
    follow_file(link, other, cache)
    assert link.readlink() == other


def test_what_is_no_link_or_has_no_source_stays(tmp_path, linked, cache):
    source, link = linked
    follow_file(source, link, cache)
    assert source.read_text() == "content"
    follow_file(link, tmp_path / "none.zip", cache)
    assert link.readlink() == source


def test_a_checkpoints_links_follow_and_its_own_files_stay(tmp_path, linked, cache):
    source, link = linked
    (link.parent / "manifest.json").write_text("{}")
    record = {"checkpoint": str(source.parent), "revision": None, "files": {}}
    (link.parent / ".manifest.json").write_text(json.dumps(record))
    moved = source.parent.rename(tmp_path / "new")
    follow_folder(link.parent, moved, cache)
    assert link.read_text() == "content"
    assert (link.parent / "manifest.json").read_text() == "{}"
    follow_folder(tmp_path / "none", moved, cache)


def archive(path, count):
    with zipfile.ZipFile(path, "w") as out:
        images = [{"id": number} for number in range(count)]
        out.writestr("annotations/panoptic_val2017.json", json.dumps({"images": images}))
    return {"split": "val2017", "image_count": 3, "panoptic": {"url": [str(path)]}}


def test_an_image_count_that_the_archive_contradicts_is_refused(tmp_path, cache):
    counts = cache.with_name("counts.json")
    path = tmp_path / "panoptic.zip"
    dataset = archive(path, 3)
    check_image_count("ds", dataset, cache, counts)
    before = counts.read_bytes()
    check_image_count("ds", dataset, cache, counts)
    assert counts.read_bytes() == before
    message = rf"datasets\.ds\.image_count: 3 given, but {path}/.* lists 5 images: set it to 5"
    with pytest.raises(InputError, match=message):
        check_image_count("ds", archive(path, 5), cache, counts)


@pytest.mark.parametrize("broken", [b"no zip", None])
def test_an_unsound_or_distant_archive_is_left_to_its_job(tmp_path, cache, broken):
    counts = cache.with_name("counts.json")
    dataset = archive(tmp_path / "panoptic.zip", 5)
    if broken is None:
        dataset["panoptic"]["url"].insert(0, "http://server/panoptic.zip")
    else:
        (tmp_path / "panoptic.zip").write_bytes(broken)
    check_image_count("ds", dataset, cache, counts)
    assert not counts.exists()


@pytest.mark.parametrize("damaged", ["", "[]", "[", '{"a/b": 1}'])
def test_a_damaged_memory_of_counts_is_made_anew(tmp_path, cache, damaged):
    counts = cache.with_name("counts.json")
    counts.parent.mkdir()
    counts.write_text(damaged)
    with pytest.raises(InputError, match="lists 5 images"):
        check_image_count("ds", archive(tmp_path / "panoptic.zip", 5), cache, counts)
    assert 5 in json.loads(counts.read_text()).values()
