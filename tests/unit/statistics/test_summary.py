"""The summary against plain pandas, the same phrases for every contender, and its order."""

import numpy as np
import pandas as pd
import pytest
from score_tables import (
    MATCHED,
    MISMATCHED,
    RANDOM,
    UNIMODAL,
    phrase_keys,
    phrase_tables,
    score_table,
)

from clip_grounding.errors import InputError
from clip_grounding.statistics.bootstrap import Bootstrap, bootstrap_means, interval
from clip_grounding.statistics.paired import METRICS, PROTOCOLS
from clip_grounding.statistics.slices import SLICES, assign_levels
from clip_grounding.statistics.summary import add_published, summarize

KEYS = phrase_keys(30)
PHRASES, NARRATIVES = phrase_tables(KEYS)
STRICT = list(PROTOCOLS["strict"])


def summary_of(scores, resamples=50):
    return summarize(scores, PHRASES, NARRATIVES, Bootstrap(resamples, 0.95, seed=0))


def cell(summary, **values):
    values = {"slice": "all", "level": "all", "average": "phrase", **values}
    rows = summary[np.logical_and.reduce([summary[key] == value for key, value in values.items()])]
    assert len(rows) == 1
    return rows.iloc[0]


def test_means_and_counts_equal_those_of_pandas_in_every_slice():
    scores = score_table(KEYS, [MATCHED, RANDOM])
    summary = summary_of(scores).set_index(["slice", "level", "average"])
    own = scores[(scores["direction"] == "text_to_image") & (scores["prompt"] == "matched")]
    own = own.reset_index(drop=True)
    levels = assign_levels(own, PHRASES, NARRATIVES)
    mine = (summary["direction"] == "text_to_image") & (summary["prompt"] == "matched")
    for metric in METRICS:
        summary_of_metric = summary[mine & (summary["metric"] == metric)]
        for name in SLICES:
            for level, rows in own.groupby(levels[name].to_numpy()):
                pooled = summary_of_metric.loc[name, level, "phrase"]
                assert pooled["mean"] == pytest.approx(rows[metric].mean())
                narrative = summary_of_metric.loc[name, level, "narrative"]
                by_narrative = rows.groupby("narrative")[metric].mean()
                assert narrative["mean"] == pytest.approx(by_narrative.mean())
                for row in (pooled, narrative):
                    assert row["n_phrases"] == len(rows)
                    assert row["n_images"] == rows["image_id"].nunique()


def test_the_interval_is_that_of_resampled_images():
    scores = score_table(KEYS, [MATCHED])
    row = cell(summary_of(scores), direction="text_to_image", metric="ap")
    own = scores[scores["direction"] == "text_to_image"]
    means = bootstrap_means(
        own[["ap"]].to_numpy(), own["image_id"].to_numpy(), Bootstrap(50, 0.95, 0)
    )
    ends = interval(means, 0.95, own["image_id"].nunique())
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([end[0] for end in ends])


def test_levels_partition_the_phrases_except_for_mixed_ones():
    summary = summary_of(score_table(KEYS, [MATCHED]))
    own = summary[(summary["metric"] == "ap") & (summary["direction"] == "text_to_image")]
    own = own[own["average"] == "phrase"]
    n_phrases = own.groupby("slice")["n_phrases"].sum()
    mixed = PHRASES["is_thing"].isna().sum()
    assert n_phrases.drop("kind").eq(len(KEYS)).all()
    assert n_phrases["kind"] == len(KEYS) - mixed


def test_a_permuted_table_gives_the_same_csv():
    scores = score_table(KEYS, [MATCHED, UNIMODAL, MISMATCHED, RANDOM])
    scores.loc[3, METRICS] = np.nan
    shuffled = scores.sample(frac=1, random_state=0)
    plain, permuted = (
        summarize(scores, phrases, NARRATIVES, Bootstrap(50, 0.95, 0)).to_csv(float_format="%.6f")
        for scores, phrases in ((scores, PHRASES), (shuffled, PHRASES.sample(frac=1)))
    )
    assert plain == permuted


def test_a_strict_score_that_one_contender_lacks_counts_for_none():
    scores = score_table(KEYS, [MATCHED, UNIMODAL, RANDOM])
    scores.loc[0, STRICT] = np.nan  # matched, text to image
    summary = summary_of(scores)
    for _, row in summary[(summary["slice"] == "all")].iterrows():
        is_less = row["protocol"] == "strict" and row["direction"] == "text_to_image"
        assert row["n_phrases"] == len(KEYS) - is_less


def test_mismatched_takes_no_phrase_from_the_others():
    scores = score_table(KEYS, [MATCHED, MISMATCHED])
    scores.loc[0, STRICT] = np.nan  # matched
    is_absent = (scores["prompt"] == "mismatched") & (scores["phrase"] == 0)
    strict = summary_of(scores[~is_absent]).query("metric == 'ap' and slice == 'all'")
    strict = strict.query("direction == 'text_to_image' and average == 'phrase'")
    assert strict.set_index("prompt")["n_phrases"].to_dict() == {
        "matched": len(KEYS) - 1,
        "mismatched": (KEYS["phrase"] != 0).sum(),  # matched's missing phrase is among the absent
    }


def test_each_contender_keeps_its_own_phrases_of_the_posters_protocol():
    scores = score_table(KEYS, [MATCHED, RANDOM])
    scores.loc[:4, "poster_iou"] = np.nan  # matched
    summary = summary_of(scores)
    ours = {"direction": "text_to_image", "metric": "poster_iou"}
    assert cell(summary, prompt="matched", **ours)["n_phrases"] == len(KEYS) - 5
    assert cell(summary, prompt="none", **ours)["n_phrases"] == len(KEYS)


def test_a_contender_without_any_strict_score_has_no_row_and_no_say():
    scores = score_table(KEYS, [MATCHED, RANDOM])
    scores.loc[scores["prompt"] == "none", STRICT] = np.nan
    strict = summary_of(scores).query("protocol == 'strict' and slice == 'all'")
    assert set(strict["prompt"]) == {"matched"}
    assert (strict["n_phrases"] == len(KEYS)).all()


def test_the_interval_of_a_single_image_is_its_mean():
    keys = phrase_keys(1)
    summary = summarize(score_table(keys, [MATCHED]), *phrase_tables(keys), Bootstrap(20, 0.95, 0))
    assert (summary["n_images"] == 1).all()
    np.testing.assert_allclose(summary["ci_low"], summary["mean"])
    np.testing.assert_allclose(summary["ci_high"], summary["mean"])


def test_published_means_stand_beside_the_posters_pooled_mean_alone():
    summary = summary_of(score_table(KEYS, [MATCHED, UNIMODAL]))
    merged = add_published(summary, [["text_to_image", *MATCHED, 0.49]])
    assert len(merged) == len(summary)
    row = cell(merged, prompt="matched", direction="text_to_image", metric="poster_iou")
    assert row["published"] == 0.49
    assert merged["published"].notna().sum() == 1
    assert add_published(summary, [])["published"].isna().all()


def test_a_phrase_scored_twice_by_a_contender_is_refused():
    scores = score_table(KEYS, [MATCHED])
    twice = pd.concat([scores, scores.iloc[[0]]])
    with pytest.raises(InputError, match="phrase 0 of narrative 0 has two rows of m, a, matched"):
        summary_of(twice)
