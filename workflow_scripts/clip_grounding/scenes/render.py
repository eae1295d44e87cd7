"""Render a composition: an anti-aliased image and the exact panoptic ids of its segments."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from clip_grounding.scenes.compose import Composition, Group, draw_composition
from clip_grounding.scenes.textures import draw_texture

SIZES = ((72, 96), (96, 72), (64, 96), (96, 64), (72, 104), (80, 88), (80, 80))
"""Heights and widths of scenes; differences are even, so that padding makes them square."""

PAINT = {
    "red": (215, 30, 35),
    "orange": (250, 140, 15),
    "yellow": (255, 230, 30),
    "green": (0, 175, 75),
    "blue": (30, 60, 215),
    "purple": (125, 30, 170),
    "pink": (255, 120, 185),
    "black": (20, 20, 25),
}

_OVERSAMPLING = 4
_GRAIN = 3
_LARGEST, _SMALLEST = 12.0, 5.5
_CORE = 0.8
"""Share of a thing's radius that has its color; the rim around it is darker."""
_RIM_SHADE = 0.6


@dataclass(frozen=True)
class Scene:
    """A rendered scene.

    Attributes
    ----------
    composition : Composition
    image : ndarray of uint8, shape (height, width, 3)
    ids : ndarray of uint32, shape (height, width)
        Segment id of each pixel; 0 is void.
    stuff_ids : dict of str to int
        Segment of each stuff region.
    thing_ids : tuple of tuple of int
        Segments of each group's things, in the order of ``composition.groups``.
    """

    composition: Composition
    image: np.ndarray
    ids: np.ndarray
    stuff_ids: dict[str, int]
    thing_ids: tuple[tuple[int, ...], ...]


def scene_generator(seed: int, index: int) -> np.random.Generator:
    """Return the random generator of scene `index`, independent of the other scenes."""
    return np.random.default_rng(np.random.SeedSequence((seed, index)))


def render_scene(rng: np.random.Generator, evaluated: bool) -> Scene:
    """Render a scene of the evaluation or of the training side."""
    composition = draw_composition(rng, evaluated)
    places = None
    while places is None:  # if the things find no room, lay the regions out again
        height, width = SIZES[rng.integers(len(SIZES))]
        names, labels = _lay_out_stuff(composition, height, width, rng)
        places = _place_things(composition.groups, names, labels, rng)

    image = np.zeros((height, width, 3), np.float32)
    for number, name in enumerate(names):
        region = labels == number
        image[region] = draw_texture(name, height, width, rng)[region]
    image += rng.standard_normal((height, width, 1), np.float32) * _GRAIN

    n_things = sum(group.count for group in composition.groups)
    numbers = _draw_ids(len(names) + n_things, rng)
    ids = np.uint32(numbers)[labels]
    if rng.random() < 0.7:
        ids[_borders(labels)] = 0
    thing_numbers = iter(numbers[len(names) :])
    thing_ids, ring = [], rng.random() < 0.3
    for group, spots in zip(composition.groups, places, strict=True):
        own = []
        for row, column, radius in spots:
            own.append(next(thing_numbers))
            angle = rng.uniform(-0.25, 0.25)
            centre = np.array([column, row])
            outline = centre + _outline(group.shape, radius, angle)
            core = centre + _outline(group.shape, radius * _CORE, angle)
            paint = np.float32(PAINT[group.color]) + rng.uniform(-10, 10, 3).astype(np.float32)
            window, coverage = _coverage(outline, height, width)
            image[window] += coverage[..., None] * (paint * _RIM_SHADE - image[window])
            if ring:
                ids[window][_grow(coverage >= 0.5)] = 0
            ids[window][coverage >= 0.5] = own[-1]
            window, coverage = _coverage(core, height, width)
            image[window] += coverage[..., None] * (paint - image[window])
        thing_ids.append(tuple(own))
    stuff_ids = dict(zip(names, numbers, strict=False))
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return Scene(composition, pixels, ids, stuff_ids, tuple(thing_ids))


def _draw_ids(count: int, rng: np.random.Generator) -> list[int]:
    """Draw distinct segment ids from the whole range that an RGB PNG can hold."""
    numbers = []
    while len(numbers) < count:
        number = int(rng.integers(1, 2**24))
        if number not in numbers:
            numbers.append(number)
    return numbers


def _lay_out_stuff(
    composition: Composition, height: int, width: int, rng: np.random.Generator
) -> tuple[list[str], np.ndarray]:
    """Return the names of the stuff regions, and the number of each pixel's region."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    wave = rng.uniform(0, 2) * np.sin(columns / rng.uniform(5, 15) + rng.uniform(0, 6))
    horizon = height * rng.uniform(0.38, 0.55) + wave
    is_below = rows >= horizon
    names = [*composition.above, *composition.below]
    labels = np.where(is_below, len(composition.above), 0)
    for side, first in ((composition.above, 0), (composition.below, len(composition.above))):
        if len(side) == 2:
            wall = (
                width * rng.uniform(0.35, 0.65) + wave + rng.uniform(-0.3, 0.3) * (rows - horizon)
            )
            labels[(labels == first) & (columns >= wall)] = first + 1
    return names, labels


def _place_things(
    groups: tuple[Group, ...], names: list[str], labels: np.ndarray, rng: np.random.Generator
) -> list[list[tuple[float, float, float]]] | None:
    """Return row, column and radius of every thing, kept apart; None if there is no room."""
    taken = np.zeros((0, 3))
    for group in groups:
        inside = np.argwhere(labels == names.index(group.stuff))
        largest = rng.uniform(0.8, 1) * _LARGEST
        for _ in range(group.count):
            spots = inside[rng.integers(len(inside), size=40)]
            edges = np.concatenate([spots, labels.shape - spots], 1).min(1)
            steps = spots[:, None] - taken[:, :2]
            gaps = np.hypot(steps[..., 0], steps[..., 1]) - taken[:, 2]
            room = np.minimum(edges, gaps.min(1, initial=np.inf))
            best = np.minimum(room, largest).argmax()
            if room[best] < _SMALLEST:
                return None
            taken = np.vstack([taken, [*spots[best], min(room[best], largest)]])
    counts = [group.count for group in groups]
    return [part.tolist() for part in np.split(taken, np.cumsum(counts)[:-1])]


def _borders(labels: np.ndarray) -> np.ndarray:
    """Return the pixels whose right or lower neighbour belongs to another region."""
    border = np.zeros(labels.shape, bool)
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    border[:-1] |= labels[:-1] != labels[1:]
    return border


def _grow(region: np.ndarray) -> np.ndarray:
    """Return a region grown by the pixels next to it."""
    padded = np.pad(region, 1)
    return region | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def _coverage(outline: np.ndarray, height: int, width: int) -> tuple[tuple, np.ndarray]:
    """Compute the share of each pixel that lies within the polygon `outline` (x, y).

    Returns a window of the image, with a pixel to spare on each side, and the shares there.
    """
    left, top = (np.floor(outline.min(0)).astype(int) - 1).tolist()
    right, bottom = (np.ceil(outline.max(0)).astype(int) + 2).tolist()
    canvas = Image.new("L", ((right - left) * _OVERSAMPLING, (bottom - top) * _OVERSAMPLING))
    points = (outline - (left, top)) * _OVERSAMPLING - 0.5
    ImageDraw.Draw(canvas).polygon([tuple(point) for point in points.tolist()], fill=255)
    shares = np.asarray(canvas.reduce(_OVERSAMPLING), np.float32) / 255
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    inside = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    return (rows, columns), shares[inside]


def _outline(shape: str, radius: float, angle: float) -> np.ndarray:
    """Return the polygon of a shape around the origin, (n_points, 2) as x and y, y downwards."""
    cos, sin = np.cos(angle), np.sin(angle)
    return radius * _OUTLINES[shape] @ np.array([[cos, sin], [-sin, cos]])


def _ring(radii: np.ndarray, start: float) -> np.ndarray:
    turns = start + np.arange(len(radii)) * 2 * np.pi / len(radii)
    return np.stack([radii * np.cos(turns), radii * np.sin(turns)], 1)


def _heart() -> np.ndarray:
    turns = np.arange(32) * 2 * np.pi / 32
    x = 16 * np.sin(turns) ** 3
    y = 13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns)
    return np.stack([x, -y], 1) / 17


_ARM = 0.32
_OUTLINES = {
    "circle": _ring(np.full(32, 0.9), 0),
    "square": _ring(np.ones(4), np.pi / 4),
    "triangle": _ring(np.ones(3), -np.pi / 2),
    "star": _ring(np.tile([1, 0.42], 5), -np.pi / 2),
    "cross": np.array(
        [
            *[(-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM)],
            *[(_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM)],
        ]
    ),
    "heart": _heart(),
}
