"""What is drawn depends on the seed and the item alone."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from clip_grounding.evidence.draws import Draw, draw_images, item_generator, sample_phrases

IMAGES = st.lists(st.integers(0, 10**6), max_size=60)
SHARES = st.floats(0, 1)


@given(images=IMAGES, share=SHARES, seed=st.integers(0, 2**32 - 1), data=st.data())
def test_an_image_is_drawn_whatever_other_images_there_are(images, share, seed, data):
    images = np.array(images, np.int64)
    drawn = draw_images(images, share, seed)
    some = np.array(data.draw(st.lists(st.integers(0, max(len(images) - 1, 0)))), int)
    some = some[some < len(images)]
    np.testing.assert_array_equal(draw_images(images[some], share, seed), drawn[some])


@given(images=IMAGES, shares=st.tuples(SHARES, SHARES), seed=st.integers(0, 99))
def test_a_larger_share_takes_in_the_smaller_one(images, shares, seed):
    small, large = (draw_images(np.array(images, np.int64), own, seed) for own in sorted(shares))
    assert not (small & ~large).any()


def test_the_share_is_what_was_asked_for_and_another_seed_draws_others():
    images = np.arange(139, 581_000, 116)
    drawn = [draw_images(images, 0.3, seed) for seed in (0, 1)]
    for own in drawn:
        assert abs(own.mean() - 0.3) < 3 * np.sqrt(0.3 * 0.7 / len(images))
    assert 0.4 < (drawn[0] == drawn[1]).mean() < 0.7
    assert draw_images(images, 1, 0).all()
    assert not draw_images(images, 0, 0).any()


def test_all_phrases_of_an_image_are_drawn_together():
    phrases = pd.DataFrame({"image_id": np.repeat(np.arange(200), 3)})
    kept = sample_phrases(phrases, 0.5, 0)["image_id"].value_counts()
    assert set(kept) == {3}
    assert 60 < len(kept) < 140


def test_every_purpose_and_item_has_numbers_of_its_own():
    firsts = {
        item_generator(seed, draw, *numbers).integers(2**60)
        for seed in (0, 1)
        for draw in Draw
        for numbers in [(1, 2), (2, 1), (1, 0), (0, 1)]
    }
    assert len(firsts) == 2 * len(Draw) * 4
