"""Settings and inputs of the gates, which test whether maps depend on weights and prompt."""

from clip_grounding.gates.plan import gates_share, list_blind, list_gated


def gates_of(dataset):
    """Return the tables and charts of the gates."""
    made = rules.summarize_gates.output
    tables = [made.gates_csv, made.certificates_csv]
    return [*expand(tables, dataset=dataset), *charts_of(dataset, GATES_CHARTS)]


def has_evidence(wildcards):
    return HAS_EVIDENCE


def has_gates(wildcards):
    return HAS_GATES


def all_images_inputs(wildcards):
    return images_files(wildcards.dataset, shards_of(wildcards.dataset))


def all_shards(pattern):
    """Return an input function: the files of all shards, whatever else the pattern says."""
    return lambda wildcards: shard_files(pattern, **wildcards)


def measure_gates_spec(wildcards):
    settings = CONFIG["gates"]
    return spec_of(
        dataset=wildcards.dataset,
        split=split_of(wildcards),
        span=[0, image_count(wildcards.dataset)],
        model=wildcards.model,
        attribution=method_of(ATTRIBUTIONS[wildcards.attribution]),
        direction=wildcards.direction,
        share=gates_share(CONFIG, wildcards.dataset),
        models=settings["models"],
        target=settings["target_images"],
        curve=settings["curve_images"],
        precision=CONFIG["precision"],
        seed=CONFIG["seed"],
    )


def gates_files(wildcards):
    """Return the gates of every method that has a prompt."""
    if not HAS_GATES:
        raise WorkflowError(
            "gates: images is 0, so there is no gate to pass: set it to a number of images, or to"
            " null for all"
        )
    return [
        rules.measure_gates.output.gates.format(
            dataset=wildcards.dataset, model=model, attribution=attribution, direction=direction
        )
        for model, attribution, direction in list_gated(CONFIG, wildcards.dataset)
    ]
