"""Our scores beside the published ones: what is paired with what, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from clip_grounding.errors import InputError
from clip_grounding.published.agreement import compare_published

NARRATIVE = np.array([0, 0, 2, 2, 2, 3, 3, 5, 5, 5, 5, 6])
PHRASE = np.array([1, 3, 0, 1, 10, 2, 4, 0, 1, 2, 3, 7])
PROMPTS = {"matched": "matched", "unimodal": "unimodal", "random": "none"}


def tables(skip=(), seed=0):
    """Published scores, and ours equal to them; image to text skips the narratives in `skip`."""
    generator = np.random.default_rng(seed)
    published, scores = [], []
    for direction in ("text_to_image", "image_to_text"):
        kept = ~np.isin(NARRATIVE, skip) | (direction == "text_to_image")
        for contender, prompt in PROMPTS.items():
            values = generator.random(len(NARRATIVE)).astype(np.float32)
            published.append(
                pd.DataFrame(
                    {
                        "direction": direction,
                        "contender": contender,
                        "entry": np.arange(kept.sum()),
                        "narrative": NARRATIVE[kept],
                        "poster_iou": values[kept],
                    }
                )
            )
            who = ("baseline", "random") if contender == "random" else ("b32", "last")
            scores.append(
                pd.DataFrame(
                    {
                        "narrative": NARRATIVE,
                        "phrase": PHRASE,
                        "image_id": 100 + NARRATIVE,
                        "direction": direction,
                        "model": who[0],
                        "attribution": who[1],
                        "prompt": prompt,
                        "poster_iou": np.where(kept, values, np.float32("nan")),
                    }
                )
            )
    return pd.concat(published, ignore_index=True), pd.concat(scores, ignore_index=True)


def phrases():
    utterances = [f"phrase {n}-{p}" for n, p in zip(NARRATIVE, PHRASE, strict=True)]
    return pd.DataFrame({"narrative": NARRATIVE, "phrase": PHRASE, "utterance": utterances})


def compare(scores, published):
    return compare_published(scores, phrases(), published, "b32", "last")


def test_equal_scores_agree_in_every_number_whatever_the_order_of_our_rows():
    published, scores = tables(skip=[3])
    agreement, worst = compare(scores.sample(frac=1, random_state=0), published)
    assert len(agreement) == 6
    np.testing.assert_allclose(agreement[["pearson", "spearman", "share_within_0.001"]], 1)
    np.testing.assert_allclose(agreement["mean_abs_difference"], 0)
    np.testing.assert_allclose(agreement["mean"], agreement["published_mean"])
    assert agreement.groupby("direction")["n_phrases"].unique().map(list).to_dict() == {
        "text_to_image": [12],
        "image_to_text": [10],
    }
    assert (worst["difference"] == 0).all()


def test_the_numbers_are_those_of_a_plain_computation():
    published, scores = tables()
    ours = scores["poster_iou"] + np.where(np.arange(len(scores)) % 3 == 0, 0.1, 0.0005)
    agreement, _ = compare(scores.assign(poster_iou=ours), published)
    row = agreement[agreement["contender"] == "unimodal"].iloc[0]
    a, b = (table["poster_iou"][12:24].to_numpy(dtype=float) for table in (scores, published))
    a = a + np.where(np.arange(12, 24) % 3 == 0, 0.1, 0.0005)
    ranks = [values.argsort().argsort() for values in (a, b)]
    assert row["pearson"] == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert row["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert row["mean_abs_difference"] == pytest.approx(np.abs(a - b).mean())
    assert row["share_within_0.001"] == pytest.approx(8 / 12)
    assert row[["model", "attribution"]].tolist() == ["b32", "last"]


def test_the_worst_phrases_come_first_with_their_utterance_and_without_random():
    published, scores = tables()
    at = (scores["prompt"] == "matched") & (scores["narrative"] == 2) & (scores["phrase"] == 10)
    scores.loc[at, "poster_iou"] += 0.5
    _, worst = compare(scores, published)
    assert worst.groupby(["direction", "contender"]).size().tolist() == [10] * 4
    assert set(worst["contender"]) == {"matched", "unimodal"}
    first = worst[worst["contender"] == "matched"].groupby("direction").first()
    assert (first["utterance"] == "phrase 2-10").all()
    assert (first["image_id"] == 102).all()
    np.testing.assert_allclose(first["difference"], 0.5, atol=1e-6)


def test_a_run_without_the_random_baseline_or_a_direction_is_compared_in_the_rest():
    published, scores = tables()
    part = scores[(scores["model"] != "baseline") & (scores["direction"] == "text_to_image")]
    agreement, _ = compare(part, published)
    assert agreement[["direction", "contender"]].to_numpy().tolist() == [
        ["text_to_image", "matched"],
        ["text_to_image", "unimodal"],
    ]


def test_other_phrases_than_the_published_are_refused_with_both_numbers():
    published, scores = tables()
    part = scores[scores["narrative"] < 6]
    with pytest.raises(InputError, match=r"matched prompt: 11 phrases.*published run scored 12"):
        compare(part, published)


def test_as_many_phrases_in_other_narratives_are_refused_at_the_first():
    published, scores = tables()
    scores.loc[(scores["narrative"] == 3) & (scores["phrase"] == 4), "narrative"] = 4
    with pytest.raises(InputError, match=r"scored phrase 6 is of narrative 4.*of narrative 3"):
        compare(scores, published)


def test_a_model_without_scores_is_refused():
    published, scores = tables()
    with pytest.raises(InputError, match="no poster scores of model b16 with attribution last"):
        compare_published(scores, phrases(), published, "b16", "last")
