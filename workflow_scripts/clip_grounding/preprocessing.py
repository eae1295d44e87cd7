"""From a decoded image to the pixels that CLIP sees, as the published evaluation does it."""

from pathlib import Path

import numpy as np
from PIL import Image


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
    """The checkpoint's own preprocessing (resize, centre crop, normalise) of a padded image.

    It uses the Pillow backend of transformers: its resizing is the one behind the
    published numbers, and it needs no torchvision.

    Parameters
    ----------
    folder : str or Path
        The checkpoint folder, with its ``preprocessor_config.json``.
    """

    def __init__(self, folder: str | Path):
        from transformers import CLIPImageProcessorPil  # seconds to import: only jobs that run CLIP

        self._process = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Turn uint8 RGB of shape (height, width, 3) into float32 of shape (3, size, size)."""
        image = Image.fromarray(pad_to_square(pixels))
        values = self._process(images=image, return_tensors="np")["pixel_values"][0]
        return np.asarray(values, dtype=np.float32)
