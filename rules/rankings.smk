"""The ranking of models and attributions."""


rule rank_contenders:
    """Rank the models and attributions by score, with groups that do not differ significantly."""
    input:
        scores=rules.collect_scores.output.scores,
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
        spec=spec_of(bootstrap=CONFIG["bootstrap"], seed=CONFIG["seed"]),
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
