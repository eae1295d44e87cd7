"""Annotations: the phrase index of the whole dataset, and the masks of each shard."""


rule index_phrases:
    """List the dataset's narratives and phrases with the segments that they name."""
    input:
        narratives="data/{dataset}/narratives.json",
        panoptic="data/{dataset}/panoptic.zip",
    output:
        narratives="results/{dataset}/narratives.parquet",
        phrases="results/{dataset}/phrases.parquet",
    params:
        code=code_of("index_phrases"),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset,
            split=split_of(wildcards),
            image_count=DATASETS[wildcards.dataset]["image_count"],
        ),
    log:
        "logs/{dataset}/index_phrases.log",
    benchmark:
        "benchmarks/{dataset}/index_phrases.tsv"
    threads: 1
    resources:
        mem_mb=index_mb,
        runtime=index_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/index_phrases.py"


rule rasterize_masks:
    """Rasterise the distinct regions that the phrases of one shard name."""
    input:
        narratives=rules.index_phrases.output.narratives,
        phrases=rules.index_phrases.output.phrases,
        panoptic="data/{dataset}/panoptic.zip",
    output:
        masks="results/{dataset}/masks/{shard}.parquet",
    params:
        code=code_of("rasterize_masks"),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset, split=split_of(wildcards), span=span_of(wildcards)
        ),
    log:
        "logs/{dataset}/rasterize_masks/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/rasterize_masks/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=scoring_mb,
        runtime=scoring_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/rasterize_masks.py"
