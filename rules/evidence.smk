"""Evidence: does the model use the region, and does a map show what the model uses?

Region effects and the similarities under random subsets are measured once per model and direction.
Every map is held against the latter without another pass; only its MoRF and LeRF curves take some.
"""


rule measure_effects:
    """Measure the similarity without a phrase's region, and without everything else."""
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
    """Measure every phrase's similarity under random subsets, which serve all maps."""
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
    """Make the evidence of the evaluated dataset, as tables and charts (a target)."""
    localrule: True
    input:
        [f"results/{CONFIG['dataset']}/{name}.csv" for name in ("evidence", "outcomes")],
        [
            f"results/{CONFIG['dataset']}/figures/{chart}.{suffix}"
            for chart in EVIDENCE_CHARTS
            for suffix in ("pdf", "png")
        ],
