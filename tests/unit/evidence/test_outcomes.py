"""Localisation against controls, and the four outcomes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score

from clip_grounding.evidence.columns import OUTCOMES
from clip_grounding.evidence.outcomes import average_precisions, localise, score_outcomes
from clip_grounding.evidence.sets import pack_sets
from clip_grounding.tables import write_table

N = 30


@given(
    values=arrays.arrays(np.float32, (3, 11), elements=st.integers(-3, 3)),
    sets=arrays.arrays(bool, (4, 11)),
)
def test_average_precision_is_scikit_learns(values, sets):
    sets[:, 4] = True
    found = average_precisions(values, sets)
    for i, own in enumerate(values):
        for j, inside in enumerate(sets):
            assert found[i, j] == pytest.approx(average_precision_score(inside, own))


@given(
    values=arrays.arrays(np.float32, (2, 11), elements=st.integers(-3, 3)),
    sets=arrays.arrays(bool, (6, 11)),
)
def test_localisation_in_slow_arithmetic(values, sets):
    sets[:, 4] = True
    shares, p_values = localise(values, sets)
    for own, share, p_value in zip(values, shares, p_values, strict=True):
        target, *others = (average_precision_score(inside, own) for inside in sets)
        ties = sum(abs(other - target) <= 1e-9 for other in others)
        below = sum(other < target - 1e-9 for other in others)
        assert share == pytest.approx((below + ties / 2) / 5)
        assert p_value == pytest.approx((1 + len(others) - below) / 6)


def toy_tables(necessity_p=0.05, n_controls=19, excluded=None, compared=None):
    """A region of the first three tokens, and controls that are other runs of three."""
    starts = (
        np.arange(n_controls + 1)[:, None] + np.where(np.arange(n_controls + 1) > 0, 2, 0)[:, None]
    )
    places = np.arange(N)
    sets = (places >= starts) & (places < starts + 3)
    compared = np.ones(N, bool) if compared is None else compared
    effects = pd.DataFrame(
        {
            "narrative": 0,
            "phrase": 1,
            "image_id": 7,
            "prompt": ["matched", "unimodal"],
            "p_value": [necessity_p, 1.0],
            "excluded": excluded,
            "sets": pack_sets(np.concatenate([compared[None], sets])),
        }
    )
    return effects


def toy_rows(*maps):
    prompts = ["matched", "unimodal", "mismatched"][: len(maps)]
    rows = pd.DataFrame({"narrative": 0, "phrase": 1, "image_id": 7, "prompt": prompts})
    return rows.assign(relevance=[np.asarray(own, np.float32) for own in maps])


SHOWS, HIDES = -np.arange(N), np.arange(N)


@pytest.mark.parametrize(
    ("necessity_p", "values", "outcome"),
    [
        (0.05, SHOWS, "grounded"),
        (1 / 20, HIDES, "missed"),
        (0.1, SHOWS, "flattered"),
        (0.0501, HIDES, "neither"),
    ],
)
def test_a_phrase_is_used_or_not_and_shown_or_not(necessity_p, values, outcome, tmp_path):
    scores = score_outcomes(toy_rows(values), toy_tables(necessity_p))
    assert scores["outcome"].to_list() == [outcome]
    assert scores["necessity_p"][0] == necessity_p
    write_table(tmp_path / "outcomes.parquet", scores, OUTCOMES, {})
    back = pd.read_parquet(tmp_path / "outcomes.parquet")
    assert (back["localisation_p"] <= 0.05).to_list() == [outcome in ("grounded", "flattered")]


def test_every_map_of_a_phrase_is_held_against_the_matched_effect():
    scores = score_outcomes(toy_rows(SHOWS, HIDES, np.ones(N)), toy_tables())
    assert scores["outcome"].to_list() == ["grounded", "missed", "missed"]
    assert scores["localisation"].to_list() == [1, 0, 0.5]
    assert scores["localisation_p"].to_list() == [0.05, 1, 1]
    assert scores["degenerate"].to_list() == [False, False, True]


def test_too_few_controls_for_a_small_p_value_leave_the_outcome_open():
    scores = score_outcomes(toy_rows(SHOWS), toy_tables(n_controls=18))
    assert scores["outcome"].isna().all()
    assert scores["excluded"].to_list() == ["few_controls"]
    assert scores["localisation"].to_list() == [1]


def test_what_has_no_effect_has_no_outcome():
    scores = score_outcomes(toy_rows(SHOWS), toy_tables(np.nan, excluded="covers_image"))
    assert scores["excluded"].to_list() == ["covers_image"]
    assert scores[["localisation", "localisation_p", "outcome"]].isna().all(axis=None)


def test_tokens_that_are_not_compared_do_not_count():
    compared = np.arange(N) < 25
    values = np.where(compared, SHOWS, 99)
    scores = score_outcomes(toy_rows(values), toy_tables(compared=compared))
    assert scores["localisation"].to_list() == [1]
