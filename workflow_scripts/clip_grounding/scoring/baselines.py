"""The baselines: contenders that look at nothing. The rules read here what each of them needs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Baseline:
    """What a baseline needs.

    Attributes
    ----------
    directions : tuple of str
        Those that it is defined in.
    is_drawn : bool
        Whether it is drawn, so that another `seed` gives other scores.
    """

    directions: tuple[str, ...] = ("text_to_image", "image_to_text")
    is_drawn: bool = False


BASELINES = {
    "random": Baseline(is_drawn=True),
    "empty": Baseline(),
    "center": Baseline(directions=("text_to_image",)),  # words have no centre
}
"""By name: how each scores is in `scores` and `token_scores`."""
