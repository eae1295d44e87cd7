"""Words as units, and runs of tokens as controls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clip_grounding.evidence.words import list_runs, number_words


@pytest.mark.parametrize(
    ("text", "starts", "words"),
    [
        ("a red dog .", [0, 2, 6, 10], [0, 1, 2, 3]),
        ("skateboarding man", [0, 5, 10, 14], [0, 0, 0, 1]),
        ("a  dog", [0, 1, 3], [0, 1, 1]),  # a token for the space before a word
        ("dogs ... run", [0, 9], [0, 1]),  # a word that no token is made of
        ("", [], []),
        ("  ", [0], [0]),
    ],
)
def test_tokens_belong_to_the_words_between_spaces(text, starts, words):
    np.testing.assert_array_equal(number_words(text, np.array(starts, int)), words)


@given(length=st.integers(1, 6), blocked=arrays.arrays(bool, st.integers(0, 12)))
def test_runs_are_all_that_hold_no_blocked_token(length, blocked):
    expected = [
        [start <= i < start + length for i in range(len(blocked))]
        for start in range(len(blocked) - length + 1)
        if not any(blocked[start : start + length])
    ]
    runs = list_runs(length, blocked)
    assert runs.shape == (len(expected), len(blocked))
    np.testing.assert_array_equal(runs, np.array(expected, bool).reshape(runs.shape))
