"""Weight of a gallery of 2,000 items on as many photographs, and how long it takes to build.

Run: python tests/benchmarks/gallery.py FOLDER. Not a test: the photographs are scikit-image's, cut
at random, the phrases and maps invented. The folder then holds the gallery.
"""

import io
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "support"), str(TESTS.parent / "workflow_scripts")]

from galleries import CAPTION, write_gallery  # noqa: E402 (needs the path)

from clip_grounding.geometry import WHOLE  # noqa: E402

HEIGHT, WIDTH = 480, 640
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "grass", "brick")
MODELS = ("openai-vit-b32", "openai-vit-b16", "openai-vit-l14")


def cut_photographs(count: int) -> list[bytes]:
    """Different cuts of a few photographs, as JPEG."""
    generator = np.random.default_rng(0)
    sources = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in PHOTOGRAPHS]
    cuts = []
    for number in range(count):
        source = sources[number % len(sources)]
        scale = max(WIDTH / source.width, HEIGHT / source.height) * generator.uniform(1, 1.5)
        picture = source.resize([round(scale * side) for side in source.size])
        left = generator.integers(picture.width - WIDTH + 1)
        top = generator.integers(picture.height - HEIGHT + 1)
        out = io.BytesIO()
        picture.crop((left, top, left + WIDTH, top + HEIGHT)).save(out, "JPEG", quality=92)
        cuts.append(out.getvalue())
    return cuts


def main(folder: Path) -> None:
    cuts = cut_photographs(2000)
    captions = [" ".join([CAPTION] * 5)] * 2000  # as long as the published narratives

    def read_image(file_name: str, height: int, width: int) -> Image.Image:
        return Image.open(io.BytesIO(cuts[int(file_name.removesuffix(".jpg"))])).convert("RGB")

    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    write_gallery(folder, captions, dict.fromkeys(MODELS, WHOLE), 2000, read_image, (HEIGHT, WIDTH))
    taken = time.perf_counter() - start
    files = [path for path in folder.rglob("*") if path.is_file()]
    weight = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {weight / 1e6:.1f} MB, built in {taken:.0f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
