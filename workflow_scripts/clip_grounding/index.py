"""The phrase index: every narrative and phrase of a dataset, joined with its panoptic segments.

Bad input is refused here, with its file and record, before any expensive job reads it.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from clip_grounding.archives import Panoptic, open_panoptic
from clip_grounding.errors import InputError
from clip_grounding.tables import NARRATIVES, PHRASES
from clip_grounding.zips import parse_json

_KINDS = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


class _Category(NamedTuple):
    id: int
    name: str
    is_thing: bool


class _Image(NamedTuple):
    id: int
    rank: int
    file_name: str
    height: int
    width: int
    segments: dict[int, _Category]
    masks: dict[frozenset[int], int]  # the number of each distinct set of segments


def index_phrases(
    narratives: str | Path, panoptic: str | Path, split: str, image_count: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join a dataset's narratives with its panoptic segments.

    Parameters
    ----------
    narratives : str or Path
        The narratives JSON.
    panoptic : str or Path
        The panoptic archive.
    split : str
        The split of the archive that the narratives are about.
    image_count : int
        How many images the split must have: shards were laid out for this number.

    Returns
    -------
    narratives, phrases : DataFrame
        The columns of `tables.NARRATIVES` and `tables.PHRASES`, in the JSON's order. A piece of a
        narrative is a phrase if it names a segment. ``mask`` numbers the distinct segment sets of
        an image in order of first appearance. ``is_thing`` is null for a phrase that names both
        things and stuff.

    Raises
    ------
    InputError
        A file is not in the published format, or the two do not fit together.
    """
    with open_panoptic(panoptic, split) as archive:
        images = _read_images(archive, image_count)
    path, records = Path(narratives), _read_narratives(Path(narratives))
    first_seen: dict[tuple, int] = {}
    narrative_rows, phrase_rows = [], []
    for number, record in enumerate(tqdm(records, unit="narrative", mininterval=1)):
        where = f"{path}: narrative {number}"
        image_id = _id(record, "image_id", where)
        image = images.get(image_id)
        if image is None:
            raise InputError(
                f"{where}: image {image_id} is not among the images of {archive.json_name}: check"
                " that both files are of the same split"
            )
        annotator = _field(record, "annotator_id", int, where)
        caption = _field(record, "caption", str, where)
        twin = first_seen.setdefault((image_id, annotator, caption), number)
        if twin != number:
            raise InputError(
                f"{where}: the same as narrative {twin} (image {image_id}, annotator {annotator},"
                " same caption): remove one of them"
            )
        pieces = list(_read_pieces(record, where))
        narrative_rows.append(
            {
                "narrative": number,
                "image_id": image.id,
                "image_rank": image.rank,
                "annotator_id": annotator,
                "file_name": image.file_name,
                "height": image.height,
                "width": image.width,
                "caption": caption,
                "text": " ".join(piece.utterance for piece in pieces),
            }
        )
        start = 0
        for phrase, piece in enumerate(pieces):
            end = start + len(piece.utterance)
            if piece.segment_ids:
                at = f"{where}, piece {phrase}"
                categories = [
                    _category(image, segment, at, archive.json_name)
                    for segment in piece.segment_ids
                ]
                things = {category.is_thing for category in categories}
                phrase_rows.append(
                    {
                        "narrative": number,
                        "phrase": phrase,
                        "image_id": image.id,
                        "image_rank": image.rank,
                        "utterance": piece.utterance,
                        "char_start": start,
                        "char_end": end,
                        "segment_ids": piece.segment_ids,
                        "category_ids": [category.id for category in categories],
                        "categories": [category.name for category in categories],
                        "is_thing": things.pop() if len(things) == 1 else None,
                        "is_plural": piece.is_plural,
                        "mask": _number_mask(image, piece.segment_ids),
                    }
                )
            start = end + 1
    return (
        pd.DataFrame(narrative_rows, columns=NARRATIVES.names),
        pd.DataFrame(phrase_rows, columns=PHRASES.names),
    )


class _Piece(NamedTuple):
    utterance: str
    segment_ids: list[int]
    is_plural: bool


def _read_narratives(path: Path) -> list:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror}): rerun to fetch it") from error
    records = parse_json(data, str(path))
    if not isinstance(records, list):
        raise InputError(f"{path}: not a list of narratives: use the published file")
    return records


def _read_pieces(record: dict, where: str) -> Iterator[_Piece]:
    for number, piece in enumerate(_field(record, "segments", list, where)):
        at = f"{where}, piece {number}"
        ids = _field(piece, "segment_ids", list, at)
        yield _Piece(
            _field(piece, "utterance", str, at),
            list(dict.fromkeys(_number(value, "segment_ids", at) for value in ids)),
            _field(piece, "plural", bool, at),
        )


def _category(image: _Image, segment: int, where: str, json_name: str) -> _Category:
    try:
        return image.segments[segment]
    except KeyError:
        raise InputError(
            f"{where}: segment {segment} is not among the segments of image {image.id} in"
            f" {json_name}: check that both files are of the same split"
        ) from None


def _number_mask(image: _Image, segment_ids: list[int]) -> int:
    """Give a set of segments its number, the next one where it is new."""
    return image.masks.setdefault(frozenset(segment_ids), len(image.masks))


def _read_images(archive: Panoptic, image_count: int) -> dict[int, _Image]:
    """Index the panoptic JSON: its images by id, ranked, with their segments."""
    name = archive.json_name
    panoptic = archive.annotations()
    categories = {
        (number := _field(record, "id", int, where)): _Category(
            number, _field(record, "name", str, where), bool(_field(record, "isthing", int, where))
        )
        for record, where in _records(panoptic, "categories", name)
    }
    records: dict[int, tuple[str, int, int]] = {}
    for record, where in _records(panoptic, "images", name):
        image_id = _field(record, "id", int, where)
        if image_id in records:
            raise InputError(
                f"{where}: image {image_id} is listed twice: use the published archive"
            )
        file_name = _field(record, "file_name", str, where)
        records[image_id] = (
            file_name,
            *(_field(record, key, int, where) for key in ("height", "width")),
        )
    if len(records) != image_count:
        raise InputError(
            f"{name}: lists {len(records):,} images, but `image_count` in the config is"
            f" {image_count:,}: correct whichever is wrong"
        )
    segments: dict[int, dict[int, _Category]] = defaultdict(dict)
    for record, where in _records(panoptic, "annotations", name):
        image_id = _field(record, "image_id", int, where)
        if image_id not in records:
            raise InputError(f"{where}: image {image_id} is not listed: use the published archive")
        if image_id in segments:
            raise InputError(
                f"{where}: image {image_id} is annotated twice: use the published archive"
            )
        own = segments[image_id]
        for segment in _field(record, "segments_info", list, where):
            number = _field(segment, "id", int, where)
            category = _field(segment, "category_id", int, f"{where}, segment {number}")
            if category not in categories:
                raise InputError(
                    f"{where}, segment {number}: category {category} is not defined: use the"
                    " published archive"
                )
            own[number] = categories[category]
    return {
        image_id: _Image(image_id, rank, *records[image_id], segments[image_id], {})
        for rank, image_id in enumerate(sorted(records))
    }


def _records(panoptic, key: str, name: str) -> Iterator[tuple[dict, str]]:
    for number, record in enumerate(_field(panoptic, key, list, name)):
        yield record, f"{name}: {key}[{number}]"


def _field(record, key: str, kind: type, where: str):
    """Give a record's value, of the type that the published format has there."""
    if not isinstance(record, dict):
        raise InputError(f"{where}: {_show(record)} instead of a mapping: use the published file")
    if key not in record:
        raise InputError(f"{where}: `{key}` is missing: use the published file")
    value = record[key]
    if type(value) is not kind:  # isinstance would take true for a whole number
        raise InputError(
            f"{where}: `{key}` is {_show(value)}, not {_KINDS[kind]}: use the published file"
        )
    return value


def _id(record, key: str, where: str) -> int:
    if isinstance(record, dict) and key in record:
        return _number(record[key], key, where)
    return _field(record, key, str, where)


def _number(value, key: str, where: str) -> int:
    """Read an id, which the narratives write as text."""
    if type(value) is int or (isinstance(value, str) and value.isdecimal()):
        return int(value)
    raise InputError(f"{where}: `{key}` has {_show(value)}, not an id: use the published file")


def _show(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
