"""Write the gallery's files: the page, its scripts, and its data as further scripts.

A page opened from disk may not read other files but may load scripts; so every data
file is a call with JSON as its argument. Pictures and maps come in chunks of some images, which
the page loads when it needs them.
"""

import json
import re
import shutil
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from clip_grounding.files import replacing

ASSETS = Path(__file__).parent / "assets"
"""The page and what it loads, data excepted. The rule's settings hold each file's digest."""

PAGE = "index.html"
IMAGES_PER_CHUNK = 16
_CHUNK = re.compile(r"images-\d{3,}\.js")


def write_page(page: Path, folder: Path, index: dict, images: Iterable[dict]) -> None:
    """Write the gallery; the page itself comes last.

    Parameters
    ----------
    page : Path
        The HTML file.
    folder : Path
        For what the page loads, beside it and with the name that its links use: `files`.
        Chunks of an earlier gallery are removed, other files stay.
    index : dict
        What the page loads first, see `index.build_index`.
    images : iterable of dict
        See `images.gather_images`. Consumed chunk by chunk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for asset in sorted(ASSETS.iterdir()):
        if asset.name != PAGE:
            shutil.copyfile(asset, folder / asset.name)
    for name in list_files(folder):
        if _CHUNK.fullmatch(name):
            (folder / name).unlink()
    images, number = iter(images), 0
    while chunk := list(islice(images, IMAGES_PER_CHUNK)):
        write_data(folder / f"images-{number:03d}.js", "addImages", number, chunk)
        number += 1
    write_data(folder / "index.js", "setIndex", {**index, "imagesPerChunk": IMAGES_PER_CHUNK})
    with replacing(page) as temporary:
        shutil.copyfile(ASSETS / PAGE, temporary)


def list_files(folder: Path) -> list[str]:
    """List the files in a gallery's folder that `write_page` wrote."""
    own = {"index.js", *(asset.name for asset in ASSETS.iterdir())} - {PAGE}
    return sorted(
        path.name for path in folder.iterdir() if path.name in own or _CHUNK.fullmatch(path.name)
    )


def write_data(path: Path, function: str, *arguments) -> None:
    """Write a script that calls ``Gallery.function`` with JSON arguments, in ASCII."""
    values = ",".join(json.dumps(argument, separators=(",", ":")) for argument in arguments)
    with replacing(path) as temporary:
        temporary.write_text(f"Gallery.{function}({values});\n", encoding="ascii")
