"""A small CLIP for the rendered scenes."""


rule train_scenes_clip:
    """Train a small CLIP on scenes that are in no evaluated dataset."""
    output:
        manifest=CHECKPOINT,
    params:
        code=code_of("train_scenes_clip"),
        spec=lambda wildcards: spec_of(**MODELS[wildcards.model]),
    wildcard_constraints:
        model=one_of(model_names("train")),
    log:
        "logs/models/{model}/train_scenes_clip.log",
    benchmark:
        "benchmarks/models/{model}/train_scenes_clip.tsv"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/train_scenes_clip.py"
