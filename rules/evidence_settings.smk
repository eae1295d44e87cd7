"""Settings and inputs of the evidence jobs."""

from clip_grounding.evidence import plan


def measured_settings(wildcards, share):
    """The settings that all jobs share which run the model on a share of the images."""
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
    """Whether maps are a table; a control's are drawn, as large as the similarities say."""
    return wildcards.attribution not in plan.CONTROLS


def measured_files(pattern):
    """An input function: every shard's file, for one [model, direction] after the other."""
    return lambda wildcards: [
        path
        for model, direction in plan.list_measured(CONFIG, wildcards.dataset)
        for path in shard_files(pattern, wildcards.dataset, model=model, direction=direction)
    ]


def map_files(pattern, list_maps):
    """An input function: the files of the maps that `list_maps` lists."""
    return lambda wildcards: files_of(
        pattern, wildcards.dataset, list_maps(CONFIG, wildcards.dataset)
    )
