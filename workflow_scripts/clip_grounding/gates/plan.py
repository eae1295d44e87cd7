"""What the gates are measured of: which methods, and the share of the images.

All of it follows from the validated settings, as the contenders do.
"""

from clip_grounding.evidence.plan import share_of
from clip_grounding.workflow.contenders import list_explained
from clip_grounding.workflow.contracts import read_contract


def gates_share(config: dict, dataset: str) -> float:
    """Return the share of a dataset's images that the gates are measured on.

    The images are drawn as those of the evidence are, so the fewer are among the more.
    """
    return share_of(config, dataset, config["gates"]["images"])


def list_gated(config: dict, dataset: str) -> list[list[str]]:
    """List the [model, attribution, direction] that the gates are for: those with a prompt."""
    blind = list_blind(config, dataset)
    return [own for own in list_explained(config, dataset) if own not in blind]


def list_blind(config: dict, dataset: str) -> list[list[str]]:
    """List those whose method makes the same map for every prompt, by its contract."""
    return [
        [model, attribution, direction]
        for model, attribution, direction in list_explained(config, dataset)
        if not read_contract(config["attributions"][attribution]["kind"])["uses_prompt"]
    ]
