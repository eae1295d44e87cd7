"""Which model and attribution is best: their ranking, the table as a picture, and their cost."""


rule rank_contenders:
    """Rank the models and attributions by score, with groups that cannot be told apart."""
    input:
        scores="results/{dataset}/scores.parquet",
    output:
        rankings=report(
            "results/{dataset}/rankings.csv",
            caption="report/rankings.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "rankings"},
        ),
    params:
        code=code_of("rank_contenders"),
        spec=comparison_spec,
    log:
        "logs/{dataset}/rank_contenders.log",
    benchmark:
        "benchmarks/{dataset}/rank_contenders.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/rank_contenders.py"


rule plot_heatmap:
    """Draw every model's and attribution's strict average precision as a table in colours."""
    localrule: True
    input:
        rankings="results/{dataset}/rankings.csv",
    output:
        report(
            "results/{dataset}/figures/heatmap.pdf",
            caption="report/heatmap.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "models and attributions", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/heatmap.png",
            caption="report/heatmap.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "models and attributions", "format": "PNG"},
        ),
    params:
        code=code_of("plot_heatmap"),
        spec=interval_spec,
    log:
        "logs/{dataset}/plot_heatmap.log",
    benchmark:
        "benchmarks/{dataset}/plot_heatmap.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_heatmap.py"


rule plot_cost:
    """Draw strict average precision against the time that a map takes."""
    localrule: True
    input:
        summary="results/{dataset}/summary.csv",
    output:
        report(
            "results/{dataset}/figures/cost.pdf",
            caption="report/cost.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "score and cost", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/cost.png",
            caption="report/cost.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "score and cost", "format": "PNG"},
        ),
    params:
        code=code_of("plot_cost"),
        spec=interval_spec,
    log:
        "logs/{dataset}/plot_cost.log",
    benchmark:
        "benchmarks/{dataset}/plot_cost.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_cost.py"
