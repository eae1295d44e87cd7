"""The baselines: contenders that look at nothing.

The rules read here what each of them needs, the settings which names are allowed, and figures and
gallery how each is called and drawn. Its maps are in `images` and `captions`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Baseline:
    """What a baseline needs, and how it is shown.

    Attributes
    ----------
    label : str
        What figures call it.
    color : str
        Its fill, as ``#RRGGBB``: a colour that no prompt of `figures.style.COLORS` has.
    directions : tuple of str
        Those that it is defined in.
    is_drawn : bool
        Whether it is drawn, so that another `seed` gives other scores.
    dashes : tuple of float
        Lengths of its lines' dashes and gaps, in line widths; empty for a solid line.
    is_chance : bool
        Whether its average precision is the chance level, which figures of that metric show as
        a line of its own.
    """

    label: str
    color: str
    directions: tuple[str, ...] = ("text_to_image", "image_to_text")
    is_drawn: bool = False
    dashes: tuple[float, ...] = ()
    is_chance: bool = False


BASELINES = {
    "random": Baseline("random", "#BBBBBB", is_drawn=True),
    "empty": Baseline("empty mask", "#666666", dashes=(4, 1.5), is_chance=True),
    "center": Baseline(
        "centre of the image",
        "#009E73",
        directions=("text_to_image",),  # words have no centre
        dashes=(4, 1, 1, 1),
    ),
}
"""By name, in the order in which figures draw them."""
