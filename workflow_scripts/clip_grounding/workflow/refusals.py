"""Report what a run asks of methods and models that they cannot do, before any job starts."""

import math
from collections.abc import Iterator
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.models.config import ModelConfig, read_model_config
from clip_grounding.models.families import FAMILIES
from clip_grounding.workflow.contenders import evaluated_models, explained_directions
from clip_grounding.workflow.contracts import why_refused
from clip_grounding.workflow.places import is_local_folder

_MOST_SHARDS = 100_000


def find_refused(config: dict) -> Iterator[str]:
    """Report methods that cannot explain what is asked of them, with the reason."""
    models = {name: config["models"][name] for name in evaluated_models(config, config["dataset"])}
    image_count = config["datasets"][config["dataset"]]["image_count"]
    used = min(image_count, config["max_images"] or image_count)
    if (shards := math.ceil(used / config["images_per_shard"])) > _MOST_SHARDS:
        yield (
            f"images_per_shard: {used:,} images would be {shards:,} jobs of each kind; allowed: at"
            f" most {_MOST_SHARDS:,}; raise it or lower max_images"
        )
    shapes = {}
    for name, model in models.items():
        try:
            shapes[name] = _shape_of(model)
        except InputError as error:
            yield f"models.{name}.checkpoint: {error}"
            return
    for name in config["evaluate"]["attributions"]:
        attribution = config["attributions"][name]
        directions = explained_directions(config, name)
        if not directions:
            yield (
                f"attributions.{name}.directions: none of them is evaluated; add one to"
                " evaluate.directions or take the attribution out of evaluate.attributions"
            )
        for direction in directions:
            if reason := why_refused(attribution, direction, None):
                others = [other for other in directions if other != direction]
                remedy = f"write directions: [{', '.join(others)}]" if others else "leave it out"
                yield (
                    f"attributions.{name}: {attribution['kind']} cannot explain {direction}:"
                    f" {reason}; {remedy}"
                )
                continue
            for model, (family, shape) in shapes.items():
                if reason := why_refused(attribution, direction, family):
                    yield (
                        f"attributions.{name}: {attribution['kind']} cannot explain {model}, a"
                        f" {family} model: {reason}; leave one of the two out"
                    )
                layers = attribution.get("layers")
                if shape and isinstance(layers, int) and layers > shape.layers(direction):
                    yield (
                        f"attributions.{name}.layers: {layers} given; {model} has"
                        f" {shape.layers(direction)} in the tower that {direction} explains"
                    )


def _shape_of(model: dict) -> tuple[str | None, ModelConfig | None]:
    """Return the family and shape of a model, as far as known before it is fetched."""
    if "train" in model:
        return "clip", None
    checkpoint = model["checkpoint"]
    if not is_local_folder(checkpoint):
        words = ((name, family.hub_word) for name, family in FAMILIES.items())
        told = (name for name, word in words if word and word in checkpoint.lower())
        return next(told, None), None
    folder = Path(checkpoint)
    if not (folder / "config.json").is_file():
        return None, None  # fetching it says what is missing
    shape = read_model_config(folder)
    return shape.family, shape
