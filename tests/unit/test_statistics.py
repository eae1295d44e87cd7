"""Bootstrap means against a plain loop over drawn images, and their properties."""

import numpy as np
import pandas as pd
import pytest
from clip_grounding.statistics import bootstrap_means, image_weights, interval, summarize
from hypothesis import given
from hypothesis import strategies as st


def clustered(n_images=40, per_image=6, seed=0):
    generator = np.random.default_rng(seed)
    images = np.repeat(np.arange(n_images), per_image)
    effect = generator.normal(size=n_images)[images]
    values = effect[:, None] + generator.normal(size=(len(images), 2))
    return values, images


def test_resampled_means_equal_drawing_the_images_one_by_one():
    values, images = clustered(n_images=7, per_image=3)
    values[4, 1] = np.nan
    means = bootstrap_means(values, images, resamples=5, seed=3)
    for weights, mean in zip(np.concatenate(list(image_weights(7, 5, 3))), means, strict=True):
        drawn = np.concatenate(
            [values[images == image] for image, n in enumerate(weights) for _ in range(int(n))]
        )
        np.testing.assert_allclose(mean, np.nanmean(drawn, axis=0))


def test_clustering_by_image_widens_the_interval():
    values, images = clustered()
    by_image = interval(bootstrap_means(values, images, 2000, 0), 0.95)
    by_phrase = interval(bootstrap_means(values, np.arange(len(values)), 2000, 0), 0.95)
    assert ((by_image[1] - by_image[0]) > 1.5 * (by_phrase[1] - by_phrase[0])).all()


@given(st.integers(1, 600))
def test_every_resample_draws_as_many_images_as_there_are(resamples):
    weights = np.concatenate(list(image_weights(9, resamples, seed=1)))
    assert weights.shape == (resamples, 9)
    assert (weights.sum(axis=1) == 9).all()


def scores_table(values, images):
    frames = []
    for column, prompt in enumerate(("matched", "null")):
        frames.append(
            pd.DataFrame(
                {
                    "narrative": images,
                    "phrase": np.arange(len(images)),
                    "image_id": images,
                    "direction": "text_to_image",
                    "model": "m",
                    "attribution": "a",
                    "prompt": prompt,
                    "poster_iou": values[:, column].astype(np.float32),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def test_the_summary_leaves_out_phrases_without_a_score():
    values, images = clustered(n_images=5, per_image=2)
    values[:2, 1] = np.nan  # both phrases of image 0
    scores = scores_table(values, images)
    summary = summarize(scores, ["poster_iou"], 200, 0.95, seed=0).set_index("prompt")
    assert summary.loc["matched", ["n_phrases", "n_images"]].tolist() == [10, 5]
    assert summary.loc["null", ["n_phrases", "n_images"]].tolist() == [8, 4]
    assert summary.loc["null", "mean"] == pytest.approx(np.nanmean(values[:, 1]), abs=1e-6)
    assert (summary["ci_low"] <= summary["mean"]).all()
    assert (summary["mean"] <= summary["ci_high"]).all()


def test_the_order_of_the_rows_changes_nothing():
    scores = scores_table(*clustered())
    shuffled = scores.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        summarize(scores, ["poster_iou"], 100, 0.95, seed=0),
        summarize(shuffled, ["poster_iou"], 100, 0.95, seed=0),
    )
