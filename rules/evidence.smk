"""Evidence: does the model use the region, and does a map show what the model uses?

Region effects and the similarities under random subsets are measured once per model and direction.
Every map is held against the latter without another pass; only its MoRF and LeRF curves take some.
"""

from clip_grounding.evidence.maps import CONTROLS

EVIDENCE = CONFIG["evidence"]


def drawn_share(dataset, images):
    """The share of a dataset's images that makes so many of them; of the whole dataset, so that
    another `max_images` changes no draw."""
    image_count = DATASETS[dataset]["image_count"]
    return 1.0 if images is None else min(1.0, images / image_count)


def evidence_share(dataset):
    return drawn_share(dataset, EVIDENCE["images"])


def removal_share(dataset):
    return min(evidence_share(dataset), drawn_share(dataset, EVIDENCE["removal_images"]))


def evidence_evaluations(dataset):
    """All [model, attribution, direction] whose maps are held against the model, and controls."""
    controls = [
        [model, attribution, direction]
        for model in models_of(dataset)
        for attribution, directions in CONTROLS.items()
        for direction in DIRECTIONS
        if direction in directions
    ]
    return [*explained_of(dataset), *controls]


def removal_evaluations(dataset):
    """The same, of what is taken out by maps: of the controls the random ones alone."""
    return [
        own for own in evidence_evaluations(dataset) if own[1] not in CONTROLS or own[1] == "random"
    ]


def measured_pairs(dataset):
    """All [model, direction]."""
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
    """Tables and files of a job that runs the model: those of a relevance job, and the regions."""
    return {
        **relevance_inputs(wildcards),
        "masks": f"results/{wildcards.dataset}/masks/{wildcards.shard}.parquet",
    }


def map_inputs(wildcards):
    """A control has no relevance table: its maps are drawn, as large as the similarities say."""
    results = f"results/{wildcards.dataset}"
    own = f"{wildcards.model}/{{}}{wildcards.direction}/{wildcards.shard}.parquet"
    inputs = {"similarities": f"{results}/similarities/{own.format('')}"}
    if wildcards.attribution not in CONTROLS:
        inputs["relevance"] = f"{results}/relevance/{own.format(wildcards.attribution + '/')}"
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


rule measure_effects:
    """Measure what taking a phrase's region out, or all else, does to the similarity."""
    input:
        unpack(measured_inputs),
    output:
        effects="results/{dataset}/effects/{model}/{direction}/{shard}.parquet",
    params:
        code=code_of("measure_effects"),
        spec=effects_spec,
    log:
        "logs/{dataset}/measure_effects/{model}/{direction}/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/measure_effects/{model}/{direction}/{shard}.tsv"
    threads: 4
    resources:
        gpu=uses_gpu,
        mem_mb=evidence_mb,
        runtime=evidence_minutes("effects", evidence_share),
        batch_size=relevance_batch,
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/measure_effects.py"


rule measure_similarities:
    """Measure every phrase's similarity under random subsets, for all maps to come."""
    input:
        unpack(measured_inputs),
    output:
        similarities="results/{dataset}/similarities/{model}/{direction}/{shard}.parquet",
    params:
        code=code_of("measure_similarities"),
        spec=similarities_spec,
    log:
        "logs/{dataset}/measure_similarities/{model}/{direction}/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/measure_similarities/{model}/{direction}/{shard}.tsv"
    threads: 4
    resources:
        gpu=uses_gpu,
        mem_mb=evidence_mb,
        runtime=evidence_minutes("similarities", evidence_share),
        batch_size=relevance_batch,
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/measure_similarities.py"


rule measure_removal:
    """Measure similarities while a map orders which patches or words are taken out."""
    input:
        unpack(removal_inputs),
    output:
        removal="results/{dataset}/removal/{model}/{attribution}/{direction}/{shard}.parquet",
    params:
        code=code_of("measure_removal"),
        spec=removal_spec,
    wildcard_constraints:
        attribution=one_of([*ATTRIBUTIONS, "random"]),
    log:
        "logs/{dataset}/measure_removal/{model}/{attribution}/{direction}/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/measure_removal/{model}/{attribution}/{direction}/{shard}.tsv"
    threads: 4
    resources:
        gpu=uses_gpu,
        mem_mb=evidence_mb,
        runtime=evidence_minutes("removal", removal_share),
        batch_size=relevance_batch,
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/measure_removal.py"


rule score_ceilings:
    """Score how well any additive map could predict the similarities under random subsets."""
    input:
        phrases="results/{dataset}/phrases.parquet",
        similarities="results/{dataset}/similarities/{model}/{direction}/{shard}.parquet",
    output:
        ceilings="results/{dataset}/ceilings/{model}/{direction}/{shard}.parquet",
    params:
        code=code_of("score_ceilings"),
        spec=ceilings_spec,
    log:
        "logs/{dataset}/score_ceilings/{model}/{direction}/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/score_ceilings/{model}/{direction}/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=scoring_mb,
        runtime=scoring_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/score_ceilings.py"


rule score_evidence:
    """Score maps against the model: their faithfulness, and whether they show what it uses."""
    input:
        unpack(map_inputs),
        effects="results/{dataset}/effects/{model}/{direction}/{shard}.parquet",
        phrases="results/{dataset}/phrases.parquet",
        checkpoint="data/models/{model}/manifest.json",
    output:
        faithfulness="results/{dataset}/faithfulness/{model}/{attribution}/{direction}/{shard}.parquet",
        outcomes="results/{dataset}/outcomes/{model}/{attribution}/{direction}/{shard}.parquet",
    params:
        code=code_of("score_evidence"),
        spec=maps_spec,
    wildcard_constraints:
        attribution=one_of([*ATTRIBUTIONS, *CONTROLS]),
    log:
        "logs/{dataset}/score_evidence/{model}/{attribution}/{direction}/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/score_evidence/{model}/{attribution}/{direction}/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=scoring_mb,
        runtime=scoring_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/score_evidence.py"


rule summarize_evidence:
    """Average the evidence, with intervals from resampling the images, and count outcomes."""
    input:
        effects=measured_files("effects"),
        ceilings=measured_files("ceilings"),
        faithfulness=map_files("faithfulness", evidence_evaluations),
        removal=map_files("removal", removal_evaluations),
        outcomes=map_files("outcomes", evidence_evaluations),
        scores="results/{dataset}/scores.parquet",
        phrases="results/{dataset}/phrases.parquet",
        narratives="results/{dataset}/narratives.parquet",
    output:
        evidence="results/{dataset}/evidence.parquet",
        evidence_csv=report(
            "results/{dataset}/evidence.csv",
            caption="report/evidence_table.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "evidence"},
        ),
        outcomes="results/{dataset}/outcomes.parquet",
        outcomes_csv=report(
            "results/{dataset}/outcomes.csv",
            caption="report/outcomes_table.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "outcomes"},
        ),
    params:
        code=code_of("summarize_evidence"),
        spec=evidence_spec,
    log:
        "logs/{dataset}/summarize_evidence.log",
    benchmark:
        "benchmarks/{dataset}/summarize_evidence.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/summarize_evidence.py"


rule evidence:
    """A target: the evidence of the evaluated dataset, as tables and charts."""
    localrule: True
    input:
        [f"results/{CONFIG['dataset']}/{name}.csv" for name in ("evidence", "outcomes")],
        [
            f"results/{CONFIG['dataset']}/figures/{chart}.{suffix}"
            for chart in EVIDENCE_CHARTS
            for suffix in ("pdf", "png")
        ],
