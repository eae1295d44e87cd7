"""The published means stand beside the one experiment that they belong to, and no other."""

from pathlib import Path

import pytest
import yaml

from clip_grounding.published.means import (
    PUBLISHED_MEANS,
    choose_published_pair,
    is_published_dataset,
    list_published_means,
    published_mean,
)
from clip_grounding.workflow.config import validate_config

ROOT = Path(__file__).parents[3]
CONFIG = validate_config(
    yaml.safe_load((ROOT / "config.yaml").read_text()),
    ROOT / "rules" / "schemas" / "config.schema.yaml",
)
DATASETS, MODELS = CONFIG["datasets"], CONFIG["models"]
METHOD = CONFIG["attributions"]["gradient-attention"]


def test_the_default_config_is_the_published_experiment():
    assert is_published_dataset(DATASETS[CONFIG["dataset"]], CONFIG["max_images"])
    model = MODELS["openai-vit-b32"]
    assert published_mean("text_to_image", "matched", METHOD, model) == 0.491743
    assert published_mean("image_to_text", "unimodal", METHOD, model) == 0.456981
    assert published_mean("image_to_text", "random", {}, {}) == 0.255715


@pytest.mark.parametrize(
    ("attribution", "model"),
    [(METHOD, MODELS["openai-vit-b16"]), ({**METHOD, "layers": "all"}, MODELS["openai-vit-b32"])],
)
def test_another_model_or_method_has_no_published_mean(attribution, model):
    assert published_mean("text_to_image", "matched", attribution, model) is None
    assert published_mean("text_to_image", "mismatched", attribution, model) is None


def test_a_part_of_the_dataset_or_another_one_has_no_published_means():
    assert not is_published_dataset(DATASETS["png_val2017"], max_images=4999)
    assert is_published_dataset(DATASETS["png_val2017"], max_images=5000)
    assert not is_published_dataset(DATASETS["scenes"], None)


def test_the_empty_mask_has_no_published_mean():
    assert published_mean("text_to_image", "empty", {}, {}) is None


def with_evaluation(**evaluate):
    return {**CONFIG, "evaluate": {**CONFIG["evaluate"], **evaluate}}


def test_of_the_default_evaluation_every_published_mean_is_listed():
    rows = list_published_means(CONFIG, "png_val2017")
    assert {(direction, mean) for direction, *_, mean in rows} == {
        (direction, mean) for direction, means in PUBLISHED_MEANS.items() for mean in means.values()
    }
    assert ["text_to_image", "baseline", "random", "none", 0.276348] in rows
    method = ["openai-vit-b32", "gradient-attention"]
    assert ["image_to_text", *method, "unimodal", 0.456981] in rows


def test_beside_others_only_the_published_contender_has_published_means():
    config = with_evaluation(
        models=["openai-vit-b16", "openai-vit-b32"], attributions=["rollout", "gradient-attention"]
    )
    expected = list_published_means(CONFIG, "png_val2017")
    assert sorted(list_published_means(config, "png_val2017")) == sorted(expected)
    assert list_published_means({**config, "max_images": 4999}, "png_val2017") == []


def test_the_published_pair_is_compared_where_it_is_evaluated_or_else_the_first():
    attributions = ["rollout", "gradient-attention"]
    config = with_evaluation(models=["openai-vit-b16", "openai-vit-b32"], attributions=attributions)
    assert choose_published_pair(config, "png_val2017") == {
        "model": "openai-vit-b32",
        "attribution": "gradient-attention",
    }
    config = with_evaluation(models=["openai-vit-b16"], attributions=attributions)
    assert choose_published_pair(config, "png_val2017") == {
        "model": "openai-vit-b16",
        "attribution": "rollout",
    }
