"""Settings, inputs and files of the pages of examples and of the animations."""


def plot_examples_spec(wildcards):
    return spec_of(
        split=split_of(wildcards),
        directions=directions_of(wildcards.attribution),
        examples=CONFIG["figures"]["examples"],
    )


def plot_examples_inputs(wildcards):
    """Return the images, and the first shard's regions, maps and scores in each direction."""
    first = shards_of(wildcards.dataset)[0].name
    shown = {**wildcards, "shard": first, "direction": directions_of(wildcards.attribution)}
    return {
        "images": images_file(wildcards.dataset, first),
        "masks": rules.rasterize_masks.output.masks.format(**shown),
        "relevance": expand(rules.compute_relevance.output.relevance, **shown),
        "scores": expand(rules.score_relevance.output.scores, **shown),
    }


def animate_narrative_spec(wildcards):
    """Return a narrative's number, or how it is chosen among the examples."""
    settings = {"narrative": wildcards.narrative, "examples": CONFIG["figures"]["examples"]}
    if wildcards.narrative != "auto":
        settings = {"narrative": int(wildcards.narrative)}
    return spec_of(
        model=wildcards.model,
        attribution=wildcards.attribution,
        split=split_of(wildcards),
        **settings,
    )


def animate_narrative_inputs(wildcards):
    """Return regions and maps: of the first shard, with its scores, or of all shards."""
    is_chosen = wildcards.narrative == "auto"
    shards = shards_of(wildcards.dataset)[: 1 if is_chosen else None]
    shown = {
        **wildcards,
        "shard": [shard.name for shard in shards],
        "direction": "text_to_image",
    }
    return {
        "images": images_files(wildcards.dataset, shards),
        "masks": expand(rules.rasterize_masks.output.masks, **shown),
        "relevance": expand(rules.compute_relevance.output.relevance, **shown),
        "scores": expand(rules.score_relevance.output.scores, **shown) if is_chosen else [],
    }


def examples_of(dataset):
    """List the pages of examples: one for every model and attribution that has maps."""
    return [
        page.format(dataset=dataset, model=model, attribution=attribution)
        for model, attribution in explained_pairs(dataset)
        for page in rules.plot_examples.output
    ]


def animations_of(dataset):
    """List the animations: one for every model and attribution with maps of pixels."""
    narrative = CONFIG["figures"]["animation"]
    if narrative is None:
        return []
    return [
        rules.animate_narrative.output.animation.format(
            dataset=dataset, model=model, attribution=attribution, narrative=narrative
        )
        for (model, attribution), directions in explained_pairs(dataset).items()
        if "text_to_image" in directions
    ]
