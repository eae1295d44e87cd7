"""The opened towers against the stock model, and what is refused at loading."""

import pytest
import torch
from plain_attribution import random_clip

from clip_grounding.errors import InputError
from clip_grounding.models.loading import load_model, open_model
from clip_grounding.models.towers import with_precision
from clip_grounding.scenes.tokenizer import build_tokenizer, save_tokenizer

CPU = torch.device("cpu")
WORDS = " ".join(f"word{number}" for number in range(46))  # with four specials a vocabulary of 50


def save(model, folder, **config):
    for key, value in config.items():
        setattr(model.config.text_config, key, value)
    model.save_pretrained(folder)
    save_tokenizer(build_tokenizer([WORDS]), folder)
    return folder


def test_a_saved_model_loads_with_the_stock_embeddings(tmp_path):
    model = random_clip(depth=3, patch=16)
    clip = load_model(save(model, tmp_path), CPU)
    pixels = torch.randn(2, 3, 32, 32)
    ids = torch.tensor([[48, 3, 9, 49], [48, 49, 49, 49]])
    stock = model(input_ids=ids, pixel_values=pixels)
    torch.testing.assert_close(clip.embed(clip.image, pixels), stock.image_embeds)
    torch.testing.assert_close(clip.embed(clip.text, ids), stock.text_embeds)
    assert clip.grid == (2, 2)


def test_the_old_end_of_text_id_means_the_highest_one(tmp_path):
    clip = load_model(save(random_clip(), tmp_path, eos_token_id=2), CPU)
    assert clip.text.pooled_rows(torch.tensor([[48, 2, 9, 49]])).tolist() == [3]


def test_padding_after_the_end_of_text_changes_nothing():
    clip = open_model(random_clip())
    short = torch.tensor([[48, 3, 9, 49]])
    padded = torch.tensor([[48, 3, 9, 49, 49, 49, 49]])
    embeddings = [clip.embed(clip.text, ids) for ids in (short, padded)]
    torch.testing.assert_close(*embeddings)


def test_towers_built_in_another_way_are_refused(tmp_path, monkeypatch):
    folder = save(random_clip(), tmp_path)
    monkeypatch.setattr(
        "clip_grounding.models.towers.finish_block", lambda layer, residual, context: residual
    )
    with pytest.raises(InputError, match="the image tower, run block by block, differs"):
        load_model(folder, CPU)


def test_another_kind_of_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match=r"a bert model \(model_type\) is not supported"):
        load_model(tmp_path, CPU)


def test_a_folder_without_weights_is_refused_by_name(tmp_path):
    random_clip().config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=f"{tmp_path}: has no weights"):
        load_model(tmp_path, CPU)


def test_half_precision_is_kept_to_the_prefix_and_changes_little():
    clip = open_model(random_clip(depth=3))
    half = with_precision(clip, torch.bfloat16)
    pixels = torch.randn(2, 3, 32, 32)
    hidden = half.image.run(pixels, 2)
    assert hidden.dtype == torch.float32
    block = half.image.pool.open(hidden, half.image.pooled_rows(pixels))
    assert {block.attention.dtype, block.values.dtype, block.context.dtype} == {torch.float32}
    ours, exact = half.embed(half.image, pixels), clip.embed(clip.image, pixels)
    assert ours.dtype == torch.float32
    assert not torch.equal(ours, exact)  # it did run in half precision
    assert (ours - exact).abs().max() < 0.1


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_without_a_gpu_is_refused(tmp_path, precision):
    with pytest.raises(InputError, match=f"precision: {precision} is for GPUs"):
        load_model(save(random_clip(), tmp_path), CPU, precision)
