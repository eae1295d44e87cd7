import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_grounding.scoring.baselines import list_baselines
from clip_grounding.vocabulary import DIRECTIONS
from clip_grounding.workflow.contenders import (
    choose_shown_pair,
    evaluated_directions,
    group_directions,
    list_evaluations,
    list_explained,
    list_pairs,
)

ATTRIBUTIONS = {"rollout": None, "gradcam": None, "maskclip": ["text_to_image"]}
MODELS = ["base", "large"]


def settings(attributions, directions=DIRECTIONS, baselines=("random", "center"), models=MODELS):
    """What the contenders follow from, of validated settings."""
    return {
        "datasets": {"photographs": {"models": list(models)}},
        "attributions": {name: {"directions": own} for name, own in ATTRIBUTIONS.items()},
        "evaluate": {
            "models": None,
            "attributions": list(attributions),
            "directions": list(directions),
            "baselines": list(baselines),
        },
    }


def test_every_model_attribution_and_direction_is_listed_with_the_baselines_last():
    # maskclip explains images alone, and words have no centre
    assert list_evaluations(settings(["maskclip", "rollout"]), "photographs") == [
        ["base", "maskclip", "text_to_image"],
        ["base", "rollout", "text_to_image"],
        ["large", "maskclip", "text_to_image"],
        ["large", "rollout", "text_to_image"],
        ["baseline", "random", "text_to_image"],
        ["baseline", "center", "text_to_image"],
        ["base", "rollout", "image_to_text"],
        ["large", "rollout", "image_to_text"],
        ["baseline", "random", "image_to_text"],
    ]


configs = st.builds(
    settings,
    attributions=st.lists(st.sampled_from(list(ATTRIBUTIONS)), min_size=1, unique=True),
    directions=st.permutations(DIRECTIONS),
    baselines=st.lists(st.sampled_from(list_baselines()), unique=True),
    models=st.lists(st.sampled_from(MODELS), min_size=1, unique=True),
)


@given(config=configs)
def test_what_is_explained_and_the_baselines_are_all_that_is_evaluated(config):
    evaluated = config["evaluate"]
    evaluations = list_evaluations(config, "photographs")
    explained = list_explained(config, "photographs")
    rest = {(model, kind) for model, kind, _ in evaluations if model == "baseline"}
    assert rest == {("baseline", kind) for kind in evaluated["baselines"]}
    assert {(model, how) for model, how, _ in explained} == {
        (model, how)
        for model in config["datasets"]["photographs"]["models"]
        for how in evaluated["attributions"]
    }
    assert len(explained) + sum(model == "baseline" for model, *_ in evaluations) == len(
        set(map(tuple, evaluations))
    )
    order = [evaluated["directions"].index(direction) for *_, direction in evaluations]
    assert order == sorted(order)


@given(config=configs)
def test_every_pair_has_the_directions_that_it_explains(config):
    grouped = group_directions(config, "photographs")
    assert set(grouped) == set(list_pairs(config, "photographs"))
    for (_, attribution), own in grouped.items():
        assert own == evaluated_directions(config, attribution)


@pytest.mark.parametrize(
    ("attributions", "shown"),
    [
        (["rollout", "gradcam"], "rollout"),
        (["maskclip", "gradcam", "rollout"], "gradcam"),  # maskclip has one direction
    ],
)
def test_charts_with_room_for_one_show_the_first_with_most_directions(attributions, shown):
    assert choose_shown_pair(settings(attributions), "photographs") == {
        "model": "base",
        "attribution": shown,
    }


def test_charts_of_one_direction_show_the_first():
    config = settings(["maskclip", "gradcam"], directions=["text_to_image"])
    assert choose_shown_pair(config, "photographs")["attribution"] == "maskclip"
