"""Small checkpoint folders as the hub has them, one per kind of model, with random weights.

Each has what is peculiar to its kind: CLIP's old end-of-text id, towers of different shapes,
configs that leave out what is the default, tokenizers that mark spaces, preprocessors that do not
crop, patches that do not cover the image.
"""

import json
import string
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from plain_models import draw_weights
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    MetaClip2Config,
    MetaClip2Model,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

KINDS = ["openclip", "metaclip_2", "siglip", "siglip2"]


@dataclass(frozen=True)
class Saved:
    """A checkpoint folder, and how transformers itself reads it."""

    kind: str
    folder: Path
    specials: tuple[str, str]  # end of text, padding

    @property
    def special_ids(self):
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        return [tokenizer.token_to_id(token) for token in self.specials]

    def model(self):
        """The stock model, with the tokenizer's ids where the plain methods look for them."""
        model = AutoModel.from_pretrained(self.folder, attn_implementation="eager").eval()
        text = model.config.text_config
        text.eos_token_id, text.pad_token_id = self.special_ids
        return model.requires_grad_(False)

    def ids(self, text):
        """What transformers makes of a text, padded as the kind's models are trained."""
        length = json.loads((self.folder / "config.json").read_text())["text_config"].get(
            "max_position_embeddings", 77 if "clip" in self.kind else 64
        )
        cut = {"truncation": True, "max_length": length}
        if self.kind == "siglip":
            # Its class needs sentencepiece: what it does before is spelled out.
            text = text.lower().translate(str.maketrans("", "", string.punctuation))
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(self.folder / "tokenizer.json"))
            words = tokenizer(" ".join(text.split()), add_special_tokens=False)["input_ids"]
            end, pad = self.special_ids
            ids = [*words[: length - 1], end]
            return torch.tensor(ids + [pad] * (length - len(ids)))
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        padding = "max_length" if self.kind == "siglip2" else False
        return torch.tensor(tokenizer(text, padding=padding, **cut)["input_ids"])

    def pixels(self, image):
        """What transformers makes of an image that is padded to a square."""
        height, width, _ = image.shape
        sides = [(max(height, width) - side) // 2 for side in (height, width)]
        square = np.pad(image, [(side, side) for side in sides] + [(0, 0)])
        processor = AutoImageProcessor.from_pretrained(self.folder, backend="pil")
        return processor(Image.fromarray(square), return_tensors="pt")["pixel_values"][0]


def save_model(kind, folder, texts, **text_config):
    """Save a checkpoint of a kind whose tokenizer is trained on `texts`."""
    folder.mkdir(parents=True, exist_ok=True)
    return globals()[f"save_{kind}"](folder, list(texts), **text_config)


def tower(width, heads, depth, **more):
    return {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_attention_heads": heads,
        "num_hidden_layers": depth,
        **more,
    }


def write(folder, model, tokenizer, settings, processor, change=lambda config: None):
    """Write all files of a checkpoint; `change` edits its config in place."""
    draw_weights(model.requires_grad_(False))
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    change(config)
    tokenizer.save(str(folder / "tokenizer.json"))
    for name, content in (
        ("config.json", config),
        ("tokenizer_config.json", settings),
        ("preprocessor_config.json", processor),
    ):
        (folder / name).write_text(json.dumps(content))


def save_openclip(folder, texts, **text_config):
    """LAION's: towers of different shapes, a wide projection, the old end-of-text id."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    tokenizer = byte_pairs(texts, start, end)
    size = tokenizer.get_vocab_size()
    config = CLIPConfig(
        text_config=tower(32, 2, 2, hidden_act="gelu", vocab_size=size, **text_config),
        vision_config=tower(48, 6, 3, hidden_act="gelu", image_size=32, patch_size=8),
        projection_dim=64,
    )
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        **{"bos_token": start, "eos_token": end, "pad_token": end, "unk_token": end},
    }
    processor = {
        "feature_extractor_type": "CLIPFeatureExtractor",
        **{"do_resize": True, "size": 32, "do_center_crop": True, "crop_size": 32},
        "image_mean": [0.48, 0.46, 0.41],
        "image_std": [0.27, 0.26, 0.28],
    }

    def change(config):
        config["text_config"].update(bos_token_id=0, eos_token_id=2, pad_token_id=1)
        config.update(text_config_dict=None, vision_config_dict=None)

    write(folder, CLIPModel(config), tokenizer, settings, processor, change)
    return Saved("openclip", folder, (end, end))


def save_metaclip_2(folder, texts, **text_config):
    """MetaCLIP 2: XLM-R's tokenizer, whose end-of-text really is 2, and pads that are not ends."""
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = pieces(texts, specials)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), tokenizer.pre_tokenizer]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    text = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, **text_config}
    config = MetaClip2Config(
        text_config=tower(32, 4, 2, vocab_size=tokenizer.get_vocab_size(), **text),
        vision_config=tower(32, 4, 2, image_size=28, patch_size=7),
        projection_dim=32,
    )
    settings = {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 77}
    settings |= {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    settings |= {"unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 28},
        "crop_size": {"height": 28, "width": 28},
    }
    write(folder, MetaClip2Model(config), tokenizer, settings, processor)
    return Saved("metaclip_2", folder, ("</s>", "</s>"))


def save_siglip(folder, texts, **text_config):
    """SigLIP: a nearly empty config, one special token for two purposes, no crop."""
    tokenizer = pieces(texts, ["<pad>", "</s>", "<unk>"])
    config = SiglipConfig(
        text_config=tower(32, 4, 2, vocab_size=tokenizer.get_vocab_size(), **text_config),
        vision_config=tower(32, 4, 2),
    )
    settings = {
        "tokenizer_class": "SiglipTokenizer",
        "eos_token": {"content": "</s>", "special": True},
        **{"pad_token": "</s>", "unk_token": "<unk>", "model_max_length": 64},
    }
    processor = {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 224, "width": 224},
        "resample": 3,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }

    def change(config):
        shown = "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers"
        for name, kept in (("text", [*shown, "vocab_size", *text_config]), ("vision", shown)):
            own = config[f"{name}_config"]
            config[f"{name}_config"] = {key: own[key] for key in kept}

    write(folder, SiglipModel(config), tokenizer, settings, processor, change)
    return Saved("siglip", folder, ("</s>", "</s>"))


def save_siglip2(folder, texts, ends=True, **text_config):
    """SigLIP 2: Gemma's tokenizer, apart specials, towers of different widths, an uneven grid.

    `ends`: whether tokenizer.json itself puts an end behind a text.
    """
    tokenizer = gemma(texts, ends)
    text = {"projection_size": 48, "vocab_size": tokenizer.get_vocab_size(), **text_config}
    config = SiglipConfig(
        text_config=tower(32, 2, 2, **text),
        vision_config=tower(48, 4, 2, image_size=33, patch_size=8),
    )
    settings = {
        "tokenizer_class": "Siglip2Tokenizer",
        **{"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"},
        **{"padding_side": "right", "add_bos_token": False, "add_eos_token": True},
    }
    processor = {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 33, "width": 33},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    write(folder, SiglipModel(config), tokenizer, settings, processor)
    return Saved("siglip2", folder, ("<eos>", "<pad>"))


def byte_pairs(texts, start, end):
    """CLIP's kind of tokenizer, its specials the two highest ids."""
    words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    draft = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    draft.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    draft.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    # Like the published ones it knows every byte, at the end of a word too: 85, which by itself is
    # a space, as the last of U+0205.
    draft.train_from_iterator(
        [*texts, " ".join(map(chr, [*range(33, 256), 0x205]))],
        trainers.BpeTrainer(
            vocab_size=1000,
            initial_alphabet=alphabet,
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    learnt = json.loads(draft.to_str())
    vocabulary = learnt["model"]["vocab"]
    for special in (start, end):
        vocabulary[special] = len(vocabulary)
    learnt["model"]["unk_token"] = end
    tokenizer = Tokenizer.from_str(json.dumps(learnt))
    tokenizer.add_special_tokens([start, end])
    tokenizer.post_processor = processors.RobertaProcessing(
        (end, vocabulary[end]),
        (start, vocabulary[start]),
        trim_offsets=False,
        add_prefix_space=False,
    )
    return tokenizer


def pieces(texts, specials):
    """A tokenizer as sentencepiece's unigrams make it: every word with the space before it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.train_from_iterator(
        [text.lower() for text in texts],
        trainers.UnigramTrainer(
            vocab_size=150, special_tokens=specials, unk_token="<unk>", show_progress=False
        ),
    )
    return tokenizer


def gemma(texts, ends):
    """Gemma's kind: spaces become marks, no mark before the first word, no lower-casing."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
    tokenizer.train_from_iterator(
        [text.lower() for text in texts],
        trainers.BpeTrainer(vocab_size=200, special_tokens=specials, show_progress=False),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>" if ends else "$A", pair="$A $B", special_tokens=[("<eos>", 1)]
    )
    return tokenizer
