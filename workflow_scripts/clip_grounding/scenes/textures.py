"""Draw the textures of stuff regions: one per name, muted so that things stand out."""

import numpy as np
from PIL import Image


def draw_texture(name: str, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the texture of the stuff `name`, float32 RGB of shape (height, width, 3) in 0–255."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    base, second, pattern = _TEXTURES[name]
    amount = pattern(rows + rng.integers(40), columns + rng.integers(40), rng)[..., None]
    color = np.float32(base) + rng.uniform(-8, 8, 3).astype(np.float32)
    return color + amount.astype(np.float32) * (np.float32(second) - color)


def _smooth_noise(shape: tuple[int, int], cell: float, rng: np.random.Generator) -> np.ndarray:
    """Draw noise in 0–1 that varies over about `cell` pixels."""
    small = rng.random([max(2, round(side / cell)) for side in shape]).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize(shape[::-1], Image.Resampling.BICUBIC))


def _clouds(rows, columns, rng):
    return np.clip(2.2 * _smooth_noise(rows.shape, 14, rng) - 1, 0, 1)


def _bricks(rows, columns, rng):
    shift = 6 * ((rows // 6) % 2)
    return ((rows % 6 < 1) | ((columns + shift) % 12 < 1)).astype(np.float32)


def _leaves(rows, columns, rng):
    return np.clip(_smooth_noise(rows.shape, 4, rng), 0, 1)


def _folds(rows, columns, rng):
    return 0.5 + 0.5 * np.sin(columns * 2 * np.pi / 7)


def _windows(rows, columns, rng):
    return ((rows % 10 < 5) & (columns % 9 < 4)).astype(np.float32)


def _slopes(rows, columns, rng):
    return ((rows + 8 * np.abs((columns % 30) / 15 - 1)) % 12) / 12


def _blades(rows, columns, rng):
    blades = rng.random(rows.shape, dtype=np.float32)
    return (blades + np.roll(blades, 1, 0) + np.roll(blades, 2, 0)) / 3


def _speckles(rows, columns, rng):
    return (rng.random(rows.shape) < 0.12).astype(np.float32)


def _waves(rows, columns, rng):
    return np.clip(np.sin(rows * 2 * np.pi / 6 + 1.5 * np.sin(columns * 2 * np.pi / 22)), 0, 1)


def _lines(rows, columns, rng):
    return ((rows % 14 < 2) & (columns % 16 < 9)).astype(np.float32)


def _drifts(rows, columns, rng):
    return np.clip(_smooth_noise(rows.shape, 18, rng), 0, 1)


def _planks(rows, columns, rng):
    return ((rows + columns // 3) % 8 < 1.5).astype(np.float32)


_TEXTURES = {  # base color, second color, where the second shows
    "sky": ((150, 195, 230), (240, 245, 250), _clouds),
    "wall": ((185, 140, 120), (215, 205, 195), _bricks),
    "trees": ((35, 65, 40), (95, 130, 85), _leaves),
    "curtain": ((135, 115, 145), (190, 170, 195), _folds),
    "building": ((170, 170, 175), (75, 85, 100), _windows),
    "hills": ((120, 125, 105), (160, 165, 150), _slopes),
    "grass": ((105, 150, 75), (185, 205, 130), _blades),
    "sand": ((222, 205, 160), (175, 150, 105), _speckles),
    "sea": ((70, 125, 150), (150, 195, 205), _waves),
    "road": ((110, 110, 115), (225, 225, 220), _lines),
    "snow": ((245, 248, 250), (205, 218, 232), _drifts),
    "floor": ((165, 120, 80), (105, 70, 45), _planks),
}
