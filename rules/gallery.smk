"""The gallery: a page to browse phrases with their maps, which opens from disk."""


def gallery_evidence(dataset):
    """The tables of the evidence that the page shows; none where no image is measured."""
    if EVIDENCE["images"] == 0:
        return {}
    maps = {
        stage: evaluation_files(stage, dataset, explained_of(dataset))
        for stage in ("outcomes", "faithfulness", "removal")
    }
    effects = [
        path
        for model, direction in measured_pairs(dataset)
        for path in shard_files(
            f"results/{{dataset}}/effects/{model}/{direction}/{{shard}}.parquet", dataset
        )
    ]
    return {"effects": effects, **maps}


rule build_gallery:
    """Show a sample of phrases in both directions, with every model's maps and scores."""
    input:
        unpack(lambda wildcards: gallery_evidence(wildcards.dataset)),
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
