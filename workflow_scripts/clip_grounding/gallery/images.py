"""Collect the gallery's images, each with its regions and the maps of its items."""

from collections.abc import Callable, Iterator

import pandas as pd
from PIL import Image
from tqdm import tqdm

from clip_grounding.gallery.maps import pack_maps
from clip_grounding.gallery.pictures import encode_picture
from clip_grounding.geometry import View
from clip_grounding.vocabulary import PHRASE


def pack_items(
    items: pd.DataFrame,
    phrases: pd.DataFrame,
    relevance: list[tuple[tuple[str, str, str], pd.DataFrame]],
    partners: dict[tuple, tuple],
    views: dict[str, View],
) -> list[dict]:
    """Pack the maps of all items.

    Parameters
    ----------
    items : DataFrame
        See `selection.choose_items`.
    phrases : DataFrame
        All phrases of the items' images.
    relevance : list of ((model, attribution, direction), DataFrame)
        All maps of the items' images.
    partners : dict of (direction, narrative, phrase) to (narrative, phrase)
        Whose maps are the mismatched ones, see `index.read_partners`.
    views : dict of str to View
        What each model sees of an image.

    Returns
    -------
    list of dict
        An entry per item: ``mask``, its region, and ``pairs``: for each model and attribution
        their names and what `maps.pack_maps` gives.
    """
    tables = [
        (contender, table.set_index([*PHRASE, "prompt"]).sort_index())
        for contender, table in relevance
    ]
    masks = phrases.set_index(PHRASE)["mask"].to_dict()
    packed = []
    for row in items.itertuples():
        key = (row.narrative, row.phrase)
        partner = partners.get((row.direction, *key))
        pairs = [
            {"model": model, "attribution": attribution}
            | pack_maps(table, direction, key, partner, views[model])
            for (model, attribution, direction), table in tables
            if direction == row.direction
        ]
        packed.append({"mask": int(masks[key]), "pairs": pairs})
    return packed


def gather_images(
    items: pd.DataFrame,
    packed: list[dict],
    narratives: pd.DataFrame,
    masks: pd.DataFrame,
    read_image: Callable[[str, int, int], Image.Image],
) -> Iterator[dict]:
    """Gather the images in the order in which the items show them.

    Parameters
    ----------
    items : DataFrame
    packed : list of dict
        Their maps, see `pack_items`.
    narratives, masks : DataFrame
        Tables that hold at least the items' images.
    read_image : callable
        Takes the file name, height and width of an image; returns it in RGB.

    Yields
    ------
    dict
        ``image`` (its id), ``height``, ``width`` in pixels, ``picture`` (a data URI),
        ``regions``, COCO's compressed run lengths by mask, and ``items``, the packed maps by
        item number.
    """
    names = narratives.drop_duplicates("image_id").set_index("image_id")["file_name"]
    regions = masks.set_index(["image_id", "mask"]).sort_index()
    numbered = items.reset_index(drop=True)
    images = numbered.groupby("image_id", sort=False).indices
    for image_id in tqdm(numbered["image_id"].unique(), unit="image", mininterval=1):
        own = {int(number): packed[number] for number in images[image_id]}
        shown = {entry["mask"]: regions.loc[(image_id, entry["mask"])] for entry in own.values()}
        height, width = (int(side) for side in next(iter(shown.values()))[["height", "width"]])
        yield {
            "image": int(image_id),
            "height": height,
            "width": width,
            "picture": encode_picture(read_image(names.loc[image_id], height, width)),
            "regions": {mask: row["counts"].decode("ascii") for mask, row in shown.items()},
            "items": own,
        }
