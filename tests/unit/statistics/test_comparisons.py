"""Paired differences: which pairs, on which phrases, with which families of tests."""

import numpy as np
import pandas as pd
import pytest
from score_tables import MATCHED, MISMATCHED, RANDOM, UNIMODAL, phrase_keys, score_table

from clip_grounding.scoring.images import COLLECTED_SCORES
from clip_grounding.statistics.bootstrap import (
    Bootstrap,
    bootstrap_means,
    interval,
    sign_flip_tests,
)
from clip_grounding.statistics.comparisons import COLUMNS, compare, pair_contenders, sum_differences
from clip_grounding.statistics.paired import METRICS, pair_scores
from clip_grounding.tables import write_table

KEYS = phrase_keys(40)
EMPTY = ("baseline", "empty", "none")
ALL = [MATCHED, UNIMODAL, MISMATCHED, RANDOM, EMPTY]


def select(comparisons, metric="ap", direction="text_to_image"):
    return comparisons[
        (comparisons["metric"] == metric) & (comparisons["direction"] == direction)
    ].set_index(["reference_attribution", "reference_prompt"])


def by_direction(scores, direction="text_to_image"):
    return scores[scores["direction"] == direction]


def test_matched_is_compared_with_its_prompts_the_baselines_and_other_models():
    other = ("n", "a", "matched")
    pairs = pair_contenders([EMPTY, RANDOM, MATCHED, MISMATCHED, UNIMODAL, other])
    assert pairs == [
        (MATCHED, UNIMODAL),
        (MATCHED, MISMATCHED),
        (MATCHED, EMPTY),
        (MATCHED, RANDOM),
        (other, EMPTY),
        (other, RANDOM),
        (MATCHED, other),
    ]


def test_a_difference_is_that_of_the_means_with_the_interval_of_resampled_images():
    scores = score_table(KEYS, [MATCHED, RANDOM], shift=0.1)
    row = select(compare(scores, Bootstrap(100, 0.95, 4))).loc["random", "none"]
    own = scores[scores["direction"] == "text_to_image"]
    matched, random = (own.loc[own["prompt"] == prompt, "ap"] for prompt in ("matched", "none"))
    assert row["difference"] == pytest.approx(matched.mean() - random.mean(), abs=1e-6)
    differences = matched.to_numpy(float) - random.to_numpy(float)
    means = bootstrap_means(
        differences[:, None], KEYS["image_id"].to_numpy(), Bootstrap(100, 0.95, 4)
    )
    ends = [end[0] for end in interval(means, 0.95, np.array([40]))]
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(ends)
    assert (row["n_phrases"], row["n_images"]) == (len(KEYS), 40)


def test_a_comparison_rests_on_the_phrases_that_both_have():
    scores = score_table(KEYS, ALL)
    is_absent = (scores["prompt"] == "mismatched") & (scores["phrase"] == 0)
    comparisons = select(compare(scores[~is_absent], Bootstrap(50, 0.95, 0)))
    assert comparisons.loc["a", "mismatched"]["n_phrases"] == (KEYS["phrase"] != 0).sum()
    assert comparisons.loc["a", "unimodal"]["n_phrases"] == len(KEYS)


def test_a_clear_difference_is_significant_after_correction_and_none_is_not():
    scores = score_table(KEYS, ALL, shift=0.1)
    is_random = scores["prompt"].eq("none") & scores["attribution"].eq("random")
    is_matched = scores["prompt"].eq("matched")
    scores.loc[is_random, METRICS] = scores.loc[is_matched, METRICS].to_numpy()
    comparisons = compare(scores, Bootstrap(2000, 0.95, 0))
    same = comparisons["reference_attribution"] == "random"
    assert (comparisons.loc[same, ["difference", "ci_low", "ci_high"]] == 0).all(axis=None)
    assert (comparisons.loc[same, ["p_value", "p_adjusted"]] == 1).all(axis=None)
    assert (comparisons.loc[~same, "p_adjusted"] < 0.01).all()


def test_each_protocol_direction_and_metric_is_a_family():
    comparisons = compare(score_table(KEYS, ALL, shift=0.01), Bootstrap(200, 0.95, 0))
    families = comparisons.groupby(["protocol", "direction", "metric"])
    assert {key: len(own) for key, own in families} == {
        (protocol, direction, metric): 4
        for protocol, metric in (("poster", "poster_iou"), ("strict", "ap"), ("strict", "iou"))
        for direction in ("image_to_text", "text_to_image")
    }
    paired = pair_scores(by_direction(score_table(KEYS, ALL, shift=0.01)))
    pairs = pair_contenders(paired.contenders)
    for (_, direction, metric), own in families:
        if direction == "text_to_image":
            expected = sign_flip_tests(sum_differences(paired, metric, pairs)[0], 200, 0)
            np.testing.assert_array_equal(own[["p_value", "p_adjusted"]].T, expected)
    assert not np.isclose(comparisons["p_adjusted"], comparisons["p_value"]).all()


def test_a_permuted_table_gives_the_same_csv():
    scores = score_table(KEYS, ALL, shift=0.01)
    shuffled = scores.sample(frac=1, random_state=0)
    plain, permuted = (
        compare(table, Bootstrap(100, 0.95, 0)).to_csv(float_format="%.6f")
        for table in (scores, shuffled)
    )
    assert plain == permuted


def test_the_file_gives_what_the_table_in_memory_gives(tmp_path):
    scores = score_table(KEYS, ALL, shift=0.01)
    write_table(tmp_path / "scores.parquet", scores, COLLECTED_SCORES, {})
    read, given = (
        compare(s, Bootstrap(50, 0.95, 0)) for s in (tmp_path / "scores.parquet", scores)
    )
    pd.testing.assert_frame_equal(read, given)


def test_one_image_proves_nothing():
    comparisons = compare(
        score_table(phrase_keys(1), [MATCHED, UNIMODAL], shift=0.3), Bootstrap(100, 0.95, 0)
    )
    assert (comparisons[["p_value", "p_adjusted"]] == 1).all(axis=None)
    np.testing.assert_allclose(comparisons["ci_low"], comparisons["difference"])


def test_one_direction_without_a_pair_leaves_an_empty_table():
    scores = score_table(KEYS, [RANDOM, EMPTY])
    comparisons = compare(scores[scores["direction"] == "text_to_image"], Bootstrap(10, 0.95, 0))
    pd.testing.assert_index_equal(comparisons.columns, pd.Index(COLUMNS))
    assert comparisons.empty


def test_a_pair_without_a_shared_phrase_has_no_row():
    scores = score_table(KEYS, [MATCHED, RANDOM])
    half = (scores["narrative"] % 2 == 0) == (scores["prompt"] == "matched")
    comparisons = compare(scores[half], Bootstrap(10, 0.95, 0))
    assert comparisons.empty


@pytest.mark.parametrize(("n_images", "is_warned"), [(59, True), (60, False)])
def test_few_images_are_named_in_the_log(n_images, is_warned, capsys):
    compare(score_table(phrase_keys(n_images), [MATCHED, RANDOM]), Bootstrap(20, 0.95, 0))
    assert (f"text_to_image: {n_images} images are few" in capsys.readouterr().out) == is_warned
