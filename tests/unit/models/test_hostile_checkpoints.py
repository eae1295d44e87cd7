"""Checkpoints that are damaged, odd or hostile: one sentence when they are fetched, or they run."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import save_checkpoint
from safetensors.torch import load_file, save_file
from saved_models import save_model

from clip_grounding.errors import InputError
from clip_grounding.models.checkpoints import digest_folder, fetch_checkpoint
from clip_grounding.models.config import read_model_config
from clip_grounding.models.loading import load_model
from clip_grounding.models.preprocessing import ImagePreprocessor

REPOSITORY = Path(__file__).parents[3]
CPU = torch.device("cpu")
TEXTS = ["there is a red star on the sand , and two dogs in front of the trees ."] * 4
DEEP = "[" * 200_000 + "]" * 200_000
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 605157884\n"
QUERY = "vision_model.encoder.layers.0.self_attn.q_proj.weight"
MISSING = object()


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("hostile") / "clip", TEXTS)


@pytest.fixture
def mine(whole, tmp_path):
    """A copy of a small CLIP to be spoilt."""
    return shutil.copytree(whole, tmp_path / "mine")


@pytest.fixture
def byte_pairs(tmp_path):
    """A CLIP whose tokenizer has merges."""
    return save_model("openclip", tmp_path / "mine", TEXTS).folder


def edit(path, **values):
    """Set keys of a JSON file, `tower__key` inside a tower; MISSING takes one out."""
    content = json.loads(path.read_text())
    for key, value in values.items():
        *outer, key = key.split("__")
        own = content[outer[0]] if outer else content
        own[key] = value
        if value is MISSING:
            del own[key]
    path.write_text(json.dumps(content))


def edit_weights(folder, change):
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def fetch(source, name="model"):
    fetch_checkpoint(str(source), None, source.parent / "models" / name)
    return source.parent / "models" / name


def refusal(source):
    """The one line that fetching ends in, with nothing left behind."""
    with pytest.raises(InputError) as caught:
        fetch(source)
    message = str(caught.value)
    assert "\n" not in message
    assert "weights_only" not in message
    assert message.startswith(str(source))
    assert list((source.parent / "models").iterdir()) == []
    return message


# Weights


def test_a_whole_checkpoint_passes(mine):
    folder = fetch(mine)
    load_model(folder, CPU)
    ImagePreprocessor(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (POINTER, "is a pointer to a file in Git LFS, not the weights: run `git lfs pull`"),
        ("<!DOCTYPE html><title>Sign in</title>", "is a web page, not weights"),
        ("", "truncated or damaged (0 bytes)"),
        ("\x80\x02", "truncated or damaged"),
    ],
)
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_file_that_is_no_weights_is_named(mine, name, content, said):
    (mine / "model.safetensors").unlink()
    (mine / name).write_text(content)
    message = refusal(mine)
    assert message.startswith(f"{mine}/{name}: ")
    assert said in message


@pytest.mark.parametrize("kept", [-1000, 100, 20_000])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_weights_that_are_cut_short_are_refused(mine, name, kept):
    weights = mine / "model.safetensors"
    if name.endswith("bin"):
        torch.save(load_file(weights), mine / name)
        weights.unlink()
    (mine / name).write_bytes((mine / name).read_bytes()[:kept])
    assert "truncated or damaged" in refusal(mine)


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("is_zip", [True, False])
def test_code_in_a_pickle_never_runs(mine, tmp_path, is_zip):
    (mine / "model.safetensors").unlink()
    attack = {"a": Attack(str(tmp_path / "attacked"))}
    if is_zip:
        torch.save(attack, mine / "pytorch_model.bin")
    else:
        (mine / "pytorch_model.bin").write_bytes(pickle.dumps(attack))
    assert "is not a file of weights" in refusal(mine)
    assert not (tmp_path / "attacked").exists()


def test_a_training_checkpoint_is_no_file_of_weights(mine):
    weights = load_file(mine / "model.safetensors")
    (mine / "model.safetensors").unlink()
    torch.save({"state_dict": weights, "epoch": 3}, mine / "pytorch_model.bin")
    assert "pytorch_model.bin: state_dict is not a tensor" in refusal(mine)


@pytest.mark.parametrize("content", [[1, 2], {1: torch.zeros(1)}, torch.zeros(3), 5])
def test_a_pickle_of_something_else_is_refused(mine, content):
    (mine / "model.safetensors").unlink()
    torch.save(content, mine / "pytorch_model.bin")
    assert "pytorch_model.bin: " in refusal(mine)


def test_weights_stored_once_for_many_are_refused(mine):
    weights = load_file(mine / "model.safetensors")
    (mine / "model.safetensors").unlink()
    weights[QUERY] = torch.zeros(1).expand(weights[QUERY].shape)
    torch.save(weights, mine / "pytorch_model.bin")
    assert f"{QUERY} is not stored whole" in refusal(mine)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_named(mine, value):
    edit_weights(mine, lambda weights: weights[QUERY].__setitem__((0, -1), value))
    assert f"model.safetensors: {QUERY} has values that are NaN or infinite" in refusal(mine)


def test_weights_beyond_float32_are_refused(mine):
    def widen(weights):
        weights[QUERY] = weights[QUERY].double()
        weights[QUERY][0, 0] = 1e300

    edit_weights(mine, widen)
    assert "NaN or infinite" in refusal(mine)


def test_weights_of_another_type_of_float_pass(mine):
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        edit_weights(mine, lambda weights, to=dtype: weights.update(
            {name: value.to(to) for name, value in weights.items()}
        ))  # fmt: skip
        load_model(fetch(mine), CPU)


def test_quantised_weights_are_refused(mine):
    edit_weights(mine, lambda weights: weights.update({QUERY: weights[QUERY].to(torch.int8)}))
    assert f"{QUERY} is int8: quantised weights are not supported" in refusal(mine)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (QUERY.replace("weight", "lora_A.weight"), "merge the adapter into the weights"),
        ("vision_model.encoder.layers.7.layer_norm1.bias", "correct config.json"),
        ("text_model.prompt", "correct config.json"),
    ],
)
def test_weights_that_the_model_does_not_use_are_named(mine, name, said):
    edit_weights(mine, lambda weights: weights.update({name: torch.zeros(4)}))
    for message in (refusal(mine), refused_by_loading(mine)):
        assert f"holds {name}, which the model of its config.json does not use" in message
        assert said in message


def refused_by_loading(folder):
    with pytest.raises(InputError) as caught:
        load_model(folder, CPU)
    return str(caught.value)


def test_a_config_with_fewer_layers_than_the_weights_is_refused(mine):
    layers = json.loads((mine / "config.json").read_text())["vision_config"]["num_hidden_layers"]
    edit(mine / "config.json", vision_config__num_hidden_layers=layers - 1)
    for message in (refusal(mine), refused_by_loading(mine)):
        assert f"holds vision_model.encoder.layers.{layers - 1}." in message


def test_constants_beside_the_weights_are_harmless(mine):
    constants = {
        "text_model.embeddings.position_ids": torch.arange(77)[None],
        "vision_model.embeddings.position_ids": torch.arange(17)[None],
    }
    edit_weights(mine, lambda weights: weights.update(constants))
    load_model(fetch(mine), CPU)


def test_weights_of_another_shape_are_named(mine):
    edit_weights(mine, lambda weights: weights.update({QUERY: torch.zeros(4, 2)}))
    assert f"{QUERY} is 4 x 2, and config.json makes it" in refusal(mine)
    assert f"{QUERY} is 4 x 2, and config.json makes it" in refused_by_loading(mine)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_beside_the_weights_is_refused(mine, name):
    (mine / name).write_text("{}")
    message = refusal(mine)
    assert f"has {name}, an adapter that would be left out: merge it" in message
    (mine / name).unlink()  # as what peft saves after merging
    fetch(mine)


@pytest.mark.parametrize(
    "weight_map",
    [
        {},
        [],
        None,
        "model",
        {"a": 5},
        {"a": "../mine/model.safetensors"},
        {"a": "/etc/passwd"},
        {"a": ""},
        {"a": "absent.safetensors"},
    ],
)
def test_an_index_of_anything_but_files_beside_it_is_refused(mine, weight_map):
    (mine / "model.safetensors").rename(mine / "model-00001-of-00001.safetensors")
    index = mine / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    refusal(mine)


# Settings


def test_how_to_run_attention_is_not_taken_from_a_checkpoint(mine, whole):
    edit(
        mine / "config.json",
        _attn_implementation="flash_attention_2",
        attn_implementation="flash_attention_2",
        return_dict=False,
        output_attentions=True,
        use_return_dict=False,
        dtype="float99",
        id2label=5,
        text_config___attn_implementation="flash_attention_2",
    )
    ours, stock = load_model(fetch(mine), CPU), load_model(whole, CPU)
    pixels = torch.randn(1, 3, ours.image_size, ours.image_size)
    assert torch.equal(ours.embed(ours.image, pixels), stock.embed(stock.image, pixels))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantised weights are not"),
        ({"auto_map": {"AutoModel": "mine.Model"}}, "auto_map: the checkpoint brings code"),
        ({"model_type": ["clip"]}, "model_type is not text"),
        ({"model_type": MISSING}, "KeyError('model_type')"),
        ({"vision_config__num_hidden_layers": 10**6}, "512 is the most that is supported"),
        ({"text_config__num_hidden_layers": 10**6}, "512 is the most that is supported"),
        ({"vision_config__image_size": 10**9}, "4096 is the most that is supported"),
        ({"vision_config__patch_size": 64}, "patch_size is larger than its image_size"),
        ({"vision_config__num_channels": 4}, "num_channels is not 3"),
        ({"vision_config__num_attention_heads": 5}, "no model can be made of it"),
        ({"vision_config__num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"text_config__hidden_size": 10**12}, "no model can be made of it"),
        ({"text_config__hidden_size": 10**9}, "and config.json makes it"),
        ({"text_config__intermediate_size": 10**30}, "no model can be made of it"),
        ({"text_config__vocab_size": 10**12}, "and config.json makes it"),
        ({"projection_dim": "48"}, "no model can be made of it"),
        ({"vision_config__hidden_act": "frobnicate"}, "no model can be made of it ("),
        ({"vision_config__hidden_act": ["gelu"]}, "no model can be made of it"),
        ({"vision_config__layer_norm_eps": 0}, "layer_norm_eps is 0, not a small number"),
        ({"vision_config__layer_norm_eps": -1e-5}, "not a small number above 0"),
        ({"text_config__layer_norm_eps": "1e-5"}, "not a small number above 0"),
        ({"text_config__layer_norm_eps": 1e9}, "not a small number above 0"),
        ({"text_config__layer_norm_eps": float("nan")}, "not a small number above 0"),
        ({"text_config": [1, 2]}, "not a readable config.json"),
        ({"text_config": 5}, "not a readable config.json"),
    ],
)  # fmt: skip
def test_odd_settings_of_a_model_are_refused(mine, values, said):
    edit(mine / "config.json", **values)
    assert said in refusal(mine)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"do_center_crop": False, "size": {"shortest_edge": 32}}, "32 x 48 pixels of one of"),
        ({"image_std": [0.2, 0, 0.2]}, "makes values of an image that are not numbers"),
        ({"image_std": [0.2, 0.2]}, "prepares no image"),
        ({"image_mean": "x"}, "prepares no image"),
        ({"rescale_factor": 0}, "cuts off the image's rims"),
        ({"rescale_factor": "x"}, "prepares no image"),
        ({"resample": 99}, "prepares no image"),
        ({"size": {"height": 16, "width": 16}}, "cuts off the image's rims"),
        ({"size": 10**9}, "has size [1000000000]"),
        ({"crop_size": {"height": 10**9, "width": 10**9}}, "has crop_size"),
        ({"size": 0}, "has size [0]"),
        ({"size": -5}, "has size [-5]"),
        ({"size": "x"}, "prepares no image"),
        ({"size": {"longest_edge": 32}}, "preprocessor_config.json "),
        ({"do_pad": True, "pad_size": {"height": 40, "width": 40}}, "40 x 40 pixels"),
        ({"do_resize": False}, "cuts off the image's rims"),
    ],
)  # fmt: skip
def test_odd_settings_of_a_preprocessor_are_refused(mine, values, said):
    edit(mine / "preprocessor_config.json", **values)
    assert said in refusal(mine)


@pytest.mark.parametrize("sides", [(100, 101), (101, 100), (1, 1), (3, 640), (481, 640)])
def test_without_a_crop_a_size_of_two_sides_makes_squares_of_all_shapes(mine, sides):
    edit(
        mine / "preprocessor_config.json",
        do_center_crop=False,
        size={"height": 32, "width": 32},
    )
    prepare = ImagePreprocessor(fetch(mine))
    assert prepare(np.zeros((*sides, 3), np.uint8)).shape == (3, 32, 32)


ODD = [None, "x", -1, 2**70]


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_any_odd_value_of_any_key_is_one_sentence_or_runs(mine, name):
    path = mine / name
    content = json.loads(path.read_text())
    places = [(content, key) for key in content]
    messages = []
    places += [(own, key) for own in content.values() if isinstance(own, dict) for key in own]
    for number, (own, key) in enumerate(places):
        kept = own[key]
        for value in ODD:
            own[key] = value
            path.write_text(json.dumps(content))
            try:
                folder = fetch(mine, f"model-{number}")
            except InputError as error:
                messages.append(str(error))
            else:
                load_model(folder, CPU)
                ImagePreprocessor(folder)
        own[key] = kept
    assert messages
    assert all("\n" not in message and str(mine) in message for message in messages)


# Files


def test_python_without_docstrings_is_not_blamed_on_the_checkpoint(whole, tmp_path):
    program = "import sys; from clip_grounding.models.checkpoints import fetch_checkpoint;"
    program += "fetch_checkpoint(sys.argv[1], None, sys.argv[2])"
    done = subprocess.run(
        [sys.executable, "-OO", "-c", program, whole, tmp_path / "model"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow_scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "InputError: PYTHONOPTIMIZE: is 2, and transformers needs docstrings" in done.stderr


@pytest.mark.parametrize(
    "name",
    ["config.json", "preprocessor_config.json", "tokenizer_config.json", "tokenizer.json"],
)
@pytest.mark.parametrize("text", ["", "{", "[1]", DEEP, '{"a": ' + DEEP + "}", "\x00", '"\\ud800"'])
def test_json_that_is_damaged_is_named(mine, name, text):
    (mine / name).write_text(text)
    assert f"{name}: not a readable " in refusal(mine)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "dangling", "circle"])
def test_what_is_no_file_is_named_and_nothing_waits_for_it(mine, tmp_path, name, kind):
    path = mine / name
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(mine / ("absent" if kind == "dangling" else name))
    assert digest_folder(mine, tmp_path / "digests.json") is None
    assert refusal(mine).startswith(f"{path}: is not a file, or is a dangling link")


def test_a_config_that_is_a_pipe_is_named_where_settings_are_read(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(InputError, match=r"config.json: not a readable .*it is not a file"):
        read_model_config(tmp_path)


def test_a_snapshot_of_links_to_blobs_elsewhere_passes(mine, tmp_path):
    for path in list(mine.iterdir()):
        blob = tmp_path / "blobs" / path.name
        blob.parent.mkdir(exist_ok=True)
        path.rename(blob)
        path.symlink_to(blob)
    load_model(fetch(mine), CPU)
    assert digest_folder(mine, tmp_path / "digests.json") is not None


# Tokenizers


def test_merges_that_are_lost_are_refused(byte_pairs):
    path = byte_pairs / "tokenizer.json"
    content = json.loads(path.read_text())
    merges = content["model"]["merges"]
    fetch(byte_pairs)
    for lost in (merges[:-1], merges[1:], merges[:1] + merges[2:], []):
        path.write_text(json.dumps({**content, "model": {**content["model"], "merges": lost}}))
        with pytest.raises(
            InputError, match=r"tokenizer.json: \d+ entries of the vocabulary, such"
        ):
            fetch(byte_pairs)


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_merges_txt_that_is_cut_short_is_named(byte_pairs, kept):
    path = byte_pairs / "tokenizer.json"
    model = json.loads(path.read_text())["model"]
    path.unlink()
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (byte_pairs / "vocab.json").write_text(json.dumps(model["vocab"]))
    (byte_pairs / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs]) + "\n")
    fetch(byte_pairs)
    (byte_pairs / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs[:kept]]) + "\n")
    with pytest.raises(InputError, match=rf"{byte_pairs}/merges.txt: {len(pairs) - kept} entries"):
        fetch(byte_pairs)


def test_a_token_without_a_row_in_the_embedding_is_named(mine):
    size = json.loads((mine / "config.json").read_text())["text_config"]["vocab_size"]
    token = {"id": size, "content": "<cat-toy>", "special": False, "normalized": False}
    token |= {"single_word": False, "lstrip": False, "rstrip": False}
    path = mine / "tokenizer.json"
    content = json.loads(path.read_text())
    content["added_tokens"].append(token)
    path.write_text(json.dumps(content))
    assert f"tokenizer.json: gives '<cat-toy>' the id {size}, and config.json" in refusal(mine)


def test_a_compressed_pickle_that_unpacks_to_much_more_is_refused(mine):
    weights = mine / "model.safetensors"
    torch.save(load_file(weights), mine / "stored.bin")
    weights.unlink()
    with (
        zipfile.ZipFile(mine / "stored.bin") as stored,
        zipfile.ZipFile(mine / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    assert "is not a file of weights" in refusal(mine)
