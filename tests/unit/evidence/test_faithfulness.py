"""Faithfulness on models whose answer is known, and against slow arithmetic."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import spearmanr
from toy_similarities import toy_maps, toy_phrases, toy_similarities

from clip_grounding.errors import InputError
from clip_grounding.evidence.correlation import standard_ranks
from clip_grounding.evidence.faithfulness import (
    additive_ceilings,
    score_ceilings,
    score_faithfulness,
)
from clip_grounding.evidence.maps import control_maps, join_drawn_maps, unit_values
from clip_grounding.evidence.sets import unpack_sets
from clip_grounding.evidence.subsets import draw_subsets

UNITS = np.where(np.arange(20) < 4, -1, np.arange(20) - 4)  # four patches of padding
WORDS = np.array([0, 0, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8])  # tokens of nine words


def weights(row, n=16):
    return np.random.default_rng([row.narrative, row.phrase]).standard_normal(n)


def additive(row, subsets):
    return 20 + subsets @ weights(row, subsets.shape[1])


def score(rows, similarities, phrases):
    return score_faithfulness("text_to_image", rows, similarities, phrases)


def test_the_weights_of_an_additive_model_are_faithful():
    phrases = toy_phrases(5, 3)
    similarities = toy_similarities(phrases, additive, UNITS)
    rows = toy_maps(phrases, lambda row: [9, -9, 5, 7, *weights(row)])  # padding takes no part
    scores = score(rows, similarities, phrases)
    np.testing.assert_allclose(scores["faithfulness"], 1, atol=1e-6)
    assert not scores["degenerate"].any()
    ceilings = score_ceilings("text_to_image", similarities, phrases)
    assert (ceilings["ceiling"] > 0.999).all()


@given(scale=st.floats(0.01, 100), shift=st.floats(-100, 100), seed=st.integers(0, 9))
def test_faithfulness_is_the_same_for_a_scaled_and_shifted_map(scale, shift, seed):
    phrases = toy_phrases(1, 3)
    similarities = toy_similarities(phrases, additive, UNITS, 40)
    noise = np.random.default_rng(seed).random((3, 20)).round(2)
    maps = toy_maps(phrases, lambda row: noise[row.phrase])
    plain, changed, negated = (
        score(maps.assign(relevance=own), similarities, phrases)
        for own in (
            maps["relevance"],
            maps["relevance"] * scale + shift,
            -maps["relevance"],
        )
    )
    for name in ("faithfulness", "faithfulness_margin"):
        # The largest shift leaves two digits in single precision: ranks may change places.
        np.testing.assert_allclose(changed[name], plain[name], atol=0.05)
        np.testing.assert_allclose(negated[name], -plain[name], atol=1e-9)


@pytest.mark.parametrize("units", [UNITS, WORDS])
def test_a_constant_map_is_degenerate_and_scores_zero(units):
    phrases = toy_phrases(2, 2)
    similarities = toy_similarities(phrases, additive, units)
    for value in (0.0, 0.1, -3.7):
        scores = score(
            toy_maps(phrases, lambda row, value=value: np.full(len(units), value)),
            similarities,
            phrases,
        )
        assert (scores[["faithfulness", "faithfulness_margin"]] == 0).all(axis=None)
        assert scores["degenerate"].all()


@pytest.mark.parametrize(
    ("kind", "units"), [("uniform", UNITS), ("skewed", UNITS), ("uniform", WORDS)]
)
def test_maps_that_know_nothing_score_zero_in_the_mean(units, kind):
    """Positive values, long and short words, and a model that takes every unit for good."""
    phrases = toy_phrases(400, 1)

    def sizes(row, subsets):
        return subsets @ (np.bincount(units[units >= 0]) + 0.3 * weights(row, subsets.shape[1]))

    similarities = toy_similarities(phrases, sizes, units, 64)

    def noise(row):
        own = np.random.default_rng([row.narrative, 5]).random(len(units))
        return own if kind == "uniform" else own**8

    scores = score(toy_maps(phrases, noise), similarities, phrases)["faithfulness"]
    assert abs(scores.mean()) < 2 * scores.sem()
    assert 0.005 < scores.sem() < 0.02


def test_scores_are_spearman_correlations_of_sums_of_word_means():
    phrases = toy_phrases(2, 4, segments=[[1], [1, 2], [2], [3]])

    def curved(row, subsets):
        return np.round(10 * np.tanh(additive(row, subsets) - 20))  # with ties

    similarities = toy_similarities(phrases, curved, WORDS)
    rows = toy_maps(phrases, lambda row: (3 * weights(row, 13)).round())
    scores = score_faithfulness("image_to_text", rows, similarities, phrases)
    disjoint = {0: [2, 3], 1: [3], 2: [0, 3], 3: [0, 1, 2]}
    for i, row in enumerate(rows.itertuples()):
        subsets = unpack_sets(similarities["subsets"][i], 9)
        means = [row.relevance[word == WORDS].mean(dtype=float) for word in range(9)]
        predicted = np.round(subsets @ np.array(means), 6)
        own = similarities[similarities["narrative"] == row.narrative].set_index("phrase")
        observed = own["similarities"][row.phrase].astype(float)
        margin = observed - np.mean(
            [own["similarities"][other].astype(float) for other in disjoint[row.phrase]], axis=0
        )
        assert scores["faithfulness"][i] == pytest.approx(spearmanr(predicted, observed).statistic)
        expected = spearmanr(predicted, margin.round(6)).statistic
        assert scores["faithfulness_margin"][i] == pytest.approx(expected)


def test_a_phrase_without_a_disjoint_one_has_no_margin():
    phrases = toy_phrases(1, 2, segments=[[1], [1, 2]])
    scores = score(
        toy_maps(phrases, lambda row: weights(row, 20)),
        toy_similarities(phrases, additive, UNITS),
        phrases,
    )
    assert scores["faithfulness_margin"].isna().all()
    assert scores["faithfulness"].notna().all()


def test_maps_of_other_prompts_are_held_against_the_phrase_itself():
    phrases = toy_phrases(3, 2)
    similarities = toy_similarities(phrases, additive, UNITS)
    relevance = pd.concat(
        [toy_maps(phrases, lambda row: [0] * 4 + list(weights(row)), "matched"),
         toy_maps(phrases, lambda row: np.arange(20.0), "unimodal")]
    ).drop(columns=["segment_ids", "utterance"])  # fmt: skip
    rows = join_drawn_maps("text_to_image", relevance, similarities, phrases, seed=0)
    scores = score(rows, similarities, phrases).set_index(["narrative", "phrase", "prompt"])
    assert len(scores) == 18
    for row in phrases.itertuples():
        subsets = unpack_sets(similarities["subsets"][2 * row.narrative], 16)
        observed = additive(row, subsets)
        partner = row._replace(phrase=1 - row.phrase)
        for prompt, values in [("mismatched", weights(partner)), ("unimodal", np.arange(16))]:
            expected = spearmanr(subsets @ values, observed).statistic
            found = scores.loc[(row.narrative, row.phrase, prompt), "faithfulness"]
            assert found == pytest.approx(expected, abs=1e-3)


def test_a_drawn_phrase_without_a_map_is_an_error_and_no_gap():
    phrases = toy_phrases(2, 2)
    similarities = toy_similarities(phrases, additive, UNITS)
    relevance = toy_maps(phrases.iloc[:3], lambda row: weights(row, 20))
    with pytest.raises(InputError, match="narrative 1, phrase 1 is missing"):
        join_drawn_maps(
            "text_to_image",
            relevance.drop(columns=["segment_ids", "utterance"]),
            similarities,
            phrases,
            0,
        )


def test_items_with_hardly_a_unit_are_left_out_with_the_reason():
    phrases = toy_phrases(2, 2)
    similarities = toy_similarities(phrases, additive, [0, 0, 1])
    scores = score(toy_maps(phrases, lambda row: weights(row, 3)), similarities, phrases)
    assert set(scores["excluded"]) == {"few_tokens"}
    assert scores[["faithfulness", "faithfulness_margin"]].isna().all(axis=None)
    assert set(score_ceilings("text_to_image", similarities, phrases)["excluded"]) == {
        "few_subsets"
    }


def test_control_maps_are_one_per_phrase_and_know_nothing():
    phrases = toy_phrases(3, 2)
    similarities = toy_similarities(phrases, additive, UNITS)
    for kind in ("random", "center", "constant"):
        rows = control_maps(kind, "text_to_image", phrases, similarities, (4, 5), seed=0)
        assert len(rows) == 6
        assert set(rows["prompt"]) == {"none"}
        distinct = {own.tobytes() for own in rows["relevance"]}
        assert len(distinct) == (6 if kind == "random" else 1)
        assert set(map(len, rows["relevance"])) == {20}


def test_the_ceiling_tells_an_additive_model_from_one_of_pairs_and_from_noise():
    generator = np.random.default_rng(0)
    subsets = draw_subsets(48, 256, generator)
    linear = subsets @ generator.standard_normal((48, 6))
    pairs = np.einsum("mi,ij,mj->m", subsets - 0.7, generator.standard_normal((48, 48)),
                      subsets - 0.7)[:, None]  # fmt: skip
    noise = generator.standard_normal((256, 40))
    assert (additive_ceilings(subsets, linear) > 0.99).all()
    assert additive_ceilings(subsets, linear + 2 * linear.std() * noise[:, :6]).mean() < 0.6
    assert additive_ceilings(subsets, pairs)[0] < 0.4
    assert abs(additive_ceilings(subsets, noise).mean()) < 0.1


def test_the_ceiling_is_that_of_ridge_regression_with_the_best_penalty_left_out():
    from sklearn.linear_model import RidgeCV

    generator = np.random.default_rng(1)
    subsets = draw_subsets(30, 200, generator)
    observed = subsets @ generator.standard_normal((30, 3)) + generator.standard_normal((200, 3))
    scale = np.linalg.svd(subsets[:100] - subsets[:100].mean(0), compute_uv=False)
    alphas = 10.0 ** np.arange(-4, 3) * np.square(scale).mean()
    for column, found in zip(observed.T, additive_ceilings(subsets, observed), strict=True):
        ridge = RidgeCV(alphas=alphas).fit(subsets[:100], column[:100])
        expected = spearmanr(ridge.predict(subsets[100:]), column[100:]).statistic
        assert found == pytest.approx(expected, abs=1e-3)


@given(values=arrays.arrays(np.float64, (7, 2), elements=st.integers(-3, 3).map(float)))
def test_the_product_of_standard_ranks_is_spearmans_correlation(values):
    ranks = standard_ranks(values)
    expected = 0
    if np.ptp(values, axis=0).all():
        expected = spearmanr(values[:, 0], values[:, 1]).statistic
    assert ranks[:, 0] @ ranks[:, 1] == pytest.approx(expected, abs=1e-12)


def test_words_have_the_mean_of_their_tokens():
    maps = np.float32([[1, 2, 6, 4, 0, 1, 0, 0, 0, 0, 0, 0, 5]])
    np.testing.assert_allclose(unit_values(maps, WORDS), [[3, 4, 0.5, 0, 0, 0, 0, 0, 5]])
