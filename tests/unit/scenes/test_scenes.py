"""Scenes: published formats, the same bytes every time, and none both trained on and evaluated."""

import json
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest

from clip_grounding.datasets.archives import open_images, open_panoptic
from clip_grounding.datasets.index import index_phrases
from clip_grounding.scenes.archive import CATEGORIES, write_dataset
from clip_grounding.scenes.compose import describe, draw_composition, is_evaluated
from clip_grounding.scenes.narrate import Piece, narrate, write_caption
from clip_grounding.scenes.render import render_scene, scene_generator

COUNT = 60
NAMES = ("images.zip", "panoptic.zip", "narratives.json")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    write_dataset(*(folder / name for name in NAMES), image_count=COUNT, seed=0, split="scenes")
    return folder


@pytest.fixture(scope="module")
def annotations(dataset):
    with open_panoptic(dataset / "panoptic.zip", "scenes") as panoptic:
        return panoptic.annotations()


@pytest.fixture(scope="module")
def narratives(dataset):
    return json.loads((dataset / "narratives.json").read_text())


def test_the_workflow_indexes_every_phrase_of_the_files(dataset, narratives):
    table, phrases = index_phrases(
        dataset / "narratives.json", dataset / "panoptic.zip", "scenes", COUNT
    )
    named = [len(p["segment_ids"]) for n in narratives for p in n["segments"] if p["segment_ids"]]
    assert len(table) == len(narratives)
    assert phrases["segment_ids"].map(len).tolist() == named
    assert set(phrases["is_thing"]) == set(phrases["is_plural"]) == {True, False}


def test_segments_are_those_of_the_png_with_their_areas_and_boxes(dataset, annotations):
    with open_panoptic(dataset / "panoptic.zip", "scenes") as panoptic:
        for record in annotations["annotations"]:
            ids = panoptic.segments(record["file_name"])
            found, areas = np.unique(ids[ids > 0], return_counts=True)
            segments = {segment["id"]: segment for segment in record["segments_info"]}
            assert sorted(segments) == found.tolist()
            for number, area in zip(found.tolist(), areas.tolist(), strict=True):
                left, top, width, height = segments[number]["bbox"]
                box = ids[top : top + height, left : left + width]
                assert segments[number]["area"] == area == (box == number).sum()


def test_segment_ids_need_all_three_bytes_of_a_pixel(annotations):
    ids = [s["id"] for record in annotations["annotations"] for s in record["segments_info"]]
    assert max(ids) > 2**23
    assert any(number % 256 for number in ids)


def test_images_match_their_records(dataset, annotations):
    ids = [record["id"] for record in annotations["images"]]
    assert ids == sorted(set(ids))
    assert len({(r["height"], r["width"]) for r in annotations["images"]}) > 3
    with open_images(dataset / "images.zip", "scenes") as images:
        for record in annotations["images"]:
            assert record["file_name"] == f"{record['id']:012d}.jpg"
            pixels = images.pixels(record["file_name"], record["height"], record["width"])
            assert pixels.shape == (record["height"], record["width"], 3)


def test_every_segment_has_a_category_and_some_pixels_are_void(dataset, annotations):
    known = {category["id"] for category in CATEGORIES}
    infos = [s for record in annotations["annotations"] for s in record["segments_info"]]
    assert {segment["category_id"] for segment in infos} <= known
    with open_panoptic(dataset / "panoptic.zip", "scenes") as panoptic:
        void = [(panoptic.segments(r["file_name"]) == 0).mean() for r in annotations["annotations"]]
    assert min(void) == 0
    assert 0 < max(void) < 0.2


def test_phrases_name_segments_of_their_own_image(annotations, narratives):
    segments = {
        record["image_id"]: {segment["id"] for segment in record["segments_info"]}
        for record in annotations["annotations"]
    }
    for narrative in narratives:
        for piece in narrative["segments"]:
            assert {int(s) for s in piece["segment_ids"]} <= segments[int(narrative["image_id"])]


def test_some_images_have_two_narratives_and_some_none(dataset, annotations, narratives):
    counts = [
        sum(narrative["image_id"] == str(record["id"]) for narrative in narratives)
        for record in annotations["images"]
    ]
    assert {0, 1, 2} == set(counts)


def test_narratives_repeat_phrases_for_the_same_and_words_for_other_segments(narratives):
    same, other = False, False
    for narrative in narratives:
        pieces = [piece for piece in narrative["segments"] if piece["segment_ids"]]
        for k, first in enumerate(pieces):
            for second in pieces[k + 1 :]:
                shared = set(first["utterance"].split()) & set(second["utterance"].split())
                same |= bool(shared) and first["segment_ids"] == second["segment_ids"]
                other |= bool(shared) and first["segment_ids"] != second["segment_ids"]
    assert same
    assert other


def test_a_phrase_may_name_things_of_several_groups():
    for index in range(40):
        rng = scene_generator(0, index)
        scene = render_scene(rng, evaluated=True)
        everything = tuple(number for ids in scene.thing_ids for number in ids)
        for piece in narrate(scene, rng):
            if len(scene.thing_ids) > 1 and set(piece.segment_ids) == set(everything):
                return
    pytest.fail("no narrative speaks of all things at once")


def test_captions_are_sentences():
    pieces = [Piece("here i can see"), Piece("sand", (1,)), Piece(". there is"), Piece("sea", (2,))]
    assert write_caption([*pieces, Piece(".")]) == "Here I can see sand. There is sea."


def test_the_same_settings_give_the_same_bytes(dataset, tmp_path):
    write_dataset(*(tmp_path / name for name in NAMES), image_count=COUNT, seed=0, split="scenes")
    for name in NAMES:
        assert (tmp_path / name).read_bytes() == (dataset / name).read_bytes()


def test_a_scene_does_not_depend_on_how_many_are_rendered(dataset, tmp_path):
    write_dataset(*(tmp_path / name for name in NAMES), image_count=3, seed=0, split="scenes")
    with ZipFile(dataset / "images.zip") as many, ZipFile(tmp_path / "images.zip") as few:
        assert few.namelist() == many.namelist()[:3]
        assert all(few.read(name) == many.read(name) for name in few.namelist())


def test_an_interrupted_rendering_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("clip_grounding.scenes.archive.render_scene", None)
    with pytest.raises(TypeError):
        write_dataset(*(tmp_path / name for name in NAMES), image_count=1, seed=0, split="scenes")
    assert list(tmp_path.iterdir()) == []


def test_no_composition_is_both_trained_on_and_evaluated():
    sides = {
        side: {describe(draw_composition(scene_generator(seed, k), side)) for k in range(500)}
        for seed, side in ((0, True), (0, False))
    }
    assert not sides[True] & sides[False]
    assert len(sides[True]) > 400


def test_a_composition_is_the_same_scene_in_any_order_and_place():
    composition = draw_composition(scene_generator(0, 0), evaluated=True)
    moved = replace(
        composition,
        above=composition.above[::-1],
        groups=tuple(
            replace(group, stuff=composition.below[0]) for group in composition.groups[::-1]
        ),
    )
    assert is_evaluated(moved)
    assert describe(moved) == describe(composition)


def test_things_are_whole_and_as_many_as_said():
    for index in range(30):
        scene = render_scene(scene_generator(1, index), evaluated=True)
        for group, ids in zip(scene.composition.groups, scene.thing_ids, strict=True):
            assert len(ids) == group.count
            assert all((scene.ids == number).sum() > 20 for number in ids)
