"""Repair text as CLIP's published tokenizers do, and find each repaired character in the original.

OpenAI's and open_clip's tokenizers have ftfy repair a text (curly quotes, ligatures, wide letters,
text that was decoded as something else), then resolve HTML entities twice. ``tokenizer.json`` does
neither: without it such a caption is not read as in the published run.
"""

import html
import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher

import ftfy
import numpy as np

from clip_grounding.errors import InputError

_WORD = re.compile(r"\s*\S+|\s+")
_LONGEST = 1000  # words, or characters of a word, that are compared pairwise


def mend_text(text: str) -> tuple[str, np.ndarray, np.ndarray]:
    """Repair a text, and find its characters in the original.

    Parameters
    ----------
    text : str

    Returns
    -------
    mended : str
        As the published tokenizers read it.
    starts, ends : ndarray of int, shape (len(mended),)
        The characters of `text` that each mended one stands for. Characters that were merged or
        taken out belong to a neighbour of their word: in one word no original character is left
        over.

    Raises
    ------
    InputError
        A long text changes as a whole, so that its characters cannot be found again.
    """
    mended, starts = text, np.arange(len(text))
    ends = starts + 1
    for step in (ftfy.fix_text, html.unescape, html.unescape):
        changed = step(mended)
        if changed != mended:
            first, last = _align(mended, changed, step)
            starts, ends, mended = starts[first], ends[last], changed
    return mended, starts, ends


def _align(old: str, new: str, step: Callable[[str], str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last character of `old` that each character of `new` stands for."""
    first, last, at = [], [], 0
    for word, mended in _pair_words(old, new, step):
        if max(len(word), len(mended)) > _LONGEST and word != mended:
            raise _unalignable(old)
        own_first, own_last = _align_word(word, mended)
        first += [at + i for i in own_first]
        last += [at + i for i in own_last]
        at += len(word)
    limit = len(old) - 1  # insertions at the end belong to the last character
    return np.minimum(np.array(first, int), limit), np.minimum(np.array(last, int), limit)


def _pair_words(old: str, new: str, step: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Pair the words, or runs of words, that correspond; the pairs cover both texts."""
    words = _WORD.findall(old)
    alone = [step(word) for word in words]
    if "".join(alone) == new:
        return zip(words, alone, strict=True)
    # ftfy judges wrongly decoded text as a whole: compare the results.
    found = _WORD.findall(new)
    if len(words) == len(found):
        return zip(words, found, strict=True)
    if len(words) > _LONGEST:
        raise _unalignable(old)
    blocks = SequenceMatcher(None, words, found, autojunk=False).get_opcodes()
    return (("".join(words[i1:i2]), "".join(found[j1:j2])) for _, i1, i2, j1, j2 in blocks)


def _unalignable(text: str) -> InputError:
    return InputError(
        f"the text {text[:60]!r}… becomes another one when it is mended as CLIP's tokenizer does,"
        " and is too long for its words to be found again: write it as UTF-8, without HTML entities"
    )


def _align_word(old: str, new: str) -> tuple[list[int], list[int]]:
    if old == new:
        return list(range(len(old))), list(range(len(old)))
    first, last, held = [], [], None
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        if j1 == j2:  # a deletion belongs to the character before, or to the next one
            if last and not new[j1 - 1].isspace():
                last[-1] = i2 - 1
            elif held is None:
                held = i1
            continue
        at = len(first)
        if i2 - i1 == j2 - j1:
            first += range(i1, i2)
            last += range(i1, i2)
        else:  # insertions in between belong to the character before
            first += [min(i1, max(i2 - 1, 0))] * (j2 - j1)
            last += [max(i2 - 1, 0)] * (j2 - j1)
        if held is not None:
            first[at], held = held, None
    if first:
        first[0], last[-1] = 0, len(old) - 1
    return first, last
