"""Examples: a page and an animation per model and attribution."""


rule plot_examples:
    """Draw a model's maps for some phrases of the first shard, from best to worst score."""
    input:
        unpack(plot_examples_inputs),
        narratives=rules.index_phrases.output.narratives,
        phrases=rules.index_phrases.output.phrases,
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
        spec=plot_examples_spec,
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


rule animate_narrative:
    """Animate a narrative: its phrases in turn, each over the pixels that a model attends to."""
    input:
        unpack(animate_narrative_inputs),
        narratives=rules.index_phrases.output.narratives,
        phrases=rules.index_phrases.output.phrases,
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
        spec=animate_narrative_spec,
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
