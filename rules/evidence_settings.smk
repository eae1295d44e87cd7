"""Settings and inputs of the evidence jobs."""

from clip_grounding.evidence import plan


def evidence_of(dataset):
    """Return the tables and charts of the evidence."""
    made = rules.summarize_evidence.output
    tables = [made.evidence_csv, made.outcomes_csv, made.removal_curves_csv]
    return [*expand(tables, dataset=dataset), *charts_of(dataset, EVIDENCE_CHARTS)]


def require_evidence():
    if CONFIG["evidence"]["images"] == 0:
        raise WorkflowError(
            "evidence: images is 0, so there is no evidence to measure: set it to a number of"
            " images, or to null for all"
        )


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

    def files(wildcards):
        require_evidence()
        return [
            path
            for model, direction in plan.list_measured(CONFIG, wildcards.dataset)
            for path in shard_files(pattern, wildcards.dataset, model=model, direction=direction)
        ]

    return files


def map_files(pattern, list_maps):
    """Return an input function: the files of the maps that `list_maps` lists."""

    def files(wildcards):
        require_evidence()
        return files_of(pattern, wildcards.dataset, list_maps(CONFIG, wildcards.dataset))

    return files
