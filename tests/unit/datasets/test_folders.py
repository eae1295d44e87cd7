"""Extracted folders: images are read in place, and only as they were listed."""

import os

import numpy as np
import pytest
from PIL import Image

from clip_grounding.datasets.archives import open_images
from clip_grounding.datasets.folders import describe_folder, list_images
from clip_grounding.errors import InputError

MEMBERS = ["val2017/a.png", "val2017/sub/b.png"]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "coco" / "val2017"
    for number, member in enumerate(MEMBERS):
        file = root.parent / member
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((3, 4, 3), number, np.uint8)).save(file)
    return root


@pytest.mark.parametrize("above", [False, True])
def test_images_are_read_from_the_folder_or_the_one_above(folder, tmp_path, above):
    path = tmp_path / "lists" / "000.json"
    list_images(folder.parent if above else folder, "val2017", MEMBERS, path)
    with open_images([str(path)], "val2017") as images:
        assert [images.pixels(name, 3, 4).max() for name in ("a.png", "sub/b.png")] == [0, 1]
        with pytest.raises(InputError, match=r"000\.json: does not list val2017/c\.png"):
            images.pixels("c.png", 3, 4)
        with pytest.raises(InputError, match=r"a\.png.* is 4×3, its record says 5×3"):
            images.pixels("a.png", 3, 5)


def test_lists_of_several_shards_are_opened_together(folder, tmp_path):
    paths = [str(tmp_path / f"{number}.json") for number in range(2)]
    for path, member in zip(paths, MEMBERS, strict=True):
        list_images(folder, "val2017", [member], path)
    with open_images(paths, "val2017") as images:
        assert [images.pixels(name, 3, 4).max() for name in ("a.png", "sub/b.png")] == [0, 1]


def test_a_missing_image_is_named_when_the_list_is_made(folder, tmp_path):
    path = tmp_path / "000.json"
    with pytest.raises(InputError, match=r"val2017/c\.png: not readable \(No such file"):
        list_images(folder, "val2017", ["val2017/c.png"], path)
    assert not path.exists()


def test_an_image_that_has_changed_since_is_refused_until_it_is_listed_anew(folder, tmp_path):
    path = tmp_path / "000.json"
    list_images(folder, "val2017", MEMBERS, path)
    Image.fromarray(np.full((3, 4, 3), 9, np.uint8)).save(folder / "a.png")
    with (
        open_images(str(path), "val2017") as images,
        pytest.raises(InputError, match=r"a\.png: has changed since .*000\.json was made: rerun"),
    ):
        images.pixels("a.png", 3, 4)
    list_images(folder, "val2017", MEMBERS, path)
    with open_images(str(path), "val2017") as images:
        assert images.pixels("a.png", 3, 4).max() == 9


def test_a_damaged_image_is_named(folder, tmp_path):
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:45])
    list_images(folder, "val2017", MEMBERS, tmp_path / "000.json")
    with (
        open_images(str(tmp_path / "000.json"), "val2017") as images,
        pytest.raises(InputError, match=r"val2017/a\.png: damaged .*: put the right image there"),
    ):
        images.pixels("a.png", 3, 4)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"folder": 1}', b'{"folder": "a", "images": 3}'])
def test_a_list_that_is_none_is_refused(tmp_path, content):
    path = tmp_path / "000.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"000\.json: .*rerun"):
        open_images(str(path), "val2017")


def test_a_folder_is_described_by_names_sizes_and_times(folder):
    seen = [describe_folder(folder)]
    assert seen[0] == describe_folder(str(folder))
    os.utime(folder / "sub" / "b.png", (1, 1))
    seen.append(describe_folder(folder))
    (folder / "sub" / "b.png").write_bytes(b"x")
    os.utime(folder / "sub" / "b.png", (1, 1))
    seen.append(describe_folder(folder))
    (folder / "c.png").touch()
    seen.append(describe_folder(folder))
    assert len(set(seen)) == 4
