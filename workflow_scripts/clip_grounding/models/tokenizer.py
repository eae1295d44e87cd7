"""Tokenise a text, with each token's place in it, without the cost of importing torch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer, models

from clip_grounding.errors import InputError
from clip_grounding.models.config import read_model_config
from clip_grounding.models.families import TOKENIZERS
from clip_grounding.models.mending import mend_text

_SPACE = "▁"  # how sentencepiece writes a space
_WORD_END = "</w>"  # identifies the byte pairs of CLIP's original tokenizer


@dataclass(frozen=True)
class Tokens:
    """The tokens of one text, including special tokens.

    Attributes
    ----------
    ids : ndarray, shape (n_tokens,)
        The word tokens between the specials of the model's family, not padded.
    starts, ends : ndarray, shape (n_words,)
        Character span of each word token in the text. The spaces between words belong to none; a
        token that stands for a space alone has an empty span.
    complete : bool
        False where the text did not fit the context length and was cut.
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    complete: bool


class TextTokenizer:
    """The tokenizer of a checkpoint folder.

    What is peculiar to a family is in its `TextRules`. A text is read as plain characters: spelling
    out a special token does not make one. For the byte pairs of CLIP a text is mended first, see
    `mending`; spans are those of the text as it was.

    Parameters
    ----------
    folder : str or Path
        Holds ``tokenizer.json`` and ``config.json``; for SigLIP also ``tokenizer_config.json``.

    Attributes
    ----------
    context_length : int
        Tokens of the longest text, including special tokens.
    end_of_text, padding : int
        Ids.

    Raises
    ------
    InputError
        A file is missing or unreadable, or of a tokenizer that does not fit the model.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        config = read_model_config(folder)
        self.context_length = config.context_length
        path = folder / "tokenizer.json"
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception for a damaged or missing file
            raise InputError(
                f"{path}: not a readable tokenizer ({error}): fetch the checkpoint again"
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._tokenizer.encode_special_tokens = True
        model = self._tokenizer.model
        self._mends = isinstance(model, models.BPE) and model.end_of_word_suffix == _WORD_END
        rules = TOKENIZERS[config.family](self._tokenizer, folder)
        self._first, self._unread = rules.n_before, rules.unread
        self._padded_length = self.context_length if rules.is_padded else 0
        specials = self._tokenizer.encode("").ids
        if len(specials) != self._first + 1:
            raise InputError(
                f"{path}: reads the empty text as {len(specials)} tokens, not {self._first + 1}"
                " (`post_processor`): save it again with transformers' tokenizer of the model, for"
                " CLIP CLIPTokenizer"
            )
        self.end_of_text = specials[-1]
        self.padding = self.end_of_text if rules.padding is None else rules.padding

    def count(self, text: str) -> int:
        """Count the tokens of `text`, including special tokens, without a limit."""
        return len(self._encode(text)[0].ids)

    def words(self, text: str) -> list[str]:
        """Return the word tokens of `text`, uncut, without special tokens and marks of spaces."""
        encoding, *_ = self._encode(text)
        return [token.strip(_SPACE) for token in encoding.tokens[self._first : -1]]

    def phrase_words(self, phrase: str) -> list[str]:
        """Return the word tokens that `phrase` has inside a text.

        After a space: SigLIP 2 reads a word differently where no space precedes it.
        """
        return self.words(f" {phrase}")

    def __call__(self, text: str) -> Tokens:
        """Tokenise `text`, cut to the context length with its end-of-text kept."""
        encoding, mended, starts, ends = self._encode(text)
        ids = np.array(encoding.ids, dtype=np.int64)
        complete = len(ids) <= self.context_length
        if not complete:
            ids = np.concatenate([ids[: self.context_length - 1], ids[-1:]])
        words = slice(self._first, len(ids) - 1)
        spans = [
            self._span(mended, token, *offsets)
            for token, offsets in zip(encoding.tokens[words], encoding.offsets[words], strict=True)
        ]
        spans = np.array([(starts[start], ends[end]) for start, end in spans], dtype=np.int32)
        return Tokens(ids, *spans.reshape(-1, 2).T, complete)

    def _encode(self, text: str) -> tuple[Encoding, str, np.ndarray, np.ndarray]:
        """Encode a text as the model reads it.

        Returns
        -------
        encoding : Encoding
        mended : str
            The text that its offsets refer to.
        starts, ends : ndarray of int, shape (len(mended) + 1,)
            Where in `text` a span of `mended` starts or ends.
        """
        mended, starts = text, np.arange(len(text) + 1)
        ends = starts
        if self._mends:
            mended, first, last = mend_text(text)
            starts, ends = np.append(first, len(text)), np.insert(last, 0, 0)
        encoding = self._tokenizer.encode(mended)
        if {self.end_of_text, self.padding} & set(encoding.ids[self._first : -1]):
            raise InputError(
                f"the text {text!r} has characters that the model's tokenizer reads as the end of a"
                " text or as padding: take them out of the narrative"
            )
        return encoding, mended, starts, ends

    def _span(self, text: str, token: str, start: int, end: int) -> tuple[int, int]:
        """Leave out characters that sentencepiece adds to a token's span."""
        if not token.strip(_SPACE):
            return start, start
        while start < end and text[start] in self._unread:
            start += 1
        while start < end and text[end - 1] in self._unread:
            end -= 1
        return start, end

    def pad(self, texts: list[np.ndarray]) -> np.ndarray:
        """Stack the ids of texts in one array, (n_texts, n_tokens), padded on the right."""
        length = max(self._padded_length, *map(len, texts))
        padded = np.full((len(texts), length), self.padding, dtype=np.int64)
        for row, ids in zip(padded, texts, strict=True):
            row[: len(ids)] = ids
        return padded


def first_mention(words: list[str], phrase_words: list[str]) -> tuple[int, int]:
    """Find the token span that the published evaluation takes for a phrase of a caption.

    It runs from the first place in the caption of the phrase's first token to the first
    place of the phrase's last token, so a repeated word points at its first mention and
    the span may be empty (start ≥ stop).

    Parameters
    ----------
    words, phrase_words : list of str
        Word tokens of the caption and of the phrase.

    Returns
    -------
    start, stop : int
        Half-open span over `words`.
    """
    if not phrase_words or phrase_words[0] not in words or phrase_words[-1] not in words:
        return 0, 0
    return words.index(phrase_words[0]), words.index(phrase_words[-1]) + 1
