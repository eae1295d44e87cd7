"""Rankings: the order of the means, and groups of contenders that are tied with their leader."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from score_tables import RANDOM, UNIMODAL, phrase_keys, phrase_tables, score_table

from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.paired import METRICS
from clip_grounding.statistics.rankings import (
    COLUMNS,
    add_certificates,
    find_tie_groups,
    rank_contenders,
)
from clip_grounding.statistics.summary import summarize

KEYS = phrase_keys(60)
BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=0)


def contenders(n):
    return [(f"model-{i}", "how", "matched") for i in range(n)]


def only(rankings, metric="ap", direction="text_to_image"):
    own = (rankings["metric"] == metric) & (rankings["direction"] == direction)
    return rankings[own].reset_index(drop=True)


def test_each_direction_and_metric_ranks_the_matched_contenders_alone():
    rankings = rank_contenders(score_table(KEYS, [RANDOM, UNIMODAL, *contenders(3)]), BOOTSTRAP)
    assert list(rankings.columns) == COLUMNS
    for metric, protocol in (("ap", "strict"), ("poster_iou", "poster")):
        for direction in ("text_to_image", "image_to_text"):
            own = only(rankings, metric, direction)
            assert sorted(own["model"]) == ["model-0", "model-1", "model-2"]
            assert list(own["rank"]) == [1, 2, 3]
            assert own["mean"].is_monotonic_decreasing
            assert set(own["protocol"]) == {protocol}


def test_means_and_intervals_are_those_of_the_summary():
    scores = score_table(KEYS, [RANDOM, *contenders(3)], shift=0.05)
    summary = summarize(scores, *phrase_tables(KEYS), BOOTSTRAP)
    summary = summary[(summary["slice"] == "all") & (summary["average"] == "phrase")]
    keys = ["protocol", "direction", "metric", "model", "attribution"]
    both = rank_contenders(scores, BOOTSTRAP).merge(summary, on=keys, suffixes=("", "_there"))
    assert len(both) == 12
    for column in ("mean", "ci_low", "ci_high", "n_phrases", "n_images"):
        np.testing.assert_allclose(both[column], both[f"{column}_there"])


def test_clear_differences_part_and_equal_scores_tie():
    scores = score_table(KEYS, contenders(4), shift=0.1)
    equal = scores["model"].isin(["model-1", "model-2"])
    twin = scores.loc[scores["model"] == "model-1", METRICS].to_numpy()
    noise = np.random.default_rng(0).normal(0, 0.01, twin.shape).astype(np.float32)
    scores.loc[scores["model"] == "model-2", METRICS] = twin + noise
    assert equal.any()
    own = only(rank_contenders(scores, BOOTSTRAP))
    assert dict(zip(own["model"], own["tie_group"], strict=True)) == {
        "model-0": 1, "model-1": 2, "model-2": 2, "model-3": 3,
    }  # fmt: skip


def test_twenty_equal_contenders_are_one_group_in_nearly_all_studies():
    """Against uncorrected p-values the best of twenty would often beat the worst."""
    parted = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        scores = score_table(KEYS, contenders(20), seed=seed)
        scores[METRICS] = generator.random((len(scores), len(METRICS)), dtype=np.float32)
        parted += only(rank_contenders(scores, BOOTSTRAP))["tie_group"].max() > 1
    assert parted <= 4  # 1 expected; 5 or more happen once in 400


def test_forty_contenders_can_still_be_told_apart():
    """Their 780 pairs are more than the sign flips: a multiplied p-value could never be small."""
    scores = score_table(KEYS, contenders(40), shift=0.02)
    own = only(rank_contenders(scores, BOOTSTRAP))
    assert own["tie_group"].max() > 5


def test_contenders_are_ranked_on_the_phrases_that_all_of_them_have():
    scores = score_table(KEYS, contenders(3))
    absent = (scores["model"] == "model-1") & (scores["phrase"] == 0)
    scores.loc[absent, METRICS] = np.nan
    rankings = rank_contenders(scores, BOOTSTRAP)
    assert (rankings["n_phrases"] == (KEYS["phrase"] != 0).sum()).all()


def test_one_that_scores_nothing_is_not_ranked_and_holds_nobody_back():
    scores = score_table(KEYS, contenders(3))
    scores.loc[scores["model"] == "model-1", METRICS] = np.nan
    rankings = rank_contenders(scores, BOOTSTRAP)
    assert set(rankings["model"]) == {"model-0", "model-2"}
    assert (rankings["n_phrases"] == len(KEYS)).all()


def test_a_contender_of_one_direction_is_ranked_there():
    scores = score_table(KEYS, contenders(3))
    gone = (scores["model"] == "model-1") & (scores["direction"] == "image_to_text")
    rankings = rank_contenders(scores[~gone], BOOTSTRAP)
    assert len(only(rankings)) == 3
    assert set(only(rankings, direction="image_to_text")["model"]) == {"model-0", "model-2"}


def test_a_single_contender_is_first():
    own = only(rank_contenders(score_table(KEYS, contenders(1)), BOOTSTRAP))
    assert own[["rank", "tie_group"]].to_numpy().tolist() == [[1, 1]]


def test_without_a_matched_contender_the_table_is_empty():
    rankings = rank_contenders(score_table(KEYS, [RANDOM, UNIMODAL]), BOOTSTRAP)
    assert list(rankings.columns) == COLUMNS
    assert rankings.empty


def test_the_order_of_the_rows_does_not_matter():
    scores = score_table(KEYS, contenders(4), shift=0.01)
    shuffled = scores.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        rank_contenders(scores, BOOTSTRAP), rank_contenders(shuffled, BOOTSTRAP)
    )


def test_a_group_ends_with_the_first_that_differs_from_its_leader():
    p_values = np.ones((5, 5))
    p_values[0, 2] = p_values[0, 3] = 0.01  # 3 differs from the first leader ...
    p_values[2, 4] = 0.01  # ... but belongs to the second
    assert find_tie_groups(p_values, 0.05).tolist() == [1, 1, 2, 2, 3]


@given(arrays(float, (6, 6), elements=st.floats(0, 1)))
def test_groups_never_fall_and_their_members_are_tied_with_the_leader(p_values):
    groups = find_tie_groups(p_values, 0.05)
    assert groups[0] == 1
    assert set(np.diff(groups)) <= {0, 1}
    for group in set(groups):
        leader, *others = np.flatnonzero(groups == group)
        assert (p_values[leader, others] >= 0.05).all()


@pytest.mark.parametrize("n", [0, 1])
def test_no_or_one_contender_make_no_trouble(n):
    assert find_tie_groups(np.ones((n, n)), 0.05).tolist() == [1] * n


def test_a_rank_says_whether_its_method_is_certified():
    rankings = rank_contenders(score_table(KEYS, [RANDOM, *contenders(2)]), BOOTSTRAP)
    assert add_certificates(rankings, None)["certificate"].isna().all()
    first = rankings.iloc[0]
    own = {name: first[name] for name in ("direction", "model", "attribution")}
    certificates = pd.DataFrame([{**own, "certificate": "failed", "reason": "it is blind"}])
    certified = add_certificates(rankings, certificates)
    assert list(certified) == [*COLUMNS, "certificate"]
    is_own = (rankings[list(own)] == pd.Series(own)).all(axis=1)
    assert (certified.loc[is_own, "certificate"] == "failed").all()
    assert certified.loc[~is_own, "certificate"].isna().all()
