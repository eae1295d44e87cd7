"""What the page draws is what was scored: its arithmetic against the library's."""

import io
from base64 import b64encode

import numpy as np
import pytest
from browser_pages import open_page
from galleries import CAPTION, write_gallery
from PIL import Image
from pycocotools import mask as coco_mask

from clip_grounding.figures.overlays import overlay
from clip_grounding.gallery.maps import pack_patches, pack_tokens
from clip_grounding.geometry import WHOLE, View, upsample_to_image

pytestmark = pytest.mark.browser

SIZES = [(48, 48), (40, 64), (41, 64), (64, 40), (63, 17), (1, 30)]
GRIDS = [(7, 7), (16, 16), (3, 5)]


@pytest.fixture(scope="module")
def browser(chromium, tmp_path_factory):
    """A browser with a gallery in it, whose functions the tests call."""
    open_page(chromium, write_gallery(tmp_path_factory.mktemp("gallery"), [CAPTION]))
    return chromium


def random_region(height, width, seed=0):
    """Blobs that touch the edges."""
    noise = np.random.default_rng(seed).random((height // 4 + 1, width // 4 + 1)) > 0.5
    return np.kron(noise, np.ones((4, 4), bool))[:height, :width].astype(np.uint8, order="F")


def rescaled(values):
    span = np.ptp(values)
    return (values - values.min()) / (span if span > 0 else 1)


def shown_map(browser, relevance, size, shown=None, view=WHOLE):
    """A map as the page lays it on an image that is shown `shown` pixels large."""
    levels = browser.execute_script(
        "const [packed, pair, size, shown] = arguments;"
        "return [...Gallery.upsample(Gallery.unpackLevels(packed), pair, size, shown)]",
        pack_patches(relevance.ravel()),
        {"grid": relevance.shape, "view": view},
        size,
        shown or size,
    )
    return np.reshape(levels, shown or size)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("size", SIZES)
def test_a_map_lies_on_the_image_as_it_was_scored(browser, size, grid):
    relevance = np.random.default_rng(1).random(grid, dtype=np.float32)
    expected = rescaled(upsample_to_image(relevance, *size))
    assert np.abs(shown_map(browser, relevance, size) - expected).max() < 1e-3


@pytest.mark.parametrize("size", [(101, 100), (100, 101), (3, 2), (40, 41), (384, 384), (64, 40)])
@pytest.mark.parametrize(
    "view", [View(224, 224, crops=True), View(384, 378, crops=False), View(32, 28, crops=True)]
)
def test_a_map_lies_on_what_the_model_saw(browser, size, view):
    """Of 101 x 100 pixels the crop cuts a rim; 27 patches of 14 cover 378 of 384 pixels."""
    relevance = np.random.default_rng(1).random((27, 27), dtype=np.float32)
    expected = rescaled(upsample_to_image(relevance, *size, view))
    assert np.abs(shown_map(browser, relevance, size, view=view) - expected).max() < 1e-3


def test_a_flat_map_is_flat(browser):
    assert not shown_map(browser, np.full((2, 2), 0.3, np.float32), (5, 7)).any()


def test_a_larger_picture_shows_the_same_map(browser):
    """Twice the pixels: the mean of each two by two is the map at the image's size."""
    height, width = 40, 64
    relevance = np.random.default_rng(1).random((7, 7), dtype=np.float32)
    shown = shown_map(browser, relevance, (height, width), (2 * height, 2 * width))
    halved = shown.reshape(height, 2, width, 2).mean(axis=(1, 3))
    expected = rescaled(upsample_to_image(relevance, height, width))
    assert np.abs(rescaled(halved) - expected).max() < 0.01


@pytest.mark.parametrize("size", SIZES)
def test_a_region_is_decoded_as_it_was_encoded(browser, size):
    for region in (
        random_region(*size),
        np.ones(size, np.uint8, order="F"),
        np.zeros(size, np.uint8, order="F"),
    ):
        counts = coco_mask.encode(region)["counts"].decode()
        shown = browser.execute_script(
            "return [...Gallery.decodeRegion(...arguments)]", counts, *size
        )
        assert np.array_equal(np.reshape(shown, size), region)


def test_an_outline_closes_around_its_region(browser):
    """Every end of a segment is the end of exactly one other, and all lie on the region's edge."""
    region = random_region(40, 64)
    segments = browser.execute_script(
        "return Gallery.outline(Uint8Array.from(arguments[0]), 40, 64)", region.ravel().tolist()
    )
    ends, counts = np.unique(np.reshape(segments, (-1, 2)), axis=0, return_counts=True)
    assert set(counts) == {2}
    padded = np.pad(region, 1)
    for x, y in ends:
        # An end is half-way between two neighbouring pixel centres, of which one is inside.
        columns = {int(np.floor(x + 0.5)), int(np.ceil(x + 0.5))}
        rows = {int(np.floor(y + 0.5)), int(np.ceil(y + 0.5))}
        assert sorted(padded[row, column] for row in rows for column in columns) == [0, 1]


def test_an_overlay_has_the_colours_of_the_figures(browser):
    generator = np.random.default_rng(2)
    image = generator.integers(0, 256, (40, 64, 3), dtype=np.uint8)
    relevance = generator.random((7, 7), dtype=np.float32)
    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, "PNG")
    drawn = browser.execute_async_script(
        """const [source, packed, done] = arguments, bitmap = new Image();
           bitmap.src = 'data:image/png;base64,' + source;
           bitmap.decode().then(() => {
             const canvas = document.createElement('canvas');
             const data = {image: {bitmap, height: 40, width: 64}, outline: []};
             Gallery.drawOverlay(canvas, data, {grid: [7, 7], view: [1, 1, false]}, packed);
             done([...canvas.getContext('2d').getImageData(0, 0, 64, 40).data]);
           })""",
        *(b64encode(encoded.getvalue()).decode(), pack_patches(relevance.ravel())),
    )
    expected = overlay(image, upsample_to_image(relevance, 40, 64)).astype(int)
    difference = np.abs(np.reshape(drawn, (40, 64, 4))[..., :3] - expected)
    # A level next to the border of two colours may fall to the other side.
    assert difference.max() <= 4
    assert difference.mean() < 0.5


def test_tokens_are_shaded_from_zero_to_the_largest(browser):
    levels = browser.execute_script(
        "return [...Gallery.unpackLevels(arguments[0])]", pack_tokens(np.array([0, 0.1, 0.4, 0.2]))
    )
    assert levels == pytest.approx([0, 0.25, 1, 0.5], abs=1e-4)
