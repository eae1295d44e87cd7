"""Turn a decoded image into the pixels that a model sees, as the published evaluation does."""

from pathlib import Path

import numpy as np
from PIL import Image

from clip_grounding.errors import InputError
from clip_grounding.geometry import View, pad_to_square
from clip_grounding.models.config import read_model_config
from clip_grounding.models.families import FAMILIES

# Heights and widths whose padding is square, or one pixel short; small ones show faults best.
_PROBE_SIDES = ((2, 2), (2, 3), (3, 2), (1, 50), (700, 3), (800, 801))


class ImagePreprocessor:
    """The checkpoint's own preprocessing (resize, crop, normalise) of a padded image.

    It uses the Pillow backend of transformers: its resizing is the one behind the
    published numbers, and it needs no torchvision.

    Parameters
    ----------
    folder : str or Path
        The checkpoint folder, with its ``preprocessor_config.json``.

    Attributes
    ----------
    view : View
        The part of a padded image that the model's patches see.

    Raises
    ------
    InputError
        It makes images of a size that the model does not take, cuts their rims off, or makes values
        that are not finite.
    """

    def __init__(self, folder: str | Path):
        import transformers  # seconds to import: only jobs that run a model

        config = read_model_config(folder)
        processor = getattr(transformers, FAMILIES[config.family].image_processor)
        size = config.image_size
        try:
            self._process = processor.from_pretrained(folder, local_files_only=True)
            self._refuse_sizes(folder, size)
            with np.errstate(all="ignore"):
                for sides in _PROBE_SIDES:
                    self._refuse_pixels(self(np.zeros((*sides, 3), np.uint8)), folder, size, sides)
                cuts_rims = self._cuts_rims(size)
        except InputError:
            raise
        except Exception as error:  # transformers may raise anything for odd settings
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(
                f"{folder}: preprocessor_config.json prepares no image ({reason}): correct the"
                " file, or fetch it again"
            ) from error
        shorter = dict(self._process.size).get("shortest_edge")
        crops = bool(self._process.do_center_crop) and shorter is not None
        self.view = View(size, config.grid[0] * config.patch_size, crops)
        if cuts_rims:
            raise InputError(
                f"{folder}: preprocessor_config.json cuts off the image's rims, so that maps would"
                f" be placed wrongly on the image: set its size to the {size} pixels of its"
                " crop_size"
            )

    def _refuse_sizes(self, folder: str | Path, size: int) -> None:
        """Refuse sizes far from the model's before an image of such a size is made."""
        for name in ("size", "crop_size", "pad_size"):
            given = getattr(self._process, name, None)
            sides = dict(given).values() if given is not None else ()
            sides = [side for side in sides if side is not None]
            if not all(type(side) is int and 1 <= side <= 4 * size for side in sides):
                raise InputError(
                    f"{folder}: preprocessor_config.json has {name} {sides}, but the model takes"
                    f" {size} x {size} pixels (vision_config.image_size in config.json): the files"
                    " are not of one checkpoint; fetch it again or correct the size"
                )

    def _refuse_pixels(
        self, pixels: np.ndarray, folder: str | Path, size: int, sides: tuple[int, int]
    ) -> None:
        """Refuse preprocessing that makes the wrong shape or non-finite values of a black image."""
        if pixels.shape != (3, size, size):
            made = " x ".join(map(str, pixels.shape[1:]))
            raise InputError(
                f"{folder}: preprocessor_config.json makes images of {made} pixels of one of"
                f" {sides[0]} x {sides[1]} (size, crop_size, do_center_crop), but the model takes"
                f" {size} x {size} (vision_config.image_size in config.json): set its size to"
                f' {{"height": {size}, "width": {size}}} and do_resize to true, or fetch it again'
            )
        if not np.isfinite(pixels).all():
            raise InputError(
                f"{folder}: preprocessor_config.json makes values of an image that are not numbers"
                " (image_mean, image_std, rescale_factor): correct the file, or fetch it again"
            )

    def _cuts_rims(self, size: int) -> bool:
        """Return whether a ramp from black to white reaches the model without its ends."""
        ramp = np.linspace(0, 255, 2 * size)
        ramp = np.repeat((ramp[:, None, None] + ramp[:, None]) / 2, 3, axis=2).astype(np.uint8)
        black, white = (self(np.full_like(ramp, value))[0] for value in (0, 255))
        if (black == white).any():
            return True  # a rim without any of the image, or no image at all
        seen = (self(ramp)[0] - black) / (white - black)
        rim = 0.5 / size + 0.01  # half a pixel, plus rounding
        return seen[0, 0] > rim or seen[-1, -1] < 1 - rim

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Turn uint8 RGB of shape (height, width, 3) into float32 of shape (3, size, size)."""
        image = Image.fromarray(pad_to_square(pixels))
        values = self._process(images=image, return_tensors="np")["pixel_values"][0]
        return np.asarray(values, dtype=np.float32)
