"""Evidence: does the model use the region, and does a map show what the model uses?

Region effects and the similarities under random subsets are measured once per model and direction.
Every map is held against the latter without another pass; only its MoRF and LeRF curves take some.
"""


rule measure_effects:
    """Measure the similarity without a phrase's region, and without everything else."""
    input:
        narratives=rules.index_phrases.output.narratives,
        phrases=rules.index_phrases.output.phrases,
        images=part_images,
        checkpoint=CHECKPOINT,
        masks=part_files(rules.rasterize_masks.output.masks),
    output:
        effects="results/{dataset}/effects/{model}/{direction}/{part}.parquet",
    params:
        code=code_of("measure_effects"),
        spec=measure_effects_spec,
    log:
        "logs/{dataset}/measure_effects/{model}/{direction}/{part}.log",
    benchmark:
        "benchmarks/{dataset}/measure_effects/{model}/{direction}/{part}.tsv"
    threads: 4
    resources:
        gpu=uses_gpu,
        mem_mb=evidence_mb,
        runtime=evidence_minutes("effects", plan.evidence_share),
        batch_size=relevance_batch,
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/measure_effects.py"


rule measure_similarities:
    """Measure every phrase's similarity under random subsets, which serve all maps."""
    input:
        narratives=rules.index_phrases.output.narratives,
        phrases=rules.index_phrases.output.phrases,
        images=part_images,
        checkpoint=CHECKPOINT,
        masks=part_files(rules.rasterize_masks.output.masks),
    output:
        similarities="results/{dataset}/similarities/{model}/{direction}/{part}.parquet",
    params:
        code=code_of("measure_similarities"),
        spec=measure_similarities_spec,
    log:
        "logs/{dataset}/measure_similarities/{model}/{direction}/{part}.log",
    benchmark:
        "benchmarks/{dataset}/measure_similarities/{model}/{direction}/{part}.tsv"
    threads: 4
    resources:
        gpu=uses_gpu,
        mem_mb=evidence_mb,
        runtime=evidence_minutes("similarities", plan.evidence_share),
        batch_size=relevance_batch,
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/measure_similarities.py"


rule measure_removal:
    """Measure similarities while a map orders which patches or words are taken out."""
    input:
        narratives=rules.index_phrases.output.narratives,
        phrases=rules.index_phrases.output.phrases,
        images=part_images,
        checkpoint=CHECKPOINT,
        masks=part_files(rules.rasterize_masks.output.masks),
        similarities=rules.measure_similarities.output.similarities,
        relevance=part_relevance,
    output:
        removal="results/{dataset}/removal/{model}/{attribution}/{direction}/{part}.parquet",
    params:
        code=code_of("measure_removal"),
        spec=measure_removal_spec,
    wildcard_constraints:
        attribution=one_of([*ATTRIBUTIONS, "random"]),
    log:
        "logs/{dataset}/measure_removal/{model}/{attribution}/{direction}/{part}.log",
    benchmark:
        "benchmarks/{dataset}/measure_removal/{model}/{attribution}/{direction}/{part}.tsv"
    threads: 4
    resources:
        gpu=uses_gpu,
        mem_mb=evidence_mb,
        runtime=evidence_minutes("removal", plan.removal_share),
        batch_size=relevance_batch,
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/measure_removal.py"


rule score_ceilings:
    """Score how well any additive map could predict the similarities under random subsets."""
    input:
        phrases=rules.index_phrases.output.phrases,
        similarities=rules.measure_similarities.output.similarities,
    output:
        ceilings="results/{dataset}/ceilings/{model}/{direction}/{part}.parquet",
    params:
        code=code_of("score_ceilings"),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset, span=part_span(wildcards), direction=wildcards.direction
        ),
    log:
        "logs/{dataset}/score_ceilings/{model}/{direction}/{part}.log",
    benchmark:
        "benchmarks/{dataset}/score_ceilings/{model}/{direction}/{part}.tsv"
    threads: 1
    resources:
        mem_mb=part_scoring_mb,
        runtime=part_scoring_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/score_ceilings.py"


rule score_evidence:
    """Score maps against the model: their faithfulness, and whether they show what it uses."""
    input:
        similarities=rules.measure_similarities.output.similarities,
        relevance=part_relevance,
        effects=rules.measure_effects.output.effects,
        phrases=rules.index_phrases.output.phrases,
        checkpoint=CHECKPOINT,
    output:
        faithfulness="results/{dataset}/faithfulness/{model}/{attribution}/{direction}/{part}.parquet",
        outcomes="results/{dataset}/outcomes/{model}/{attribution}/{direction}/{part}.parquet",
    params:
        code=code_of("score_evidence"),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset,
            span=part_span(wildcards),
            direction=wildcards.direction,
            maps=wildcards.attribution,
            seed=CONFIG["seed"],
        ),
    wildcard_constraints:
        attribution=one_of([*ATTRIBUTIONS, *plan.CONTROLS]),
    log:
        "logs/{dataset}/score_evidence/{model}/{attribution}/{direction}/{part}.log",
    benchmark:
        "benchmarks/{dataset}/score_evidence/{model}/{attribution}/{direction}/{part}.tsv"
    threads: 1
    resources:
        mem_mb=part_scoring_mb,
        runtime=part_scoring_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/score_evidence.py"


rule collect_evidence:
    """Put the evidence of all models, maps and shards into two tables, a row per phrase."""
    input:
        effects=measured_files(rules.measure_effects.output.effects),
        ceilings=measured_files(rules.score_ceilings.output.ceilings),
        faithfulness=map_files(rules.score_evidence.output.faithfulness, plan.list_maps),
        outcomes=map_files(rules.score_evidence.output.outcomes, plan.list_maps),
        removal=map_files(rules.measure_removal.output.removal, plan.list_removals),
    output:
        effects="results/{dataset}/effects.parquet",
        evidence="results/{dataset}/evidence_scores.parquet",
    params:
        code=code_of("collect_evidence"),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset,
            evaluations=plan.list_maps(CONFIG, wildcards.dataset),
            removals=plan.list_removals(CONFIG, wildcards.dataset),
            measured=plan.list_measured(CONFIG, wildcards.dataset),
            parts=len(parts_of(wildcards.dataset)),
        ),
    log:
        "logs/{dataset}/collect_evidence.log",
    benchmark:
        "benchmarks/{dataset}/collect_evidence.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/collect_evidence.py"


rule summarize_evidence:
    """Average the evidence, with intervals from resampling the images, and count outcomes."""
    input:
        effects=rules.collect_evidence.output.effects,
        evidence=rules.collect_evidence.output.evidence,
        removal=map_files(rules.measure_removal.output.removal, plan.list_removals),
        scores=rules.collect_scores.output.scores,
        phrases=rules.index_phrases.output.phrases,
        narratives=rules.index_phrases.output.narratives,
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
        removal_curves="results/{dataset}/removal.parquet",
        removal_curves_csv=report(
            "results/{dataset}/removal.csv",
            caption="report/removal_table.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "removal curves"},
        ),
    params:
        code=code_of("summarize_evidence"),
        spec=lambda wildcards: spec_of(
            removals=plan.list_removals(CONFIG, wildcards.dataset),
            parts=len(parts_of(wildcards.dataset)),
            bootstrap=CONFIG["bootstrap"],
            seed=CONFIG["seed"],
        ),
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
