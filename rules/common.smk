"""Shared by the rules: the validated settings, the shard list, and the settings of each job.

A rule's `spec` is one string of canonical JSON with exactly the settings that its output
depends on, so that changing a setting reruns what it concerns and nothing else. Settings
that change how a job runs but not what it makes (device, batch_size, threads) are not in
it; scripts read those from `snakemake.config`. A rule's `code` is the fingerprint of its
script and of what of the library it can reach. Downloads have none: they never run again for
an edit.
"""

import json
import os
import re
import shlex
import sys
from functools import cache
from pathlib import Path

# Snakemake writes the interpreter into shell commands as it stands: quoted, its folder may have
# spaces in its name.
if os.path.exists(sys.executable):
    sys.executable = shlex.quote(sys.executable)

REPOSITORY = os.path.dirname(str(workflow.current_basedir))
sys.path.insert(0, os.path.join(REPOSITORY, "workflow_scripts"))

from clip_grounding.published import files as published_files
from clip_grounding.scoring.baselines import BASELINES
from clip_grounding.workflow.config import evaluated_models, explained_directions, validate_config
from clip_grounding.workflow.contracts import method_of
from clip_grounding.errors import InputError
from clip_grounding.workflow.fingerprint import fingerprint, record_code
from clip_grounding.workflow.places import Layer
from clip_grounding.published.means import is_published_dataset, published_mean
from clip_grounding.workflow.settings_files import read_settings
from clip_grounding.workflow.shards import list_shards
from snakemake.exceptions import WorkflowError


def settings_layers():
    """The files that the settings come from, those that win first, and before them --config.

    `workflow.configfiles` has the files given with --configfile, and then the Snakefile's own.
    """
    given = workflow.overwrite_configfiles
    own = [path for path in workflow.configfiles if path not in given]
    files = [Path(path).absolute() for path in [*reversed(given), *reversed(own)]]
    command = Layer(workflow.config_settings.config or {}, Path.cwd())
    return [command, *(Layer(read_settings(path), path.parent) for path in files)]


try:
    CONFIG = validate_config(
        config, os.path.join(REPOSITORY, "rules/schemas/config.schema.yaml"), settings_layers()
    )
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
    narrative=r"auto|0|[1-9]\d*",


def spec_of(**settings):
    """Canonical JSON of a job's settings: the same settings are the same string."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def code_of(script, *roots):
    """Fingerprint of what a script runs; its edit reruns the rule, a touched file does not.

    `roots` are the modules of the library that the script finds by a setting. The run's main
    process records what the fingerprint stands for, under results/.code.
    """
    path = Path(REPOSITORY, "workflow_scripts", f"{script}.py")
    return record_code(path, roots) if workflow.is_main_process else fingerprint(path, roots)


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


def models_of(dataset):
    """Names of the models that are evaluated on a dataset."""
    return evaluated_models(CONFIG, dataset)


def pairs_of(dataset):
    """Every (model, attribution) that is evaluated, in some direction at least."""
    return [
        (model, attribution)
        for model in models_of(dataset)
        for attribution in EVALUATE["attributions"]
    ]


def baselines():
    return [("baseline", kind) for kind in EVALUATE["baselines"]]


def directions_of(attribution):
    """The directions in which an attribution or a baseline is evaluated."""
    if attribution in BASELINES:
        own = BASELINES[attribution].directions
        return [direction for direction in DIRECTIONS if direction in own]
    return explained_directions(CONFIG, attribution)


def evaluations_of(dataset):
    """All [model, attribution, direction] that are scored, baselines last."""
    return [
        [model, attribution, direction]
        for direction in DIRECTIONS
        for model, attribution in [*pairs_of(dataset), *baselines()]
        if direction in directions_of(attribution)
    ]


# Settings and inputs of the jobs, stage by stage.


def scenes_spec(wildcards):
    dataset = DATASETS[wildcards.dataset]
    return spec_of(image_count=dataset["image_count"], seed=dataset["seed"], split=dataset["split"])


def training_spec(wildcards):
    return spec_of(**MODELS[wildcards.model])


def index_spec(wildcards):
    dataset = DATASETS[wildcards.dataset]
    return spec_of(
        dataset=wildcards.dataset,
        split=dataset["split"],
        image_count=dataset["image_count"],
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
        attribution=method_of(ATTRIBUTIONS[wildcards.attribution]),
        direction=wildcards.direction,
        precision=CONFIG["precision"],
    )


def relevance_inputs(wildcards):
    """Tables and files of a relevance job; only image_to_text needs the regions."""
    results = f"results/{wildcards.dataset}"
    inputs = {
        "narratives": f"{results}/narratives.parquet",
        "phrases": f"{results}/phrases.parquet",
        "images": images_file(wildcards.dataset, wildcards.shard),
        "checkpoint": f"data/models/{wildcards.model}/manifest.json",
    }
    if wildcards.direction == "image_to_text":
        inputs["masks"] = f"{results}/masks/{wildcards.shard}.parquet"
    return inputs


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
        seed=CONFIG["seed"] if BASELINES[wildcards.attribution].is_drawn else None,
    )


def first_model(dataset):
    return models_of(dataset)[0]


def truth_inputs(wildcards):
    """Return what a phrase is scored against: its region, and for image_to_text its words.

    The checkpoint gives the words' tokens. Those of a baseline are the dataset's first model's.
    """
    model = getattr(wildcards, "model", first_model(wildcards.dataset))
    results = f"results/{wildcards.dataset}"
    inputs = {
        "phrases": f"{results}/phrases.parquet",
        "masks": f"{results}/masks/{wildcards.shard}.parquet",
        "checkpoint": f"data/models/{model}/manifest.json",
    }
    if wildcards.direction == "image_to_text":
        inputs["narratives"] = f"{results}/narratives.parquet"
    return inputs


def waterfall_inputs(wildcards):
    """The same, without the model where its words are not asked for."""
    inputs = truth_inputs(wildcards)
    if wildcards.direction == "text_to_image":
        del inputs["checkpoint"]
    return inputs


def score_files(wildcards):
    dataset = wildcards.dataset
    return evaluation_files("scores", dataset, evaluations_of(dataset))


def collect_spec(wildcards):
    return spec_of(
        dataset=wildcards.dataset,
        evaluations=evaluations_of(wildcards.dataset),
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
    for model, attribution, direction in evaluations_of(dataset):
        prompts = ["none"] if model == "baseline" else ["matched", "unimodal"]
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
    """The evaluations that have maps: all but the baselines'."""
    return [own for own in evaluations_of(dataset) if own[0] != "baseline"]


def waterfall_files(wildcards):
    return evaluation_files("waterfall", wildcards.dataset, explained_of(wildcards.dataset))


def threshold_files(wildcards):
    return evaluation_files("thresholds", wildcards.dataset, explained_of(wildcards.dataset))


def evaluation_files(stage, dataset, evaluations):
    """Every shard's file of a stage, evaluation by evaluation."""
    return [
        path
        for model, attribution, direction in evaluations
        for path in shard_files(
            f"results/{{dataset}}/{stage}/{model}/{attribution}/{direction}/{{shard}}.parquet",
            dataset,
        )
    ]


def steps_spec(wildcards):
    """Settings of a summary over evaluations' files, listed as `evaluation_files` lists them."""
    return spec_of(
        evaluations=explained_of(wildcards.dataset),
        shards=len(shards_of(wildcards.dataset)),
        bootstrap=CONFIG["bootstrap"],
        seed=CONFIG["seed"],
    )


def published_spec(wildcards):
    folder = CONFIG["published_metrics"]
    if folder is None:
        raise WorkflowError(
            "published_metrics: not set; give the folder or the URL prefix of the six published"
            " files, for example --config published_metrics=path/to/folder"
        )
    place = f"{folder.rstrip('/')}/{wildcards.file}"
    return spec_of(**describe_source({"url": [place]}, DIGESTS))


def compared_pair():
    """The dataset's model and attribution that were published; else its first."""
    pairs = pairs_of(CONFIG["dataset"])
    for model, attribution in pairs:
        settings = ATTRIBUTIONS[attribution], MODELS[model]
        if published_mean("text_to_image", "matched", *settings) is not None:
            return model, attribution
    return pairs[0]


def compare_spec(wildcards):
    model, attribution = compared_pair()
    return spec_of(dataset=CONFIG["dataset"], model=model, attribution=attribution)


def reanalyse_spec(wildcards):
    return spec_of(bootstrap=CONFIG["bootstrap"], seed=CONFIG["seed"])
