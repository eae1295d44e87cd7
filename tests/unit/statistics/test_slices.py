"""Slices of the phrases: each in at most one level, at the documented limits."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_tables import phrase_keys, phrase_tables

from clip_grounding.errors import InputError
from clip_grounding.statistics.slices import SLICES, assign_levels


def one_phrase(region_area=0.1, words=5, is_thing=True):
    keys = pd.DataFrame({"narrative": [0], "phrase": [0]})
    phrases = keys.assign(utterance="dog", is_thing=[is_thing], is_plural=False)
    narratives = pd.DataFrame({"narrative": [0], "text": [" ".join(["word"] * words)]})
    scored = keys.assign(region_area=np.float32(region_area))
    return assign_levels(scored, phrases, narratives).iloc[0]


@given(
    st.lists(
        st.tuples(st.floats(0, 1, exclude_min=True, width=32), st.integers(1, 90), st.booleans()),
        min_size=1,
    )
)
def test_every_phrase_is_in_one_level_of_each_slice(rows):
    region_area, words, flag = map(list, zip(*rows, strict=True))
    keys = pd.DataFrame({"narrative": range(len(rows)), "phrase": 0})
    phrases = keys.assign(utterance="dog", is_thing=flag, is_plural=flag)
    narratives = keys.assign(text=[" ".join(["word"] * n) for n in words])
    levels = assign_levels(keys.assign(region_area=region_area), phrases, narratives)
    assert all(levels[name].isin(SLICES[name]).all() for name in SLICES)


@pytest.mark.parametrize(
    ("region_area", "level"),
    [(0.0099, "<1%"), (0.01, "1-5%"), (0.05, "5-20%"), (0.2, "5-20%"), (0.2001, ">20%")],
)
def test_region_areas_are_binned_as_stored_in_float32(region_area, level):
    assert one_phrase(region_area=region_area)["region_area"] == level


@pytest.mark.parametrize(
    ("words", "level"),
    [(20, "<=20"), (21, "21-40"), (40, "21-40"), (41, "41-70"), (70, "41-70"), (71, ">70")],
)
def test_captions_are_binned_by_their_words(words, level):
    assert one_phrase(words=words)["caption_words"] == level


def test_a_phrase_of_things_and_stuff_is_neither():
    assert one_phrase(is_thing=None)["kind"] is None


def test_an_utterance_repeats_only_within_its_narrative_and_in_any_case():
    keys = pd.DataFrame({"narrative": [0, 0, 0, 1], "phrase": [0, 1, 2, 0]})
    phrases = keys.assign(
        utterance=["The dog", "sky", "the DOG", "sky"], is_thing=True, is_plural=False
    )
    narratives = pd.DataFrame({"narrative": [0, 1], "text": "word"})
    levels = assign_levels(keys.assign(region_area=0.1), phrases, narratives)
    assert levels["repeated"].tolist() == ["yes", "no", "yes", "no"]


def test_a_repetition_counts_although_the_other_mention_is_not_scored():
    keys = pd.DataFrame({"narrative": [0, 0], "phrase": [0, 1]})
    phrases = keys.assign(utterance="dog", is_thing=True, is_plural=False)
    narratives = pd.DataFrame({"narrative": [0], "text": "dog dog"})
    levels = assign_levels(keys[1:].assign(region_area=0.1), phrases, narratives)
    assert levels["repeated"].tolist() == ["yes"]


@pytest.mark.parametrize("missing", ["phrase", "narrative"])
def test_a_score_without_its_phrase_or_narrative_is_refused(missing):
    keys = phrase_keys(3)
    tables = dict(zip(("phrase", "narrative"), phrase_tables(keys), strict=True))
    tables[missing] = tables[missing][1:]
    with pytest.raises(InputError, match="phrase 0 of narrative 0 is not in"):
        assign_levels(keys.assign(region_area=0.1), *tables.values())
