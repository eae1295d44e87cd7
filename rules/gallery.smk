"""The gallery: an offline HTML page for browsing phrases and their maps."""


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
