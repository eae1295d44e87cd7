"""Shared by the rules: the validated settings, the shards and the contenders.

The linter wants rules and functions in files of their own. So a rule's `spec` and inputs stand in
the rule where one expression is enough; longer ones are `<rule>_spec` and `<rule>_inputs` in
`<stage>_settings.smk`, which is included before `<stage>.smk`.
"""

import os
import re
import shlex
import sys
from functools import cache, partial
from pathlib import Path

# Snakemake writes the interpreter into shell commands as it stands: quoted, its folder may have
# spaces in its name.
if os.path.exists(sys.executable):
    sys.executable = shlex.quote(sys.executable)

REPOSITORY = os.path.dirname(str(workflow.current_basedir))
sys.path.insert(0, os.path.join(REPOSITORY, "workflow_scripts"))

from clip_grounding.errors import InputError
from clip_grounding.workflow import contenders
from clip_grounding.workflow.config import validate_config
from clip_grounding.workflow.places import Layer
from clip_grounding.workflow.settings_files import read_given, read_settings
from clip_grounding.workflow.shards import list_shards
from clip_grounding.workflow.surroundings import check_surroundings
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config


def given_settings():
    """The settings of --config."""
    return read_given(workflow.config_settings.config or {})


def settings_layers():
    """The files that the settings come from, those that win first, and before them --config.

    `workflow.configfiles` has the files given with --configfile, and then the Snakefile's own.
    """
    given = workflow.overwrite_configfiles
    own = [path for path in workflow.configfiles if path not in given]
    files = [Path(path).absolute() for path in [*reversed(given), *reversed(own)]]
    command = Layer(given_settings(), Path.cwd())
    return [command, *(Layer(read_settings(path), path.parent) for path in files)]


update_config(config, given_settings())
try:
    if workflow.is_main_process:
        check_surroundings(Path(REPOSITORY))
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
HAS_EVIDENCE = CONFIG["evidence"]["images"] != 0
HAS_GATES = CONFIG["gates"]["images"] != 0


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
    part=r"\d+",
    narrative=r"auto|0|[1-9]\d*",


@cache
def shards_of(dataset):
    return list_shards(
        DATASETS[dataset]["image_count"], CONFIG["images_per_shard"], CONFIG["max_images"]
    )


def span_of(wildcards):
    """First image rank of a shard and the one after its last."""
    _, start, stop = shards_of(wildcards.dataset)[int(wildcards.shard)]
    return [start, stop]


def split_of(wildcards):
    return DATASETS[wildcards.dataset]["split"]


models_of = partial(contenders.evaluated_models, CONFIG)
directions_of = partial(contenders.evaluated_directions, CONFIG)
evaluations_of = cache(partial(contenders.list_evaluations, CONFIG))
explained_of = cache(partial(contenders.list_explained, CONFIG))
explained_pairs = cache(partial(contenders.group_directions, CONFIG))


def asks_for_words(wildcards):
    """Return whether a job asks which words a region is, not which pixels a phrase."""
    return wildcards.direction == "image_to_text"
