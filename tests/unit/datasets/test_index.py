"""The phrase index: spans, masks and categories are right; bad input is named with its record."""

import json
import zipfile
from copy import deepcopy

import pytest

from clip_grounding.datasets.index import index_phrases
from clip_grounding.errors import InputError
from clip_grounding.tables import NARRATIVES, PHRASES, read_table, write_table

PANOPTIC = {
    "categories": [
        {"id": 17, "name": "cat", "isthing": 1},
        {"id": 63, "name": "couch", "isthing": 1},
        {"id": 187, "name": "sky", "isthing": 0},
    ],
    "images": [
        {"id": 200, "file_name": "000000000200.jpg", "height": 6, "width": 8},
        {"id": 39, "file_name": "000000000039.jpg", "height": 4, "width": 5},
    ],
    "annotations": [
        {
            "image_id": 200,
            "file_name": "000000000200.png",
            "segments_info": [
                {"id": 11, "category_id": 17},
                {"id": 12, "category_id": 17},
                {"id": 13, "category_id": 187},
            ],
        },
        {
            "image_id": 39,
            "file_name": "000000000039.png",
            "segments_info": [{"id": 11, "category_id": 63}],
        },
    ],
}


def piece(utterance, *segment_ids, plural=False):
    ids = [str(segment) for segment in segment_ids]
    return {"utterance": utterance, "segment_ids": ids, "plural": plural, "noun": bool(ids)}


def narrative(image_id, *pieces, annotator=1, caption="a caption"):
    return {
        "image_id": str(image_id),
        "annotator_id": annotator,
        "caption": caption,
        "segments": list(pieces),
    }


CATS = narrative(
    200,
    piece("In this image"),
    piece("two cats", 12, 11, plural=True),
    piece(""),
    piece("under"),
    piece("the sky", 13),
    piece(". Cats", 11, 12, 11, plural=True),
    piece("and sky", 13, 11),
)
COUCH = narrative(39, piece("couch", 11), caption="another")


def index(folder, narratives, panoptic=PANOPTIC, image_count=2):
    """Write both files, a string as it is, and index them."""
    data = narratives if isinstance(narratives, str) else json.dumps(narratives)
    (folder / "narratives.json").write_text(data)
    with zipfile.ZipFile(folder / "panoptic.zip", "w") as archive:
        archive.writestr("annotations/panoptic_val2017.json", json.dumps(panoptic))
    return index_phrases(
        folder / "narratives.json", folder / "panoptic.zip", "val2017", image_count
    )


def refusal(folder, *arguments, **settings):
    with pytest.raises(InputError) as error:
        index(folder, *arguments, **settings)
    return str(error.value)


def test_a_phrase_is_a_piece_that_names_segments(tmp_path):
    _, phrases = index(tmp_path, [CATS, COUCH])
    assert list(zip(phrases["narrative"], phrases["phrase"], strict=True)) == [
        (0, 1), (0, 4), (0, 5), (0, 6), (1, 0)
    ]  # fmt: skip
    assert list(phrases["is_plural"]) == [True, False, True, False, False]


def test_spans_cut_the_utterance_out_of_the_text(tmp_path):
    narratives, phrases = index(tmp_path, [CATS, COUCH])
    assert narratives["text"][0] == "In this image two cats  under the sky . Cats and sky"
    for phrase in phrases.itertuples():
        text = narratives["text"][phrase.narrative]
        assert text[phrase.char_start : phrase.char_end] == phrase.utterance


def test_segments_are_distinct_and_categories_go_with_them(tmp_path):
    _, phrases = index(tmp_path, [CATS, COUCH])
    assert list(phrases["segment_ids"]) == [[12, 11], [13], [11, 12], [13, 11], [11]]
    assert list(phrases["categories"]) == [
        ["cat", "cat"], ["sky"], ["cat", "cat"], ["sky", "cat"], ["couch"]
    ]  # fmt: skip
    assert phrases["category_ids"][3] == [187, 17]
    assert list(phrases["is_thing"]) == [True, False, True, None, True]


def test_phrases_of_an_image_that_name_the_same_segments_share_a_mask(tmp_path):
    again = narrative(200, piece("sky", 13), piece("cat", 12), annotator=2)
    _, phrases = index(tmp_path, [CATS, COUCH, again])
    assert list(phrases["mask"]) == [0, 1, 0, 2, 0, 1, 3]


def test_images_are_ranked_by_id_with_their_records(tmp_path):
    narratives, phrases = index(tmp_path, [CATS, COUCH])
    assert list(narratives["image_rank"]) == [1, 0]
    assert list(phrases["image_rank"]) == [1, 1, 1, 1, 0]
    assert list(narratives["file_name"]) == ["000000000200.jpg", "000000000039.jpg"]
    assert list(narratives["height"]) == [6, 4]


def test_both_tables_have_the_columns_of_their_schemas(tmp_path):
    tables = index(tmp_path, [CATS, COUCH])
    for table, schema in zip(tables, (NARRATIVES, PHRASES), strict=True):
        write_table(tmp_path / "table.parquet", table, schema, {})
        assert list(read_table(tmp_path / "table.parquet").columns) == schema.names
        assert list(table.columns) == schema.names


def test_a_dataset_without_phrases_has_an_empty_table(tmp_path):
    _, phrases = index(tmp_path, [narrative(39, piece("nothing"))])
    assert phrases.empty
    write_table(tmp_path / "phrases.parquet", phrases, PHRASES, {})
    assert list(read_table(tmp_path / "phrases.parquet").columns) == PHRASES.names


def test_a_segment_that_the_image_lacks_is_refused_with_its_record(tmp_path):
    message = refusal(tmp_path, [CATS, narrative(39, piece("a"), piece("sky", 13))])
    assert "narratives.json: narrative 1, piece 1: segment 13 is not among" in message
    assert "image 39" in message
    assert "panoptic_val2017.json" in message


def test_a_narrative_for_an_unknown_image_is_refused(tmp_path):
    message = refusal(tmp_path, [narrative(40)])
    assert "narrative 0: image 40 is not among the images" in message


def test_a_duplicate_narrative_is_refused(tmp_path):
    message = refusal(tmp_path, [CATS, COUCH, CATS])
    assert "narrative 2: the same as narrative 0 (image 200, annotator 1" in message


def test_narratives_of_one_image_by_one_annotator_may_differ_in_caption(tmp_path):
    narratives, _ = index(tmp_path, [CATS, CATS | {"caption": "another"}])
    assert len(narratives) == 2


def test_invalid_json_is_refused_with_its_line(tmp_path):
    message = refusal(tmp_path, '[\n{"image_id": "39",\n]')
    assert "narratives.json: invalid JSON at line 3" in message


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"image_id": None}, "narrative 0: `image_id` has None, not an id"),
        ({"image_id": "x39"}, "narrative 0: `image_id` has 'x39', not an id"),
        ({"annotator_id": "1"}, "narrative 0: `annotator_id` is '1', not a whole number"),
        ({"caption": 3}, "narrative 0: `caption` is 3, not text"),
        ({"segments": {}}, "narrative 0: `segments` is {}, not a list"),
        ({"segments": ["a"]}, "narrative 0, piece 0: 'a' instead of a mapping"),
        ({"segments": [{}]}, "narrative 0, piece 0: `segment_ids` is missing"),
        ({"segments": [piece("a") | {"plural": 1}]}, "`plural` is 1, not true or false"),
        ({"segments": [piece("a") | {"utterance": None}]}, "`utterance` is None, not text"),
        ({"segments": [piece("a") | {"segment_ids": [1.5]}]}, "`segment_ids` has 1.5, not an id"),
    ],
)
def test_a_field_of_a_wrong_type_is_refused_with_its_record(tmp_path, change, problem):
    assert problem in refusal(tmp_path, [COUCH | change])


@pytest.mark.parametrize("key", ["image_id", "annotator_id", "caption", "segments"])
def test_a_missing_field_is_refused_with_its_record(tmp_path, key):
    record = {name: value for name, value in COUCH.items() if name != key}
    assert f"narrative 0: `{key}` is missing" in refusal(tmp_path, [record])


@pytest.mark.parametrize("content", ["{}", "3", '["x"]'])
def test_another_json_than_a_list_of_narratives_is_refused(tmp_path, content):
    assert "narratives.json: " in refusal(tmp_path, content)


def test_another_number_of_images_than_declared_is_refused(tmp_path):
    message = refusal(tmp_path, [CATS], image_count=3)
    assert "lists 2 images, but `image_count` in the config is 3" in message


def test_an_image_that_is_listed_or_annotated_twice_is_refused(tmp_path):
    for key, problem in [("images", "listed twice"), ("annotations", "annotated twice")]:
        panoptic = deepcopy(PANOPTIC)
        panoptic[key].append(panoptic[key][0])
        message = refusal(tmp_path, [CATS], panoptic, image_count=2)
        assert f"panoptic_val2017.json: {key}[2]: image 200 is {problem}" in message


def test_an_undefined_category_is_refused(tmp_path):
    panoptic = deepcopy(PANOPTIC)
    panoptic["annotations"][1]["segments_info"][0]["category_id"] = 5
    message = refusal(tmp_path, [CATS], panoptic)
    assert "annotations[1], segment 11: category 5 is not defined" in message


def test_a_category_or_segment_that_is_described_twice_is_refused(tmp_path):
    panoptic = deepcopy(PANOPTIC)
    panoptic["categories"].append({"id": 17, "name": "dog", "isthing": 1})
    assert "categories[3]: category 17 is defined twice" in refusal(tmp_path, [CATS], panoptic)
    panoptic = deepcopy(PANOPTIC)
    panoptic["annotations"][0]["segments_info"].append({"id": 12, "category_id": 187})
    message = refusal(tmp_path, [CATS], panoptic)
    assert "annotations[0]: segment 12 of image 200 is described twice" in message


@pytest.mark.parametrize(
    ("place", "key", "value", "problem"),
    [
        ("images", "height", 10**9, "an image of 8×1,000,000,000 pixels: 80,000,000 are read"),
        ("images", "height", 10**12, "`height` is 1000000000000, not from 1 to 2147483647"),
        ("images", "width", 0, "`width` is 0, not from 1 to"),
        ("images", "file_name", "../a.jpg", "`file_name` is '../a.jpg', not the name of a file"),
        ("images", "file_name", "/etc/passwd", "`file_name` is '/etc/passwd', not the name"),
        (
            "annotations",
            "file_name",
            "a/../../b.png",
            "not the name of a file in the split's folder",
        ),
        ("annotations", "file_name", "a\\b.png", "not the name of a file in the split's folder"),
        ("annotations", "file_name", "a\nb.png", "not the name of a file in the split's folder"),
        ("annotations", "image_id", -1, "`image_id` is -1, not from 0 to"),
        ("categories", "id", 2**31, "`id` is 2147483648, not from 0 to 2147483647"),
        ("categories", "isthing", 2, "`isthing` is 2, not from 0 to 1"),
    ],
)
def test_a_number_or_name_that_nothing_can_hold_is_refused(tmp_path, place, key, value, problem):
    panoptic = deepcopy(PANOPTIC)
    panoptic[place][0][key] = value
    message = refusal(tmp_path, [CATS], panoptic)
    assert f"panoptic_val2017.json: {place}[0]: " in message
    assert problem in message


@pytest.mark.parametrize("number", [0, 2**24, -3])
def test_a_segment_that_no_png_can_hold_is_refused(tmp_path, number):
    panoptic = deepcopy(PANOPTIC)
    panoptic["annotations"][0]["segments_info"][0]["id"] = number
    message = refusal(tmp_path, [CATS], panoptic)
    assert f"annotations[0]: `id` is {number}, not from 1 to 16777215" in message


@pytest.mark.parametrize("value", [str(2**63), "9" * 5000, -1])
def test_an_id_beyond_the_tables_is_refused(tmp_path, value):
    assert "`image_id` has " in refusal(tmp_path, [COUCH | {"image_id": value}])
    message = refusal(tmp_path, [COUCH | {"segments": [piece("a") | {"segment_ids": [value]}]}])
    assert "narrative 0, piece 0: `segment_ids` has " in message


def test_the_file_of_an_image_s_segments_is_the_one_that_its_annotation_names(tmp_path):
    panoptic = deepcopy(PANOPTIC)
    panoptic["annotations"][0]["file_name"] = "000200_GT.png"
    narratives, _ = index(tmp_path, [CATS, COUCH], panoptic)
    assert list(narratives["panoptic_file"]) == ["000200_GT.png", "000000000039.png"]
    del panoptic["annotations"][0]["file_name"]
    assert "annotations[0]: `file_name` is missing" in refusal(tmp_path, [CATS], panoptic)


def test_a_blank_phrase_is_a_phrase(tmp_path):
    _, phrases = index(tmp_path, [narrative(200, piece("", 11), piece(" ", 12))])
    assert list(phrases["utterance"]) == ["", " "]
    assert list(zip(phrases["char_start"], phrases["char_end"], strict=True)) == [(0, 0), (1, 2)]


def test_a_panoptic_record_without_a_field_is_refused(tmp_path):
    panoptic = deepcopy(PANOPTIC)
    del panoptic["images"][1]["width"]
    assert "images[1]: `width` is missing" in refusal(tmp_path, [CATS], panoptic)
