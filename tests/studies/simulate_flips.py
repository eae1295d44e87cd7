"""How often sign-flip tests of a family find a difference where none is, by number of images.

Run by hand (three minutes):  PYTHONPATH=workflow_scripts python tests/studies/simulate_flips.py
Each simulated family has ten paired differences that are 0 in the mean and depend on each other.
Their signs may be flipped if they are symmetric, and then a nominal 5 % is kept; if they are
skewed, as are those of scores near 0 or 1 and of images that few contenders get right, it is not.
"""

import numpy as np

from clip_grounding.statistics.bootstrap import sign_flip_tests

SIMULATIONS, FLIPS, COLUMNS, LEVEL = 1000, 1000, 10, 0.05


def draw_normal(generator, shape):
    """Symmetric differences."""
    return generator.normal(size=shape)


def draw_exponential(generator, shape):
    """Differences that a few images make: skewness 2."""
    return generator.exponential(size=shape) - 1


def draw_heavy(generator, shape):
    """Differences that fewer make: lognormal, skewness 6."""
    return generator.lognormal(size=shape) - np.exp(0.5)


def main():
    """Print the share of families with a corrected p-value below the level."""
    for draw in (draw_normal, draw_exponential, draw_heavy):
        for n_images in (20, 60, 200, 300, 1000):
            found = 0
            for seed in range(SIMULATIONS):
                generator = np.random.default_rng([2, seed])
                shared = draw(generator, (n_images, 1))
                differences = shared + draw(generator, (n_images, COLUMNS))
                found += sign_flip_tests(differences, FLIPS, seed)[1].min() < LEVEL
            print(f"{draw.__doc__} {n_images} images: {found / SIMULATIONS:.3f}", flush=True)


if __name__ == "__main__":
    main()
