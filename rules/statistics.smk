"""Statistics of the scores and of the evidence: means, paired differences, rankings."""

from clip_grounding.published.means import list_published_means


rule summarize_scores:
    """Average the scores, with intervals from resampling the images; count what is left out."""
    input:
        scores=score_tables,
        relevance=explained_files(rules.compute_relevance.output.relevance),
        phrases=rules.index_phrases.output.phrases,
        narratives=rules.index_phrases.output.narratives,
    output:
        summary=report(
            "results/{dataset}/summary.csv",
            caption="report/summary.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "means"},
        ),
        coverage=report(
            "results/{dataset}/coverage.csv",
            caption="report/coverage.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "what was left out"},
        ),
    params:
        code=code_of("summarize_scores"),
        spec=lambda wildcards: spec_of(
            bootstrap=CONFIG["bootstrap"],
            seed=CONFIG["seed"],
            published=list_published_means(CONFIG, wildcards.dataset),
        ),
    log:
        "logs/{dataset}/summarize_scores.log",
    benchmark:
        "benchmarks/{dataset}/summarize_scores.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/summarize_scores.py"


rule compare_contenders:
    """Paired differences of the contenders, with intervals and corrected p-values."""
    input:
        scores=score_tables,
    output:
        comparisons=report(
            "results/{dataset}/comparisons.csv",
            caption="report/comparisons.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "paired differences"},
        ),
    params:
        code=code_of("compare_contenders"),
        spec=spec_of(bootstrap=CONFIG["bootstrap"], seed=CONFIG["seed"]),
    log:
        "logs/{dataset}/compare_contenders.log",
    benchmark:
        "benchmarks/{dataset}/compare_contenders.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/compare_contenders.py"


rule rank_contenders:
    """Rank the models and attributions by score, with groups that do not differ significantly."""
    input:
        scores=score_tables,
        certificates=branch(has_gates, then=rules.summarize_gates.output.certificates),
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
