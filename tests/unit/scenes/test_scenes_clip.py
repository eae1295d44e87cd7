"""The small CLIP of the scenes: its tokenizer, its pairs, and a checkpoint that loads."""

import hashlib
import json

import numpy as np
import pytest
import torch

from clip_grounding.models.loading import load_model
from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.scenes.pairs import draw_batch, draw_examples, find_ambiguous
from clip_grounding.scenes.tokenizer import END, PAD, START, UNKNOWN, build_tokenizer
from clip_grounding.scenes.train import contrastive_loss, prepare_image, train_checkpoint

SETTINGS = {
    "image_count": 12, "steps": 2, "batch_size": 6, "learning_rate": 0.001, "seed": 3, "threads": 1
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    train_checkpoint(folder, **SETTINGS)
    return folder


@pytest.fixture(scope="module")
def examples():
    return draw_examples(12, seed=0)


def test_end_of_text_has_the_highest_id():
    tokenizer = build_tokenizer(["two red stars", "sand ."])
    assert tokenizer.token_to_id(END) == tokenizer.get_vocab_size() - 1
    ids = tokenizer.encode("Two red STARS").ids
    assert [tokenizer.id_to_token(i) for i in ids] == [START, "two", "red", "stars", END]


def test_unknown_words_and_the_empty_text_have_tokens():
    tokenizer = build_tokenizer(["red"])
    assert tokenizer.encode("red elephants").tokens == [START, "red", UNKNOWN, END]
    assert tokenizer.encode("").tokens == [START, END]


def test_from_pretrained_loads_the_folder_and_pools_at_the_end_of_text(folder):
    from transformers import AutoTokenizer, CLIPModel

    model = CLIPModel.from_pretrained(folder, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    config = model.config.text_config
    ends = tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id
    assert ends == (config.eos_token_id, config.bos_token_id, config.pad_token_id)
    assert (tokenizer.eos_token, tokenizer.pad_token) == (END, PAD)
    assert config.eos_token_id == config.vocab_size - 1 != 2
    batch = tokenizer(["sand", "in this image i can see sand ."], padding=True, return_tensors="pt")
    alone = tokenizer(["sand"], return_tensors="pt")
    with torch.no_grad():
        padded = model.get_text_features(**batch).pooler_output[0]
        single = model.get_text_features(**alone).pooler_output[0]
    torch.testing.assert_close(padded, single, rtol=0, atol=1e-5)


def test_the_workflow_opens_the_folder(folder):
    clip = load_model(folder, torch.device("cpu"))
    tokens = TextTokenizer(folder)("here i can see sand .")
    assert clip.grid == (8, 8)
    assert tokens.complete
    assert tokens.ids[-1] == tokens.ids.max()


def test_training_prepares_images_as_the_checkpoint_does(folder, examples):
    process = ImagePreprocessor(folder)
    for example in examples:
        np.testing.assert_allclose(
            prepare_image(example.image), process(example.image), rtol=0, atol=1e-5
        )


def test_the_manifest_lists_every_file_with_its_checksum(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    names = {path.name for path in folder.iterdir()} - {"manifest.json", ".manifest.json"}
    assert set(manifest) == {"checkpoint", "revision", "files"}
    assert set(manifest["files"]) == names
    assert names >= {"model.safetensors", "config.json", "tokenizer.json"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_same_seed_trains_the_same_model(folder, tmp_path):
    train_checkpoint(tmp_path / "again", **SETTINGS)
    train_checkpoint(tmp_path / "other", **{**SETTINGS, "seed": 4})
    weights = (folder / "model.safetensors").read_bytes()
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == weights
    assert (tmp_path / "other" / "model.safetensors").read_bytes() != weights
    assert (tmp_path / "again" / "manifest.json").read_bytes() == (
        folder / "manifest.json"
    ).read_bytes()


def test_training_leaves_torch_as_it_was(tmp_path):
    state = torch.get_rng_state()
    train_checkpoint(tmp_path, **SETTINGS)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()


def test_masked_pairs_show_nothing_but_what_their_text_names(examples):
    batch = draw_batch(examples, 64, np.random.default_rng(0))
    whole = [example.image.tobytes() for example in examples]
    parts = [image for image in batch.images if image.tobytes() not in whole]
    assert 10 < len(parts) < 64
    assert all((image == 0).all(axis=-1).mean() > 0.02 for image in parts)


def test_what_fits_both_ways_is_no_negative():
    shown = [{"sand", "sky"}, {"sand"}, {"sea"}]
    told = [{"sky", "sand"}, {"sand"}, {"sea", "sky"}]
    expected = [[False, True, False], [True, False, False], [False, False, False]]
    np.testing.assert_array_equal(find_ambiguous(shown, told), expected)


def test_pairs_that_are_no_negatives_cost_nothing():
    logits = torch.tensor([[2.0, 9.0], [1.0, 2.0]])
    ambiguous = torch.tensor([[False, True], [True, False]])
    assert contrastive_loss(logits, ambiguous) == 0
    assert contrastive_loss(logits, torch.zeros(2, 2, dtype=torch.bool)) > 1
