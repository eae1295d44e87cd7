"""From a decoded image to the pixels that a model sees, as the published evaluation does it."""

from pathlib import Path

import numpy as np
from PIL import Image

from clip_grounding.errors import InputError
from clip_grounding.models.config import read_model_config


def square_padding(height: int, width: int) -> tuple[int, int]:
    """Rows added above and below, and columns added left and right, to make an image square.

    An odd difference loses one pixel, as in the published code: the result is then one
    pixel short of square.
    """
    longer = max(height, width)
    return (longer - height) // 2, (longer - width) // 2


def pad_to_square(pixels: np.ndarray) -> np.ndarray:
    """Pad an image or a mask with zeros (black) to a square.

    Parameters
    ----------
    pixels : ndarray, shape (height, width) or (height, width, channels)

    Returns
    -------
    ndarray
        The same type; see `square_padding` for its size.
    """
    rows, columns = square_padding(*pixels.shape[:2])
    channels = ((0, 0),) * (pixels.ndim - 2)
    return np.pad(pixels, ((rows, rows), (columns, columns), *channels))


class ImagePreprocessor:
    """The checkpoint's own preprocessing (resize, crop, normalise) of a padded image.

    It uses the Pillow backend of transformers: its resizing is the one behind the
    published numbers, and it needs no torchvision.

    Parameters
    ----------
    folder : str or Path
        The checkpoint folder, with its ``preprocessor_config.json``.

    Raises
    ------
    InputError
        It makes images of another size than the model takes, or cuts their rims off.
    """

    def __init__(self, folder: str | Path):
        import transformers  # seconds to import: only jobs that run a model

        config = read_model_config(folder)
        name = "CLIP" if config.family == "clip" else "Siglip"
        processor = getattr(transformers, f"{name}ImageProcessorPil")
        self._process = processor.from_pretrained(folder, local_files_only=True)
        size = config.image_size
        shape = self(np.zeros((2, 2, 3), np.uint8)).shape
        if shape != (3, size, size):
            raise InputError(
                f"{folder}: preprocessor_config.json makes images of {shape[1]} x {shape[2]} pixels"
                f" (size, crop_size), but the model takes {size} x {size} (vision_config.image_size"
                " in config.json): the files are not of one checkpoint; fetch it again or correct"
                " the size"
            )
        if self._cuts_rims(size):
            raise InputError(
                f"{folder}: preprocessor_config.json cuts off the image's rims, so that maps would"
                f" be placed wrongly on the image: set its size to the {size} pixels of its"
                " crop_size"
            )

    def _cuts_rims(self, size: int) -> bool:
        """Tell whether a ramp from black to white reaches the model without its ends."""
        ramp = np.linspace(0, 255, 2 * size)
        ramp = np.repeat((ramp[:, None, None] + ramp[:, None]) / 2, 3, axis=2).astype(np.uint8)
        black, white = (self(np.full_like(ramp, value))[0] for value in (0, 255))
        seen = (self(ramp)[0] - black) / (white - black)
        rim = 0.5 / size + 0.01  # half a pixel, and what rounding adds
        return seen[0, 0] > rim or seen[-1, -1] < 1 - rim

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Turn uint8 RGB of shape (height, width, 3) into float32 of shape (3, size, size)."""
        image = Image.fromarray(pad_to_square(pixels))
        values = self._process(images=image, return_tensors="np")["pixel_values"][0]
        return np.asarray(values, dtype=np.float32)
