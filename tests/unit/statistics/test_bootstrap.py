"""Bootstrap means against a plain loop over drawn images; tests against worked examples."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm, t

from clip_grounding.statistics.bootstrap import (
    Bootstrap,
    bootstrap_means,
    change_table,
    cluster_sums,
    count_images,
    expanded_tail,
    image_sums,
    image_weights,
    interval,
    mean_table,
    sign_flip_tests,
    student_quantile,
)


def clustered(n_images=40, per_image=6, seed=0):
    generator = np.random.default_rng(seed)
    images = np.repeat(np.arange(n_images), per_image)
    effect = generator.normal(size=n_images)[images]
    values = effect[:, None] + generator.normal(size=(len(images), 2))
    return values, images


def test_resampled_means_equal_drawing_the_images_one_by_one():
    values, images = clustered(n_images=7, per_image=3)
    values[4, 1] = np.nan
    means = bootstrap_means(values, images, Bootstrap(5, 0.95, seed=3))
    for weights, mean in zip(np.concatenate(list(image_weights(7, 5, 3))), means, strict=True):
        drawn = np.concatenate(
            [values[images == image] for image, n in enumerate(weights) for _ in range(int(n))]
        )
        np.testing.assert_allclose(mean, np.nanmean(drawn, axis=0))


def test_a_table_of_means_is_that_of_a_plain_loop():
    values, images = clustered(n_images=7, per_image=3)
    values[4, 1] = np.nan
    values[images == 2, 1] = np.nan
    bootstrap = Bootstrap(50, 0.9, seed=3)
    names = pd.DataFrame({"name": ["first", "second"]}, index=[8, 3])
    table = mean_table(names, *image_sums(values, images), bootstrap)
    low, high = interval(bootstrap_means(values, images, bootstrap), 0.9, np.array([7, 6]))
    expected = pd.DataFrame(
        {
            "name": ["first", "second"],
            "n_phrases": [21, 17],
            "n_images": [7, 6],
            "mean": np.nanmean(values, axis=0),
            "ci_low": low,
            "ci_high": high,
        }
    )
    pd.testing.assert_frame_equal(table, expected)


def test_a_change_is_the_difference_of_means_drawn_with_the_same_images():
    values, images = clustered(n_images=12, per_image=3)
    values[images == 5, 1] = np.nan
    bootstrap = Bootstrap(80, 0.95, seed=1)
    changes = change_table(*image_sums(values, images), bootstrap)
    assert changes.iloc[0].isna().all()
    row = changes.iloc[1]
    assert row["change"] == pytest.approx(np.subtract(*np.nanmean(values, axis=0)[::-1]))
    drawn = bootstrap_means(values, images, bootstrap)
    ends = interval((drawn[:, 1] - drawn[:, 0])[:, None], 0.95, 11)
    assert [row["change_low"], row["change_high"]] == [end[0] for end in ends]


def test_clustering_by_image_widens_the_interval():
    values, images = clustered()
    by_image = interval(bootstrap_means(values, images, Bootstrap(2000, 0.95, 0)), 0.95, 40)
    by_phrase = interval(
        bootstrap_means(values, np.arange(240), Bootstrap(2000, 0.95, 0)), 0.95, 240
    )
    assert ((by_image[1] - by_image[0]) > 1.5 * (by_phrase[1] - by_phrase[0])).all()


def test_the_interval_of_a_single_image_is_its_mean():
    values = np.array([[0.25], [0.75]])
    low, high = interval(
        bootstrap_means(values, np.array([8, 8]), Bootstrap(100, 0.95, 0)), 0.95, 1
    )
    assert low == high == 0.5


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 19, 59, 150, 299, 4999, 100_000])
@pytest.mark.parametrize("share", [0.8, 0.95, 0.975, 0.995])
def test_quantiles_of_students_t_equal_scipys(share, freedom):
    assert student_quantile(share, freedom) == pytest.approx(t.ppf(share, freedom), rel=1e-5)


@pytest.mark.parametrize("n_images", [3, 5, 20, 300])
def test_percentiles_expand_a_normal_interval_to_students(n_images):
    """For normal values the interval is the classical one: mean ± t · s / √n."""
    spread = np.sqrt((n_images - 1) / n_images)  # of resampled means, in units of s / √n
    reached = -norm.ppf(expanded_tail(n_images, 0.95)) * spread
    assert reached == pytest.approx(t.ppf(0.975, n_images - 1), rel=1e-4)


def test_each_column_is_expanded_by_its_own_number_of_images():
    values, images = clustered()
    values[images >= 5, 1] = np.nan
    n_images = count_images(values, images)
    assert n_images.tolist() == [40, 5]
    means = bootstrap_means(values, images, Bootstrap(500, 0.95, 0))
    low, high = interval(means, 0.95, n_images)
    for column, n in enumerate(n_images):
        own = interval(means[:, [column]], 0.95, n)
        assert (low[column], high[column]) == (own[0][0], own[1][0])
    plain = np.nanquantile(means[:, 1], [0.025, 0.975])
    assert low[1] < plain[0]
    assert high[1] > plain[1]


@given(st.integers(1, 600))
def test_every_resample_draws_as_many_images_as_there_are(resamples):
    weights = np.concatenate(list(image_weights(9, resamples, seed=1)))
    assert weights.shape == (resamples, 9)
    assert (weights.sum(axis=1) == 9).all()


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([np.nan, 0.5, 2.0, -3.0]))))
def test_cluster_sums_and_counts_equal_a_loop(rows):
    clusters = np.array([cluster for cluster, _ in rows], dtype=int)
    values = np.array([value for _, value in rows], dtype=float)
    sums, counts = cluster_sums(values[:, None], clusters, 6)
    for cluster in range(6):
        own = values[(clusters == cluster) & ~np.isnan(values)]
        assert (sums[cluster, 0], counts[cluster, 0]) == (own.sum(), len(own))


def p_values_of(sums, flips, seed):
    return sign_flip_tests(sums, flips, seed)[0]


SUMS = arrays(float, (7, 4), elements=st.floats(-1, 1, width=16))


@given(SUMS)
def test_correction_never_lowers_a_p_value_and_is_none_for_a_single_test(sums):
    p_values, adjusted = sign_flip_tests(sums, 100, seed=0)
    assert (adjusted >= p_values).all()
    assert (adjusted <= 1).all()
    for column in sums.T:
        alone = sign_flip_tests(column[:, None], 100, seed=0)
        np.testing.assert_array_equal(*alone)


@given(SUMS, st.permutations(range(4)))
def test_the_order_of_the_tests_and_their_units_do_not_matter(sums, order):
    adjusted = sign_flip_tests(sums, 100, seed=0)[1]
    np.testing.assert_allclose(
        sign_flip_tests(sums[:, order], 100, seed=0)[1], adjusted[order], atol=0.02
    )
    np.testing.assert_allclose(
        sign_flip_tests(sums * [1, 2, 4, 8], 100, seed=0)[1], adjusted, atol=0.02
    )


def test_the_chance_of_any_false_rejection_is_that_of_one_test():
    generator = np.random.default_rng(0)
    families = [generator.standard_normal((40, 12)) for _ in range(400)]
    smallest = np.array(
        [sign_flip_tests(sums, 199, seed=i)[1].min() for i, sums in enumerate(families)]
    )
    assert (smallest <= 0.05).mean() == pytest.approx(0.05, abs=0.025)
    uncorrected = np.array(
        [p_values_of(sums, 199, i).min() for i, sums in enumerate(families[:50])]
    )
    assert (uncorrected <= 0.05).mean() > 0.3


def test_a_clear_effect_is_found_among_more_tests_than_flips():
    """Holm's correction would multiply the smallest possible p-value, 1/200, by 1000."""
    sums = np.random.default_rng(0).standard_normal((60, 1000))
    sums[:, 17] += 1.5
    adjusted = sign_flip_tests(sums, 199, seed=0)[1]
    assert adjusted[17] == 1 / 200
    assert (np.delete(adjusted, 17) > 0.05).all()


def test_copies_of_a_test_cost_nothing():
    sums = np.random.default_rng(1).normal(0.2, 1, size=(50, 1))
    p_values, adjusted = sign_flip_tests(np.tile(sums, 30), 500, seed=0)
    np.testing.assert_array_equal(adjusted, p_values)


@pytest.mark.parametrize("sums", [np.zeros((30, 1)), np.array([[0.7]]), np.zeros((0, 1))])
def test_p_is_1_without_a_difference_and_for_a_single_image(sums):
    assert p_values_of(sums, 500, seed=0) == 1


@given(arrays(float, (9, 3), elements=st.floats(-1, 1, width=16)))
def test_p_approaches_the_share_of_all_sign_vectors(sums):
    signs = np.array(np.meshgrid(*[[-1, 1]] * 9)).reshape(9, -1).T
    slack = 1e-9  # the sums are multiples of a power of two above it
    exact = (np.abs(signs @ sums) >= np.abs(sums.sum(axis=0)) - slack).mean(axis=0)
    np.testing.assert_allclose(p_values_of(sums, 20_000, seed=0), exact, atol=0.02)


def test_p_is_uniform_where_there_is_no_effect():
    sums = np.random.default_rng(0).standard_t(3, size=(100, 2000))
    p_values = p_values_of(sums, 999, seed=1)
    for level in (0.05, 0.25, 0.5, 0.9):
        assert (p_values <= level).mean() == pytest.approx(level, abs=0.03)


def test_p_is_small_for_a_clear_effect_whatever_its_sign():
    sums = np.random.default_rng(0).normal(1, 1, size=(200, 1))
    p_values = p_values_of(np.hstack([sums, -sums]), 999, seed=0)
    np.testing.assert_array_equal(p_values, 1 / 1000)
