"""Checkpoints: the files that inference needs, no others, and a manifest that names them."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from builders import save_checkpoint
from httpx2 import ConnectError
from hub import COMMIT, hub_answers
from safetensors.torch import load_file, save_file
from serving import Answer, serve

from clip_grounding.errors import InputError
from clip_grounding.models.checkpoints import fetch_checkpoint
from clip_grounding.models.folders import finish_part, start_part

REPOSITORY = Path(__file__).parents[3]


def small_checkpoint():
    """The files of a small CLIP by name, with its weights in every format and layout."""
    with tempfile.TemporaryDirectory() as folder:
        saved = save_checkpoint(Path(folder), ["a star"])
        weights = load_file(saved / "model.safetensors")
        torch.save(weights, saved / "pytorch_model.bin")
        names, weight_map = sorted(weights), {}
        for number, part in enumerate((names[::2], names[1::2]), start=1):
            shard = f"model-{number:05d}-of-00002.safetensors"
            save_file({name: weights[name] for name in part}, saved / shard)
            weight_map |= dict.fromkeys(part, shard)
        index = saved / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": weight_map}))
        return {path.name: path.read_bytes() for path in sorted(saved.iterdir())}


FILES = small_checkpoint()
BASE = {
    name: FILES[name]
    for name in FILES
    if not name.startswith("model") and not name.endswith(".bin")
}
WHOLE = {**BASE, "model.safetensors": FILES["model.safetensors"]}
PICKLED = {**BASE, "pytorch_model.bin": FILES["pytorch_model.bin"]}
SHARDS = {name: data for name, data in FILES.items() if re.match(r"model(-|.*index)", name)}
UNNEEDED = {
    "README.md": b"",
    "pytorch_model.bin": b"pickle",
    "tf_model.h5": b"",
    "flax_model.msgpack": b"",
    "vocab.json": b"{}",
    "merges.txt": b"",
    "onnx/model.onnx": b"",
    "other/config.json": b"",
}


def make_folder(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return str(folder)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".manifest.json")


def without(files, *names):
    return {name: data for name, data in files.items() if name not in names}


def fetch_from_hub(url, folder, revision=COMMIT):
    """Fetch in a process of its own: the hub client reads its address once, on import."""
    program = (
        "import sys; from clip_grounding.models.checkpoints import fetch_checkpoint;"
        " fetch_checkpoint(*sys.argv[1:])"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": url,
        "HF_HOME": str(folder.parent / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": str(REPOSITORY / "workflow_scripts"),
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, "-c", program, "owner/clip", revision, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_local_folder_is_linked_with_what_inference_needs(tmp_path):
    source = make_folder(tmp_path / "mine", WHOLE | UNNEEDED)
    fetch_checkpoint(source, None, tmp_path / "model")
    assert names_in(tmp_path / "model") == sorted([*WHOLE, "manifest.json"])
    assert (tmp_path / "model" / "model.safetensors").readlink() == Path(
        source, "model.safetensors"
    )


def test_the_manifest_names_the_source_and_every_file(tmp_path):
    source = make_folder(tmp_path / "mine", WHOLE)
    fetch_checkpoint(source, None, tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert manifest == {
        "checkpoint": source,
        "revision": None,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in WHOLE.items()},
    }


def test_a_relative_folder_is_found_from_the_working_directory(tmp_path, monkeypatch):
    make_folder(tmp_path / "mine", WHOLE)
    monkeypatch.chdir(tmp_path)
    fetch_checkpoint("./mine", None, "data/models/mine")
    assert (tmp_path / "data/models/mine/config.json").read_bytes() == WHOLE["config.json"]


def test_the_pickle_is_taken_only_where_there_are_no_safetensors(tmp_path):
    source = make_folder(tmp_path / "mine", PICKLED)
    fetch_checkpoint(source, None, tmp_path / "model")
    assert "pytorch_model.bin" in names_in(tmp_path / "model")


def test_sharded_weights_come_with_their_index(tmp_path):
    source = make_folder(tmp_path / "mine", {**PICKLED, **SHARDS})
    fetch_checkpoint(source, None, tmp_path / "model")
    assert names_in(tmp_path / "model") == sorted([*BASE, *SHARDS, "manifest.json"])


def test_a_missing_shard_is_named(tmp_path):
    files = without({**BASE, **SHARDS}, "model-00002-of-00002.safetensors")
    source = make_folder(tmp_path / "mine", files)
    with pytest.raises(InputError, match=r"has no model-00002-of-00002.safetensors, which"):
        fetch_checkpoint(source, None, tmp_path / "model")


@pytest.mark.parametrize(
    ("absent", "named"),
    [
        ("config.json", "config.json"),
        ("preprocessor_config.json", "preprocessor_config.json"),
        ("tokenizer.json", "tokenizer.json, nor vocab.json with merges.txt"),
        ("model.safetensors", "model.safetensors, nor pytorch_model.bin"),
    ],
)
def test_a_missing_file_is_named_and_nothing_is_left(tmp_path, absent, named):
    source = make_folder(tmp_path / "mine", without(WHOLE, absent))
    with pytest.raises(InputError, match=re.escape(f"{source}: has no {named}")):
        fetch_checkpoint(source, None, tmp_path / "models" / "model")
    assert names_in(tmp_path / "models") == []


def test_a_folder_that_is_absent_is_named(tmp_path):
    with pytest.raises(InputError, match="absent: no such folder"):
        fetch_checkpoint(str(tmp_path / "absent"), None, tmp_path / "model")


def test_the_folder_that_the_workflow_fills_is_no_source(tmp_path):
    source = make_folder(tmp_path / "model", WHOLE)
    with pytest.raises(InputError, match="a folder that the workflow itself fills"):
        fetch_checkpoint(source, None, tmp_path / "model")
    assert names_in(tmp_path / "model") == sorted(WHOLE)


@pytest.mark.parametrize("place", ["model/original", ".", "model", ".model.part"])
def test_a_source_that_overlaps_with_the_folder_survives(tmp_path, place):
    source = make_folder(tmp_path / place, WHOLE)
    (tmp_path / "link").symlink_to(source)
    for given in (source, str(tmp_path / "link")):
        with pytest.raises(InputError) as refusal:
            fetch_checkpoint(given, None, tmp_path / "model")
        assert str(refusal.value).startswith(f"{given}: overlaps with {tmp_path}/")
    assert {name: Path(source, name).read_bytes() for name in WHOLE} == WHOLE
    # The remedy: a folder elsewhere.
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-elsewhere")
    if place != ".":
        Path(source).rename(elsewhere)
        fetch_checkpoint(str(elsewhere), None, tmp_path / "model")
        assert names_in(tmp_path / "model") == sorted([*WHOLE, "manifest.json"])


def test_a_source_of_links_into_the_folder_survives(tmp_path):
    folder, source = tmp_path / "model", Path(make_folder(tmp_path / "mine", WHOLE))
    weights = source / "model.safetensors"
    weights.rename(start_part(folder, "owner/clip") / weights.name)
    finish_part(folder, "owner/clip", COMMIT)
    weights.symlink_to(folder / weights.name)
    with pytest.raises(InputError, match=f"{weights}: overlaps with {folder}"):
        fetch_checkpoint(str(source), None, folder)
    assert weights.read_bytes() == WHOLE[weights.name]


def test_somebodys_files_in_the_folder_survive_a_fetch(tmp_path):
    source = make_folder(tmp_path / "mine", WHOLE)
    fetch_checkpoint(source, None, tmp_path / "model")
    (tmp_path / "model" / "notes.txt").write_text("mine")
    for checkpoint, revision in ((source, None), ("owner/clip", COMMIT)):
        with pytest.raises(InputError, match=r"holds notes.txt, which the workflow did not write"):
            fetch_checkpoint(checkpoint, revision, tmp_path / "model")
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "model" / "config.json").exists()


def test_files_of_an_earlier_checkpoint_do_not_stay(tmp_path):
    pickled = make_folder(tmp_path / "pickled", PICKLED)
    source = make_folder(tmp_path / "mine", WHOLE)
    fetch_checkpoint(source, None, tmp_path / "model")
    fetch_checkpoint(pickled, None, tmp_path / "model")
    assert "model.safetensors" not in names_in(tmp_path / "model")
    assert Path(source, "model.safetensors").exists()


def test_a_tokenizer_is_made_from_a_vocabulary(tmp_path):
    from tokenizers import Tokenizer

    # The small CLIP has an embedding for these.
    words = ["s", "a</w>", "sa</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = json.dumps({word: number for number, word in enumerate(words)}).encode()
    config = json.loads(WHOLE["config.json"])
    config["text_config"]["eos_token_id"] = 4
    files = {
        **without(WHOLE, "tokenizer.json"),
        "config.json": json.dumps(config).encode(),
        "tokenizer_config.json": b"{}",
        "vocab.json": vocabulary,
        "merges.txt": b"#version: 0.2\ns a</w>\n",
    }
    source = make_folder(tmp_path / "mine", files)
    fetch_checkpoint(source, None, tmp_path / "model")
    tokenizer = Tokenizer.from_file(str(tmp_path / "model" / "tokenizer.json"))
    assert tokenizer.encode("a sa").ids == [3, 1, 2, 4]
    assert not Path(source, "tokenizer.json").exists()


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_hub_checkpoint_is_fetched_with_what_inference_needs(tmp_path, weights):
    wanted = {**BASE, weights: FILES[weights]}
    extra = {"README.md": b"", "tf_model.h5": b"", "onnx/model.onnx": b""}
    with serve(hub_answers(wanted | extra)) as server:
        done = fetch_from_hub(server.url, tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "model") == sorted([*wanted, "manifest.json"])
    assert (tmp_path / "model" / weights).read_bytes() == FILES[weights]
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert (manifest["checkpoint"], manifest["revision"]) == ("owner/clip", COMMIT)
    fetched = {path.rpartition("/")[2] for method, path in server.requests if method == "GET"}
    assert not fetched & {"README.md", "tf_model.h5", "model.onnx"}


def test_a_checkpoint_that_is_here_is_checked_and_not_fetched_again(tmp_path):
    manifest = tmp_path / "model" / "manifest.json"
    with serve(hub_answers(WHOLE)) as server:
        fetch_from_hub(server.url, tmp_path / "model")
        before, written = len(server.log), manifest.read_text()
        manifest.unlink()  # as Snakemake does before it runs a job again
        done = fetch_from_hub(server.url, tmp_path / "model")
        assert done.returncode == 0, done.stderr
        assert len(server.log) == before
        assert manifest.read_text() == written
        (tmp_path / "model" / "model.safetensors").write_bytes(b"damaged")
        fetch_from_hub(server.url, tmp_path / "model")
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert weights == WHOLE["model.safetensors"]


def test_an_interrupted_checkpoint_keeps_the_files_that_have_arrived(tmp_path):
    answers = hub_answers(WHOLE)
    weights = f"/owner/clip/resolve/{COMMIT}/model.safetensors"
    whole = answers[weights]
    answers[weights] = Answer(status=404)
    with serve(answers) as server:
        assert fetch_from_hub(server.url, tmp_path / "model").returncode != 0
        assert not (tmp_path / "model").exists()
        before = len(server.log)
        answers[weights] = whole
        assert fetch_from_hub(server.url, tmp_path / "model").returncode == 0
    fetched = [path for method, path in server.requests[before:] if method == "GET"]
    assert not any(path.endswith(("config.json", "tokenizer.json")) for path in fetched)
    assert names_in(tmp_path / "model") == sorted([*WHOLE, "manifest.json"])


def test_weights_that_differ_from_the_hubs_checksum_are_refused(tmp_path):
    answers = hub_answers(WHOLE, large={"model.safetensors": "0" * 64})
    with serve(answers) as server:
        done = fetch_from_hub(server.url, tmp_path / "model")
    digest = hashlib.sha256(WHOLE["model.safetensors"]).hexdigest()
    assert f"the sha256 of model.safetensors is {digest}, {'0' * 64} was expected" in done.stderr
    assert not (tmp_path / "model").exists()


def test_a_model_that_no_adapter_opens_is_refused_before_its_weights_are_fetched(tmp_path):
    with serve(hub_answers({**WHOLE, "config.json": b'{"model_type": "blip"}'})) as server:
        done = fetch_from_hub(server.url, tmp_path / "model")
    message = f"owner/clip at revision {COMMIT}: config.json: a blip model (model_type) is not"
    assert message in done.stderr
    assert not (tmp_path / "model").exists()
    assert not any(path.endswith("model.safetensors") for _, path in server.requests)


def test_a_revision_that_the_hub_lacks_is_named(tmp_path):
    with serve({}) as server:
        done = fetch_from_hub(server.url, tmp_path / "models" / "model")
    assert f"InputError: owner/clip at revision {COMMIT}: the hub did not give it" in done.stderr
    assert names_in(tmp_path / "models") == []


@pytest.mark.parametrize(
    "failure", [ConnectError("[Errno 111] Connection refused"), ConnectionError("offline mode")]
)
def test_a_hub_that_is_gone_is_named(tmp_path, monkeypatch, failure):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_tree", fail)
    fetch_checkpoint(make_folder(tmp_path / "mine", WHOLE), None, tmp_path / "model")
    with pytest.raises(InputError) as refusal:
        fetch_checkpoint("owner/clip", COMMIT, tmp_path / "model")
    assert f"owner/clip at revision {COMMIT}: the hub did not give it ({failure})" in str(
        refusal.value
    )
    assert names_in(tmp_path) == ["mine", "model"]
    assert names_in(tmp_path / "model") == sorted([*WHOLE, "manifest.json"])
