"""Galleries of invented phrases, maps and scores, for the tests of the page."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from pycocotools import mask as coco_mask

from clip_grounding.evidence.columns import EFFECTS
from clip_grounding.evidence.outcomes import OUTCOME_NAMES
from clip_grounding.gallery.evidence import add_evidence, gather_evidence
from clip_grounding.gallery.images import gather_images, pack_items
from clip_grounding.gallery.index import build_index, read_partners
from clip_grounding.gallery.page import write_page
from clip_grounding.gallery.pictures import describe_look
from clip_grounding.gallery.selection import choose_items
from clip_grounding.geometry import WHOLE
from clip_grounding.scoring.images import METRICS
from clip_grounding.vocabulary import PROMPTS

DIRECTIONS = ["text_to_image", "image_to_text"]
SIZE = (60, 90)
CAPTION = "a dog and a wide road under the sky ."


def invented_tables(captions: list[str], models: list[str], size=SIZE) -> dict:
    """Tables of one image per caption, whose phrases are its second and fifth word."""
    generator = np.random.default_rng(0)
    narratives = pd.DataFrame(
        {
            "narrative": range(len(captions)),
            "image_id": 100 + np.arange(len(captions)),
            "file_name": [f"{number}.jpg" for number in range(len(captions))],
            "height": size[0],
            "width": size[1],
            "text": captions,
        }
    )
    phrases = pd.DataFrame(
        [
            _phrase(row, number, place, narratives.loc[row, "image_id"], captions[row])
            for row in range(len(captions))
            for number, place in enumerate((1, 4))
        ]
    )
    masks = pd.DataFrame(
        [_region(image, mask, size) for image in narratives["image_id"] for mask in (0, 1)]
    )
    scores, relevance = [], []
    for direction in DIRECTIONS:
        for model in [*models, "baseline"]:
            prompts = ["none"] if model == "baseline" else ["matched", "unimodal", "mismatched"]
            attribution = "random" if model == "baseline" else "gradient-attention"
            for prompt in prompts:
                own = phrases[["narrative", "phrase", "image_id"]].assign(
                    direction=direction, model=model, attribution=attribution, prompt=prompt
                )
                values = generator.random((len(own), len(METRICS))).round(3)
                own[METRICS] = values
                is_borrowed = prompt == "mismatched"  # from the image's other phrase
                own["partner_narrative"] = own["narrative"] if is_borrowed else -1
                own["partner_phrase"] = 1 - own["phrase"] if is_borrowed else -1
                scores.append(own.assign(region_area=np.where(own["phrase"] == 0, 0.125, 0.5)))
            if model != "baseline":
                maps = _maps(phrases, direction, captions, generator)
                relevance.append(((model, attribution, direction), maps))
    return {
        "narratives": narratives,
        "phrases": phrases,
        "masks": masks,
        "scores": pd.concat(scores, ignore_index=True),
        "relevance": relevance,
    }


def write_gallery(
    folder: Path,
    captions: list[str],
    models=None,
    items=1000,
    read_image=None,
    size=SIZE,
    evidence=False,
) -> Path:
    """Write the gallery of invented tables; gives its page. `models` are views by name."""
    models = models or {"first": WHOLE}
    tables = invented_tables(captions, list(models), size)
    facts = [tables[name] for name in ("scores", "phrases", "narratives")]
    chosen = choose_items(*facts, DIRECTIONS, items, "stratified", 0)
    about = {"dataset": "invented", "strategy": "stratified", "seed": 0, "workflow": "0"}
    index = build_index(chosen, *facts) | describe_look() | about
    partners = read_partners(facts[0])
    packed = pack_items(chosen, tables["phrases"], tables["relevance"], partners, models)
    if evidence:
        measured = invented_evidence(tables["phrases"], list(models))
        add_evidence(index, packed, gather_evidence(chosen, **measured))
    read_image = read_image or invented_image
    images = gather_images(chosen, packed, tables["narratives"], tables["masks"], read_image)
    write_page(folder / "index.html", folder / "files", index, images)
    return folder / "index.html"


def invented_evidence(phrases: pd.DataFrame, models) -> dict:
    """Evidence tables of the phrases of even narratives; removal of every fourth narrative's.

    A phrase's outcome goes by its narrative: the four in turn, then one that is left out.
    """
    generator = np.random.default_rng(1)
    drawn = phrases.loc[phrases["narrative"] % 2 == 0, ["narrative", "phrase", "image_id"]]
    rows = pd.concat([drawn.assign(prompt=prompt) for prompt in PROMPTS], ignore_index=True)
    turn = (rows["narrative"] // 2 + rows["phrase"]) % 5
    names = np.array([*OUTCOME_NAMES.values(), None], dtype=object)[turn]
    excluded = np.where(turn == 4, "few_controls", None)
    tables = {"effects": [], "outcomes": [], "faithfulness": [], "removal": []}
    for model in models:
        for direction in DIRECTIONS:
            pair = (model, "gradient-attention", direction)
            measures = [name for name in EFFECTS.names if name not in rows and name != "sets"]
            own = rows.assign(**{name: generator.random(len(rows)) for name in measures})
            own = own.assign(excluded=None)
            tables["effects"].append(((model, direction), own))
            own = rows.assign(outcome=names, excluded=excluded, degenerate=False)
            tables["outcomes"].append((pair, own))
            measures = ("faithfulness", "faithfulness_margin")
            own = rows.assign(**{name: generator.uniform(-1, 1, len(rows)) for name in measures})
            tables["faithfulness"].append((pair, own.assign(degenerate=False, excluded=None)))
            own = rows[rows["narrative"] % 4 == 0]
            curves = generator.normal(20, 3, (len(own), 2, 9))
            own = own.assign(
                **{"srg": (curves[:, 1] - curves[:, 0]).mean(axis=1), "similarity": 25.0},
                **{"morf": list(curves[:, 0]), "lerf": list(curves[:, 1]), "excluded": None},
            )
            tables["removal"].append((pair, own))
    return tables


def invented_image(file_name: str, height: int, width: int) -> Image.Image:
    """A gradient in a colour of its own."""
    hue = int(file_name.removesuffix(".jpg")) * 37 % 256
    ramp = np.linspace(0, 255, width, dtype=np.uint8)[None].repeat(height, axis=0)
    return Image.fromarray(np.stack([ramp, np.full_like(ramp, hue), ramp[:, ::-1]], axis=-1))


def _phrase(narrative: int, number: int, place: int, image_id: int, text: str) -> dict:
    words = text.split(" ")
    start = sum(len(word) + 1 for word in words[:place])
    return {
        "narrative": narrative,
        "phrase": number,
        "image_id": image_id,
        "utterance": words[place],
        "char_start": start,
        "char_end": start + len(words[place]),
        "segment_ids": [number],
        "categories": [["dog", "road"][number]],
        "is_thing": number == 0,
        "is_plural": False,
        "mask": number,
    }


def _region(image_id: int, mask: int, size: tuple[int, int]) -> dict:
    height, width = size
    region = np.zeros(size, np.uint8, order="F")
    if mask == 0:
        region[height // 4 : height // 2, width // 9 : 5 * width // 9] = 1
    else:
        region[height // 2 :] = 1
    counts = coco_mask.encode(region)["counts"]
    return {
        "image_id": image_id,
        "mask": mask,
        "height": height,
        "width": width,
        "counts": counts,
    }


def _maps(phrases, direction: str, captions: list[str], generator) -> pd.DataFrame:
    rows = []
    for key in phrases[["narrative", "phrase", "image_id"]].to_dict("records"):
        ends = np.cumsum([len(word) + 1 for word in captions[key["narrative"]].split(" ")]) - 1
        starts = np.array([0, *(ends[:-1] + 1)])
        for prompt in ("matched", "unimodal"):
            if direction == "text_to_image":
                own = {"grid_height": 7, "grid_width": 7, "relevance": generator.random(49)}
            else:
                own = {"token_starts": starts, "token_ends": ends}
                own["relevance"] = generator.random(len(ends))
            rows.append({**key, "prompt": prompt, **own})
    return pd.DataFrame(rows)
