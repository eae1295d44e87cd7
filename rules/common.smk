"""What the rules share: the validated settings, the shard list, and the settings of each job.

A rule's `spec` is one string of canonical JSON with exactly the settings that its output
depends on, so that changing a setting reruns what it concerns and nothing else. Settings
that change how a job runs but not what it makes (device, batch_size, threads) are not in
it; scripts read those from `snakemake.config`. A rule's `code` is the fingerprint of its
script and of the library modules behind it. Downloads have none: they never run again for
an edit.
"""

import json
import os
import re
import sys
from functools import cache
from pathlib import Path

REPOSITORY = os.path.dirname(str(workflow.current_basedir))
sys.path.insert(0, os.path.join(REPOSITORY, "workflow_scripts"))

from clip_grounding import published_files
from clip_grounding.checkpoints import digest_folder
from clip_grounding.config import validate_config
from clip_grounding.errors import InputError
from clip_grounding.files import digest_file
from clip_grounding.fingerprint import fingerprint
from clip_grounding.gallery.page import ASSETS
from clip_grounding.published import is_published_dataset, published_mean
from clip_grounding.shards import list_shards
from snakemake.exceptions import WorkflowError

try:
    CONFIG = validate_config(config, os.path.join(REPOSITORY, "rules/schemas/config.schema.yaml"))
except InputError as error:
    raise WorkflowError(str(error)) from None
config.update(CONFIG)

DATASETS = CONFIG["datasets"]
MODELS = CONFIG["models"]
ATTRIBUTIONS = CONFIG["attributions"]
EVALUATE = CONFIG["evaluate"]
DIRECTIONS = EVALUATE["directions"]


def one_of(names):
    """A wildcard pattern of exactly these names; of nothing where there are none."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


def dataset_names(kind):
    return [name for name, dataset in DATASETS.items() if dataset["kind"] == kind]


def model_names(key):
    """Models that have the setting `key`: checkpoint or train."""
    return [name for name, model in MODELS.items() if key in model]


wildcard_constraints:
    dataset=one_of(DATASETS),
    model=one_of(MODELS),
    attribution=one_of([*ATTRIBUTIONS, *EVALUATE["baselines"]]),
    direction=one_of(DIRECTIONS),
    shard=r"\d+",


def spec_of(**settings):
    """Canonical JSON of a job's settings: the same settings are the same string."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def code_of(script, *modules):
    """Fingerprint of what a script runs; its edit reruns the rule, a touched file does not."""
    return fingerprint(Path(REPOSITORY, "workflow_scripts", f"{script}.py"), modules)


def relevance_code(wildcards):
    kind = ATTRIBUTIONS[wildcards.attribution]["kind"]
    return code_of("compute_relevance", f"clip_grounding.attribution.{kind}")


@cache
def shards_of(dataset):
    return list_shards(
        DATASETS[dataset]["image_count"], CONFIG["images_per_shard"], CONFIG["max_images"]
    )


def shard_span(dataset, shard):
    """First image rank of a shard and the one after its last."""
    _, start, stop = shards_of(dataset)[int(shard)]
    return [start, stop]


def shard_files(pattern, dataset):
    """The files of all shards of a pattern that has {shard}."""
    return [pattern.format(dataset=dataset, shard=shard.name) for shard in shards_of(dataset)]


def contenders_of(dataset):
    """All [model, attribution, direction] that are scored, baselines last."""
    explained = [(m, a) for m in DATASETS[dataset]["models"] for a in EVALUATE["attributions"]]
    baselines = [("baseline", kind) for kind in EVALUATE["baselines"]]
    return [
        [model, attribution, direction]
        for direction in DIRECTIONS
        for model, attribution in [*explained, *baselines]
        if (direction, attribution) != ("image_to_text", "center")  # words have no centre
    ]


# Settings and inputs of the jobs, stage by stage.


def source_spec(wildcards):
    """Where a file comes from and what is known of it: the config's entry without the suffix."""
    key, _, _ = wildcards.source.partition(".")
    return spec_of(**DATASETS[wildcards.dataset][key])


def checkpoint_spec(wildcards):
    """A hub checkpoint is its revision; a local folder is its content, whatever its files' times."""
    model = MODELS[wildcards.model]
    content = None
    if model["revision"] is None:
        content = digest_folder(model["checkpoint"], "data/models/.digests.json")
    return spec_of(checkpoint=model["checkpoint"], revision=model["revision"], content=content)


def scenes_spec(wildcards):
    dataset = DATASETS[wildcards.dataset]
    return spec_of(image_count=dataset["image_count"], seed=dataset["seed"], split=dataset["split"])


def training_spec(wildcards):
    return spec_of(**MODELS[wildcards.model])


def index_spec(wildcards):
    dataset = DATASETS[wildcards.dataset]
    return spec_of(
        dataset=wildcards.dataset, split=dataset["split"], image_count=dataset["image_count"]
    )


def masks_spec(wildcards):
    return spec_of(
        dataset=wildcards.dataset,
        split=DATASETS[wildcards.dataset]["split"],
        span=shard_span(wildcards.dataset, wildcards.shard),
    )


def relevance_spec(wildcards):
    return spec_of(
        dataset=wildcards.dataset,
        split=DATASETS[wildcards.dataset]["split"],
        span=shard_span(wildcards.dataset, wildcards.shard),
        model=wildcards.model,
        attribution=ATTRIBUTIONS[wildcards.attribution],
        direction=wildcards.direction,
        precision=CONFIG["precision"],
    )


def relevance_inputs(wildcards):
    """Tables and files of a relevance job; only image_to_text needs the regions."""
    inputs = {
        "narratives": "results/{dataset}/narratives.parquet",
        "phrases": "results/{dataset}/phrases.parquet",
        "images": "data/{dataset}/images.zip",
        "checkpoint": "data/models/{model}/manifest.json",
    }
    if wildcards.direction == "image_to_text":
        inputs["masks"] = "results/{dataset}/masks/{shard}.parquet"
    return {name: path.format(**wildcards) for name, path in inputs.items()}


def score_spec(wildcards):
    return spec_of(
        dataset=wildcards.dataset,
        span=shard_span(wildcards.dataset, wildcards.shard),
        direction=wildcards.direction,
        seed=CONFIG["seed"],
    )


def baseline_spec(wildcards):
    return spec_of(
        dataset=wildcards.dataset,
        span=shard_span(wildcards.dataset, wildcards.shard),
        direction=wildcards.direction,
        baseline=wildcards.attribution,
        seed=CONFIG["seed"],
    )


def truth_inputs(wildcards):
    """What a phrase is scored against: its region, and for image_to_text its words.

    The checkpoint gives the tokens and the patch grid. A baseline has none of its own: it
    uses those of the dataset's first model.
    """
    model = getattr(wildcards, "model", DATASETS[wildcards.dataset]["models"][0])
    results = f"results/{wildcards.dataset}"
    return {
        "narratives": f"{results}/narratives.parquet",
        "phrases": f"{results}/phrases.parquet",
        "masks": f"{results}/masks/{wildcards.shard}.parquet",
        "checkpoint": f"data/models/{model}/manifest.json",
    }


def score_files(wildcards):
    dataset = wildcards.dataset
    return contender_files("scores", dataset, contenders_of(dataset))


def collect_spec(wildcards):
    return spec_of(
        dataset=wildcards.dataset,
        contenders=contenders_of(wildcards.dataset),
        shards=len(shards_of(wildcards.dataset)),
    )


def summary_spec(wildcards):
    return spec_of(
        bootstrap=CONFIG["bootstrap"],
        seed=CONFIG["seed"],
        published=published_means(wildcards.dataset),
    )


def comparison_spec(wildcards):
    return spec_of(bootstrap=CONFIG["bootstrap"], seed=CONFIG["seed"])


def published_means(dataset):
    """[direction, model, attribution, prompt, mean] of every contender that has been published."""
    if not is_published_dataset(DATASETS[dataset], CONFIG["max_images"]):
        return []
    rows = []
    for model, attribution, direction in contenders_of(dataset):
        prompts = ["none"] if model == "baseline" else ["matched", "null"]
        for prompt in prompts:
            mean = published_mean(
                direction,
                attribution if model == "baseline" else prompt,
                ATTRIBUTIONS.get(attribution, {}),
                MODELS.get(model, {}),
            )
            if mean is not None:
                rows.append([direction, model, attribution, prompt, mean])
    return rows


def waterfall_spec(wildcards):
    return spec_of(
        dataset=wildcards.dataset,
        span=shard_span(wildcards.dataset, wildcards.shard),
        direction=wildcards.direction,
    )


def explained_of(dataset):
    """The contenders that have maps: all but the baselines."""
    return [contender for contender in contenders_of(dataset) if contender[0] != "baseline"]


def waterfall_files(wildcards):
    return contender_files("waterfall", wildcards.dataset, explained_of(wildcards.dataset))


def threshold_files(wildcards):
    return contender_files("thresholds", wildcards.dataset, explained_of(wildcards.dataset))


def contender_files(stage, dataset, contenders):
    """Every shard's file of a stage, contender by contender."""
    return [
        path
        for model, attribution, direction in contenders
        for path in shard_files(
            f"results/{{dataset}}/{stage}/{model}/{attribution}/{direction}/{{shard}}.parquet",
            dataset,
        )
    ]


def steps_spec(wildcards):
    """Settings of a summary over contenders' files, listed as `contender_files` lists them."""
    return spec_of(
        contenders=explained_of(wildcards.dataset),
        shards=len(shards_of(wildcards.dataset)),
        bootstrap=CONFIG["bootstrap"],
        seed=CONFIG["seed"],
    )


def bars_spec(wildcards):
    return spec_of(
        models=DATASETS[wildcards.dataset]["models"],
        attributions=EVALUATE["attributions"],
        confidence=CONFIG["bootstrap"]["confidence"],
    )


def first_explained(dataset):
    """The model and attribution of the charts that have room for one."""
    model, attribution, _ = explained_of(dataset)[0]
    return {"model": model, "attribution": attribution}


def chart_spec(wildcards):
    return spec_of(
        **first_explained(wildcards.dataset), confidence=CONFIG["bootstrap"]["confidence"]
    )


def area_spec(wildcards):
    return spec_of(
        **first_explained(wildcards.dataset), bootstrap=CONFIG["bootstrap"], seed=CONFIG["seed"]
    )


def examples_spec(wildcards):
    return spec_of(
        split=DATASETS[wildcards.dataset]["split"],
        directions=DIRECTIONS,
        examples=CONFIG["figures"]["examples"],
    )


def examples_inputs(wildcards):
    """The first shard's regions, and its relevance maps and scores in every direction."""
    shard = shards_of(wildcards.dataset)[0].name
    path = f"results/{{dataset}}/{{kind}}/{{model}}/{{attribution}}/{{direction}}/{shard}.parquet"
    return {
        "masks": f"results/{wildcards.dataset}/masks/{shard}.parquet",
        **{
            kind: [path.format(**wildcards, kind=kind, direction=name) for name in DIRECTIONS]
            for kind in ("relevance", "scores")
        },
    }


def mask_files(wildcards):
    return shard_files("results/{dataset}/masks/{shard}.parquet", wildcards.dataset)


def relevance_files(wildcards):
    return contender_files("relevance", wildcards.dataset, explained_of(wildcards.dataset))


def gallery_spec(wildcards):
    """What the gallery shows, and the digests of the files that the page is made of."""
    return spec_of(
        **CONFIG["gallery"],
        dataset=wildcards.dataset,
        split=DATASETS[wildcards.dataset]["split"],
        directions=DIRECTIONS,
        contenders=explained_of(wildcards.dataset),
        shards=len(shards_of(wildcards.dataset)),
        seed=CONFIG["seed"],
        assets={path.name: digest_file(path) for path in sorted(ASSETS.iterdir())},
    )


def figures_of(dataset):
    """The figures of a dataset: its charts, and a page of examples per model and attribution."""
    charts = ["scores", "strict", "area", "slices", "thresholds", "waterfall"]
    pages = [
        f"examples/{model}/{attribution}"
        for model in DATASETS[dataset]["models"]
        for attribution in EVALUATE["attributions"]
    ]
    return [
        f"results/{dataset}/figures/{name}.{kind}"
        for name in [*charts, *pages]
        for kind in ("pdf", "png")
    ]


def uses_gpu(wildcards):
    return 0 if CONFIG["device"] == "cpu" else 1


def published_spec(wildcards):
    folder = CONFIG["published_metrics"]
    if folder is None:
        raise WorkflowError(
            "published_metrics: not set; give the folder or the URL prefix of the six published"
            " files, for example --config published_metrics=path/to/folder"
        )
    return spec_of(url=f"{folder.rstrip('/')}/{wildcards.file}")


def compared_contender():
    """The dataset's model and attribution that were published; else its first."""
    pairs = [
        (model, attribution)
        for model in DATASETS[CONFIG["dataset"]]["models"]
        for attribution in EVALUATE["attributions"]
    ]
    for model, attribution in pairs:
        settings = ATTRIBUTIONS[attribution], MODELS[model]
        if published_mean("text_to_image", "matched", *settings) is not None:
            return model, attribution
    return pairs[0]


def compare_spec(wildcards):
    model, attribution = compared_contender()
    return spec_of(dataset=CONFIG["dataset"], model=model, attribution=attribution)


def reanalyse_spec(wildcards):
    return spec_of(bootstrap=CONFIG["bootstrap"], seed=CONFIG["seed"])
