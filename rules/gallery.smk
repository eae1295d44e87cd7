"""The gallery: a page to browse phrases with their maps, which opens from disk."""

from clip_grounding.files import digest_file
from clip_grounding.gallery.page import ASSETS


def mask_files(wildcards):
    return shard_files("results/{dataset}/masks/{shard}.parquet", wildcards.dataset)


def all_images_files(wildcards):
    return images_files(wildcards.dataset, shards_of(wildcards.dataset))


def relevance_files(wildcards):
    return evaluation_files("relevance", wildcards.dataset, explained_of(wildcards.dataset))


def gallery_spec(wildcards):
    """What the gallery shows, and the digests of the files that the page is made of."""
    return spec_of(
        **CONFIG["gallery"],
        dataset=wildcards.dataset,
        split=DATASETS[wildcards.dataset]["split"],
        directions=[
            direction
            for direction in DIRECTIONS
            if any(direction in own for own in explained_pairs(wildcards.dataset).values())
        ],
        evaluations=explained_of(wildcards.dataset),
        shards=len(shards_of(wildcards.dataset)),
        seed=CONFIG["seed"],
        assets={path.name: digest_file(path) for path in sorted(ASSETS.iterdir())},
    )


rule build_gallery:
    """Show a sample of phrases in both directions, with every model's maps and scores."""
    input:
        scores="results/{dataset}/scores.parquet",
        phrases="results/{dataset}/phrases.parquet",
        narratives="results/{dataset}/narratives.parquet",
        masks=mask_files,
        relevance=relevance_files,
        images=all_images_files,
    output:
        page="results/{dataset}/gallery/index.html",
        index="results/{dataset}/gallery/files/index.js",
    params:
        code=code_of("build_gallery"),
        spec=gallery_spec,
    log:
        "logs/{dataset}/build_gallery.log",
    benchmark:
        "benchmarks/{dataset}/build_gallery.tsv"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/build_gallery.py"
