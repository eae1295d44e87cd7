"""How often the 95 % intervals hold the true mean: a simulation of clustered values.

Run by hand (four minutes):  PYTHONPATH=workflow_scripts python tests/studies/simulate_coverage.py
Each simulated dataset has ragged images (300 is the number of the drawn scenes), scores between
0 and 1 that agree within an image, and, in all designs but one, images with many phrases
score lower, as crowded scenes do. The evidence's values are shares of 20 controls, most of them
near 1 (necessity), and outcomes, which a phrase has or not; a phrase's own level varies within its
image. 500 simulations tell the share to about one percent point.
"""

from functools import partial

import numpy as np

from clip_grounding.statistics.bootstrap import Bootstrap, bootstrap_means, count_images, interval

SIMULATIONS, RESAMPLES, CONFIDENCE = 500, 2000, 0.95


def draw_phrases(generator, n_images, slope, level=0.5):
    """Each phrase's image, and the expected score of its image: 1 to about 25 phrases each."""
    sizes = 1 + generator.negative_binomial(2, 0.2, size=n_images)  # mean 9, deviation 6.3
    images = np.repeat(np.arange(n_images), sizes)
    # On the mean of a beta distribution: what the size explains, then what it does not.
    expected = level - slope * np.tanh((sizes - 9) / 6.3)
    image_means = generator.beta(6 * expected, 6 * (1 - expected))
    return images, image_means[images]


def true_mean(slope, level=0.5):
    """The mean over phrases: images count by their size."""
    sizes = 1 + np.random.default_rng(0).negative_binomial(2, 0.2, size=4_000_000)
    return np.average(level - slope * np.tanh((sizes - 9) / 6.3), weights=sizes)


def simulate_mean(generator, n_images, slope):
    """One contender's scores: skewed, many near 0 or 1."""
    images, means = draw_phrases(generator, n_images, slope)
    return images, generator.beta(2 * means + 1e-3, 2 * (1 - means) + 1e-3)


def simulate_necessity(generator, n_images, slope, level):
    """Shares of 20 controls that a region beats, near 1."""
    images, means = draw_phrases(generator, n_images, slope, level)
    phrases = generator.beta(4 * means + 1e-3, 4 * (1 - means) + 1e-3)
    return images, generator.binomial(20, phrases) / 20


def simulate_outcome(generator, n_images, slope, level):
    """Marks of the phrases that have an outcome: 1, or 0 for the others."""
    images, means = draw_phrases(generator, n_images, slope, level)
    return images, generator.binomial(1, means).astype(float)


def simulate_difference(generator, n_images, slope):
    """Differences of two contenders, of which only the first depends on the image."""
    images, scores = simulate_mean(generator, n_images, slope)
    return images, scores - generator.beta(2, 3, size=len(scores))


def main():
    """Print the share of intervals that hold the truth, for each design."""
    designs = {
        "20 images": (partial(simulate_mean, n_images=20, slope=0.1), true_mean(0.1)),
        "60 images": (partial(simulate_mean, n_images=60, slope=0.1), true_mean(0.1)),
        "300 images, size without effect": (partial(simulate_mean, n_images=300, slope=0), 0.5),
        "300 images": (partial(simulate_mean, n_images=300, slope=0.1), true_mean(0.1)),
        "1,000 images": (partial(simulate_mean, n_images=1000, slope=0.1), true_mean(0.1)),
        "300 images, paired difference": (
            partial(simulate_difference, n_images=300, slope=0.1),
            true_mean(0.1) - 0.4,
        ),
        **{
            f"{n_images} images, {name}": (
                partial(simulate, n_images=n_images, slope=0.05, level=level),
                true_mean(0.05, level),
            )
            for name, simulate, level in (
                ("necessity", simulate_necessity, 0.92),
                ("outcome", simulate_outcome, 0.1),
            )
            for n_images in (20, 60, 100)
        },
    }
    for name, (simulate, truth) in designs.items():
        by_image, by_phrase = 0, 0
        for seed in range(SIMULATIONS):
            images, scores = simulate(np.random.default_rng([1, seed]))
            means = bootstrap_means(scores[:, None], images, Bootstrap(RESAMPLES, CONFIDENCE, seed))
            low, high = interval(means, CONFIDENCE, count_images(scores[:, None], images))
            by_image += low[0] <= truth <= high[0]
            half = 1.96 * scores.std() / np.sqrt(len(scores))
            by_phrase += abs(scores.mean() - truth) <= half
        print(
            f"{name}: {by_image / SIMULATIONS:.1%} of {SIMULATIONS} intervals hold the true mean"
            f" {truth:.4f} (as if phrases were independent: {by_phrase / SIMULATIONS:.1%})"
        )


if __name__ == "__main__":
    main()
