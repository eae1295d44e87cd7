"""Extracted folders: images are read in place, and only as they were listed."""

import shutil

import numpy as np
import pytest
from PIL import Image

from clip_grounding.datasets.archives import open_images
from clip_grounding.datasets.folders import digest_images, image_root, link_folder, write_list
from clip_grounding.errors import InputError

MEMBERS = ["val2017/a.png", "val2017/sub/b.png"]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "coco" / "val2017"
    for number, member in enumerate(MEMBERS):
        file = root.parent / member
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((3, 4, 3), number, np.uint8)).save(file)
    (root / ".DS_Store").write_bytes(b"hidden")
    return root


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "images.json"


def list_folder(folder, path):
    link_folder(path, image_root(folder, "val2017"))
    digests = digest_images(folder, "val2017", path.with_name(".digests.json"))
    write_list(path, digests)
    return digests


@pytest.mark.parametrize("above", [False, True])
def test_images_are_read_from_the_folder_or_the_one_above(folder, path, above):
    digests = list_folder(folder.parent if above else folder, path)
    assert list(digests) == MEMBERS
    with open_images([str(path)], "val2017") as images:
        assert [images.pixels(name, 3, 4).max() for name in ("a.png", "sub/b.png")] == [0, 1]
        with pytest.raises(InputError, match=r"coco/val2017: has no image c\.png: put it there"):
            images.pixels("c.png", 3, 4)
        with pytest.raises(InputError, match=r"a\.png: is 4×3, its record says 5×3"):
            images.pixels("a.png", 3, 5)


def test_a_list_is_of_the_content_wherever_the_folder_lies(folder, path, tmp_path):
    before = list_folder(folder, path)
    written = path.read_bytes()
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    shutil.rmtree(folder)
    assert list_folder(moved, path) == before
    assert path.read_bytes() == written
    with open_images(str(path), "val2017") as images:
        assert images.pixels("sub/b.png", 3, 4).max() == 1


def test_an_image_that_has_changed_since_is_refused_until_it_is_listed_anew(folder, path):
    before = list_folder(folder, path)
    Image.fromarray(np.full((3, 4, 3), 9, np.uint8)).save(folder / "a.png")
    with (
        open_images(str(path), "val2017") as images,
        pytest.raises(InputError, match=r"a\.png: has changed since .*images\.json was made: rer"),
    ):
        images.pixels("a.png", 3, 4)
    assert list_folder(folder, path) != before
    with open_images(str(path), "val2017") as images:
        assert images.pixels("a.png", 3, 4).max() == 9


def test_an_image_that_is_gone_or_damaged_is_named(folder, path):
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:45])
    list_folder(folder, path)
    (folder / "sub" / "b.png").unlink()
    with open_images(str(path), "val2017") as images:
        with pytest.raises(InputError, match=r"val2017/a\.png: damaged .*: put the right image"):
            images.pixels("a.png", 3, 4)
        with pytest.raises(InputError, match=r"b\.png: not readable \(No such file"):
            images.pixels("sub/b.png", 3, 4)


def test_a_folder_that_is_gone_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone: not readable \(No such file"):
        digest_images(tmp_path / "gone", "val2017", tmp_path / "digests.json")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"images": 3}', b"{}"])
def test_a_list_that_is_none_is_refused(folder, path, content):
    list_folder(folder, path)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"images\.json: .*delete"):
        open_images(str(path), "val2017")


def test_a_list_without_its_folder_is_refused(folder, path):
    list_folder(folder, path)
    path.with_suffix(".folder").unlink()
    with pytest.raises(
        InputError, match=r"images\.json: not a readable list .*delete it and rerun"
    ):
        open_images(str(path), "val2017")
