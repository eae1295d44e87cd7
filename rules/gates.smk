"""Gates: do a method's maps depend on the model's weights, and on the prompt?"""


rule measure_gates:
    """Compare a method's maps with those of randomised models and of other prompts."""
    input:
        narratives=rules.index_phrases.output.narratives,
        phrases=rules.index_phrases.output.phrases,
        images=all_images_inputs,
        checkpoint=CHECKPOINT,
        masks=branch(asks_for_words, then=all_shards(rules.rasterize_masks.output.masks)),
        relevance=all_shards(rules.compute_relevance.output.relevance),
    output:
        gates="results/{dataset}/gates/{model}/{attribution}/{direction}.parquet",
    params:
        code=lambda wildcards: code_of(
            "measure_gates",
            f"clip_grounding.attribution.{ATTRIBUTIONS[wildcards.attribution]['kind']}",
        ),
        spec=measure_gates_spec,
    wildcard_constraints:
        attribution=one_of(ATTRIBUTIONS),
    log:
        "logs/{dataset}/measure_gates/{model}/{attribution}/{direction}.log",
    benchmark:
        "benchmarks/{dataset}/measure_gates/{model}/{attribution}/{direction}.tsv"
    threads: 1
    resources:
        gpu=uses_gpu,
        mem_mb=relevance_mb,
        runtime=gates_minutes,
        batch_size=relevance_batch,
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/measure_gates.py"


rule summarize_gates:
    """Decide which gates are passed, and which methods are certified."""
    input:
        gates=gates_files,
        evidence=branch(has_evidence, then=rules.summarize_evidence.output.evidence),
    output:
        gates="results/{dataset}/gates.parquet",
        gates_csv=report(
            "results/{dataset}/gates.csv",
            caption="report/gates_table.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "gates"},
        ),
        certificates="results/{dataset}/certificates.parquet",
        certificates_csv=report(
            "results/{dataset}/certificates.csv",
            caption="report/certificates_table.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "certificates"},
        ),
    params:
        code=code_of("summarize_gates"),
        spec=lambda wildcards: spec_of(
            gated=list_gated(CONFIG, wildcards.dataset),
            blind=list_blind(CONFIG, wildcards.dataset),
            bootstrap=CONFIG["bootstrap"],
            seed=CONFIG["seed"],
        ),
    log:
        "logs/{dataset}/summarize_gates.log",
    benchmark:
        "benchmarks/{dataset}/summarize_gates.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/summarize_gates.py"
