import pytest

from clip_grounding.evidence.plan import (
    evidence_share,
    list_maps,
    list_measured,
    list_parts,
    list_removals,
    removal_share,
)
from clip_grounding.vocabulary import DIRECTIONS
from clip_grounding.workflow.shards import list_shards

CONFIG = {
    "max_images": None,
    "datasets": {"photographs": {"models": ["base"], "image_count": 5000}},
    "attributions": {"maskclip": {"directions": ["text_to_image"]}},
    "evaluate": {
        "models": None,
        "attributions": ["maskclip"],
        "directions": list(DIRECTIONS),
        "baselines": ["random", "empty"],
    },
}


def shares(images, removal_images, max_images=None):
    evidence = {"images": images, "removal_images": removal_images}
    config = {**CONFIG, "evidence": evidence, "max_images": max_images}
    return evidence_share(config, "photographs"), removal_share(config, "photographs")


@pytest.mark.parametrize(
    ("images", "removal_images", "expected"),
    [
        (None, None, (1.0, 1.0)),
        (1000, 250, (0.2, 0.05)),
        (500, 1000, (0.1, 0.1)),  # removal orders what has been measured
        (9000, None, (1.0, 1.0)),
        (None, 1000, (1.0, 0.2)),
    ],
)
def test_shares_are_of_the_whole_dataset_whatever_part_is_used(images, removal_images, expected):
    assert shares(images, removal_images) == expected
    assert shares(images, removal_images, max_images=10) == expected


def test_maps_that_know_nothing_are_held_against_every_model_where_they_are_defined():
    assert list_maps(CONFIG, "photographs") == [
        ["base", "maskclip", "text_to_image"],
        ["base", "random", "text_to_image"],
        ["base", "random", "image_to_text"],
        ["base", "center", "text_to_image"],
        ["base", "constant", "text_to_image"],
        ["base", "constant", "image_to_text"],
    ]


def test_of_maps_that_know_nothing_only_random_ones_order_what_is_taken_out():
    assert list_removals(CONFIG, "photographs") == [
        evaluation
        for evaluation in list_maps(CONFIG, "photographs")
        if evaluation[1] not in ("center", "constant")
    ]


def test_every_model_is_measured_once_in_every_direction():
    assert list_measured(CONFIG, "photographs") == [["base", name] for name in DIRECTIONS]


def test_parts_have_some_fifty_drawn_images_and_grow_as_shards_do():
    settings = {
        "datasets": {"data": {"image_count": 5000}},
        "images_per_shard": 500,
        "evidence": {"images": 100},
    }
    shards = list_shards(5000, 500, None)
    assert list_parts(settings, "data", shards) == {"0000": shards[:5], "0005": shards[5:]}
    fewer = list_shards(5000, 500, 3100)
    parts = list_parts(settings, "data", fewer)
    assert parts == {"0000": shards[:5], "0005": fewer[5:]}
    everything = settings | {"evidence": {"images": None}}
    assert list_parts(everything, "data", shards) == {shard.name: [shard] for shard in shards}
    nothing = settings | {"evidence": {"images": 0}}
    assert list_parts(nothing, "data", shards) == {"0000": shards}
