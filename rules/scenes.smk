"""The embedded dataset, rendered in the published formats, and a small CLIP for it."""


rule render_scenes:
    """Render scenes with their narratives and panoptic segments."""
    output:
        images="data/{dataset}/images.zip",
        panoptic="data/{dataset}/panoptic.zip",
        narratives="data/{dataset}/narratives.json",
    params:
        code=code_of("render_scenes"),
        spec=lambda wildcards: spec_of(
            image_count=DATASETS[wildcards.dataset]["image_count"],
            seed=DATASETS[wildcards.dataset]["seed"],
            split=split_of(wildcards),
        ),
    wildcard_constraints:
        dataset=one_of(dataset_names("scenes")),
    log:
        "logs/{dataset}/render_scenes.log",
    benchmark:
        "benchmarks/{dataset}/render_scenes.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/render_scenes.py"


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
