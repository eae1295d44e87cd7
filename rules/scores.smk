"""Scores: per phrase and shard, then one table of all contenders."""

from clip_grounding.scoring.baselines import read_baseline


rule score_relevance:
    """Score one shard's relevance maps of a model and attribution."""
    input:
        phrases=rules.index_phrases.output.phrases,
        masks=rules.rasterize_masks.output.masks,
        checkpoint=CHECKPOINT,
        narratives=branch(asks_for_words, then=rules.index_phrases.output.narratives),
        relevance=rules.compute_relevance.output.relevance,
    output:
        scores="results/{dataset}/scores/{model}/{attribution}/{direction}/{shard}.parquet",
        thresholds="results/{dataset}/thresholds/{model}/{attribution}/{direction}/{shard}.parquet",
    params:
        code=code_of("score_relevance"),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset,
            span=span_of(wildcards),
            direction=wildcards.direction,
            seed=CONFIG["seed"],
        ),
    log:
        "logs/{dataset}/score_relevance/{model}/{attribution}/{direction}/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/score_relevance/{model}/{attribution}/{direction}/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=scoring_mb,
        runtime=scoring_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/score_relevance.py"


rule score_baseline:
    """Score a baseline, which needs no model, on one shard."""
    input:
        phrases=rules.index_phrases.output.phrases,
        masks=rules.rasterize_masks.output.masks,
        checkpoint=lambda wildcards: CHECKPOINT.format(model=models_of(wildcards.dataset)[0]),
        narratives=branch(asks_for_words, then=rules.index_phrases.output.narratives),
    output:
        scores="results/{dataset}/scores/baseline/{attribution}/{direction}/{shard}.parquet",
    params:
        code=lambda wildcards: code_of(
            "score_baseline", f"clip_grounding.scoring.baselines.{wildcards.attribution}"
        ),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset,
            span=span_of(wildcards),
            direction=wildcards.direction,
            baseline=wildcards.attribution,
            seed=CONFIG["seed"] if read_baseline(wildcards.attribution).is_drawn else None,
        ),
    wildcard_constraints:
        attribution=one_of(EVALUATE["baselines"]),
    log:
        "logs/{dataset}/score_baseline/{attribution}/{direction}/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/score_baseline/{attribution}/{direction}/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=scoring_mb,
        runtime=scoring_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/score_baseline.py"


rule score_waterfall:
    """Score one shard's maps after each correction from the poster's protocol to the strict one."""
    input:
        phrases=rules.index_phrases.output.phrases,
        masks=rules.rasterize_masks.output.masks,
        checkpoint=branch(asks_for_words, then=CHECKPOINT),
        narratives=branch(asks_for_words, then=rules.index_phrases.output.narratives),
        relevance=rules.compute_relevance.output.relevance,
    output:
        waterfall="results/{dataset}/waterfall/{model}/{attribution}/{direction}/{shard}.parquet",
    params:
        code=code_of("score_waterfall"),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset, span=span_of(wildcards), direction=wildcards.direction
        ),
    log:
        "logs/{dataset}/score_waterfall/{model}/{attribution}/{direction}/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/score_waterfall/{model}/{attribution}/{direction}/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=scoring_mb,
        runtime=waterfall_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/score_waterfall.py"


rule summarize_waterfall:
    """Average the steps from the poster's protocol to the strict one."""
    input:
        waterfall=explained_files(rules.score_waterfall.output.waterfall),
    output:
        summary=report(
            "results/{dataset}/waterfall.csv",
            caption="report/waterfall_table.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "from poster to strict"},
        ),
    params:
        code=code_of("summarize_waterfall"),
        spec=lambda wildcards: spec_of(
            evaluations=explained_of(wildcards.dataset),
            shards=len(shards_of(wildcards.dataset)),
            bootstrap=CONFIG["bootstrap"],
            seed=CONFIG["seed"],
        ),
    log:
        "logs/{dataset}/summarize_waterfall.log",
    benchmark:
        "benchmarks/{dataset}/summarize_waterfall.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/summarize_waterfall.py"


rule collect_scores:
    """Put the scores of all contenders and shards into one table."""
    input:
        scores=lambda wildcards: files_of(
            rules.score_relevance.output.scores,
            wildcards.dataset,
            evaluations_of(wildcards.dataset),
        ),
    output:
        scores="results/{dataset}/scores.parquet",
    params:
        code=code_of("collect_scores"),
        spec=lambda wildcards: spec_of(
            dataset=wildcards.dataset,
            evaluations=evaluations_of(wildcards.dataset),
            shards=len(shards_of(wildcards.dataset)),
        ),
    log:
        "logs/{dataset}/collect_scores.log",
    benchmark:
        "benchmarks/{dataset}/collect_scores.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/collect_scores.py"


rule summarize_areas:
    """Average the first model's scores, and the baselines', on the phrases of each region area."""
    input:
        scores=rules.collect_scores.output.scores,
    output:
        areas=report(
            "results/{dataset}/areas.csv",
            caption="report/areas_table.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "scores by region area"},
        ),
    params:
        code=code_of("summarize_areas"),
        spec=lambda wildcards: spec_of(
            **contenders.choose_shown_pair(CONFIG, wildcards.dataset),
            bootstrap=CONFIG["bootstrap"],
            seed=CONFIG["seed"],
        ),
    log:
        "logs/{dataset}/summarize_areas.log",
    benchmark:
        "benchmarks/{dataset}/summarize_areas.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/summarize_areas.py"


rule summarize_curves:
    """Average the foreground IoU of every model at each threshold."""
    input:
        thresholds=explained_files(rules.score_relevance.output.thresholds),
    output:
        curves=report(
            "results/{dataset}/curves.csv",
            caption="report/curves_table.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "IoU by threshold"},
        ),
    params:
        code=code_of("summarize_curves"),
        spec=lambda wildcards: spec_of(
            evaluations=explained_of(wildcards.dataset),
            shards=len(shards_of(wildcards.dataset)),
            bootstrap=CONFIG["bootstrap"],
            seed=CONFIG["seed"],
        ),
    log:
        "logs/{dataset}/summarize_curves.log",
    benchmark:
        "benchmarks/{dataset}/summarize_curves.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/summarize_curves.py"
