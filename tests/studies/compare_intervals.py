"""Which bootstrap interval holds the true mean as often as it says, with few images?

Run by hand (ten minutes):  PYTHONPATH=workflow_scripts python tests/studies/compare_intervals.py
The designs are those of simulate_coverage.py, a metric that is 0 or 1 and rarely 1, as the
pointing game on small regions, and a difference that few images make. Compared are the plain
percentiles, BCa (Efron, 1987), the studentised interval with the standard error of a ratio, and
the expanded percentiles that the library takes. Printed for each are the share of intervals that
hold the true mean, of 1,000, and the mean width.

Expanded percentiles are nearest to 95 % of those that stay within the range of a score, and as wide
as the others at 200 images. BCa is no better than percentiles but for the rare metric. The
studentised interval is nearer to 95 % still, but where few images make a mean it has no end, or is
as wide as the range.
"""

from functools import partial
from statistics import NormalDist

import numpy as np
from simulate_coverage import simulate_difference, simulate_mean, true_mean

from clip_grounding.statistics.bootstrap import cluster_sums, expanded_tail, image_weights

SIMULATIONS, RESAMPLES, TAIL = 1000, 1000, 0.025
NORMAL = NormalDist()


def simulate_rare(generator, n_images):
    """A metric that is 1 on 5 % of the phrases, most of them in few images."""
    images, _ = draw_images(generator, n_images)
    rates = generator.beta(0.2, 3.8, size=n_images)
    return images, (generator.random(len(images)) < rates[images]).astype(float)


def simulate_skewed(generator, n_images):
    """Differences around 0 that a few images make."""
    images, _ = draw_images(generator, n_images)
    effects = generator.exponential(0.1, size=n_images) - 0.1
    return images, effects[images] + generator.normal(0, 0.1, len(images))


def draw_images(generator, n_images):
    """Each phrase's image, and the number of phrases of each image."""
    sizes = 1 + generator.negative_binomial(2, 0.2, size=n_images)
    return np.repeat(np.arange(n_images), sizes), sizes


def standard_error(mean, squares, products, counts_squared, count):
    """Of a ratio of sums, linearised; from the sums of s², s·c, c² and c over images."""
    spread = squares - 2 * mean * products + mean**2 * counts_squared
    return np.sqrt(np.maximum(spread, 0)) / count


def all_intervals(sums, counts, seed):
    """Every interval of the mean, (low, high) by name."""
    images = np.stack([sums, counts, sums**2, sums * counts, counts**2], axis=1)
    resampled = np.concatenate([w @ images for w in image_weights(len(sums), RESAMPLES, seed)]).T
    totals = images.sum(axis=0)
    means, mean = resampled[0] / resampled[1], totals[0] / totals[1]
    expanded = expanded_tail(len(sums), 1 - 2 * TAIL)
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = standard_error(means, *resampled[2:], resampled[1])
        scaled = (means - mean) / errors
    scaled = np.where(means == mean, 0, scaled)
    error = standard_error(mean, *totals[2:], totals[1])
    low, high = np.quantile(scaled, [TAIL, 1 - TAIL], method="inverted_cdf")  # may be infinite
    return {
        "percentile": np.quantile(means, [TAIL, 1 - TAIL]),
        "expanded": np.quantile(means, [expanded, 1 - expanded]),
        "BCa": np.quantile(means, bca_shares(means, mean, totals, sums, counts)),
        "studentised": (mean - high * error, mean - low * error) if error else (mean, mean),
    }


def bca_shares(means, mean, totals, sums, counts):
    """Shares of the resampled means that BCa takes for the ends."""
    below = ((means < mean).mean() + (means <= mean).mean()) / 2
    shift = NORMAL.inv_cdf(np.clip(below, 1e-6, 1 - 1e-6))
    without = (totals[0] - sums) / (totals[1] - counts)
    deviations = without.mean() - without
    squares = np.square(deviations).sum()
    acceleration = (deviations**3).sum() / (6 * squares**1.5) if squares else 0
    ends = (shift + NORMAL.inv_cdf(share) for share in (TAIL, 1 - TAIL))
    return [NORMAL.cdf(shift + end / (1 - acceleration * end)) for end in ends]


def main():
    """Print each interval's share and width, by design and number of images."""
    designs = {
        "mean": (partial(simulate_mean, slope=0.1), true_mean(0.1)),
        "mean, size without effect": (partial(simulate_mean, slope=0), 0.5),
        "difference": (partial(simulate_difference, slope=0.1), true_mean(0.1) - 0.4),
        "rare": (simulate_rare, 0.05),
        "skewed difference": (simulate_skewed, 0.0),
    }
    for name, (simulate, truth) in designs.items():
        for n_images in (5, 20, 60, 200):
            held, widths = {}, {}
            for seed in range(SIMULATIONS):
                images, scores = simulate(np.random.default_rng([1, seed]), n_images=n_images)
                sums, counts = cluster_sums(scores[:, None], images, n_images)
                for kind, ends in all_intervals(sums[:, 0], counts[:, 0], seed).items():
                    low, high = np.clip(ends, -1, 1)
                    held[kind] = held.get(kind, 0) + (low <= truth <= high)
                    widths[kind] = widths.get(kind, 0) + high - low
            cells = [
                f"{kind} {held[kind] / SIMULATIONS:.3f} ({widths[kind] / SIMULATIONS:.3f})"
                for kind in held
            ]
            print(f"{name}, {n_images} images: {', '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
