"""The figures: the poster's bar chart of a dataset, and pages of examples per model and attribution."""


rule plot_scores:
    """Draw the mean score of every contender in both directions as bars."""
    input:
        summary="results/{dataset}/summary.csv",
    output:
        report(
            "results/{dataset}/figures/scores.pdf",
            caption="report/scores.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "poster scores", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/scores.png",
            caption="report/scores.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "poster scores", "format": "PNG"},
        ),
    params:
        spec=bars_spec,
    log:
        "logs/{dataset}/plot_scores.log",
    benchmark:
        "benchmarks/{dataset}/plot_scores.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../envs/report.yaml"
    script:
        "../workflow_scripts/plot_scores.py"


rule plot_examples:
    """Draw what a model looks at for some phrases of the first shard, best to worst score."""
    input:
        unpack(examples_inputs),
        narratives="results/{dataset}/narratives.parquet",
        phrases="results/{dataset}/phrases.parquet",
        images="data/{dataset}/images.zip",
    output:
        report(
            "results/{dataset}/figures/examples/{model}/{attribution}.pdf",
            caption="report/examples.rst",
            category="{dataset}",
            subcategory="Examples",
            labels={"model": "{model}", "attribution": "{attribution}", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/examples/{model}/{attribution}.png",
            caption="report/examples.rst",
            category="{dataset}",
            subcategory="Examples",
            labels={"model": "{model}", "attribution": "{attribution}", "format": "PNG"},
        ),
    params:
        spec=examples_spec,
    log:
        "logs/{dataset}/plot_examples/{model}/{attribution}.log",
    benchmark:
        "benchmarks/{dataset}/plot_examples/{model}/{attribution}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../envs/report.yaml"
    script:
        "../workflow_scripts/plot_examples.py"
