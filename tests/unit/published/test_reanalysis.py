"""The reanalysis of the published scores: recovered areas, and facts against plain loops."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_grounding.figures.style import save_figure
from clip_grounding.published.figure import draw_scores_by_area
from clip_grounding.published.reanalysis import (
    area_from_random_score,
    empty_score,
    phrase_table,
    random_score,
    reanalyse_published,
    scores_by_area,
)
from clip_grounding.scoring.poster import binarize, two_class_iou
from clip_grounding.statistics.bootstrap import Bootstrap


def published(n_narratives=30, seed=0):
    """A published run of random size per narrative; image to text lacks every fifth narrative."""
    generator = np.random.default_rng(seed)
    narrative = np.repeat(np.arange(n_narratives), generator.integers(1, 8, n_narratives))
    effect = generator.uniform(-0.2, 0.2, n_narratives)[narrative]
    area = generator.choice([0.002, 0.008, 0.03, 0.07, 0.15, 0.3, 0.45], len(narrative))
    scores = {
        "random": random_score(area),
        "unimodal": 0.4 + effect + generator.uniform(-0.1, 0.1, len(narrative)),
        "matched": 0.5 + effect + generator.uniform(-0.1, 0.1, len(narrative)),
    }
    tables = []
    for direction, kept in (
        ("text_to_image", narrative >= 0),
        ("image_to_text", narrative % 5 > 0),
    ):
        for contender, values in scores.items():
            table = pd.DataFrame({"narrative": narrative[kept], "poster_iou": values[kept]})
            table = table.assign(direction=direction, contender=contender)
            tables.append(table.assign(entry=np.arange(len(table))))
    return pd.concat(tables, ignore_index=True), area


@given(st.floats(0, 0.5))
def test_an_area_is_recovered_from_its_random_score(area):
    assert area_from_random_score(random_score(area)) == pytest.approx(area, abs=1e-6)


@given(st.floats(0, 1))
def test_a_region_and_its_complement_have_the_same_random_score(area):
    assert random_score(area) == pytest.approx(random_score(1 - area))


@given(st.floats(0, 0.25))
def test_a_score_that_no_area_has_gives_the_nearest_area(score):
    assert area_from_random_score(score) == 0
    assert area_from_random_score(1 - score) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("share", [0, 0.01, 0.05, 0.2])
def test_the_areas_of_real_random_masks_are_right_within_half_a_point(share):
    region = np.zeros((40, 224 * 224), dtype=bool)
    region[:, : round(share * region.shape[1])] = True
    noise = np.random.default_rng(0).random(region.shape, dtype=np.float32)
    areas = area_from_random_score(two_class_iou(binarize(noise), region))
    assert areas.mean() == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_the_empty_mask_scores_what_its_formula_says(share):
    region = np.arange(10_000)[None] < share * 10_000
    score = two_class_iou(np.zeros_like(region), region)[0]
    assert score == pytest.approx(empty_score(share), abs=1e-6)


def test_phrases_stand_in_one_row_with_area_and_what_image_to_text_drops():
    run, area = published()
    table = phrase_table(run)
    np.testing.assert_allclose(table["area"], area, atol=1e-6)
    np.testing.assert_allclose(table["empty"], (1 - area) / 2, atol=1e-6)
    assert (table["dropped"] == (table["narrative"] % 5 == 0)).all()


def test_the_facts_are_those_of_a_plain_computation():
    table = phrase_table(published()[0])
    facts = reanalyse_published(table, Bootstrap(200, 0.95, seed=0)).set_index("fact")
    small = table[table["area"] < 0.01]
    narratives = table.groupby("narrative")["matched"].mean()
    expected = {
        "mean_matched": table["matched"].mean(),
        "mean_empty_small": small["empty"].mean(),
        "share_small": len(small) / len(table),
        "share_empty_beats_matched": (table["empty"] > table["matched"]).mean(),
        "share_dropped_from_image_to_text": table["dropped"].mean(),
        "median_area": table["area"].median(),
        "mean_matched_per_narrative": narratives.mean(),
    }
    for fact, value in expected.items():
        assert facts.loc[fact, "value"] == pytest.approx(value), fact
        assert facts.loc[fact, "ci_low"] <= value <= facts.loc[fact, "ci_high"], fact
    assert facts.loc["mean_matched_small", "n_phrases"] == len(small)
    assert facts.loc["mean_matched_small", "n_narratives"] == small["narrative"].nunique()


def test_phrases_that_share_their_narratives_fate_have_a_larger_standard_error():
    table = phrase_table(published(n_narratives=200)[0])
    facts = reanalyse_published(table, Bootstrap(1000, 0.95, seed=0)).set_index("fact")
    assert facts.loc["se_ratio_matched", "value"] > 1.5
    assert facts.loc["se_ratio_random", "value"] == pytest.approx(1, abs=0.15)


def test_the_bins_hold_every_phrase_once():
    table = phrase_table(published()[0])
    curves = scores_by_area(table, Bootstrap(100, 0.95, seed=0))
    for _, own in curves.groupby("contender"):
        assert own["n_phrases"].sum() == len(table)
        assert (own["area_from"] < own["area_to"]).all()
    inside = table[(table["area"] >= 0.005) & (table["area"] < 0.01)]
    row = curves[(curves["contender"] == "matched") & (curves["area_from"] == 0.005)].iloc[0]
    assert row["mean"] == pytest.approx(inside["matched"].mean())


def test_the_figure_is_written_in_both_formats(tmp_path):
    curves = scores_by_area(phrase_table(published()[0]), Bootstrap(50, 0.95, seed=0))
    paths = [tmp_path / "area.pdf", tmp_path / "area.png"]
    save_figure(draw_scores_by_area(curves, 0.95), paths, dpi=100)
    assert [path.read_bytes()[:4] for path in paths] == [b"%PDF", b"\x89PNG"]
