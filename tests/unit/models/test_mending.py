"""Mending: the text that CLIP's own tokenizer reads, and every character's place before."""

import html

import ftfy
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clip_grounding.models.mending import mend_text

PIECES = {
    "it’s": "it's",
    "“red": '"red',
    "car”": 'car"',
    "ﬁre": "fire",
    "ﬂat": "flat",
    "&amp;": "&",
    "&amp;amp;": "&",
    "r&eacute;d": "réd",
    "cafe\u0301": "café",
    "ＬＯＵＤ": "LOUD",
    "itâ€™s": "it's",
    "schÃ¶n": "schön",
    "b\x07ell": "bell",
    "\x1b[36mblue": "blue",
    "schön": "schön",
    "dog": "dog",
    "the": "the",
    "車": "車",
    "😀": "😀",
}
"""Words, and what each of them is alone when it is mended."""


def as_published(text):
    return html.unescape(html.unescape(ftfy.fix_text(text)))


@pytest.mark.parametrize(("piece", "mended"), PIECES.items())
def test_a_word_is_mended_and_stands_for_all_of_itself(piece, mended):
    found, starts, ends = mend_text(piece)
    assert found == mended
    assert (starts[0], ends[-1]) == (0, len(piece))


@given(st.text(max_size=40) | st.lists(st.sampled_from(list(PIECES))).map(" ".join))
def test_the_text_is_the_published_one_and_every_character_has_a_place(text):
    mended, starts, ends = mend_text(text)
    assert mended == as_published(text)
    assert len(mended) == len(starts) == len(ends)
    assert (np.diff(starts) >= 0).all()
    assert (np.diff(ends) >= 0).all()
    assert (starts < ends).all() or not text
    assert not len(starts) or (starts[0] >= 0 and ends[-1] <= len(text))
    same = [i for i, (start, end) in enumerate(zip(starts, ends, strict=True)) if end - start == 1]
    if mended == text:
        assert same == list(range(len(text)))


@given(st.lists(st.sampled_from(list(PIECES)), min_size=1, max_size=12))
def test_words_are_found_where_they_were(pieces):
    text = " ".join(pieces)
    mended, starts, ends = mend_text(text)
    # Mojibake is judged by the whole text, so a neighbour can change what becomes of a word.
    assume(mended == " ".join(PIECES[piece] for piece in pieces))
    here = there = 0
    for piece in pieces:
        word = PIECES[piece]
        assert starts[here] == there
        assert ends[here + len(word) - 1] == there + len(piece)
        here, there = here + len(word) + 1, there + len(piece) + 1


@given(st.lists(st.sampled_from([piece for piece in PIECES if "Ã" not in piece]), max_size=12))
def test_mending_the_whole_is_mending_its_words(pieces):
    mended, *_ = mend_text(" ".join(pieces))
    assert mended == " ".join(mend_text(piece)[0] for piece in pieces)


def test_a_long_text_is_mended_in_time_that_grows_with_it():
    text = "it’s a man’s “red car” near the ﬁre truck " * 2000
    mended, starts, ends = mend_text(text)
    assert mended.startswith("""it's a man's "red car" near the fire truck it's""")
    assert text[starts[-2] : ends[-2]] == "k"
