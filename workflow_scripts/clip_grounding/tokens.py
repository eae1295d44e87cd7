"""CLIP's tokens of a text and where they stand in it, without the cost of importing torch."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from clip_grounding.errors import InputError


@dataclass(frozen=True)
class Tokens:
    """The tokens of one text, specials included.

    Attributes
    ----------
    ids : ndarray, shape (n_tokens,)
        Start-of-text, the word tokens, end-of-text.
    starts, ends : ndarray, shape (n_words,)
        Character span of each word token in the text.
    complete : bool
        False where the text did not fit the context length and was cut.
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    complete: bool


class TextTokenizer:
    """The tokenizer of a checkpoint folder.

    Parameters
    ----------
    folder : str or Path
        Holds ``tokenizer.json`` and ``config.json``.

    Raises
    ------
    InputError
        One of the two files is missing or unreadable.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        try:
            config = json.loads((folder / "config.json").read_text())
            self.context_length = int(config["text_config"]["max_position_embeddings"])
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{folder}: no readable config.json (with text_config.max_position_embeddings) and "
                f"tokenizer.json of a CLIP checkpoint ({error})"
            ) from error
        except Exception as error:  # tokenizers raises bare Exception for a damaged or absent file
            raise InputError(f"{folder / 'tokenizer.json'}: not a tokenizer ({error})") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count(self, text: str) -> int:
        """Count the tokens of `text`, the two specials included, however many they are."""
        return len(self._tokenizer.encode(text).ids)

    def words(self, text: str) -> list[int]:
        """Give the ids of the word tokens of `text`, uncut and without specials."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def __call__(self, text: str) -> Tokens:
        """Tokenise `text`, cut to the context length with its end-of-text kept."""
        encoding = self._tokenizer.encode(text)
        ids = np.array(encoding.ids, dtype=np.int64)
        spans = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2)[1:-1]
        complete = len(ids) <= self.context_length
        if not complete:
            ids = np.concatenate([ids[: self.context_length - 1], ids[-1:]])
            spans = spans[: self.context_length - 2]
        return Tokens(ids, spans[:, 0], spans[:, 1], complete)


def first_mention(words: list[int], phrase_words: list[int]) -> tuple[int, int]:
    """Find the token span that the published evaluation takes for a phrase of a caption.

    It runs from the first place in the caption of the phrase's first token to the first
    place of the phrase's last token, so a repeated word points at its first mention and
    the span may be empty (start ≥ stop).

    Parameters
    ----------
    words, phrase_words : list of int
        Word tokens of the caption and of the phrase.

    Returns
    -------
    start, stop : int
        Half-open span over `words`.
    """
    if not phrase_words or phrase_words[0] not in words or phrase_words[-1] not in words:
        return 0, 0
    return words.index(phrase_words[0]), words.index(phrase_words[-1]) + 1


def patch_grid(folder: str | Path) -> tuple[int, int]:
    """Rows and columns of patches of the checkpoint in `folder`, from its ``config.json``."""
    vision = json.loads((Path(folder) / "config.json").read_text())["vision_config"]
    side = vision["image_size"] // vision["patch_size"]
    return side, side
