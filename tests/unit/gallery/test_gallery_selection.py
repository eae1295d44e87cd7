import numpy as np
import pandas as pd
import pytest
from galleries import CAPTION, DIRECTIONS, invented_tables

from clip_grounding.gallery.selection import REASONS, choose_items


@pytest.fixture(scope="module")
def tables():
    return invented_tables([CAPTION] * 40, ["first", "second"])


def choose(
    tables, items=60, strategy="stratified", seed=0, directions=tuple(DIRECTIONS), **changed
):
    parts = {**tables, **changed}
    facts = [parts[name] for name in ("scores", "phrases", "narratives")]
    return choose_items(*facts, directions, items, strategy, seed)


def matched(scores):
    """Mean matched average precision over models, by direction and phrase."""
    rows = scores[scores["prompt"] == "matched"]
    return rows.groupby(["direction", "narrative", "phrase"])["ap"].mean()


def test_the_best_and_the_worst_are_shown(tables):
    chosen = choose(tables)
    scores = matched(tables["scores"])
    for direction in DIRECTIONS:
        own = chosen[chosen["direction"] == direction]
        for reason, rank in (("best", "idxmax"), ("worst", "idxmin")):
            first = own[own["reason"] == reason].iloc[0]
            assert (first["narrative"], first["phrase"]) == getattr(scores[direction], rank)()


def test_the_largest_gain_and_the_largest_loss_are_shown(tables):
    chosen = choose(tables)
    scores = tables["scores"].query("direction == 'text_to_image' and model != 'baseline'")
    means = scores.groupby(["prompt", "narrative", "phrase"])["ap"].mean()
    gain = means["matched"] - means["unimodal"]
    own = chosen[chosen["direction"] == "text_to_image"]
    shown = set(own[["narrative", "phrase"]].itertuples(index=False, name=None))
    assert {gain.idxmax(), gain.idxmin()} <= shown


def test_what_models_disagree_about_is_shown_where_there_are_several(tables):
    assert "disputed" in set(choose(tables)["reason"])
    one = tables["scores"][tables["scores"]["model"] != "second"]
    assert "disputed" not in set(choose(tables, scores=one)["reason"])


@pytest.mark.parametrize("strategy", ["stratified", "random"])
@pytest.mark.parametrize("items", [1, 2, 7, 60, 159, 160])
def test_as_many_items_as_asked_and_none_twice(tables, items, strategy):
    chosen = choose(tables, items, strategy)
    assert len(chosen) == items
    assert not chosen.duplicated(["direction", "narrative", "phrase"]).any()
    counts = chosen["direction"].value_counts()
    assert counts.max() - counts.reindex(DIRECTIONS, fill_value=0).min() <= 1


def test_asking_for_more_than_there_are_gives_all(tables):
    assert len(choose(tables, 1000)) == 160


def test_the_sample_spreads_over_kinds_and_areas(tables):
    phrases = tables["phrases"].copy()
    phrases["is_thing"] = phrases["narrative"] != 0  # one stuff narrative among forty
    stuff = choose(tables, 30, phrases=phrases, directions=["text_to_image"])["kind"] == "stuff"
    assert stuff.sum() == 2


def test_a_random_sample_has_no_strata(tables):
    chosen = choose(tables, strategy="random")
    assert set(chosen["reason"]) == {"sample"}
    assert "sample" in REASONS


def test_the_same_seed_chooses_the_same_and_another_another(tables):
    shuffled = tables["scores"].sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(choose(tables), choose(tables, scores=shuffled))
    assert not choose(tables, seed=1).equals(choose(tables))


def test_the_sample_is_of_the_same_phrases_in_both_directions(tables):
    chosen = choose(tables, 40, strategy="random")
    keys = [
        set(own[["narrative", "phrase"]].itertuples(index=False, name=None))
        for _, own in chosen.groupby("direction")
    ]
    assert keys[0] == keys[1]


def test_phrases_without_a_score_are_never_best_or_worst(tables):
    scores = tables["scores"].copy()
    scores.loc[scores["narrative"] < 20, "ap"] = np.nan
    chosen = choose(tables, scores=scores)
    assert chosen.loc[chosen["reason"] != "sample", "narrative"].min() >= 20
    assert chosen["narrative"].min() < 20


def test_a_phrase_of_both_kinds_is_mixed(tables):
    phrases = tables["phrases"].astype({"is_thing": object})
    phrases.loc[phrases["narrative"] == 3, "is_thing"] = None
    chosen = choose(tables, 160, phrases=phrases)
    assert set(chosen.loc[chosen["narrative"] == 3, "kind"]) == {"mixed"}


def test_no_phrases_give_no_items(tables):
    chosen = choose(tables, scores=tables["scores"].iloc[:0])
    assert chosen.empty
