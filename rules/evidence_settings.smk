"""Settings, inputs and resources of the evidence jobs."""

from clip_grounding.evidence.maps import CONTROLS

EVIDENCE = CONFIG["evidence"]


def drawn_share(dataset, images):
    """Return the share of images to draw; it refers to the whole dataset, so that another
    `max_images` changes no draw."""
    image_count = DATASETS[dataset]["image_count"]
    return 1.0 if images is None else min(1.0, images / image_count)


def evidence_share(dataset):
    return drawn_share(dataset, EVIDENCE["images"])


def removal_share(dataset):
    return min(evidence_share(dataset), drawn_share(dataset, EVIDENCE["removal_images"]))


def evidence_evaluations(dataset):
    """List every [model, attribution, direction] that is compared with the model, and controls."""
    controls = [
        [model, attribution, direction]
        for model in models_of(dataset)
        for attribution, directions in CONTROLS.items()
        for direction in DIRECTIONS
        if direction in directions
    ]
    return [*explained_of(dataset), *controls]


def removal_evaluations(dataset):
    """List the same for the removal curves, which have only random controls."""
    return [
        own for own in evidence_evaluations(dataset) if own[1] not in CONTROLS or own[1] == "random"
    ]


def measured_pairs(dataset):
    """List every [model, direction]."""
    return [[model, direction] for model in models_of(dataset) for direction in DIRECTIONS]


def measured_spec(wildcards, share, **settings):
    return spec_of(
        dataset=wildcards.dataset,
        split=DATASETS[wildcards.dataset]["split"],
        span=shard_span(wildcards.dataset, wildcards.shard),
        model=wildcards.model,
        direction=wildcards.direction,
        share=share,
        seed=CONFIG["seed"],
        **settings,
    )


def effects_spec(wildcards):
    share = evidence_share(wildcards.dataset)
    return measured_spec(wildcards, share, controls=EVIDENCE["controls"])


def similarities_spec(wildcards):
    share = evidence_share(wildcards.dataset)
    return measured_spec(wildcards, share, subsets=EVIDENCE["subsets"])


def removal_spec(wildcards):
    share = removal_share(wildcards.dataset)
    return measured_spec(wildcards, share, maps=wildcards.attribution)


def ceilings_spec(wildcards):
    return spec_of(
        dataset=wildcards.dataset,
        span=shard_span(wildcards.dataset, wildcards.shard),
        direction=wildcards.direction,
    )


def maps_spec(wildcards):
    return spec_of(
        dataset=wildcards.dataset,
        span=shard_span(wildcards.dataset, wildcards.shard),
        direction=wildcards.direction,
        maps=wildcards.attribution,
        seed=CONFIG["seed"],
    )


def evidence_spec(wildcards):
    return spec_of(
        evaluations=evidence_evaluations(wildcards.dataset),
        removals=removal_evaluations(wildcards.dataset),
        measured=measured_pairs(wildcards.dataset),
        shards=len(shards_of(wildcards.dataset)),
        bootstrap=CONFIG["bootstrap"],
        seed=CONFIG["seed"],
    )


def measured_inputs(wildcards):
    """Return the inputs of a job that runs the model: a relevance job's, and the regions."""
    return {
        **relevance_inputs(wildcards),
        "masks": f"results/{wildcards.dataset}/masks/{wildcards.shard}.parquet",
    }


def map_inputs(wildcards):
    """Return the inputs of a map's scoring; a control has no relevance table."""
    results, model = f"results/{wildcards.dataset}", wildcards.model
    shard = f"{wildcards.direction}/{wildcards.shard}.parquet"
    inputs = {"similarities": f"{results}/similarities/{model}/{shard}"}
    if wildcards.attribution not in CONTROLS:
        inputs["relevance"] = f"{results}/relevance/{model}/{wildcards.attribution}/{shard}"
    return inputs


def removal_inputs(wildcards):
    return {**measured_inputs(wildcards), **map_inputs(wildcards)}


def measured_files(stage):
    def files(wildcards):
        return [
            path
            for model, direction in measured_pairs(wildcards.dataset)
            for path in shard_files(
                f"results/{{dataset}}/{stage}/{model}/{direction}/{{shard}}.parquet",
                wildcards.dataset,
            )
        ]

    return files


def map_files(stage, evaluations):
    def files(wildcards):
        return evaluation_files(stage, wildcards.dataset, evaluations(wildcards.dataset))

    return files


def evidence_minutes(stage, share):
    def minutes(wildcards, threads, attempt):
        # A draw may take more images of a shard than its share.
        images = min(
            shard_size(wildcards), 10 + 2 * share(wildcards.dataset) * shard_size(wildcards)
        )
        return sizing.evidence_minutes(
            images=images,
            model=MODELS[wildcards.model],
            direction=wildcards.direction,
            passes=sizing.evidence_passes(stage, EVIDENCE["subsets"], EVIDENCE["controls"]),
            threads=threads,
            gpu=uses_gpu(wildcards) > 0,
            attempt=attempt,
        )

    return minutes


def evidence_mb(wildcards, attempt):
    batch_size = relevance_batch(wildcards, attempt)
    return sizing.evidence_mb(MODELS[wildcards.model], batch_size, uses_gpu(wildcards) > 0, attempt)
