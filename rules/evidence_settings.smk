"""Settings and inputs of the evidence jobs."""

from clip_grounding.evidence import plan


def measured_settings(wildcards, share):
    """Return the settings of every job that runs the model on a share of the images."""
    return {
        "dataset": wildcards.dataset,
        "split": split_of(wildcards),
        "span": span_of(wildcards),
        "model": wildcards.model,
        "direction": wildcards.direction,
        "share": share(CONFIG, wildcards.dataset),
        "seed": CONFIG["seed"],
    }


def measure_effects_spec(wildcards):
    settings = measured_settings(wildcards, plan.evidence_share)
    return spec_of(**settings, controls=CONFIG["evidence"]["controls"])


def measure_similarities_spec(wildcards):
    settings = measured_settings(wildcards, plan.evidence_share)
    return spec_of(**settings, subsets=CONFIG["evidence"]["subsets"])


def measure_removal_spec(wildcards):
    settings = measured_settings(wildcards, plan.removal_share)
    return spec_of(**settings, maps=wildcards.attribution)


def has_relevance(wildcards):
    """Return whether there is a relevance table; a control's maps are drawn."""
    return wildcards.attribution not in plan.CONTROLS


def measured_files(pattern):
    """Return an input function: every shard's file, [model, direction] by [model, direction]."""
    return lambda wildcards: [
        path
        for model, direction in plan.list_measured(CONFIG, wildcards.dataset)
        for path in shard_files(pattern, wildcards.dataset, model=model, direction=direction)
    ]


def map_files(pattern, list_maps):
    """Return an input function: the files of the maps that `list_maps` lists."""
    return lambda wildcards: files_of(
        pattern, wildcards.dataset, list_maps(CONFIG, wildcards.dataset)
    )
