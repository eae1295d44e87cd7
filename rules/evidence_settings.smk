"""Settings and inputs of the evidence jobs.

Each measures a part of the dataset: consecutive shards, so many that starting a job pays.
"""

import math

from clip_grounding.evidence import plan


def evidence_of(dataset):
    """Return the tables and charts of the evidence."""
    made = rules.summarize_evidence.output
    tables = [made.evidence_csv, made.outcomes_csv, made.removal_curves_csv]
    return [*expand(tables, dataset=dataset), *charts_of(dataset, EVIDENCE_CHARTS)]


def require_evidence():
    if not HAS_EVIDENCE:
        raise WorkflowError(
            "evidence: images is 0, so there is no evidence to measure: set it to a number of"
            " images, or to null for all"
        )


@cache
def parts_of(dataset):
    return plan.list_parts(CONFIG, dataset, shards_of(dataset))


def shards_of_part(wildcards):
    return parts_of(wildcards.dataset)[wildcards.part]


def part_span(wildcards):
    """Return the first image rank of a part and the one after its last."""
    shards = shards_of_part(wildcards)
    return [shards[0].start, shards[-1].stop]


def part_files(pattern):
    """Return an input function: the files of a part's shards."""

    def files(wildcards):
        names = [shard.name for shard in shards_of_part(wildcards)]
        return [pattern.format(shard=name, **dict(wildcards.items())) for name in names]

    return files


def part_images(wildcards):
    return images_files(wildcards.dataset, shards_of_part(wildcards))


def part_relevance(wildcards):
    """Return the relevance tables of a part; none of a control, whose maps are drawn."""
    if wildcards.attribution in plan.CONTROLS:
        return []
    return part_files(rules.compute_relevance.output.relevance)(wildcards)


def drawn_size(wildcards, share=plan.evidence_share):
    """Return about the most images of a part that are drawn: it may be more than their share."""
    start, stop = part_span(wildcards)
    size = stop - start
    return min(size, 10 + math.ceil(2 * share(CONFIG, wildcards.dataset) * size))


def part_scoring_minutes(wildcards, attempt):
    return sizing.scoring_minutes(drawn_size(wildcards), attempt=attempt)


def part_scoring_mb(wildcards, attempt):
    return sizing.scoring_mb(drawn_size(wildcards), attempt)


def measured_settings(wildcards, share):
    """Return the settings of every job that runs the model on a share of the images."""
    return {
        "dataset": wildcards.dataset,
        "split": split_of(wildcards),
        "span": part_span(wildcards),
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


def score_tables(wildcards):
    """Return the tables whose rows are averaged, compared and ranked: a row per phrase."""
    scores = rules.collect_scores.output.scores
    evidence = rules.collect_evidence.output if HAS_EVIDENCE else []
    return expand([scores, *evidence], dataset=wildcards.dataset)
