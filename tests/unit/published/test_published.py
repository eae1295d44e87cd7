"""The published means stand beside the one experiment that they belong to, and no other."""

from pathlib import Path

import pytest
import yaml

from clip_grounding.published.means import is_published_dataset, published_mean
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
