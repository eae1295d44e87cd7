"""Index every narrative and phrase of a dataset, joined with its panoptic segments.

Bad input is refused here, with its file and record, before any expensive job reads it.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from clip_grounding.datasets.archives import Panoptic, open_panoptic
from clip_grounding.datasets.pictures import MOST_PIXELS
from clip_grounding.datasets.records import (
    INT32,
    INT64,
    read_field,
    read_file_name,
    read_id,
    read_number,
    read_text,
    read_whole,
)
from clip_grounding.downloads.zips import parse_json
from clip_grounding.errors import InputError
from clip_grounding.tables import NARRATIVES, PHRASES

_MOST_SEGMENT = 2**24 - 1  # that the three bytes of a PNG's pixel hold


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
    panoptic_file: str | None
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
        image_id = read_id(record, "image_id", where)
        image = images.get(image_id)
        if image is None:
            raise InputError(
                f"{where}: image {image_id} is not among the images of {archive.json_name}: check"
                " that both files are of the same split"
            )
        annotator = read_whole(record, "annotator_id", where, -INT64)
        caption = read_text(record, "caption", where)
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
                "panoptic_file": image.panoptic_file,
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
    for number, piece in enumerate(read_field(record, "segments", list, where)):
        at = f"{where}, piece {number}"
        ids = read_field(piece, "segment_ids", list, at)
        yield _Piece(
            read_text(piece, "utterance", at),
            list(dict.fromkeys(read_number(value, "segment_ids", at) for value in ids)),
            read_field(piece, "plural", bool, at),
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
    """Return the number of a set of segments: the next free one if the set is new."""
    return image.masks.setdefault(frozenset(segment_ids), len(image.masks))


def _read_images(archive: Panoptic, image_count: int) -> dict[int, _Image]:
    """Index the panoptic JSON: its images by id, ranked, with their segments."""
    name = archive.json_name
    panoptic = archive.annotations()
    categories: dict[int, _Category] = {}
    for record, where in _records(panoptic, "categories", name):
        number = read_whole(record, "id", where, most=INT32)
        if number in categories:
            raise InputError(
                f"{where}: category {number} is defined twice: use the published archive"
            )
        is_thing = read_whole(record, "isthing", where, most=1) == 1
        categories[number] = _Category(number, read_text(record, "name", where), is_thing)
    records: dict[int, tuple[str, int, int]] = {}
    for record, where in _records(panoptic, "images", name):
        image_id = read_whole(record, "id", where)
        if image_id in records:
            raise InputError(
                f"{where}: image {image_id} is listed twice: use the published archive"
            )
        file_name = read_file_name(record, where)
        height, width = (read_whole(record, key, where, 1, INT32) for key in ("height", "width"))
        if height * width > MOST_PIXELS:
            raise InputError(
                f"{where}: an image of {width:,}×{height:,} pixels: {MOST_PIXELS:,} are read at"
                " most; correct the record, or use the published archive"
            )
        records[image_id] = (file_name, height, width)
    if len(records) != image_count:
        raise InputError(
            f"{name}: lists {len(records):,} images, but `image_count` in the config is"
            f" {image_count:,}: correct whichever is wrong"
        )
    segments: dict[int, dict[int, _Category]] = defaultdict(dict)
    panoptic_files: dict[int, str] = {}
    for record, where in _records(panoptic, "annotations", name):
        image_id = read_whole(record, "image_id", where)
        if image_id not in records:
            raise InputError(f"{where}: image {image_id} is not listed: use the published archive")
        if image_id in panoptic_files:
            raise InputError(
                f"{where}: image {image_id} is annotated twice: use the published archive"
            )
        panoptic_files[image_id] = read_file_name(record, where)
        own = segments[image_id]
        for segment in read_field(record, "segments_info", list, where):
            number = read_whole(segment, "id", where, 1, _MOST_SEGMENT)
            if number in own:
                raise InputError(
                    f"{where}: segment {number} of image {image_id} is described twice: use the"
                    " published archive"
                )
            category = read_whole(segment, "category_id", f"{where}, segment {number}")
            if category not in categories:
                raise InputError(
                    f"{where}, segment {number}: category {category} is not defined: use the"
                    " published archive"
                )
            own[number] = categories[category]
    return {
        image_id: _Image(
            image_id,
            rank,
            *records[image_id],
            panoptic_files.get(image_id),
            segments[image_id],
            {},
        )
        for rank, image_id in enumerate(sorted(records))
    }


def _records(panoptic, key: str, name: str) -> Iterator[tuple[dict, str]]:
    for number, record in enumerate(read_field(panoptic, key, list, name)):
        yield record, f"{name}: {key}[{number}]"
