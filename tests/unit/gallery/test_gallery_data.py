import json
from base64 import b64decode

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from galleries import CAPTION, DIRECTIONS, invented_tables, write_gallery
from PIL import Image

from clip_grounding.figures.style import COLORS
from clip_grounding.gallery.index import build_index, read_partners
from clip_grounding.gallery.maps import pack_maps, pack_patches
from clip_grounding.gallery.page import ASSETS
from clip_grounding.gallery.pictures import LONGEST_SIDE, encode_picture
from clip_grounding.gallery.selection import choose_items
from clip_grounding.geometry import WHOLE, View
from clip_grounding.scoring.images import METRICS, join_maps
from clip_grounding.tables import read_views, write_table

SCHEMA = pa.schema([("a", pa.int64())])


def read_data(path):
    """The JSON arguments of a data script's call."""
    text = path.read_text(encoding="ascii")
    return json.loads(f"[{text[text.index('(') + 1 : text.rindex(')')]}]")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_mismatched_map_is_the_one_that_was_scored(small, direction):
    relevance = small.relevance(direction)
    within = {"text_to_image": "image_id", "image_to_text": "narrative"}[direction]
    rows, _ = join_maps(relevance, small.phrases, within, seed=3)
    mismatched = rows[rows["prompt"] == "mismatched"]
    table = relevance.set_index(["narrative", "phrase", "prompt"]).sort_index()
    partners = read_partners(rows.assign(direction=direction))
    assert len(mismatched) == len(partners) > 10
    for row in mismatched.itertuples():
        partner = partners[direction, row.narrative, row.phrase]
        assert np.array_equal(table.loc[(*partner, "matched"), "relevance"], row.relevance)


def test_a_phrase_without_a_partner_has_two_maps(small):
    relevance = small.relevance("text_to_image")
    table = relevance.set_index(["narrative", "phrase", "prompt"]).sort_index()
    key = tuple(small.phrases[["narrative", "phrase"]].iloc[0])
    packed = pack_maps(table, "text_to_image", key, None, WHOLE)
    assert list(packed["maps"]) == ["matched", "unimodal"]


def test_every_map_says_what_its_model_sees(tmp_path):
    views = {"first": View(224, 224, crops=True), "second": View(384, 378, crops=False)}
    write_gallery(tmp_path, [CAPTION], views)
    (_, [image]) = read_data(tmp_path / "files/images-000.js")
    pairs = [pair for item in image["items"].values() for pair in item["pairs"] if "grid" in pair]
    assert {(pair["model"], *pair["view"]) for pair in pairs} == {
        ("first", 224, 224, True),
        ("second", 384, 378, False),
    }


def test_a_models_view_is_that_of_its_relevance_tables(tmp_path):
    views = {"first": View(224, 224, crops=True), "second": View(384, 378, crops=False)}
    paths = []
    for model, view in views.items():
        for shard in range(2):
            paths.append(tmp_path / f"{model}-{shard}.parquet")
            write_table(paths[-1], pd.DataFrame({"a": [1]}), SCHEMA, {"view": view})
    evaluations = [[model, "rollout", "text_to_image"] for model in views]
    assert read_views(paths, evaluations, 2) == views


def test_maps_are_packed_over_their_range():
    packed = np.frombuffer(b64decode(pack_patches(np.array([-1, 0, 3]))), "<u2")
    assert packed.tolist() == [0, round(65535 / 4), 65535]


@pytest.mark.parametrize(("size", "expected"), [((640, 480), (400, 300)), ((60, 80), (60, 80))])
def test_a_picture_is_no_larger_than_needed(tmp_path, size, expected):
    data = encode_picture(Image.new("RGB", size, "teal"))
    assert data.startswith("data:image/webp;base64,")
    (tmp_path / "one.webp").write_bytes(b64decode(data.partition(",")[2]))
    picture = Image.open(tmp_path / "one.webp")
    assert picture.size == expected
    assert max(picture.size) <= LONGEST_SIDE
    assert np.abs(np.array(picture.convert("RGB")).mean(axis=(0, 1)) - (0, 128, 128)).max() < 4


def test_the_index_holds_every_score_of_every_contender():
    tables = invented_tables([CAPTION] * 3, ["first", "second"])
    facts = [tables[name] for name in ("scores", "phrases", "narratives")]
    index = build_index(choose_items(*facts, DIRECTIONS, 100, "stratified", 0), *facts)
    names = [(c["model"], c["prompt"]) for c in index["contenders"]]
    prompts = ["matched", "unimodal", "mismatched"]
    assert names == [
        *(("first", prompt) for prompt in prompts),
        *(("second", prompt) for prompt in prompts),
        ("baseline", "none"),
    ]
    assert {c["name"] for c in index["contenders"]} <= set(COLORS)
    keys = ["direction", "narrative", "phrase", "model", "prompt"]
    scores = tables["scores"].set_index(keys)
    assert len(index["items"]) == 12
    for item in index["items"]:
        for name, own in zip(names, item["scores"], strict=True):
            expected = scores.loc[(*(item[key] for key in keys[:3]), *name), METRICS]
            assert own == pytest.approx(expected.to_list())
        start, end = item["span"]
        assert index["captions"][item["caption"]][start:end] in ("dog", "wide")


def test_what_is_missing_or_excluded_is_null():
    tables = invented_tables([CAPTION], ["first"])
    scores = tables["scores"]
    scores.loc[scores["prompt"] == "unimodal", "ap"] = np.nan
    tables["scores"] = scores[scores["prompt"] != "mismatched"]
    facts = [tables[name] for name in ("scores", "phrases", "narratives")]
    index = build_index(choose_items(*facts, DIRECTIONS, 100, "stratified", 0), *facts)
    places = {c["prompt"]: place for place, c in enumerate(index["contenders"])}
    assert "mismatched" not in places
    for item in index["items"]:
        assert item["scores"][places["unimodal"]][METRICS.index("ap")] is None
        assert item["scores"][places["matched"]][METRICS.index("ap")] is not None


def test_the_page_finds_all_that_it_loads_beside_it(tmp_path):
    page = write_gallery(tmp_path, [CAPTION] * 20)
    written = {path.name for path in (tmp_path / "files").iterdir()}
    assert {path.name for path in ASSETS.iterdir()} - {"index.html"} <= written
    assert {"index.js", "images-000.js", "images-001.js"} <= written
    text = page.read_text()
    assert "http" not in text.replace("http-equiv", "")
    for asset in ASSETS.glob("*.*s"):
        assert f"files/{asset.name}" in text


def test_every_item_is_in_the_chunk_where_the_page_looks(tmp_path):
    write_gallery(tmp_path, [CAPTION] * 40)
    (index,) = read_data(tmp_path / "files/index.js")
    places = {
        image: at for at, image in enumerate(dict.fromkeys(i["image"] for i in index["items"]))
    }
    for number, item in enumerate(index["items"]):
        chunk = places[item["image"]] // index["imagesPerChunk"]
        own_number, images = read_data(tmp_path / f"files/images-{chunk:03d}.js")
        assert own_number == chunk
        image = next(entry for entry in images if entry["image"] == item["image"])
        assert image["items"][str(number)]["pairs"][0]["maps"]["matched"]


def test_a_caption_cannot_leave_its_script(tmp_path):
    hostile = "a </script><script>alert(1)</script> and \u2028 'road' \"x\" \\ 🛣️"
    write_gallery(tmp_path, [hostile])
    (index,) = read_data(tmp_path / "files/index.js")
    assert index["captions"] == [hostile]
