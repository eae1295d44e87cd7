import json
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_grounding.errors import InputError
from clip_grounding.workflow.config import validate_config
from clip_grounding.workflow.contenders import evaluated_models
from clip_grounding.workflow.places import is_local_folder

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "rules/schemas/config.schema.yaml"
SETTINGS = yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(path, value):
    """Give the repository's settings with the one at the dotted `path` replaced."""
    config = deepcopy(SETTINGS)
    *parents, last = path.split(".")
    section = config
    for key in parents:
        section = section.setdefault(key, {})
    section[last] = value
    return config


def problems_of(config):
    with pytest.raises(InputError) as caught:
        validate_config(config, SCHEMA)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def schema_keys(schema, path=""):
    """Walk the schema's keys, `if` conditions aside, as pairs of path and subschema."""
    if isinstance(schema, dict):
        for key, subschema in schema.get("properties", {}).items():
            yield f"{path}.{key}", subschema
        for word, part in schema.items():
            if word not in ("if", "not", "default"):
                yield from schema_keys(part, f"{path}.{word}")
    elif isinstance(schema, list):
        for part in schema:
            yield from schema_keys(part, path)


def test_every_key_of_the_schema_is_described():
    keys = dict(schema_keys(yaml.safe_load(SCHEMA.read_text())))
    assert len(keys) > 40
    assert [path for path, subschema in keys.items() if "description" not in subschema] == []


def test_the_repository_settings_are_valid_and_left_as_they_were():
    before = deepcopy(SETTINGS)
    validated = validate_config(SETTINGS, SCHEMA)
    assert before == SETTINGS
    assert validated["datasets"]["scenes"]["split"] == "scenes"
    assert validated["datasets"]["png_val2017"]["narratives"]["sha256"] is None


def test_config_yaml_states_the_defaults():
    minimal = {key: deepcopy(SETTINGS[key]) for key in ("dataset", "datasets", "attributions")}
    minimal["models"] = {**SETTINGS["models"], "scenes-clip": {"train": "scenes"}}
    minimal["datasets"]["scenes"] = {"kind": "scenes", "models": ["scenes-clip"]}
    minimal["attributions"]["gradient-attention"] = {"kind": "gradient_attention"}
    del minimal["datasets"]["png_val2017"]["split"]
    assert validate_config(minimal, SCHEMA) == validate_config(SETTINGS, SCHEMA)


def test_whole_floats_and_integers_are_the_same_setting():
    def as_floats(value):
        if isinstance(value, dict):
            return {key: as_floats(item) for key, item in value.items()}
        return float(value) if type(value) is int else value

    config = changed("attributions.gradient-attention.layers", 2)
    config["models"]["scenes-clip"]["learning_rate"] = 1
    validated = [validate_config(each, SCHEMA) for each in (config, as_floats(config))]
    assert json.dumps(validated[0]) == json.dumps(validated[1])
    assert type(validated[0]["models"]["scenes-clip"]["learning_rate"]) is float
    assert type(validated[1]["attributions"]["gradient-attention"]["layers"]) is int


@pytest.mark.parametrize("layers", ["last", "all", 1, 12])
def test_layers_are_last_all_or_a_number(layers):
    validate_config(changed("attributions.gradient-attention.layers", layers), SCHEMA)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("images_per_shards", 5, "images_per_shards: unknown key; did you mean images_per_shard?"),
        (
            "datasets.scenes.image_cont",
            5,
            "datasets.scenes.image_cont: unknown key; did you mean image_count?"
            " (known: image_count, kind, models, seed, split)",
        ),
        ("max_images", "many", 'max_images: "many" given; allowed: a whole number at least 1 and'),
        ("images_per_shard", 0, "images_per_shard: 0 given; allowed: a whole number at least 1"),
        ("images_per_shard", True, "images_per_shard: true given; allowed: a whole number"),
        ("images_per_shard", None, "images_per_shard: null given; allowed: a whole number"),
        ("batch_size", 1.5, "batch_size: 1.5 given; allowed: a whole number at least 1"),
        ("seed", -1, "seed: -1 given; allowed: a whole number at least 0 and at most 4294967295"),
        ("bootstrap.confidence", 1, "confidence: 1.0 given; allowed: a number above 0 and below 1"),
        ("models.scenes-clip.learning_rate", float("nan"), "learning_rate: NaN given; allowed: a"),
        ("models.scenes-clip.learning_rate", float("inf"), "Infinity given; allowed: a number"),
        ("device", "gpu", 'device: "gpu" given; did you mean cpu?; allowed: auto, cpu, cuda'),
        (
            "precision",
            "double",
            'precision: "double" given; allowed: float32, bfloat16, float16',
        ),
        ("attributions.gradient-attention.layers", 0, "allowed: last, all or a whole number at"),
        ("attributions.gradient-attention.layers", "first", '"first" given; allowed: last, all or'),
        (
            "attributions.rollout.kind",
            "rollot",
            '"rollot" given; did you mean rollout?; allowed: at',
        ),
        ("datasets.scenes.kind", "scene", '"scene" given; did you mean scenes?; allowed: png, sc'),
        ("datasets.scenes.split", "val", 'datasets.scenes.split: "val" given; allowed: scenes'),
        ("datasets.mine", {}, "datasets.mine.kind: missing"),
        ("datasets.mine", {"kind": "png"}, "datasets.mine.narratives: missing"),
        ("datasets", None, "datasets: null given; allowed: a mapping of keys to values"),
        ("datasets", {}, "datasets: empty; give at least one"),
        ("datasets.png_val2017.images.url", "ftp://host/a.zip", "http(s)://, file:// or a path"),
        ("datasets.png_val2017.images.sha256", "4F7E", "64 lowercase hexadecimal digits"),
        ("evaluate.directions", [], "evaluate.directions: empty; give at least one"),
        ("evaluate.directions", ["text"], 'evaluate.directions[0]: "text" given; allowed: text_to'),
        ("evaluate.baselines", ["empty", "empty"], "baselines: empty given more than once"),
        ("evaluate.baselines", ["randon"], "did you mean random?; allowed: random, empty"),
        ("datasets.a/b", {"kind": "scenes"}, "datasets.a/b: choose another name: letters, digits"),
        ("datasets.models", {"kind": "scenes"}, "datasets.models: choose another name"),
        ("models.baseline", {"train": "scenes"}, "models.baseline: choose another name"),
        (
            "models.center",
            {"train": "scenes"},
            "models.center: choose another name: it is the name",
        ),
        ("attributions.center", {"kind": "rollout"}, "name: it is the name of a baseline"),
        (
            "attributions.constant",
            {"kind": "rollout"},
            "it is the name of a map that knows nothing",
        ),
        ("attributions.matched", {"kind": "rollout"}, "name: it is the name of a prompt"),
        ("attributions.None", {"kind": "rollout"}, "take this word for a missing value"),
        ("datasets.published", {"kind": "scenes"}, "belong to the published run"),
        ("datasets.a\n", {"kind": "scenes"}, "datasets.'a\\n': choose another name: letters"),
        ("models." + 101 * "m", {"train": "scenes"}, "choose another name: letters, digits, dots"),
        ("bootstrap.resamples", 10**12, "at least 1 and at most 100000"),
        ("bootstrap.confidence", 10**400, "confidence: more than 300 digits given"),
        ("seed", float("nan"), "seed: NaN given; allowed: a whole number"),
        ("datasets.scenes.image_count", 10**10, "at least 1 and at most 10000000"),
        ("images_per_shard", float("inf"), "images_per_shard: Infinity given; allowed: a whole"),
        ("models.mine", {}, "models.mine: give either checkpoint or train"),
        (
            "models.mine",
            {"checkpoint": "./clip", "train": "scenes"},
            "models.mine: give either checkpoint or train",
        ),
        ("models.scenes-clip.train", "coco", 'train: "coco" given; allowed: scenes'),
        ("models.openai-vit-b32.revision", 3, "3 given; put it in quotes; allowed: text or null"),
        ("models.openai-vit-b32.revision", None, "revision: missing; give the commit of openai/"),
        ("models.openai-vit-b32.checkpoint", "./clip", "a local folder has none; remove it or"),
        ("models.openai-vit-b32.checkpoint", "a/b/c", "a local folder is written ./a/b/c"),
        ("models.openai-vit-b32.checkpoint", "", 'checkpoint: "" given; allowed: A hub id'),
    ],
)
def test_a_problem_is_reported_with_its_key_and_what_is_allowed(path, value, message):
    assert any(message in line for line in problems_of(changed(path, value)))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "dataset",
            "scene",
            "dataset: scene is not defined; did you mean scenes?"
            " (datasets: png_val2017, png_train2017, scenes)",
        ),
        (
            "datasets.scenes.models",
            ["my-clip"],
            "datasets.scenes.models: my-clip is not defined"
            " (models: openai-vit-b32, openai-vit-b16, openai-vit-l14, scenes-clip)",
        ),
        (
            "evaluate.attributions",
            ["roll-out"],
            "evaluate.attributions: roll-out is not defined; did you mean rollout? (attributions:"
            " gradient-attention, gradient-attention-all,",
        ),
        ("evaluate.models", ["clip"], "evaluate.models: clip is not defined"),
    ],
)
def test_an_undefined_name_lists_those_defined(path, value, message):
    (problem,) = problems_of(changed(path, value))
    assert problem.startswith(message)


def test_all_problems_are_reported_at_once():
    config = changed("device", "gpu") | {"dataset": "nowhere", "batch_size": 0, "imgs": 3}
    keys = {line.split(":")[0] for line in problems_of(config)}
    assert keys == {"device", "dataset", "batch_size", "imgs"}


def test_a_key_that_yaml_reads_as_a_number_or_a_truth_value_is_refused():
    config = changed("datasets", {2017: {"kind": "scenes", "models": ["scenes-clip"]}})
    assert problems_of(config) == ["datasets.2017: not read as text; put the key in quotes"]
    assert problems_of({True: 1}) == ["True: not read as text; put the key in quotes"]


def test_a_number_that_python_does_not_write_is_refused_too():
    (problem,) = problems_of(changed("seed", 10**5000))
    assert problem.startswith("seed: more than 300 digits given")


def test_values_that_contain_themselves_and_halves_of_characters_are_refused():
    endless = {}
    endless["again"] = endless
    (problem,) = problems_of(changed("figures", endless))
    assert problem == "figures.again.again: nested more than 20 deep; no setting is so deep"
    (problem,) = problems_of(changed("datasets.png_val2017.images.url", "/data/\ud800.zip"))
    assert problem.startswith("datasets.png_val2017.images.url: '/data/\\ud800.zip' has half a")
    (problem,) = problems_of({**SETTINGS, "\udfff": 1})
    assert problem == "'\\udfff': half a character (a surrogate); correct it"


def test_more_shards_than_a_run_can_plan_are_refused():
    config = changed("images_per_shard", 1) | {"dataset": "scenes"}
    config["datasets"]["scenes"]["image_count"] = 100_001
    (problem,) = problems_of(config)
    assert problem.startswith("images_per_shard: 100,001 images would be 100,001 jobs of each kind")
    validate_config(config | {"max_images": 100_000}, SCHEMA)


@pytest.mark.parametrize("checkpoint", ["/models/clip", "./clip", "../clip", "~/clip"])
def test_a_local_folder_needs_no_revision(checkpoint):
    config = changed("models.mine", {"checkpoint": checkpoint})
    assert validate_config(config, SCHEMA)["models"]["mine"]["revision"] is None
    assert is_local_folder(checkpoint)


def test_validating_again_changes_nothing():
    validated = validate_config(SETTINGS, SCHEMA)
    assert validate_config(validated, SCHEMA) == validated


PATHS = [
    "dataset",
    "datasets",
    "datasets.scenes",
    "datasets.scenes.models",
    "datasets.png_val2017.images",
    "models",
    "models.scenes-clip",
    "models.openai-vit-b32.checkpoint",
    "attributions.gradient-attention",
    "evaluate",
    "evaluate.attributions",
    "seed",
]
texts = st.text("abc.-/ ", max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=50)
@given(path=st.sampled_from(PATHS), value=json_values)
def test_any_value_anywhere_is_taken_or_refused_with_a_message(path, value):
    with suppress(InputError):
        validate_config(changed(path, value), SCHEMA)


def study(attributions, directions=("text_to_image", "image_to_text"), **models):
    """Settings that evaluate these attributions of the models with a local checkpoint each."""
    config = changed("evaluate.attributions", list(attributions))
    config["evaluate"]["directions"] = list(directions)
    if models:
        config["models"].update({name: {"checkpoint": str(path)} for name, path in models.items()})
        config["evaluate"]["models"] = list(models)
    return config


def test_the_models_of_an_evaluation_take_the_place_of_the_datasets_own():
    config = validate_config(changed("evaluate.models", ["openai-vit-l14"]), SCHEMA)
    assert evaluated_models(config, "png_val2017") == ["openai-vit-l14"]
    config = validate_config(SETTINGS, SCHEMA)
    assert evaluated_models(config, "png_val2017") == ["openai-vit-b32"]


def test_every_method_of_the_settings_can_be_evaluated():
    validate_config(study(SETTINGS["attributions"]), SCHEMA)


def test_a_method_that_cannot_explain_a_direction_is_refused_with_reason_and_remedy():
    config = study(["legrad"])
    config["attributions"]["legrad"]["directions"] = None
    (problem,) = problems_of(config)
    assert problem.startswith("attributions.legrad: legrad cannot explain image_to_text: it embeds")
    assert problem.endswith("write directions: [text_to_image]")


def test_an_attribution_whose_directions_are_not_evaluated_is_refused():
    (problem,) = problems_of(study(["legrad"], ["image_to_text"]))
    assert problem.startswith("attributions.legrad.directions: none of them is evaluated")


def test_more_layers_than_a_local_model_has_are_refused(tmp_path):
    vision, text = {"num_hidden_layers": 3}, {"num_hidden_layers": 2}
    for name in ("clip", "siglip"):
        (tmp_path / name).mkdir()
        shape = {"model_type": name, "vision_config": vision, "text_config": text}
        (tmp_path / name / "config.json").write_text(json.dumps(shape))
    models = {name: tmp_path / name for name in ("clip", "siglip")}
    config = study(["gradient-attention"], **models)
    config["attributions"]["gradient-attention"]["layers"] = 4  # SigLIP: three blocks and its head
    assert [problem.split(";")[1] for problem in problems_of(config)] == [
        " clip has 3 in the tower that text_to_image explains",
        " clip has 2 in the tower that image_to_text explains",
        " siglip has 2 in the tower that image_to_text explains",
    ]


def test_a_local_model_of_no_known_family_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "siglip2"}')
    (problem,) = problems_of(study(["rollout"], mine=tmp_path))
    assert problem.startswith(f"models.mine.checkpoint: {tmp_path}/config.json: a siglip2 model")
    assert "fixed resolution" in problem


def test_the_documented_study_has_every_attribution():
    study = yaml.safe_load((ROOT / "docs/all-methods.yaml").read_text())
    assert study == {"evaluate": {"attributions": list(SETTINGS["attributions"])}}


def test_the_methods_and_their_scores_are_documented():
    text = (ROOT / "docs/methods.md").read_text()
    for name, entry in SETTINGS["attributions"].items():
        directions = len(entry.get("directions", ("text_to_image", "image_to_text")))
        assert text.count(f"| `{entry['kind']}` | ") >= 1
        assert text.count(f"\n| `{name}` | ") >= directions
