"""Kinds of datasets that the workflow writes in the published formats: a module each.

A module ``<kind>.py`` holds ``CONTRACT``, a literal, with

``summary``
    One line: what the dataset is.
``parameters``
    JSON schema of each setting of a dataset of the kind but `kind` and `models`, with
    ``description``. `image_count` and `split` are among them.

and the function that writes a dataset's three files, called as

``write_dataset(images, panoptic, narratives, **parameters)``

with their paths. docs/your-data.md says what they hold. What it writes must follow from the
parameters and the code alone: a file of this machine that it read would not be followed.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from clip_grounding.kinds.contracts import list_kinds, read_kind

FOLDER = Path(__file__).parent
_DOCUMENT = "docs/your-data.md"


def list_converters(folder: Path = FOLDER) -> list[str]:
    """List the names of the kinds, one per module."""
    return list_kinds(folder)


@lru_cache(maxsize=64)
def read_converter(kind: str, folder: Path = FOLDER) -> dict:
    """Read the contract of a kind, without importing its module.

    Raises
    ------
    InputError
        The contract is missing or wrong, or the module has no function ``write_dataset``.
    """
    module = read_kind(folder / f"{kind}.py", _DOCUMENT)
    for key, type_ in (("summary", str), ("parameters", dict)):
        if not isinstance(module.contract.get(key), type_):
            module.refuse(f"{key} must be given, as a {type_.__name__}")
    parameters = module.contract["parameters"]
    for name, schema in parameters.items():
        if not isinstance(schema, dict) or "description" not in schema:
            module.refuse(f"parameters: {name} must have a description")
    if missing := {"image_count", "split"} - set(parameters):
        module.refuse(f"parameters: {min(missing)} is missing")
    module.require("write_dataset")
    return module.contract


def dataset_schema(kind: str) -> dict:
    """Return the JSON schema of an entry of ``datasets`` of a kind."""
    contract = read_converter(kind)
    needed = [name for name, schema in contract["parameters"].items() if "default" not in schema]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind", "models", *needed],
        "properties": {
            "kind": {"const": kind, "description": contract["summary"]},
            **contract["parameters"],
            "models": {
                "description": "The models to evaluate on this dataset, names under `models`.",
                "$ref": "#/$defs/models_of_dataset",
            },
        },
    }


def parameters_of(dataset: dict) -> dict:
    """Return what a dataset's files depend on, of a validated entry of ``datasets``."""
    return {key: value for key, value in dataset.items() if key not in ("kind", "models")}


def load_converter(kind: str) -> Callable:
    """Return the function that writes a dataset of a kind."""
    return import_module(f"clip_grounding.converters.{kind}").write_dataset
