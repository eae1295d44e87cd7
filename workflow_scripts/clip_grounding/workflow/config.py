"""Check the settings of a run once, while the workflow is parsed.

The schema holds types, limits and defaults, and each attribution method's contract those of its
parameters. The rest is checked here: names that refer to other names or mean something else, paths
that lead nowhere, and which models and directions a method can explain. All problems are
reported at once, each with its key and the remedy.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from textwrap import shorten

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from clip_grounding.converters import dataset_schema, list_converters
from clip_grounding.downloads.urls import hide_secrets, why_secret
from clip_grounding.errors import InputError
from clip_grounding.scoring.baselines import list_baselines, read_baselines
from clip_grounding.vocabulary import CONTROLS
from clip_grounding.workflow.contenders import evaluated_models
from clip_grounding.workflow.contracts import attribution_schema, list_kinds
from clip_grounding.workflow.places import Layer, is_local_folder, resolve_places
from clip_grounding.workflow.refusals import find_refused

_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")

_LARGEST = 10**300
_DEEPEST = 20

_OF_CONTENDERS = {
    "baseline": "in the tables it is the model of every baseline",
    **dict.fromkeys(("matched", "mismatched", "unimodal"), "it is the name of a prompt"),
    **dict.fromkeys(CONTROLS, "it is the name of a map that knows nothing"),
    **dict.fromkeys(list_baselines(), "it is the name of a baseline"),
}
_TAKEN = {
    "datasets": {
        "models": "data/models and logs/models belong to the models",
        "published": "data/published and results/published belong to the published run",
        "README.md": "results has a file of this name",
    },
    "models": _OF_CONTENDERS,
    "attributions": _OF_CONTENDERS,
}
"""Reserved names, with the reason, by section of the settings."""

_MISSING = ("na", "nan", "none", "null")  # regardless of case

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a mapping of keys to values",
    "string": "text",
}


def validate_config(config: dict, schema: Path, layers: Sequence[Layer] = ()) -> dict:
    """Check the settings `config` and fill in defaults.

    Parameters
    ----------
    config : dict
        The settings as read from YAML; left as they are.
    schema : Path
        The JSON schema, as YAML.
    layers : sequence of Layer, optional
        Where the settings come from: relative paths are resolved by layer.

    Returns
    -------
    dict
        A new dictionary in which every key with a default is present, whole numbers are `int`
        and other numbers `float`, so that ``2`` and ``2.0`` are the same setting; paths are
        absolute, and the `url` of a file is a list.

    Raises
    ------
    InputError
        The settings cannot be used. The message has a line for every problem.
    """
    problems = list(_find_unreadable(config))
    if not problems:
        config = _copy_plain(config)
        validator = _Validator(_complete_schema(schema, config))
        errors = sorted(validator.iter_errors(config), key=lambda error: error.json_path)
        problems = [line for error in errors for line in _describe(error)]
        problems += [*_find_taken_names(config), *_find_undefined_names(config)]
        problems += [*_find_unusable_checkpoints(config), *_find_secrets(config)]
        problems = problems or _resolve(config, layers) or list(find_refused(config))
    if problems:
        lines = "\n".join(f"  {hide_secrets(line)}" for line in dict.fromkeys(problems))
        raise InputError(f"these settings cannot be used:\n{lines}")
    return config


def _complete_schema(schema: Path, config: dict) -> dict:
    """Read the schema, and insert what kinds of baselines, datasets and methods there are."""
    complete = yaml.safe_load(Path(schema).read_text(encoding="utf-8"))
    known = list_kinds()
    baselines = complete["properties"]["evaluate"]["properties"]["baselines"]
    baselines["items"] = {"enum": list(read_baselines())}
    datasets = complete["properties"]["datasets"]["additionalProperties"]
    datasets["properties"]["kind"]["enum"] += list_converters()
    datasets["allOf"] += [_of_kind(kind, dataset_schema(kind)) for kind in list_converters()]
    entries = complete["properties"]["attributions"]["additionalProperties"]
    entries["properties"]["kind"]["enum"] = known
    used = [
        entry.get("kind")
        for entry in _section(config, "attributions").values()
        if isinstance(entry, dict)
    ]
    entries["allOf"] = [_of_kind(kind, attribution_schema(kind)) for kind in known if kind in used]
    return complete


def _of_kind(kind: str, schema: dict) -> dict:
    """Return a schema for the entries of a kind alone."""
    return {"if": {"required": ["kind"], "properties": {"kind": {"const": kind}}}, "then": schema}


def _find_unreadable(value, path: tuple = ()) -> Iterator[str]:
    """Report what no schema can check: odd keys and text, too large numbers, endless nesting."""
    if len(path) > _DEEPEST:
        yield f"{_dotted(list(path[:3]))}: nested more than {_DEEPEST} deep; no setting is so deep"
    elif isinstance(value, dict):
        for key, item in value.items():
            name = str(key) if _is_text(str(key)) else ascii(key)
            if not isinstance(key, str):
                yield f"{_dotted([*path, name])}: not read as text; put the key in quotes"
            elif name != key:
                yield f"{_dotted([*path, name])}: half a character (a surrogate); correct it"
            yield from _find_unreadable(item, (*path, name))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _find_unreadable(item, (*path, index))
    elif isinstance(value, int) and abs(value) > _LARGEST:
        yield f"{_dotted(list(path))}: more than 300 digits given; no setting is so large"
    elif isinstance(value, str) and not _is_text(value):
        yield f"{_dotted(list(path))}: {value!a} has half a character (a surrogate); correct it"


def _is_text(value: str) -> bool:
    """Return whether text can be written: JSON can spell halves of characters."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _copy_plain(value):
    """Copy nested settings as built-in types, with 2.0 as 2."""
    if isinstance(value, dict):
        return {str(key): _copy_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _check_properties(validator, properties, instance, schema) -> Iterator[ValidationError]:
    """Check the keys of a mapping, after filling in their defaults in place."""
    if isinstance(instance, dict):
        for key, subschema in properties.items():
            if subschema is False:  # a key that is not allowed
                continue
            if "default" in subschema:
                instance.setdefault(key, deepcopy(subschema["default"]))
            if subschema.get("type") == "number" and type(instance.get(key)) is int:
                instance[key] = float(instance[key])
    yield from Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )


def _is_number(_, value) -> bool:
    # JSON has no infinity and no NaN, but YAML does, and no comparison refuses NaN.
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


_Validator = extend(
    Draft202012Validator,
    validators={"properties": _check_properties},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number),
)


def _describe(error: ValidationError) -> Iterator[str]:
    """Describe a schema error: what is wrong and what is allowed, a line per problem."""
    path, value = list(error.absolute_path), error.instance
    if "propertyNames" in error.absolute_schema_path:
        name = value if value.isprintable() else ascii(value)
        name = name if len(name) <= 80 else f"{name[:80]}…"
        yield f"{_dotted([*path, name])}: choose another name: {error.schema['description']}"
    elif error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        for key in (key for key in value if key not in known):
            hint = _suggest(key, known)
            yield f"{_dotted([*path, key])}: unknown key{hint} (known: {_join(known)})"
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in value:
                yield f"{_dotted([*path, key])}: missing"
    elif error.validator == "oneOf":
        keys = [key for option in error.validator_value for key in option["required"]]
        if isinstance(value, dict):  # other problems have separate errors
            yield f"{_dotted(path)}: give either {_join(keys, ' or ')}"
    elif error.validator in ("minItems", "minProperties"):
        yield f"{_dotted(path)}: empty; give at least one"
    elif error.validator == "uniqueItems":
        twice = [item for index, item in enumerate(value) if item in value[:index]]
        yield f"{_dotted(path)}: {_join(dict.fromkeys(map(str, twice)))} given more than once"
    else:
        hint = _suggest(value, error.schema.get("enum", []))
        if "string" in error.schema.get("type", []) and isinstance(value, int | float):
            hint = "; put it in quotes"
        by_form = error.validator in ("pattern", "minLength")
        allowed = error.schema["description"] if by_form else _allowed(error.schema)
        given = shorten(json.dumps(value, default=str, ensure_ascii=False), 80)
        yield f"{_dotted(path)}: {given} given{hint}; allowed: {allowed}"


def _allowed(schema: dict) -> str:
    """Describe what `schema` allows."""
    if "anyOf" in schema:
        return _join(map(_allowed, schema["anyOf"]), " or ")
    if "enum" in schema or "const" in schema:
        return _join(schema.get("enum", [schema.get("const")]))
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    words = [f"{word} {schema[key]}" for key, word in limits.items() if key in schema]
    first = f"{_TYPES[types[0]]} {' and '.join(words)}".strip()
    return " or ".join([first, *(_TYPES[name] for name in types[1:])])


def _suggest(word, known: list[str]) -> str:
    near = get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _join(words, separator: str = ", ") -> str:
    return separator.join(str(word) for word in words)


def _dotted(path: list) -> str:
    dotted = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return dotted.removeprefix(".") or "settings"


def _find_taken_names(config: dict) -> Iterator[str]:
    """Report names that would mean something else in tables or folders."""
    for section, taken in _TAKEN.items():
        for name in _section(config, section):
            reason = taken.get(name)
            if name.lower() in _MISSING:
                reason = "programs that read the tables take this word for a missing value"
            if reason:
                yield f"{section}.{name}: choose another name: {reason}"


def _resolve(config: dict, layers: Sequence[Layer]) -> list[str]:
    """Make paths absolute in place; return the problems of those that are evaluated."""
    dataset = config["dataset"]
    used = [("datasets", dataset), ("published_metrics",)]
    used += [("models", model) for model in evaluated_models(config, dataset)]
    return [
        f"{_dotted(list(key))}: {problem}"
        for key, problem in resolve_places(config, layers).items()
        if key[:2] in used
    ]


def _find_undefined_names(config: dict) -> Iterator[str]:
    """Report names of datasets, models and attributions that nothing defines."""
    references = [
        ("dataset", [config.get("dataset")], "datasets"),
        ("evaluate.attributions", _section(config, "evaluate").get("attributions"), "attributions"),
        ("evaluate.models", _section(config, "evaluate").get("models"), "models"),
    ]
    for name, dataset in _section(config, "datasets").items():
        models = dataset.get("models") if isinstance(dataset, dict) else None
        references.append((f"datasets.{name}.models", models, "models"))
    for path, names, section in references:
        defined = list(_section(config, section))
        for name in names if isinstance(names, list) else []:
            if isinstance(name, str) and name not in defined:
                hint = _suggest(name, defined)
                yield f"{path}: {name} is not defined{hint} ({section}: {_join(defined)})"


def _find_unusable_checkpoints(config: dict) -> Iterator[str]:
    """Report hub ids without a revision, which could load other weights later."""
    for name, model in _section(config, "models").items():
        checkpoint = model.get("checkpoint") if isinstance(model, dict) else None
        if not isinstance(checkpoint, str) or not checkpoint:
            continue
        path, revision = f"models.{name}", model.get("revision")
        if is_local_folder(checkpoint):
            if revision is not None:
                yield f"{path}.revision: a local folder has none; remove it or set it to null"
        elif not _HUB_ID.fullmatch(checkpoint):
            yield (
                f"{path}.checkpoint: {checkpoint} is not a hub id (owner/name); a local folder is"
                f" written ./{checkpoint}"
            )
        elif revision is None:
            yield (
                f"{path}.revision: missing; give the commit of {checkpoint} to use, or write"
                f" ./{checkpoint} if it is a local folder"
            )


def _find_secrets(value, path: tuple = ()) -> Iterator[str]:
    """Report URLs with credentials: settings end up in Snakemake's records and in logs."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _find_secrets(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find_secrets(item, (*path, index))
    elif isinstance(value, str) and "://" in value and (reason := why_secret(value)):
        yield f"{_dotted(list(path))}: {reason}"


def _section(config: dict, key: str) -> dict:
    """Return a section of unvalidated settings; an empty one if it is not a mapping."""
    section = config.get(key)
    return section if isinstance(section, dict) else {}
