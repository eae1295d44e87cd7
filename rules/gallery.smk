"""The gallery: an offline HTML page for browsing phrases and their maps."""


rule build_gallery:
    """Show a sample of phrases in both directions, with every model's maps and scores."""
    input:
        unpack(evidence_inputs),
        scores=rules.collect_scores.output.scores,
        phrases=rules.index_phrases.output.phrases,
        narratives=rules.index_phrases.output.narratives,
        masks=lambda wildcards: shard_files(rules.rasterize_masks.output.masks, wildcards.dataset),
        relevance=explained_files(rules.compute_relevance.output.relevance),
        images=lambda wildcards: images_files(wildcards.dataset, shards_of(wildcards.dataset)),
    output:
        page="results/{dataset}/gallery/index.html",
        index="results/{dataset}/gallery/files/index.js",
    params:
        code=code_of("build_gallery", *LOOKS),
        spec=build_gallery_spec,
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
