"""SRG on models whose answer is known."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from toy_model import SumExplainer, blank_image
from toy_similarities import toy_maps

from clip_grounding.evidence.columns import REMOVAL
from clip_grounding.evidence.items import each_batch
from clip_grounding.evidence.removal import measure_removal, removal_sets
from clip_grounding.tables import write_table

GRID = (8, 8)
KEYS = ["narrative", "phrase", "prompt"]
MAPS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(1, 23)), elements=st.integers(-2, 2)
)


def weights_of(text):
    return np.random.default_rng(list(text.encode())).standard_normal(GRID)


def toy_removal(small, rows, explainer=None, seed=0):
    phrases = small.phrases.merge(rows[["narrative", "phrase"]].drop_duplicates())
    frames = measure_removal(
        "text_to_image",
        explainer or SumExplainer(GRID, weights_of),
        small.narratives,
        phrases,
        small.masks,
        blank_image(small.narratives),
        rows,
        seed,
    )
    return pd.concat(frames, ignore_index=True).set_index(KEYS).sort_index()


def noise(row):
    return np.random.default_rng([row.narrative, row.phrase]).random(64)


@given(maps=MAPS, seed=st.integers(0, 9))
def test_tenths_of_the_units_go_the_largest_or_the_smallest_first(maps, seed):
    n_units = maps.shape[1]
    kept = removal_sets(maps, np.random.default_rng(seed).permutation(n_units))
    assert kept.shape == (len(maps), 2, 9, n_units)
    for values, (morf, lerf) in zip(maps, kept, strict=True):
        for step in range(9):
            n_removed = (step + 1) * n_units // 10
            for own, sign in ((morf[step], 1), (lerf[step], -1)):
                assert (~own).sum() == n_removed
                if n_removed:
                    assert (sign * values[~own]).min() >= (sign * values[own]).max()
        assert (~morf[:-1] <= ~morf[1:]).all()  # what is out stays out


@given(maps=MAPS, seed=st.integers(0, 9))
def test_the_negated_map_exchanges_the_orders_even_where_it_is_tied(maps, seed):
    ties = np.random.default_rng(seed).permutation(maps.shape[1])
    np.testing.assert_array_equal(removal_sets(-maps, ties), removal_sets(maps, ties)[:, ::-1])


def test_a_constant_map_takes_the_same_units_out_at_both_ends():
    morf, lerf = removal_sets(np.ones((1, 9)), np.arange(9))[0]
    np.testing.assert_array_equal(morf, lerf)


def test_the_weights_of_an_additive_model_have_the_highest_srg_of_all_orders():
    """By brute force over the 720 orders of six units."""
    weights = np.array([0.7, -1.2, 3.1, 0.2, -0.1, 1.6])
    orders = np.array(list(permutations(range(6))), float)
    curves = removal_sets(np.concatenate([weights[None], orders]), np.arange(6)) @ weights
    srg = (curves[:, 1] - curves[:, 0]).mean(axis=1)
    assert srg[0] == pytest.approx(srg[1:].max())
    assert srg[0] == pytest.approx(-srg[1:].min())
    best = orders[np.argmax(srg[1:])]
    assert (np.diff(best[np.argsort(weights)]) > 0).all()


def test_srg_changes_its_sign_with_the_map(small):
    rows = toy_maps(small.phrases, noise)
    plain = toy_removal(small, rows)
    negated = toy_removal(small, rows.assign(relevance=-rows["relevance"]))
    np.testing.assert_allclose(negated["srg"], -plain["srg"], atol=1e-4)
    np.testing.assert_allclose(negated["morf_aopc"], plain["lerf_aopc"], atol=1e-4)


def test_curves_are_sums_of_the_weights_that_are_left(small):
    rows = toy_maps(small.phrases, noise)
    found = toy_removal(small, rows)
    explainer = SumExplainer(GRID, weights_of)
    _, batches = each_batch(
        "text_to_image",
        explainer,
        small.narratives,
        small.phrases,
        small.masks,
        blank_image(small.narratives),
    )
    units_of = {item.number: item.units for batch in batches for item in batch}
    for row in rows.iloc[::5].itertuples():
        units, weights = units_of[row.image_id], weights_of(row.utterance).ravel()
        content = np.flatnonzero(units >= 0)
        order = content[np.argsort(row.relevance[content])]
        own = found.loc[(row.narrative, row.phrase, "matched")]
        out = [step * len(content) // 10 for step in range(1, 10)]
        morf = [weights.sum() - weights[order[len(order) - n :]].sum() for n in out]
        lerf = [weights.sum() - weights[order[:n]].sum() for n in out]
        np.testing.assert_allclose(own["morf"], morf, atol=1e-4)
        np.testing.assert_allclose(own["lerf"], lerf, atol=1e-4)
        assert own["srg"] == pytest.approx(np.mean(lerf) - np.mean(morf), abs=1e-4)
        assert own["morf_aopc"] == pytest.approx(weights.sum() - np.mean(morf), abs=1e-4)
        assert own["lerf_aopc"] == pytest.approx(weights.sum() - np.mean(lerf), abs=1e-4)
        assert own["similarity"] == pytest.approx(weights.sum(), abs=1e-4)


def test_random_maps_have_no_gain_in_the_mean_and_constant_ones_none_at_all(small):
    random = [
        toy_removal(
            small,
            toy_maps(
                small.phrases,
                lambda row, n=n: np.random.default_rng([n, row.narrative, row.phrase]).random(64),
            ),
        )["srg"]
        for n in range(10)
    ]
    mean = pd.concat(random)
    assert abs(mean.mean()) < 2 * mean.sem()
    assert 0 < mean.sem() < 0.15  # where the weights themselves have 23
    constant = toy_removal(small, toy_maps(small.phrases, lambda row: np.full(64, 0.3)))
    assert (constant["srg"] == 0).all()
    assert constant["degenerate"].all()


def test_equal_maps_of_an_item_share_their_passes(small):
    def same(row):
        return np.random.default_rng(row.image_id).random(64)

    explainer = SumExplainer(GRID, weights_of)
    rows = pd.concat([toy_maps(small.phrases, same, prompt) for prompt in ("matched", "unimodal")])
    found = toy_removal(small, rows, explainer)
    assert len(found) == 2 * len(small.phrases)
    assert explainer.clip.image.n_passes == small.phrases["image_id"].nunique() * (1 + 2 * 9)


@pytest.mark.parametrize("direction", ["text_to_image", "image_to_text"])
def test_nothing_depends_on_shards_batches_or_order(small, make_explainer, direction, tmp_path):
    relevance = small.relevance(direction)

    def measure(explainer, phrases):
        rows = relevance.merge(phrases[["narrative", "phrase"]])
        with small.open_images() as images:
            frames = measure_removal(
                direction,
                explainer,
                small.narratives,
                phrases,
                small.masks,
                images.pixels,
                rows,
                seed=0,
            )
            return pd.concat(frames, ignore_index=True).set_index(KEYS)

    whole = measure(make_explainer(batch_size=64), small.phrases)
    write_table(tmp_path / "removal.parquet", whole.reset_index(), REMOVAL, {})
    ids = sorted(small.phrases["image_id"].unique())
    parts = [
        measure(make_explainer(batch_size=3), small.phrases[small.phrases["image_id"].isin(own)])
        for own in (ids[4:], ids[:4])
    ]
    split = pd.concat(parts).loc[whole.index]
    for name in ("morf", "lerf"):
        a, b = np.stack(whole[name].to_list()), np.stack(split[name].to_list())
        np.testing.assert_allclose(a, b, atol=1e-3)
    np.testing.assert_allclose(whole["srg"], split["srg"], atol=1e-3)
