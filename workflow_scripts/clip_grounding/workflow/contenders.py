"""The contenders of a run: every model with every attribution, and the baselines, by direction.

All of it follows from the validated settings, so the rules know every job before a file is there.
"""

from clip_grounding.scoring.baselines import list_baselines, read_baseline

BASELINE = "baseline"
"""The model of every baseline, in the tables and in the folders of its files."""


def evaluated_models(config: dict, dataset: str) -> list[str]:
    """Return the names of the models that are evaluated on a dataset."""
    return config["evaluate"]["models"] or config["datasets"][dataset]["models"]


def explained_directions(config: dict, attribution: str) -> list[str]:
    """Return the directions of an attribution that are evaluated."""
    own = config["attributions"][attribution]["directions"]
    directions = config["evaluate"]["directions"]
    return [direction for direction in directions if own is None or direction in own]


def evaluated_directions(config: dict, attribution: str) -> list[str]:
    """Return the directions in which an attribution or a baseline is evaluated."""
    if attribution not in list_baselines():
        return explained_directions(config, attribution)
    defined = read_baseline(attribution).directions
    return [direction for direction in config["evaluate"]["directions"] if direction in defined]


def list_pairs(config: dict, dataset: str) -> list[tuple[str, str]]:
    """List every (model, attribution) that is evaluated, in some direction at least."""
    return [
        (model, attribution)
        for model in evaluated_models(config, dataset)
        for attribution in config["evaluate"]["attributions"]
    ]


def list_evaluations(config: dict, dataset: str) -> list[list[str]]:
    """List all [model, attribution, direction] that are scored on a dataset.

    Parameters
    ----------
    config : dict
        The validated settings.
    dataset : str

    Returns
    -------
    list of [model, attribution, direction]
        Direction by direction, with the baselines of each last.
    """
    contenders = [
        *list_pairs(config, dataset),
        *((BASELINE, kind) for kind in config["evaluate"]["baselines"]),
    ]
    return [
        [model, attribution, direction]
        for direction in config["evaluate"]["directions"]
        for model, attribution in contenders
        if direction in evaluated_directions(config, attribution)
    ]


def list_explained(config: dict, dataset: str) -> list[list[str]]:
    """List the evaluations that have maps: all but those of the baselines."""
    return [
        evaluation for evaluation in list_evaluations(config, dataset) if evaluation[0] != BASELINE
    ]


def group_directions(config: dict, dataset: str) -> dict[tuple[str, str], list[str]]:
    """Return the directions of every (model, attribution) that has maps."""
    directions: dict[tuple[str, str], list[str]] = {}
    for model, attribution, direction in list_explained(config, dataset):
        directions.setdefault((model, attribution), []).append(direction)
    return directions


def choose_shown_pair(config: dict, dataset: str) -> dict[str, str]:
    """Return model and attribution of charts with room for one: the first with most directions."""
    directions = group_directions(config, dataset)
    model, attribution = max(directions, key=lambda pair: len(directions[pair]))
    return {"model": model, "attribution": attribution}
