"""What CLIP is compared with: seeded per phrase, centred, disjoint."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_grounding.scoring.draws import (
    Draw,
    center_map,
    choose_partners,
    normalize_text,
    random_map,
)


def test_random_maps_depend_on_the_phrase_and_on_what_is_drawn_alone():
    first = random_map(50, 7, 3, 1, Draw.PIXELS)
    assert np.array_equal(first, random_map(50, 7, 3, 1, Draw.PIXELS))
    others = [(8, 3, 1, Draw.PIXELS), (7, 4, 1, Draw.PIXELS), (7, 3, 1, Draw.CELLS)]
    assert not any(np.array_equal(first, random_map(50, *other)) for other in others)
    assert first.dtype == np.float32


def test_the_centre_map_is_highest_in_the_middle_and_symmetric():
    values = center_map(7, 7)
    assert values.argmax() == 24
    np.testing.assert_array_equal(values, values[::-1, ::-1])
    np.testing.assert_allclose(values[3, 3 + 7 // 4] / values[3, 3], np.exp(-((4 / 7) ** 2) / 2))


spoken = st.tuples(
    st.sets(st.integers(1, 6), min_size=1, max_size=3), st.sampled_from(["a dog", "A dog.", "sky"])
)


@given(st.lists(spoken, min_size=1, max_size=8), st.integers(0, 3))
def test_a_partner_is_disjoint_and_says_something_else_wherever_there_is_one(cases, seed):
    phrases = pd.DataFrame(
        {
            "narrative": 0,
            "phrase": range(len(cases)),
            "segment_ids": [sorted(segments) for segments, _ in cases],
            "utterance": [text for _, text in cases],
        }
    )
    chosen, reasons = choose_partners(phrases, seed)
    for (own, text), partner, reason in zip(cases, chosen, reasons, strict=True):
        disjoint = [other for segments, other in cases if own.isdisjoint(segments)]
        others = [other for other in disjoint if (other == "sky") != (text == "sky")]
        if partner >= 0:
            assert own.isdisjoint(cases[partner][0])
            assert cases[partner][1] in others
            assert reason is None
        else:
            assert not others
            assert reason == ("no_other_text" if disjoint else "no_disjoint_phrase")


def test_a_blank_phrase_lends_no_map():
    phrases = pd.DataFrame(
        {"narrative": 0, "phrase": [0, 1], "segment_ids": [[1], [2]], "utterance": ["sky", " "]}
    )
    chosen, reasons = choose_partners(phrases, 0)
    assert list(chosen) == [-1, 0]
    assert list(reasons) == ["no_other_text", None]


def test_every_partner_is_drawn_with_the_same_chance():
    phrases = pd.DataFrame(
        {
            "narrative": 0,
            "phrase": range(5),
            "segment_ids": [[number] for number in range(5)],
            "utterance": ["dog", "cat", "dog", "sea", "sky"],
        }
    )
    counts = np.bincount([choose_partners(phrases, seed)[0][0] for seed in range(600)])
    assert counts[[0, 2]].tolist() == [0, 0]
    assert all(150 < counts[other] < 250 for other in (1, 3, 4))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a person", " A  Person ", True),
        ("a person", "a person.", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("a person", "a persons", False),
        ("?", "!", False),
        ("", " ", True),
    ],
)
def test_texts_are_the_same_if_a_tokenizer_reads_the_same(first, second, same):
    assert (normalize_text(first) == normalize_text(second)) == same
