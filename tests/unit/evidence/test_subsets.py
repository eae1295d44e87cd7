"""The shared subsets and the similarities under them."""

from math import comb

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_model import SumExplainer, blank_image

from clip_grounding.evidence.columns import SIMILARITIES
from clip_grounding.evidence.patches import content_rectangle
from clip_grounding.evidence.sets import unpack_sets
from clip_grounding.evidence.subsets import N_SUBSETS, draw_subsets, measure_similarities
from clip_grounding.tables import read_table, write_table

KEYS = ["narrative", "phrase", "image_id"]
DIRECTIONS = ["text_to_image", "image_to_text"]


@given(n_units=st.integers(1, 40), count=st.integers(1, 80), seed=st.integers(0, 9))
def test_subsets_are_distinct_and_of_one_size(n_units, count, seed):
    subsets = draw_subsets(n_units, count, np.random.default_rng(seed))
    size = int(np.floor(0.7 * n_units + 0.5 + 1e-9))
    assert (subsets.sum(axis=1) == size).all()
    assert len({own.tobytes() for own in subsets}) == len(subsets)
    assert len(subsets) == min(count, comb(n_units, size))


def test_every_unit_is_in_as_many_subsets_as_any_other():
    subsets = draw_subsets(48, 20_000, np.random.default_rng(0))
    share = 34 / 48
    assert np.abs(subsets.mean(axis=0) - share).max() < 4 * np.sqrt(share * (1 - share) / 20_000)
    few = draw_subsets(9, 84, np.random.default_rng(0))  # all there are, in random order
    assert not (np.diff(few.astype(int) @ 2 ** np.arange(9)) > 0).all()


def measure(small, explainer, direction, phrases=None, seed=0):
    phrases = small.phrases if phrases is None else phrases
    with small.open_images() as images:
        frames = measure_similarities(
            direction,
            explainer,
            small.narratives,
            phrases,
            small.masks,
            images.pixels,
            seed,
        )
        return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_similarities_are_those_of_masked_passes(small, make_explainer, direction):
    explainer = make_explainer()
    table = measure(small, explainer, direction)
    clip = explainer.clip
    texts = small.narratives.set_index("narrative")["text"]
    phrases = small.phrases.set_index(KEYS)
    for row in table.iloc[::9].itertuples():
        phrase = next(phrases.loc[[row[1:4]]].reset_index().itertuples())
        image, _ = small.inputs(phrase, direction, "matched")
        text = phrase.utterance if direction == "text_to_image" else texts[phrase.narrative]
        pixels = explainer._stack([explainer.preprocess(image)])
        ids = explainer._ids([explainer.tokenizer(text).ids])
        tower, own, other, theirs = clip.image, pixels, clip.text, ids
        if direction == "image_to_text":
            tower, own, other, theirs = clip.text, ids, clip.image, pixels
        content, target = tower.content(own), clip.embed(other, theirs)[0]
        subsets = unpack_sets(row.subsets, max(row.units) + 1)
        if direction == "text_to_image":
            inside = np.zeros(clip.grid, bool)
            rectangle = content_rectangle(*image.shape[:2], clip.grid, explainer.preprocess.view)
            rectangle.crop(inside)[:] = True
            np.testing.assert_array_equal(row.units >= 0, inside.ravel())
        for kept, similarity in [
            (np.ones_like(subsets[0]), row.similarity),
            *list(zip(subsets, row.similarities, strict=True))[:5],
        ]:
            keep = ~content.clone()
            keep[content] = torch.from_numpy((row.units < 0) | kept[row.units])
            embedding = tower.embed_kept(tower.embed(own), tower.pooled_rows(own), keep)[0]
            assert similarity == pytest.approx(100 * float(embedding @ target), abs=1e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_nothing_depends_on_shards_batches_or_order(small, make_explainer, direction):
    whole = measure(small, make_explainer(batch_size=64), direction)
    ids = sorted(small.phrases["image_id"].unique())
    explainer = make_explainer(batch_size=3)
    parts = [
        measure(small, explainer, direction, small.phrases[small.phrases["image_id"].isin(own)])
        for own in (ids[6:], ids[:6])
    ]
    split = pd.concat(parts).set_index(KEYS).loc[pd.MultiIndex.from_frame(whole[KEYS])]
    for name in ("similarities", "units"):
        a, b = np.concatenate(whole[name].to_list()), np.concatenate(split[name].to_list())
        np.testing.assert_allclose(a, b, atol=1e-3)
    assert whole["subsets"].to_list() == split["subsets"].to_list()
    assert (
        whole["subsets"].to_list()
        != measure(small, explainer, direction, seed=1)["subsets"].to_list()
    )


def test_passes_of_an_image_do_not_depend_on_its_phrases(small):
    grid = (8, 8)
    phrases = small.phrases
    one_each = phrases.drop_duplicates("image_id")
    passes = []
    for own in (phrases, one_each):
        explainer = SumExplainer(grid, lambda text: np.ones(grid))
        list(
            measure_similarities(
                "text_to_image",
                explainer,
                small.narratives,
                own,
                small.masks,
                blank_image(small.narratives),
                0,
            )
        )
        passes.append(explainer.clip.image.n_passes)
    assert len(phrases) > 3 * len(one_each)
    assert passes == [len(one_each) * (1 + N_SUBSETS)] * 2


def test_the_table_comes_back_as_it_was(small, make_explainer, tmp_path):
    table = measure(small, make_explainer(), "image_to_text")
    write_table(tmp_path / "similarities.parquet", table, SIMILARITIES, {})
    back = read_table(tmp_path / "similarities.parquet")
    assert back["subsets"].to_list() == table["subsets"].to_list()
    for name in ("units", "similarities"):
        for a, b in zip(back[name], table[name], strict=True):
            np.testing.assert_array_equal(a, b)
