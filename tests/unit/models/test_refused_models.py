"""What a checkpoint may not be: each refusal names the file, the key and the remedy."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from saved_models import KINDS, save_model
from torch import nn
from transformers import CLIPConfig, MetaClip2Config, SiglipConfig

from clip_grounding.errors import InputError
from clip_grounding.models import loading
from clip_grounding.models.checkpoints import fetch_checkpoint
from clip_grounding.models.config import read_model_config
from clip_grounding.models.loading import load_model
from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.models.tokenizer import TextTokenizer

CPU = torch.device("cpu")
TEXTS = ["there is a red star on the sand , and two dogs in front of the trees ."] * 4


def change(folder, name, **values):
    """Set keys of a JSON file, `tower__key` inside a tower; None takes one out."""
    content = json.loads((folder / name).read_text())
    for key, value in values.items():
        *outer, key = key.split("__")
        own = content[outer[0]] if outer else content
        own[key] = value
        if value is None:
            del own[key]
    (folder / name).write_text(json.dumps(content))


def refusal(do, *args):
    with pytest.raises(InputError) as caught:
        do(*args)
    return str(caught.value)


def write_config(folder, **config):
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def saved(tmp_path):
    """Save a checkpoint of a kind."""
    return lambda kind: save_model(kind, tmp_path / kind, TEXTS)


@pytest.mark.parametrize(
    "config", [CLIPConfig, MetaClip2Config, SiglipConfig], ids=lambda config: config.model_type
)
def test_what_a_config_leaves_out_is_what_transformers_takes(tmp_path, config):
    ours, stock = read_model_config(write_config(tmp_path, model_type=config.model_type)), config()
    vision, text = stock.vision_config, stock.text_config
    assert (ours.image_size, ours.patch_size) == (vision.image_size, vision.patch_size)
    assert ours.context_length == text.max_position_embeddings
    has_head = config is SiglipConfig
    assert ours.image_layers == vision.num_hidden_layers + has_head
    assert ours.text_layers == text.num_hidden_layers


def test_a_towers_second_settings_decide_as_in_transformers(tmp_path):
    given = {
        "text_config": {"max_position_embeddings": 30},
        "text_config_dict": {"num_hidden_layers": 3},
        "vision_config": {"patch_size": 16},
        "vision_config_dict": {"patch_size": 14},
    }
    stock = CLIPConfig(**json.loads(json.dumps(given)))
    ours = read_model_config(write_config(tmp_path, model_type="clip", **given))
    assert ours.context_length == stock.text_config.max_position_embeddings == 77
    assert ours.text_layers == stock.text_config.num_hidden_layers == 3
    assert ours.patch_size == stock.vision_config.patch_size == 14


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "blip"}, "a blip model (model_type) is not supported (supported: clip,"),
        ({"model_type": "siglip2"}, "of SigLIP 2 the checkpoints of one fixed resolution"),
        ({"model_type": "clip_vision_model"}, "both towers are needed"),
        (
            {"model_type": "siglip", "vision_config": {"vision_use_head": False}},
            "vision_config.vision_use_head is false: without its pooling head",
        ),
        (
            {"model_type": "clip", "vision_config": {"patch_size": [14, 14]}},
            "vision_config.patch_size is [14, 14], not a whole number",
        ),
        (
            {"model_type": "siglip", "text_config": {"max_position_embeddings": "64"}},
            'text_config.max_position_embeddings is "64", not a whole number',
        ),
    ],
)
def test_a_config_that_no_adapter_opens_is_refused_when_read_and_when_fetched(
    tmp_path, config, said
):
    source = save_model("openclip", tmp_path / "mine", TEXTS).folder
    write_config(source, **config)
    for message in (
        refusal(read_model_config, source),
        refusal(fetch_checkpoint, str(source), None, tmp_path / "models" / "mine"),
    ):
        assert message.startswith(f"{source}/config.json: ")
        assert said in message
        assert "give another `checkpoint`" in message or "`checkpoint` that has" in message
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tower", ["text_model", "vision_model"])
def test_weights_of_one_tower_alone_are_refused(saved, kind, tower):
    from safetensors.torch import load_file, save_file

    weights = saved(kind).folder / "model.safetensors"
    kept = {name: value for name, value in load_file(weights).items() if tower not in name}
    save_file(kept, weights, metadata={"format": "pt"})
    message = refusal(load_model, weights.parent, CPU)
    assert re.search(rf"its weights lack {tower}\S+ and \d+ more", message)
    assert "fetch it again or correct `checkpoint`" in message


def test_a_pooling_head_without_weights_is_refused(saved):
    from safetensors.torch import load_file, save_file

    weights = saved("siglip").folder / "model.safetensors"
    kept = {
        name: value for name, value in load_file(weights).items() if "vision_model.head" not in name
    }
    save_file(kept, weights, metadata={"format": "pt"})
    assert "its weights lack vision_model.head." in refusal(load_model, weights.parent, CPU)


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("siglip", {"size": {"height": 384, "width": 384}}, "makes images of 384 x 384 pixels"),
        ("openclip", {"crop_size": 24}, "makes images of 24 x 24 pixels"),
        ("openclip", {"size": 40}, "cuts off the image's rims"),
        ("openclip", {"do_resize": False}, "cuts off the image's rims"),
    ],
)
def test_pixels_that_the_model_does_not_take_are_refused(saved, kind, settings, said):
    folder = saved(kind).folder
    change(folder, "preprocessor_config.json", **settings)
    message = refusal(ImagePreprocessor, folder)
    assert message.startswith(f"{folder}: preprocessor_config.json")
    assert said in message


@pytest.mark.parametrize("kind", KINDS)
def test_preprocessors_that_keep_the_whole_image_pass(saved, kind):
    ImagePreprocessor(saved(kind).folder)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"padding_side": "left"}, "padding_side is left"),
        ({"pad_token": None}, "KeyError('pad_token')"),
        ({"eos_token": "<end>"}, "tokenizer.json has no <end>"),
    ],
)
def test_settings_of_a_siglip_tokenizer_are_checked_when_fetched(saved, tmp_path, settings, said):
    folder = saved("siglip2").folder
    change(folder, "tokenizer_config.json", **settings)
    for message in (
        refusal(TextTokenizer, folder),
        refusal(fetch_checkpoint, str(folder), None, tmp_path / "models" / "mine"),
    ):
        assert "tokenizer_config.json: not the settings of a SigLIP tokenizer" in message
        assert said in message
        assert "correct the file" in message
        assert str(folder) in message


def test_a_siglip_without_tokenizer_json_is_told_how_to_make_it(saved, tmp_path):
    folder = saved("siglip").folder
    (folder / "tokenizer.json").rename(folder / "spiece.model")
    message = refusal(fetch_checkpoint, str(folder), None, tmp_path / "models" / "mine")
    assert message.startswith(f"{folder}: has spiece.model, but no tokenizer.json: ")
    code = message.partition("installed: ")[2]
    compile(code, "remedy", "exec")
    assert "SpmConverter" in code


def test_a_fetched_siglip_has_what_its_jobs_read(saved, tmp_path):
    fetch_checkpoint(str(saved("siglip").folder), None, tmp_path / "model")
    load_model(tmp_path / "model", CPU)
    ImagePreprocessor(tmp_path / "model")


def test_a_tokenizer_without_specials_is_refused_for_a_clip(saved):
    folder = saved("openclip").folder
    change(folder, "tokenizer.json", post_processor=None)
    message = refusal(TextTokenizer, folder)
    assert "tokenizer.json: reads the empty text as 0 tokens" in message
    assert "CLIPTokenizer" in message


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("eos_token_id", 5, "ends a text with id 2, but the model pools 5 (text_config.eos_"),
        ("vocab_size", 3, "config.json says that the model has 3 (text_config.vocab_size)"),
    ],
)
def test_a_tokenizer_of_another_model_is_refused(saved, key, value, said):
    folder = saved("metaclip_2").folder
    if key == "vocab_size":
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        name = "text_model.embeddings.token_embedding.weight"
        weights[name] = weights[name][:value].clone()
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    change(folder, "config.json", **{f"text_config__{key}": value})
    assert said in refusal(load_model, folder, CPU)


def without_a_block(tower):
    return replace(tower, blocks=tower.blocks[1:])


def pooled_a_row_early(tower):
    return replace(tower, pooled_rows=lambda ids: tower.pooled_rows(ids) - 1)


def without(part):
    """The image tower with a pooling head of which one part does nothing."""

    def change_head(tower):
        own = tower.pool.head
        head = SimpleNamespace(probe=own.probe, **dict(own.named_children()))
        setattr(head, part, nn.Identity())
        return replace(tower, pool=replace(tower.pool, head=head))

    return change_head


WRONG = [
    *((kind, tower, without_a_block) for kind in KINDS for tower in ("image", "text")),
    *((kind, "text", pooled_a_row_early) for kind in KINDS),
    *(("siglip", "image", without(part)) for part in ("layernorm", "mlp")),
]


@pytest.mark.parametrize(("kind", "name", "misread"), WRONG)
def test_a_tower_opened_wrongly_is_refused(saved, monkeypatch, kind, name, misread):
    opened = loading.open_model

    def open_wrongly(*args):
        clip = opened(*args)
        return replace(clip, **{name: misread(getattr(clip, name))})

    monkeypatch.setattr(loading, "open_model", open_wrongly)
    message = refusal(load_model, saved(kind).folder, CPU)
    assert f"the {name} tower, run block by block, differs" in message
    assert "give another `checkpoint`" in message
