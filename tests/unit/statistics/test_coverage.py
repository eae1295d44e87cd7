"""Every phrase of every contender is accounted for."""

import numpy as np
import pandas as pd
from score_tables import MATCHED, MISMATCHED, RANDOM, phrase_keys, score_table

from clip_grounding.scoring.images import COLLECTED_SCORES, METRICS
from clip_grounding.statistics.coverage import count_coverage
from clip_grounding.statistics.paired import PROTOCOLS
from clip_grounding.tables import read_table, write_table

KEYS = phrase_keys(12)


def coverage_of(scores, tmp_path):
    """Count after a trip through Parquet, which turns None into NaN."""
    write_table(tmp_path / "scores.parquet", scores, COLLECTED_SCORES, {})
    counts = count_coverage(read_table(tmp_path / "scores.parquet"))
    return counts.set_index(["protocol", "direction", "prompt", "outcome"])[
        "n_phrases"
    ].sort_index()


def test_phrases_left_out_are_counted_by_reason(tmp_path):
    scores = score_table(KEYS, [MATCHED, RANDOM])
    strict = list(PROTOCOLS["strict"])
    scores.loc[[0, 1, 2], strict] = np.nan  # matched, text to image
    scores.loc[[0, 1, 2], "strict_excluded"] = ["beyond_context", "no_tokens", "beyond_context"]
    scores.loc[[2, 3], "degenerate"] = True
    counts = coverage_of(scores, tmp_path)
    n = len(KEYS)
    assert counts.loc["strict", "text_to_image", "matched"].to_dict() == {
        "all": n,
        "scored": n - 3,
        "compared": n - 3,
        "degenerate": 1,
        "beyond_context": 2,
        "no_tokens": 1,
    }
    assert counts.loc["strict", "text_to_image", "none"].to_dict() == {
        "all": n,
        "scored": n,
        "compared": n - 3,
        "degenerate": 0,
    }
    assert counts.loc["poster", "text_to_image", "matched", "degenerate"] == 2


def test_mismatched_says_how_many_phrases_have_no_disjoint_one(tmp_path):
    scores = score_table(KEYS, [MATCHED, MISMATCHED])
    for phrase, reason in ((0, "no_disjoint_phrase"), (2, "no_other_text")):
        is_absent = (scores["prompt"] == "mismatched") & (scores["phrase"] == phrase)
        scores.loc[is_absent, METRICS] = np.nan
        scores.loc[is_absent, ["poster_excluded", "strict_excluded"]] = reason
    counts = coverage_of(scores, tmp_path)
    absent = [(KEYS["phrase"] == phrase).sum() for phrase in (0, 2)]
    own = counts.loc["strict", "image_to_text", "mismatched"]
    assert own[["no_disjoint_phrase", "no_other_text"]].tolist() == absent
    assert own["scored"] == len(KEYS) - sum(absent)
    assert "no_disjoint_phrase" not in counts.loc["strict", "image_to_text", "matched"]


def test_a_score_missing_without_a_reason_is_counted_as_such(tmp_path):
    scores = score_table(KEYS, [MATCHED])
    scores.loc[0, "poster_iou"] = np.nan
    assert coverage_of(scores, tmp_path)["poster", "text_to_image", "matched", "not_recorded"] == 1


def test_scored_phrases_and_reasons_add_up_to_all_whatever_the_order():
    scores = score_table(KEYS, [MATCHED, MISMATCHED, RANDOM])[::2]
    counts = count_coverage(scores)
    for _, own in counts.groupby(list(counts.columns[:5])):
        n = own.set_index("outcome")["n_phrases"]
        assert n["all"] == n.drop(["all", "compared", "degenerate"]).sum()
    pd.testing.assert_frame_equal(count_coverage(scores.sample(frac=1, random_state=0)), counts)
