"""Decode regions from COCO's compressed run lengths.

Not by pycocotools, whose decoder trusts its input and writes out of bounds if that is damaged.
"""

import numpy as np

from clip_grounding.errors import InputError

_MOST_PIXELS = 80_000_000  # of an image that is read, see `pictures`
_FIRST, _BITS, _MORE, _NEGATIVE = 48, 5, 0x20, 0x10  # of a character of the code
_MOST_CHARACTERS = 7  # of a number


def decode_region(height: int, width: int, counts: bytes, where: str) -> np.ndarray:
    """Decode a row of the masks' table.

    Parameters
    ----------
    height, width : int
        Of the image, in pixels.
    counts : bytes
        COCO's compressed run lengths, by columns.
    where : str
        What messages call the region.

    Returns
    -------
    ndarray of bool, shape (height, width)

    Raises
    ------
    InputError
        The run lengths are damaged, or not of an image of this size.
    """
    height, width = int(height), int(width)
    try:
        if not (height > 0 and width > 0 and height * width <= _MOST_PIXELS):
            raise ValueError(f"{height:,}×{width:,} pixels")
        lengths = _run_lengths(counts)
        # The sum comes second: with lengths no larger than that it cannot overflow.
        if not (lengths.min() >= 0 and lengths.max() <= height * width):
            raise ValueError("a run of no possible length")
        if lengths.sum() != height * width:
            raise ValueError(f"{lengths.sum():,} pixels, not {height:,}×{width:,}")
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{where}: not a readable region in the table of masks ({error}): delete its file under"
            " results/ and rerun"
        ) from error
    inside = np.arange(len(lengths)) % 2 == 1  # the first run is of what lies outside
    return np.ascontiguousarray(np.repeat(inside, lengths).reshape(width, height).T)


def _run_lengths(counts: bytes) -> np.ndarray:
    """Read the numbers of the code: 5 bits a character, from the third run on as differences."""
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - _FIRST
    if codes.size == 0 or codes.min() < 0 or codes.max() >= 2 * _MORE or codes[-1] & _MORE:
        raise ValueError("no run lengths")
    ends = np.flatnonzero(codes & _MORE == 0)
    starts = np.append(0, ends[:-1] + 1)
    sizes = ends - starts + 1
    if sizes.max() > _MOST_CHARACTERS:
        raise ValueError("a number of too many characters")
    places = _BITS * (np.arange(codes.size) - np.repeat(starts, sizes))
    lengths = np.add.reduceat((codes & (_MORE - 1)) << places, starts)
    lengths -= ((codes[ends] & _NEGATIVE) != 0) * (1 << _BITS * sizes)
    lengths[1::2] = lengths[1::2].cumsum()  # each is stored as its difference from the last but one
    lengths[2::2] = lengths[2::2].cumsum()
    return lengths
