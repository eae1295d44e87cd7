"""What the evidence is measured of: the maps, their controls, and the share of the images.

All of it follows from the validated settings, as the contenders do.
"""

import math

from clip_grounding.vocabulary import CONTROLS
from clip_grounding.workflow.contenders import evaluated_models, list_explained
from clip_grounding.workflow.shards import Shard

IMAGES_PER_JOB = 50
"""About so many drawn images are worth a job, which loads the model first."""


def list_parts(config: dict, dataset: str, shards: list[Shard]) -> dict[str, list[Shard]]:
    """Group consecutive shards into parts that have about `IMAGES_PER_JOB` drawn images each.

    As shards do, full parts stay as they are when `max_images` is raised.

    Returns
    -------
    dict of str to list of Shard
        By the name of a part, which is that of its first shard.
    """
    drawn = evidence_share(config, dataset) * config["images_per_shard"]
    size = math.ceil(IMAGES_PER_JOB / drawn) if drawn else len(shards)
    return {
        shards[start].name: shards[start : start + size] for start in range(0, len(shards), size)
    }


def evidence_share(config: dict, dataset: str) -> float:
    """Return the share of a dataset's images that the evidence is measured on.

    It is a share of the whole dataset, so that another `max_images` changes no draw.
    """
    return share_of(config, dataset, config["evidence"]["images"])


def removal_share(config: dict, dataset: str) -> float:
    """Return the share of the images whose maps are measured by removal; a part of the others."""
    images = config["evidence"]["removal_images"]
    return min(evidence_share(config, dataset), share_of(config, dataset, images))


def list_maps(config: dict, dataset: str) -> list[list[str]]:
    """List the maps that are held against the model, those that know nothing last.

    Parameters
    ----------
    config : dict
        The validated settings.
    dataset : str

    Returns
    -------
    list of [model, attribution, direction]
    """
    controls = [
        [model, control, direction]
        for model in evaluated_models(config, dataset)
        for control, defined in CONTROLS.items()
        for direction in config["evaluate"]["directions"]
        if direction in defined
    ]
    return [*list_explained(config, dataset), *controls]


def list_removals(config: dict, dataset: str) -> list[list[str]]:
    """List the maps that order what is taken out: of those that know nothing the random ones."""
    return [
        evaluation
        for evaluation in list_maps(config, dataset)
        if evaluation[1] not in CONTROLS or evaluation[1] == "random"
    ]


def list_measured(config: dict, dataset: str) -> list[list[str]]:
    """List all [model, direction] that are measured once for every map."""
    return [
        [model, direction]
        for model in evaluated_models(config, dataset)
        for direction in config["evaluate"]["directions"]
    ]


def share_of(config: dict, dataset: str, images: int | None) -> float:
    """Return the share of a dataset that a number of images is; None means all of them."""
    if images is None:
        return 1.0
    return min(1.0, images / config["datasets"][dataset]["image_count"])
