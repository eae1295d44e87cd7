"""Region effects on models whose answer is known, on small real ones, and in slow arithmetic."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask
from toy_model import SumExplainer, blank_image

from clip_grounding.evidence.columns import EFFECTS
from clip_grounding.evidence.effects import (
    N_CONTROLS,
    PROMPTS,
    TIE,
    compare_with_controls,
    exclude_wordless,
    measure_effects,
)
from clip_grounding.evidence.patches import choose_patches, content_rectangle, region_shares
from clip_grounding.evidence.sets import unpack_sets
from clip_grounding.geometry import WHOLE, View
from clip_grounding.regions import decode_region
from clip_grounding.scoring.draws import choose_partners
from clip_grounding.tables import write_table

GRID = (8, 8)
KEYS = ["narrative", "phrase", "prompt"]


def toy_effects(small, weights_of, grid=GRID, phrases=None, masks=None, view=WHOLE, **settings):
    explainer = SumExplainer(grid, weights_of, view=view)
    phrases = small.phrases if phrases is None else phrases
    frames = measure_effects(
        "text_to_image",
        explainer,
        small.narratives,
        phrases,
        small.masks if masks is None else masks,
        blank_image(small.narratives),
        **{"seed": 0, **settings},
    )
    return pd.concat(frames, ignore_index=True), explainer


def region_of(small, phrase, grid=GRID):
    """A phrase's patches on the whole grid."""
    row = small.masks.set_index(["image_id", "mask"]).loc[(phrase.image_id, phrase.mask)]
    region = decode_region(*row[["height", "width", "counts"]], "a mask")
    rectangle = content_rectangle(*region.shape, grid, WHOLE)
    patches = np.zeros(grid, bool)
    rectangle.crop(patches)[:] = choose_patches(rectangle.crop(region_shares(region, grid, WHOLE)))
    return patches


def one_of_each_text(phrases):
    """Texts name regions only where each stands once."""
    return phrases.drop_duplicates("utterance").reset_index(drop=True)


def test_a_model_that_reads_one_patch_needs_the_region_that_holds_it(small):
    phrases = one_of_each_text(small.phrases)
    regions = {row.utterance: region_of(small, row) for row in phrases.itertuples()}

    def weights_of(text):
        weights = np.zeros(GRID)
        if text:
            weights.flat[np.flatnonzero(regions[text])[0]] = 30
        return weights

    effects, _ = toy_effects(small, weights_of, phrases=phrases)
    matched = effects[effects["prompt"] == "matched"]
    single = matched[(matched["n_tokens"] == 1) & matched["excluded"].isna()]
    assert len(single) > 5
    for name in ("necessity", "sufficiency"):
        assert (single[name] == 1).all()
        assert (effects.loc[effects["prompt"] == "unimodal", name].dropna() == 0.5).all()
    np.testing.assert_allclose(single["p_value"], 1 / (single["n_controls"] + 1))
    np.testing.assert_allclose(single[["similarity", "drop"]], 30, rtol=1e-6)
    assert (single["control_drop"] == 0).all()
    # A larger region's controls may hold the patch too: they tie, and the rest is below.
    larger = matched[(matched["n_tokens"] > 1) & matched["excluded"].isna()]
    for row in larger.itertuples():
        region = regions[phrases.set_index(["narrative", "phrase"])["utterance"][row[1:3]]].ravel()
        _, _, *controls = unpack_sets(row.sets, region.size)
        ties = np.mean([control[np.flatnonzero(region)[0]] for control in controls])
        assert row.necessity == pytest.approx(1 - ties / 2)


def test_a_model_that_reads_nothing_has_the_effects_of_chance(small):
    effects, _ = toy_effects(small, lambda text: np.zeros(GRID))
    measured = effects[effects["excluded"].isna()]
    assert (measured[["necessity", "sufficiency"]] == 0.5).all(axis=None)
    assert (measured["p_value"] == 1).all()


def test_a_model_that_ignores_the_image_is_at_chance(small):
    """Its similarity follows patches drawn for each text, wherever the phrase's region is."""
    models = []
    for number in range(12):

        def weights_of(text, number=number):
            return np.random.default_rng([number, *text.encode()]).standard_normal(GRID)

        models.append(toy_effects(small, weights_of)[0].assign(model=number))
    by_image = pd.concat(models).groupby(["prompt", "model", "image_id"])
    for _, own in by_image[["necessity", "sufficiency"]].mean().groupby("prompt"):
        assert (own.sem() < 0.015).all()
        assert ((own.mean() - 0.5).abs() < 2 * own.sem()).all()


def test_prompts_are_the_phrase_nothing_and_a_disjoint_phrase(small):
    """Whole similarities are Σ weights: those of the length of the text's characters."""
    effects, _ = toy_effects(small, lambda text: np.full(GRID, len(text)))
    whole = effects.set_index(KEYS)["similarity"]
    for _, own in small.phrases.groupby("image_id"):
        partners, _ = choose_partners(own, 0)
        for row, partner in zip(own.itertuples(), partners, strict=True):
            key = row.narrative, row.phrase
            assert whole[(*key, "matched")] == pytest.approx(64 * len(row.utterance))
            assert whole[(*key, "unimodal")] == 0
            assert ((*key, "mismatched") in whole.index) == (partner >= 0)
            if partner >= 0:
                assert whole[(*key, "mismatched")] == pytest.approx(
                    64 * len(own.iloc[partner]["utterance"])
                )


def test_passes_are_those_of_the_distinct_regions(small):
    effects, explainer = toy_effects(small, lambda text: np.ones(GRID))
    measured = small.phrases.merge(effects[effects["prompt"] == "matched"])
    measured = measured[measured["excluded"].isna()].drop_duplicates(["image_id", "mask"])
    n_images = small.phrases["image_id"].nunique()
    assert explainer.clip.image.n_passes == n_images + 2 * (1 + measured["n_controls"]).sum()
    n_regions = len(small.phrases.drop_duplicates(["image_id", "mask"]))
    assert explainer.clip.image.n_passes <= n_images + 2 * (N_CONTROLS + 1) * n_regions


def test_regions_that_cover_the_image_are_left_out_with_the_reason(small):
    effects, _ = toy_effects(small, lambda text: np.ones((1, 1)), grid=(1, 1))
    assert set(effects["excluded"]) == {"covers_image"}
    assert effects[["drop", "necessity", "sufficiency", "p_value"]].isna().all(axis=None)
    assert effects["similarity"].notna().all()


def test_regions_that_no_patch_shows_are_left_out_with_the_reason(small):
    """Seven of eight pixels are seen along each side; the regions lie in the eighth."""
    rim = np.zeros((8, 8), np.uint8, order="F")
    rim[:, 7] = 1
    counts = coco_mask.encode(rim)["counts"]
    narratives, masks = (own.assign(height=8, width=8) for own in (small.narratives, small.masks))
    small = SimpleNamespace(narratives=narratives, phrases=small.phrases)
    for view, reasons in [(View(8, 7, crops=False), {"no_patches"}), (WHOLE, {None})]:
        effects, _ = toy_effects(
            small,
            lambda text: np.ones((7, 7)),
            (7, 7),
            masks=masks.assign(counts=counts),
            view=view,
        )
        assert set(effects["excluded"]) == reasons


def test_regions_without_enough_other_places_are_left_out_with_the_reason(small):
    effects, _ = toy_effects(small, lambda text: np.ones((2, 2)), grid=(2, 2))
    few = effects[effects["n_controls"] < 3]
    assert set(few["excluded"]) == {"no_control"}
    assert effects.loc[effects["n_controls"] >= 3, "excluded"].isna().all()


def real_effects(small, explainer, direction, narratives=None, phrases=None, seed=0):
    with small.open_images() as images:
        frames = measure_effects(
            direction,
            explainer,
            small.narratives if narratives is None else narratives,
            small.phrases if phrases is None else phrases,
            small.masks,
            images.pixels,
            seed,
        )
        return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("direction", ["text_to_image", "image_to_text"])
def test_nothing_depends_on_shards_batches_or_order(small, make_explainer, direction):
    whole = real_effects(small, make_explainer(batch_size=64), direction)
    ids = sorted(small.phrases["image_id"].unique())
    parts = []
    for shard in (ids[5:], ids[:5]):
        tables = [own[own["image_id"].isin(shard)] for own in (small.narratives, small.phrases)]
        parts.append(real_effects(small, make_explainer(batch_size=3), direction, *tables))
    split = pd.concat(parts).set_index(KEYS).loc[pd.MultiIndex.from_frame(whole[KEYS])]
    pd.testing.assert_frame_equal(
        whole.set_index(KEYS)[split.columns], split, atol=1e-3, rtol=0, check_dtype=False
    )
    other = real_effects(small, make_explainer(), direction, seed=1)
    assert (other["sets"] != whole["sets"]).any()


def test_words_are_compared_with_runs_of_as_many_words_elsewhere(small, make_explainer):
    explainer = make_explainer()
    effects = real_effects(small, explainer, "image_to_text")
    matched = effects[effects["prompt"] == "matched"].set_index(["narrative", "phrase"])
    phrases = small.phrases.set_index(["narrative", "phrase"])
    texts = small.narratives.set_index("narrative")["text"]
    for (narrative, number), row in matched.iterrows():
        tokens = explainer.tokenizer(texts[narrative])
        phrase = phrases.loc[(narrative, number)]
        others = phrases.loc[narrative]

        def spans(own, tokens=tokens):
            return (tokens.starts < own["char_end"]) & (tokens.ends > own["char_start"])

        sharing = [
            spans(own)
            for _, own in others.iterrows()
            if set(own["segment_ids"]) & set(phrase["segment_ids"])
        ]
        blocked = np.any(sharing, axis=0)
        compared, target, *controls = unpack_sets(row["sets"], len(tokens.starts))
        np.testing.assert_array_equal(target, spans(phrase))
        np.testing.assert_array_equal(compared, ~blocked | target)
        assert row["n_tokens"] == target.sum()
        assert row["n_controls"] == len(controls) <= N_CONTROLS
        for control in controls:
            assert not (control & blocked).any()
            assert control.sum() == target.sum() == np.ptp(np.flatnonzero(control)) + 1


@given(
    whole=st.floats(-50, 50),
    kept=arrays.arrays(np.float32, 6, elements=st.integers(-3, 3).map(float)),
    removed=arrays.arrays(np.float32, 6, elements=st.integers(-3, 3).map(float)),
)
def test_shares_of_controls_in_slow_arithmetic(whole, kept, removed):
    found = compare_with_controls(np.array([whole]), kept[:, None], removed[:, None])
    kept, removed = kept.tolist(), removed.tolist()
    drops = [whole - value for value in removed]

    def share(values, reference):
        below = sum(value < reference - TIE for value in values)
        ties = sum(abs(value - reference) <= TIE for value in values)
        return (below + ties / 2) / len(values)

    assert found["necessity"][0] == pytest.approx(share(drops[1:], drops[0]))
    assert found["sufficiency"][0] == pytest.approx(share(kept[1:], kept[0]))
    at_least = sum(drop >= drops[0] - TIE for drop in drops[1:])
    assert found["p_value"][0] == pytest.approx((1 + at_least) / 6)
    assert found["drop"][0] == pytest.approx(drops[0], abs=1e-6)
    assert found["control_drop"][0] == pytest.approx(np.mean(drops[1:]), abs=1e-6)


def test_the_table_has_its_columns(small, make_explainer, tmp_path):
    effects = real_effects(small, make_explainer(), "text_to_image")
    write_table(tmp_path / "effects.parquet", effects, EFFECTS, {})
    assert set(effects["prompt"]) == set(PROMPTS)
    areas = small.masks.set_index(["image_id", "mask"]).eval("area / (height * width)")
    joined = small.phrases.merge(effects[effects["prompt"] == "matched"])
    expected = areas.loc[pd.MultiIndex.from_frame(joined[["image_id", "mask"]])].to_numpy()
    np.testing.assert_allclose(joined["region_area"], expected)


def test_phrases_without_a_word_that_the_model_reads_have_no_effects(small, make_explainer):
    explainer = make_explainer()
    phrases = small.phrases.copy()
    phrases.loc[0, "utterance"] = "  "
    assert not explainer.tokenizer.words("  ")
    effects = real_effects(small, explainer, "text_to_image", phrases=phrases)
    found = exclude_wordless(effects, phrases, explainer.tokenizer)
    is_own = (found["narrative"] == phrases.loc[0, "narrative"]) & (
        found["phrase"] == phrases.loc[0, "phrase"]
    )
    assert is_own.sum() >= 2
    assert set(found.loc[is_own, "excluded"]) == {"no_tokens"}
    assert found.loc[is_own, ["drop", "necessity", "sufficiency", "p_value"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(found[~is_own], effects[~is_own], check_dtype=False)
