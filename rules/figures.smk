"""Charts, each drawn from tables; and the settings and inputs of examples and gallery."""

from clip_grounding.files import digest_file
from clip_grounding.gallery.page import ASSETS


def explained_pairs(dataset):
    """Return the models and attributions that have maps, with their directions."""
    pairs = {}
    for model, attribution, direction in explained_of(dataset):
        pairs.setdefault((model, attribution), []).append(direction)
    return pairs


def first_explained(dataset):
    """Return the pair for charts of a single one: the first with the most directions."""
    pairs = explained_pairs(dataset)
    model, attribution = max(pairs, key=lambda pair: len(pairs[pair]))
    return {"model": model, "attribution": attribution}


def bars_spec(wildcards):
    models, attributions = zip(*explained_pairs(wildcards.dataset), strict=True)
    return spec_of(
        models=list(dict.fromkeys(models)),
        attributions=list(dict.fromkeys(attributions)),
        confidence=CONFIG["bootstrap"]["confidence"],
    )


def interval_spec(wildcards):
    return spec_of(confidence=CONFIG["bootstrap"]["confidence"])


def pair_spec(wildcards):
    return spec_of(
        **first_explained(wildcards.dataset), confidence=CONFIG["bootstrap"]["confidence"]
    )


def areas_spec(wildcards):
    return spec_of(
        **first_explained(wildcards.dataset), bootstrap=CONFIG["bootstrap"], seed=CONFIG["seed"]
    )


# name of the figure: (its tables, its settings, its label in the report); it is drawn by
# `draw_<name>` in clip_grounding/figures/<name>.py
CHARTS = {
    "heatmap": (["rankings"], interval_spec, "models and attributions"),
    "cost": (["summary"], interval_spec, "score and cost"),
    "scores": (["summary"], bars_spec, "poster scores"),
    "strict": (["summary"], bars_spec, "strict scores"),
    "differences": (["comparisons"], bars_spec, "paired differences"),
    "area": (["areas"], pair_spec, "scores by region area"),
    "slices": (["summary"], pair_spec, "strict scores by slice"),
    "thresholds": (["curves", "summary"], interval_spec, "IoU by threshold"),
    "waterfall": (["waterfall"], pair_spec, "from poster to strict"),
}

# The same for the target `evidence`, which no other target includes.
EVIDENCE_CHARTS = {
    "evidence": (["evidence"], interval_spec, "localisation and faithfulness"),
    "effects": (["evidence"], interval_spec, "effects of regions"),
}


def figures_of(dataset):
    """List a dataset's figures: its charts, and a page of examples per model and attribution."""
    pages = [f"examples/{model}/{attribution}" for model, attribution in explained_pairs(dataset)]
    return [
        f"results/{dataset}/figures/{name}.{suffix}"
        for name in [*CHARTS, *pages]
        for suffix in ("pdf", "png")
    ]


captioned = report  # a line cannot begin with `report`, which is a directive


def chart_files(chart, label):
    return [
        captioned(
            f"results/{{dataset}}/figures/{chart}.{suffix}",
            caption=f"report/{chart}.rst",
            category="{dataset}",
            subcategory="Scores",
            labels={"figure": label, "format": suffix.upper()},
        )
        for suffix in ("pdf", "png")
    ]


for chart, (tables, spec, label) in {**CHARTS, **EVIDENCE_CHARTS}.items():

    rule:
        name:
            f"plot_{chart}"
        localrule: True
        input:
            [f"results/{{dataset}}/{table}.csv" for table in tables],
        output:
            chart_files(chart, label),
        params:
            code=code_of("plot_chart", f"clip_grounding.figures.{chart}.draw_{chart}"),
            spec=spec,
        log:
            f"logs/{{dataset}}/plot_{chart}.log",
        benchmark:
            f"benchmarks/{{dataset}}/plot_{chart}.tsv"
        threads: 1
        resources:
            mem_mb=growing(1000),
            runtime=growing(10),
        conda:
            "../envs/tables.yaml"
        script:
            "../workflow_scripts/plot_chart.py"


def examples_spec(wildcards):
    return spec_of(
        split=DATASETS[wildcards.dataset]["split"],
        directions=directions_of(wildcards.attribution),
        examples=CONFIG["figures"]["examples"],
    )


def examples_inputs(wildcards):
    """Return the images, and the first shard's regions, maps and scores in each direction."""
    shard = shards_of(wildcards.dataset)[0].name
    path = f"results/{{dataset}}/{{kind}}/{{model}}/{{attribution}}/{{direction}}/{shard}.parquet"
    return {
        "images": images_file(wildcards.dataset, shard),
        "masks": f"results/{wildcards.dataset}/masks/{shard}.parquet",
        **{
            kind: [
                path.format(**wildcards, kind=kind, direction=name)
                for name in directions_of(wildcards.attribution)
            ]
            for kind in ("relevance", "scores")
        },
    }


def animation_spec(wildcards):
    """Return a narrative's number, or how it is chosen among the examples."""
    settings = {"narrative": wildcards.narrative, "examples": CONFIG["figures"]["examples"]}
    if wildcards.narrative != "auto":
        settings = {"narrative": int(wildcards.narrative)}
    return spec_of(
        model=wildcards.model,
        attribution=wildcards.attribution,
        split=DATASETS[wildcards.dataset]["split"],
        **settings,
    )


def animation_inputs(wildcards):
    """Return regions and maps: of the first shard, with its scores, or of all shards."""
    dataset = wildcards.dataset
    shards = shards_of(dataset)[:1] if wildcards.narrative == "auto" else shards_of(dataset)
    path = f"results/{dataset}/{{}}/{wildcards.model}/{wildcards.attribution}/text_to_image/{{}}.parquet"
    return {
        "images": images_files(dataset, shards),
        "masks": [f"results/{dataset}/masks/{shard.name}.parquet" for shard in shards],
        "relevance": [path.format("relevance", shard.name) for shard in shards],
        "scores": (
            [path.format("scores", shard.name) for shard in shards]
            if wildcards.narrative == "auto"
            else []
        ),
    }


def animations_of(dataset):
    """List the animations: one for every model and attribution with maps of pixels."""
    narrative = CONFIG["figures"]["animation"]
    if narrative is None:
        return []
    return [
        f"results/{dataset}/animations/{model}/{attribution}/{narrative}.gif"
        for (model, attribution), directions in explained_pairs(dataset).items()
        if "text_to_image" in directions
    ]


def mask_files(wildcards):
    return shard_files("results/{dataset}/masks/{shard}.parquet", wildcards.dataset)


def all_images_files(wildcards):
    return images_files(wildcards.dataset, shards_of(wildcards.dataset))


def relevance_files(wildcards):
    return evaluation_files("relevance", wildcards.dataset, explained_of(wildcards.dataset))


def gallery_spec(wildcards):
    """Return what the gallery shows, and the digests of the page's files."""
    return spec_of(
        **CONFIG["gallery"],
        dataset=wildcards.dataset,
        split=DATASETS[wildcards.dataset]["split"],
        directions=[
            direction
            for direction in DIRECTIONS
            if any(direction in own for own in explained_pairs(wildcards.dataset).values())
        ],
        evaluations=explained_of(wildcards.dataset),
        shards=len(shards_of(wildcards.dataset)),
        seed=CONFIG["seed"],
        assets={path.name: digest_file(path) for path in sorted(ASSETS.iterdir())},
    )
