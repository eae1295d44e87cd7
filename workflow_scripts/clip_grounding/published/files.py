"""List the six published files of per-phrase scores: names, sizes and columns."""

import pyarrow as pa

NARRATIVES = 8573
"""Narratives of PNG val2017."""

PHRASES = {
    "text_to_image": {"random": 44008, "unimodal": 44008, "matched": 44008},
    "image_to_text": {"random": 35441, "unimodal": 35422, "matched": 35422},
}
"""Scored phrases by direction and contender."""

PUBLISHED_SCORES = pa.schema(
    [
        ("direction", pa.string()),
        ("contender", pa.string()),  # random, unimodal or matched
        ("entry", pa.int32()),  # position in the file
        ("narrative", pa.int32()),
        ("poster_iou", pa.float32()),
    ]
)

_DIRECTIONS = {"text_to_image": "text2image", "image_to_text": "image2text"}
_CONTENDERS = {"random": "random", "unimodal": "clip-unimodal", "matched": "CLIP"}


def file_name(direction: str, contender: str) -> str:
    """Return the name of the published file of a direction and contender."""
    return f"{_CONTENDERS[contender]}_on_PNG_{_DIRECTIONS[direction]}_metrics.pt"


NAMES = [file_name(direction, contender) for direction in PHRASES for contender in _CONTENDERS]
"""Return the names of all six files."""
