"""Look up the poster's published means, which belong to a single experiment."""

from typing import Any

from clip_grounding.workflow.contenders import BASELINE, list_evaluations, list_pairs
from clip_grounding.workflow.contracts import method_of

PUBLISHED_MEANS = {
    "text_to_image": {"random": 0.276348, "unimodal": 0.431021, "matched": 0.491743},
    "image_to_text": {"random": 0.255715, "unimodal": 0.456981, "matched": 0.509899},
}
"""Poster score by direction and contender (Bagad, de Goede, Hilders 2022, per-phrase files)."""

_DATASET: dict[str, Any] = {"kind": "png", "split": "val2017", "image_count": 5000}
_CHECKPOINT = "openai/clip-vit-base-patch32"
_ATTRIBUTION = {"kind": "gradient_attention", "layers": "last"}


def is_published_dataset(dataset: dict, max_images: int | None) -> bool:
    """Return whether the validated dataset settings name all of PNG val2017."""
    complete = max_images is None or max_images >= _DATASET["image_count"]
    return complete and all(dataset.get(key) == value for key, value in _DATASET.items())


def published_mean(direction: str, prompt: str, attribution: dict, model: dict) -> float | None:
    """Return the published mean of a contender on PNG val2017, None where there is none.

    Parameters
    ----------
    direction : str
    prompt : str
        ``matched``, ``unimodal``, or the name of a baseline.
    attribution, model : dict
        Their validated settings; empty for a baseline.
    """
    is_poster = prompt == "random" or (
        attribution
        and method_of(attribution) == _ATTRIBUTION
        and model.get("checkpoint") == _CHECKPOINT
    )
    return PUBLISHED_MEANS[direction].get(prompt) if is_poster else None


def list_published_means(config: dict, dataset: str) -> list[list]:
    """List what has been published of the contenders that are evaluated on a dataset.

    Parameters
    ----------
    config : dict
        The validated settings.
    dataset : str

    Returns
    -------
    list of [direction, model, attribution, prompt, mean]
        Empty unless the dataset is all of PNG val2017.
    """
    if not is_published_dataset(config["datasets"][dataset], config["max_images"]):
        return []
    rows = []
    for model, attribution, direction in list_evaluations(config, dataset):
        prompts = ["none"] if model == BASELINE else ["matched", "unimodal"]
        for prompt in prompts:
            mean = published_mean(
                direction,
                attribution if model == BASELINE else prompt,
                config["attributions"].get(attribution, {}),
                config["models"].get(model, {}),
            )
            if mean is not None:
                rows.append([direction, model, attribution, prompt, mean])
    return rows


def choose_published_pair(config: dict, dataset: str) -> dict[str, str]:
    """Return the evaluated model and attribution that were published; else the first ones."""
    pairs = list_pairs(config, dataset)
    for model, attribution in pairs:
        settings = config["attributions"][attribution], config["models"][model]
        if published_mean("text_to_image", "matched", *settings) is not None:
            return {"model": model, "attribution": attribution}
    model, attribution = pairs[0]
    return {"model": model, "attribution": attribution}
