"""Build the tokenizer of the small CLIP: lower-cased whole words between CLIP's two specials."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel

CONTEXT_LENGTH = 77
PAD, UNKNOWN, START, END = "<|pad|>", "<|unknown|>", "<|startoftext|>", "<|endoftext|>"


def build_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Build a tokenizer that knows the words of `texts`.

    Unknown words become a single unknown token. End-of-text has the highest id: CLIP's text tower
    pools there, and some implementations find it as the highest.
    """
    words = sorted({word for text in texts for word in text.lower().split()})
    names = [PAD, UNKNOWN, *words, START, END]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([PAD, UNKNOWN, START, END])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        pair=f"{START} $A $B {END}",
        special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])],
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: str | Path) -> None:
    """Write the two files that ``AutoTokenizer.from_pretrained`` reads."""
    tokenizer.save(str(Path(folder) / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": CONTEXT_LENGTH,
        "bos_token": START,
        "eos_token": END,
        "pad_token": PAD,
        "unk_token": UNKNOWN,
    }
    text = json.dumps(settings, indent=2) + "\n"
    (Path(folder) / "tokenizer_config.json").write_text(text, encoding="utf-8")
