"""GPU jobs: relevance maps of one model, attribution and direction for one shard."""

from clip_grounding.workflow.contracts import method_of


rule compute_relevance:
    """Compute every phrase's relevance map, for its own prompt and the unimodal prompt."""
    input:
        narratives=rules.index_phrases.output.narratives,
        phrases=rules.index_phrases.output.phrases,
        images=images_input,
        checkpoint=CHECKPOINT,
        masks=branch(asks_for_words, then=rules.rasterize_masks.output.masks),
    output:
        relevance="results/{dataset}/relevance/{model}/{attribution}/{direction}/{shard}.parquet",
    params:
        code=lambda wildcards: code_of(
            "compute_relevance",
            f"clip_grounding.attribution.{ATTRIBUTIONS[wildcards.attribution]['kind']}",
        ),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset,
            split=split_of(wildcards),
            span=span_of(wildcards),
            model=wildcards.model,
            attribution=method_of(ATTRIBUTIONS[wildcards.attribution]),
            direction=wildcards.direction,
            precision=CONFIG["precision"],
        ),
    log:
        "logs/{dataset}/compute_relevance/{model}/{attribution}/{direction}/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/compute_relevance/{model}/{attribution}/{direction}/{shard}.tsv"
    threads: 4
    resources:
        gpu=uses_gpu,
        mem_mb=relevance_mb,
        runtime=relevance_minutes,
        batch_size=relevance_batch,
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/compute_relevance.py"
