"""The layout of the published archives, and the members of them that a dataset needs."""

from pathlib import Path
from unicodedata import category

from clip_grounding.downloads.zips import Archive, parse_json
from clip_grounding.errors import InputError

_UNNAMABLE = {"Cc", "Cs"}  # control characters, and halves of surrogate pairs


def image_member(split: str, file_name: str) -> str:
    """Return the name of an image in the zip of the images."""
    return f"{split}/{file_name}"


def panoptic_json(split: str) -> str:
    """Return the name of the annotations in the panoptic archive."""
    return f"annotations/panoptic_{split}.json"


def nested_zip(split: str) -> str:
    """Return the name of the zip of PNGs in the panoptic archive."""
    return f"annotations/panoptic_{split}.zip"


def png_member(split: str, file_name: str) -> str:
    """Return the name of a PNG in the nested zip."""
    return f"panoptic_{split}/{file_name}"


def is_file_name(value) -> bool:
    """Return whether a value can be a `file_name` of the JSON: a path that stays in its folder."""
    if not isinstance(value, str) or any(category(character) in _UNNAMABLE for character in value):
        return False
    parts = value.split("/")
    return not ({"", ".", ".."} & set(parts) or "\\" in value or ":" in parts[0])


def panoptic_members(split: str) -> list[str]:
    """Return the names of the members of the panoptic archive that a split needs."""
    return [panoptic_json(split), nested_zip(split)]


def image_members(panoptic: str | Path, split: str, span: tuple[int, int]) -> list[str]:
    """Return the names of a shard's images in the zip of the images.

    Parameters
    ----------
    panoptic : str or Path
        The panoptic archive, which lists the images.
    split : str
    span : (int, int)
        The shard's first image in order of the ids, and the one after its last.

    Raises
    ------
    InputError
        The panoptic archive does not list its images as the published one does.
    """
    with Archive(panoptic, str(panoptic)) as archive:
        name = f"{panoptic}/{panoptic_json(split)}"
        annotations = parse_json(archive.read(panoptic_json(split)), name)
    try:
        files = sorted((int(image["id"]), image["file_name"]) for image in annotations["images"])
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise InputError(
            f"{name}: its images have no id and file_name each: use the published archive"
        ) from error
    for image_id, file_name in files:
        if not is_file_name(file_name):
            raise InputError(
                f"{name}: image {image_id} has the file_name {file_name!r}, which is not the name"
                " of a file in the split's folder: use the published archive"
            )
    return [image_member(split, file_name) for _, file_name in files[slice(*span)]]
