"""Downloads: the three files of a png dataset, and the checkpoints of models.

These rules are local: a cluster's compute nodes often have no network.
"""


rule fetch:
    """Fetch everything that the evaluation needs; the other jobs need no network."""
    localrule: True
    input:
        downloads_of(CONFIG["dataset"]),


rule download_source:
    """Download a file of a png dataset, or link to it on this machine, and check it."""
    localrule: True
    output:
        file="data/{dataset}/{source}",
    params:
        spec=download_source_spec,
    wildcard_constraints:
        dataset=one_of(dataset_names("png")),
        source=one_of(["images.zip", "panoptic.zip", "narratives.json"]),
    log:
        "logs/{dataset}/download_source/{source}.log",
    benchmark:
        "benchmarks/{dataset}/download_source/{source}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=240,
    conda:
        "../envs/download.yaml"
    script:
        "../workflow_scripts/download_source.py"


rule download_images:
    """Fetch a shard's images: a zip of only these, or a link to the zip of all."""
    localrule: True
    input:
        panoptic="data/{dataset}/panoptic.zip",
    output:
        file="data/{dataset}/images/{shard}.zip",
    params:
        spec=download_images_spec,
    wildcard_constraints:
        dataset=one_of([name for name in DATASETS if has_sharded_images(name)]),
    log:
        "logs/{dataset}/download_images/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/download_images/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=240,
    conda:
        "../envs/download.yaml"
    script:
        "../workflow_scripts/download_images.py"


rule list_images:
    """List the images of a local folder, which are read in place, with their digests."""
    localrule: True
    output:
        list="data/{dataset}/images.json",
    params:
        spec=list_images_spec,
    wildcard_constraints:
        dataset=one_of([name for name in DATASETS if images_folder(name)]),
    log:
        "logs/{dataset}/list_images.log",
    benchmark:
        "benchmarks/{dataset}/list_images.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=240,
    conda:
        "../envs/download.yaml"
    script:
        "../workflow_scripts/list_images.py"


rule fetch_checkpoint:
    """Fetch what inference needs from a model's checkpoint; jobs load only from its folder."""
    localrule: True
    output:
        manifest=CHECKPOINT,
    params:
        spec=fetch_checkpoint_spec,
    wildcard_constraints:
        model=one_of(model_names("checkpoint")),
    log:
        "logs/models/{model}/fetch_checkpoint.log",
    benchmark:
        "benchmarks/models/{model}/fetch_checkpoint.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/fetch_checkpoint.py"
