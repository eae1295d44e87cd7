"""Read the contracts of the attribution methods, without importing them or torch.

A method's module assigns a literal, ``CONTRACT``, with the keys

``summary``
    One line: what the method is, and its source.
``uses_prompt``
    False for a method whose maps are the same for every phrase or region.
``refuses``
    What it cannot explain, with the reason: a direction, or a family of models.
``parameters``
    JSON schema of each parameter, with ``description`` and ``default``.
``cost``
    ``passes``: forward passes per item beside the one of every method (a number, the name of a
    parameter, or ``tokens``: one per patch or word). ``backward``: forward and backward passes
    per pair, a number or the name of a parameter. ``layers``: how many layers those go through,
    ``last``, ``all``, or the name of a parameter; ``kept``, if that is fewer: how many of them
    are in memory at once.

It takes no part in a job's fingerprint: what of it changes a map is in the job's settings.
"""

from functools import lru_cache
from pathlib import Path

from clip_grounding.kinds.contracts import list_kinds as list_modules
from clip_grounding.kinds.contracts import read_kind
from clip_grounding.models.families import FAMILIES
from clip_grounding.vocabulary import DIRECTIONS

METHODS = Path(__file__).parents[1] / "attribution"

_KEYS = {
    "summary": str,
    "uses_prompt": bool,
    "refuses": dict,
    "parameters": dict,
    "cost": dict,
}


def list_kinds(folder: Path = METHODS) -> list[str]:
    """List the names of the methods, one per module."""
    return list_modules(folder)


@lru_cache(maxsize=64)
def read_contract(kind: str, folder: Path = METHODS) -> dict:
    """Read the contract of a method.

    Raises
    ------
    InputError
        Its module has no contract, or one with a missing key or a value of the wrong type; or it
        has no function with the method's name.
    """
    module = read_kind(folder / f"{kind}.py", "docs/add-a-method.md")
    if problem := _find_problem(module.contract):
        module.refuse(problem)
    module.require(kind)
    return module.contract


def _find_problem(contract: dict) -> str | None:
    for key, kind in _KEYS.items():
        if not isinstance(contract.get(key), kind):
            return f"{key} must be given, as a {kind.__name__}"
    if unknown := set(contract) - set(_KEYS):
        return f"unknown key {min(unknown)}"
    if unknown := set(contract["refuses"]) - {*DIRECTIONS, *FAMILIES}:
        return f"refuses: {min(unknown)} is neither a direction nor a family of models"
    for name, schema in contract["parameters"].items():
        if not isinstance(schema, dict) or not {"description", "default"} <= set(schema):
            return f"parameters: {name} must have a description and a default"
        if not {"type", "enum", "anyOf"} & set(schema):
            return f"parameters: {name} must say what is allowed: its type, enum or anyOf"
    own = list(contract["parameters"])
    cost = contract["cost"]
    for key, words in (("passes", ["tokens"]), ("backward", [])):
        value = cost.get(key)
        if not isinstance(value, int) and value not in own + words:
            return f"cost: {key} must be a number or the name of a parameter"
    keys = ("layers", "kept") if "kept" in cost else ("layers",)
    for key in keys if cost["backward"] != 0 else ():
        if cost.get(key) not in [*own, "last", "all"]:
            return f"cost: {key} must be last, all or the name of a parameter"
    return None


def attribution_schema(kind: str) -> dict:
    """Return the JSON schema of an entry of ``attributions`` of a kind."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind"],
        "properties": {
            "kind": {"const": kind, "description": read_contract(kind)["summary"]},
            "directions": {
                "description": (
                    "The directions that the method explains, of those that are evaluated; null"
                    " means all of them."
                ),
                "type": ["array", "null"],
                "minItems": 1,
                "uniqueItems": True,
                "items": {"enum": list(DIRECTIONS)},
                "default": None,
            },
            **read_contract(kind)["parameters"],
        },
    }


def method_of(attribution: dict) -> dict:
    """Return what an attribution's maps depend on: its kind and parameters."""
    return {key: value for key, value in attribution.items() if key != "directions"}


def why_refused(attribution: dict, direction: str, family: str | None) -> str | None:
    """Return why a method cannot explain a direction of a model; None if it can.

    Parameters
    ----------
    attribution : dict
        A validated entry of ``attributions``.
    direction : {"text_to_image", "image_to_text"}
    family : str or None
        The model's family, a name of `models.families.FAMILIES`; None where it is not known yet.
    """
    refuses = read_contract(attribution["kind"])["refuses"]
    return refuses.get(direction) or refuses.get(family)
