"""Settings and files of the charts. A chart's settings say how it is drawn; several share them."""


def interval_spec(wildcards):
    return spec_of(confidence=CONFIG["bootstrap"]["confidence"])


def pair_spec(wildcards):
    return spec_of(
        **contenders.choose_shown_pair(CONFIG, wildcards.dataset),
        confidence=CONFIG["bootstrap"]["confidence"],
    )


def model_spec(wildcards):
    return spec_of(
        model=models_of(wildcards.dataset)[0], confidence=CONFIG["bootstrap"]["confidence"]
    )


def bars_spec(wildcards):
    models, attributions = zip(*explained_pairs(wildcards.dataset), strict=True)
    return spec_of(
        models=list(dict.fromkeys(models)),
        attributions=list(dict.fromkeys(attributions)),
        confidence=CONFIG["bootstrap"]["confidence"],
    )


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


def charts_of(dataset, charts):
    return [
        path.format(dataset=dataset)
        for chart in charts
        for path in getattr(rules, f"plot_{chart}").output
    ]
