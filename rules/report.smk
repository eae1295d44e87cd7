"""The figures: charts of a dataset's scores, and examples and an animation per model."""


rule plot_scores:
    """Draw the mean score of every contender in both directions as bars."""
    localrule: True
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
        code=code_of("plot_scores"),
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
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_scores.py"


rule plot_examples:
    """Draw what a model looks at for some phrases of the first shard, best to worst score."""
    input:
        unpack(examples_inputs),
        narratives="results/{dataset}/narratives.parquet",
        phrases="results/{dataset}/phrases.parquet",
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
        code=code_of("plot_examples"),
        spec=examples_spec,
    log:
        "logs/{dataset}/plot_examples/{model}/{attribution}.log",
    benchmark:
        "benchmarks/{dataset}/plot_examples/{model}/{attribution}.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_examples.py"


rule plot_strict_scores:
    """Draw the strict average precision of every contender, with the chance level."""
    localrule: True
    input:
        summary="results/{dataset}/summary.csv",
    output:
        report(
            "results/{dataset}/figures/strict.pdf",
            caption="report/strict.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "strict scores", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/strict.png",
            caption="report/strict.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "strict scores", "format": "PNG"},
        ),
    params:
        code=code_of("plot_strict_scores"),
        spec=bars_spec,
    log:
        "logs/{dataset}/plot_strict_scores.log",
    benchmark:
        "benchmarks/{dataset}/plot_strict_scores.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_strict_scores.py"


rule plot_differences:
    """Draw what every model's matched relevance has beyond the unimodal prompt, chance and the rest."""
    input:
        comparisons="results/{dataset}/comparisons.csv",
    output:
        report(
            "results/{dataset}/figures/differences.pdf",
            caption="report/differences.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "paired differences", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/differences.png",
            caption="report/differences.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "paired differences", "format": "PNG"},
        ),
    params:
        code=code_of("plot_differences"),
        spec=bars_spec,
    log:
        "logs/{dataset}/plot_differences.log",
    benchmark:
        "benchmarks/{dataset}/plot_differences.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_differences.py"


rule plot_area:
    """Draw the first model's scores, and the baselines', against the area of the region."""
    input:
        scores="results/{dataset}/scores.parquet",
    output:
        report(
            "results/{dataset}/figures/area.pdf",
            caption="report/area.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "scores by region area", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/area.png",
            caption="report/area.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "scores by region area", "format": "PNG"},
        ),
    params:
        code=code_of("plot_area"),
        spec=area_spec,
    log:
        "logs/{dataset}/plot_area.log",
    benchmark:
        "benchmarks/{dataset}/plot_area.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_area.py"


rule plot_slices:
    """Draw the first model's strict average precision on every slice of the phrases."""
    localrule: True
    input:
        summary="results/{dataset}/summary.csv",
    output:
        report(
            "results/{dataset}/figures/slices.pdf",
            caption="report/slices.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "strict scores by slice", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/slices.png",
            caption="report/slices.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "strict scores by slice", "format": "PNG"},
        ),
    params:
        code=code_of("plot_slices"),
        spec=chart_spec,
    log:
        "logs/{dataset}/plot_slices.log",
    benchmark:
        "benchmarks/{dataset}/plot_slices.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_slices.py"


rule plot_thresholds:
    """Draw the foreground IoU of every model against the threshold."""
    input:
        thresholds=threshold_files,
        summary="results/{dataset}/summary.csv",
    output:
        report(
            "results/{dataset}/figures/thresholds.pdf",
            caption="report/thresholds.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "IoU by threshold", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/thresholds.png",
            caption="report/thresholds.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "IoU by threshold", "format": "PNG"},
        ),
    params:
        code=code_of("plot_thresholds"),
        spec=steps_spec,
    log:
        "logs/{dataset}/plot_thresholds.log",
    benchmark:
        "benchmarks/{dataset}/plot_thresholds.tsv"
    threads: 1
    resources:
        mem_mb=table_mb,
        runtime=table_minutes,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_thresholds.py"


rule plot_waterfall:
    """Draw what each correction from the poster's score to the strict one moves."""
    localrule: True
    input:
        waterfall="results/{dataset}/waterfall.csv",
    output:
        report(
            "results/{dataset}/figures/waterfall.pdf",
            caption="report/waterfall.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "from poster to strict", "format": "PDF"},
        ),
        report(
            "results/{dataset}/figures/waterfall.png",
            caption="report/waterfall.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": "from poster to strict", "format": "PNG"},
        ),
    params:
        code=code_of("plot_waterfall"),
        spec=chart_spec,
    log:
        "logs/{dataset}/plot_waterfall.log",
    benchmark:
        "benchmarks/{dataset}/plot_waterfall.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/plot_waterfall.py"


rule animate_narrative:
    """Animate a narrative's phrases in turn, each over the pixels that a model looks at."""
    input:
        unpack(animation_inputs),
        narratives="results/{dataset}/narratives.parquet",
        phrases="results/{dataset}/phrases.parquet",
    output:
        animation=report(
            "results/{dataset}/animations/{model}/{attribution}/{narrative}.gif",
            caption="report/animation.rst",
            category="{dataset}",
            subcategory="Examples",
            labels={"model": "{model}", "attribution": "{attribution}", "format": "GIF"},
        ),
    params:
        code=code_of("animate_narrative"),
        spec=animation_spec,
    log:
        "logs/{dataset}/animate_narrative/{model}/{attribution}/{narrative}.log",
    benchmark:
        "benchmarks/{dataset}/animate_narrative/{model}/{attribution}/{narrative}.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/animate_narrative.py"
