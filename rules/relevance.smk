"""GPU jobs: relevance maps of one model, attribution and direction for one shard."""


rule compute_relevance:
    """Compute every phrase's relevance map, for its own prompt and the unimodal prompt."""
    input:
        unpack(relevance_inputs),
    output:
        relevance="results/{dataset}/relevance/{model}/{attribution}/{direction}/{shard}.parquet",
    params:
        code=relevance_code,
        spec=relevance_spec,
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
