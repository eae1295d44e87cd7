"""Write rendered scenes as the published files: image zip, panoptic archive, narratives JSON.

The same settings give the same bytes.
"""

import io
import json
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from PIL import Image
from tqdm import tqdm

from clip_grounding.files import replacing
from clip_grounding.scenes.compose import ABOVE, BELOW, SHAPES
from clip_grounding.scenes.narrate import narrate, write_caption
from clip_grounding.scenes.render import Scene, render_scene, scene_generator

CATEGORIES = [
    {"id": number, "name": name, "isthing": int(kind == "shape"), "supercategory": kind}
    for number, (name, kind) in enumerate(
        [
            *((name, "shape") for name in SHAPES),
            *((name, "background") for name in ABOVE),
            *((name, "ground") for name in BELOW),
        ],
        start=1,
    )
]
"""The categories of the panoptic JSON: things differ by shape alone."""

_CATEGORY_IDS = {category["name"]: category["id"] for category in CATEGORIES}
_FIRST_ID, _ID_STEP = 139, 23  # ids with gaps, as COCO's


def write_dataset(
    images: str | Path,
    panoptic: str | Path,
    narratives: str | Path,
    image_count: int,
    seed: int,
    split: str,
) -> None:
    """Render scenes of the evaluation side and write the dataset's three files.

    Parameters
    ----------
    images : str or Path
        Zip of ``{split}/{image id, 12 digits}.jpg``.
    panoptic : str or Path
        Zip of ``annotations/panoptic_{split}.json`` and ``annotations/panoptic_{split}.zip``,
        which holds ``panoptic_{split}/{image id, 12 digits}.png`` with a segment's id as
        R + 256·G + 65536·B.
    narratives : str or Path
        JSON list of narratives; an image has two, one or, one in twelve, none.
    image_count : int
        Scenes to render.
    seed : int
        Scene k depends on (seed, k) alone.
    split : str
        The split's name in the paths above.
    """
    records = {"images": [], "annotations": [], "categories": CATEGORIES}
    told = []
    with (
        replacing(images) as images_part,
        replacing(panoptic) as panoptic_part,
        replacing(narratives) as narratives_part,
    ):
        nested = io.BytesIO()
        with ZipFile(images_part, "w") as image_zip, ZipFile(nested, "w") as png_zip:
            for index in tqdm(range(image_count), unit="scene", mininterval=1):
                rng = scene_generator(seed, index)
                scene = render_scene(rng, evaluated=True)
                image_id = _FIRST_ID + _ID_STEP * index
                name = f"{image_id:012d}"
                jpeg = _encode(scene.image, "JPEG", quality=95)
                _add(image_zip, f"{split}/{name}.jpg", jpeg)
                png = _encode(ids_to_rgb(scene.ids), "PNG")
                _add(png_zip, f"panoptic_{split}/{name}.png", png)
                height, width = scene.ids.shape
                records["images"].append(
                    {"id": image_id, "file_name": f"{name}.jpg", "height": height, "width": width}
                )
                records["annotations"].append(
                    {
                        "image_id": image_id,
                        "file_name": f"{name}.png",
                        "segments_info": describe_segments(scene),
                    }
                )
                for annotator in _annotators(rng):
                    told.append(_narrative_record(scene, image_id, annotator, rng))
        with ZipFile(panoptic_part, "w") as archive:
            text = json.dumps(records, separators=(",", ":"))
            _add(archive, f"annotations/panoptic_{split}.json", text.encode(), ZIP_DEFLATED)
            _add(archive, f"annotations/panoptic_{split}.zip", nested.getvalue())
        order = np.random.default_rng(seed).permutation(len(told))  # as published: not by image
        narratives_part.write_text(json.dumps([told[k] for k in order]), encoding="utf-8")


def ids_to_rgb(ids: np.ndarray) -> np.ndarray:
    """Encode segment ids, (height, width), as the RGB pixels of a panoptic PNG."""
    return np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)


def describe_segments(scene: Scene) -> list[dict]:
    """Return the records of a scene's segments as in the panoptic JSON, things first."""
    names = {
        number: group.shape
        for group, ids in zip(scene.composition.groups, scene.thing_ids, strict=True)
        for number in ids
    }
    names.update({number: stuff for stuff, number in scene.stuff_ids.items()})
    segments = []
    for number, name in names.items():
        rows, columns = np.nonzero(scene.ids == number)
        top, left = int(rows.min()), int(columns.min())
        segments.append(
            {
                "id": number,
                "category_id": _CATEGORY_IDS[name],
                "area": len(rows),
                "bbox": [left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1],
                "iscrowd": 0,
            }
        )
    return segments


def _annotators(rng: np.random.Generator) -> list[int]:
    """Return the annotators who narrate an image: none, one or two."""
    count = rng.choice(3, p=[0.08, 0.67, 0.25])
    return (1 + rng.choice(40, count, replace=False)).tolist()


def _narrative_record(
    scene: Scene, image_id: int, annotator: int, rng: np.random.Generator
) -> dict:
    pieces = narrate(scene, rng)
    return {
        "image_id": str(image_id),
        "annotator_id": annotator,
        "caption": write_caption(pieces),
        "segments": [
            {
                "utterance": piece.utterance,
                "segment_ids": [str(number) for number in piece.segment_ids],
                "plural": piece.plural,
                "noun": bool(piece.segment_ids),
            }
            for piece in pieces
        ],
    }


def _encode(pixels: np.ndarray, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def _add(archive: ZipFile, name: str, content: bytes, compression: int = ZIP_STORED) -> None:
    """Add a member with a fixed date and mode, so that archives compare byte by byte."""
    info = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = compression
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)
