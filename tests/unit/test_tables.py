"""Tables on disk: whole or absent, with their provenance."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clip_grounding
from clip_grounding.errors import InputError
from clip_grounding.scoring.images import SCORES
from clip_grounding.tables import (
    MASKS,
    NARRATIVES,
    PHRASES,
    RELEVANCE,
    check_contents,
    read_categories,
    read_csv,
    read_provenance,
    read_shard,
    read_table,
    write_csv,
    write_table,
)

ROW = {
    "image_id": 139,
    "mask": 0,
    "segment_ids": [3, 4],
    "height": 2,
    "width": 3,
    "counts": b"06",
    "area": 6,
}


def test_a_table_is_read_as_it_was_written_with_its_provenance(tmp_path):
    frames = [pd.DataFrame([ROW]), pd.DataFrame([{**ROW, "mask": 1}])]
    write_table(tmp_path / "new" / "masks.parquet", iter(frames), MASKS, {"dataset": "d"})
    table = read_table(tmp_path / "new" / "masks.parquet")
    assert table["mask"].tolist() == [0, 1]
    assert table["counts"].tolist() == [b"06", b"06"]
    facts = read_provenance(tmp_path / "new" / "masks.parquet")
    assert facts["dataset"] == "d"
    assert {"numpy", "pyarrow"} <= facts["libraries"].keys()


def test_a_table_of_no_rows_has_its_columns(tmp_path):
    write_table(tmp_path / "t.parquet", [], MASKS, {})
    assert pq.read_schema(tmp_path / "t.parquet").names == MASKS.names
    assert read_table(tmp_path / "t.parquet").empty


def test_a_failed_write_leaves_the_old_table_and_nothing_else(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, pd.DataFrame([ROW]), MASKS, {})

    def frames():
        yield pd.DataFrame([ROW])
        raise RuntimeError("killed halfway")

    with pytest.raises(RuntimeError, match="killed halfway"):
        write_table(path, frames(), MASKS, {})
    assert len(read_table(path)) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.parquet"]


def test_unknown_and_missing_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match="depth"):
        write_table(tmp_path / "t.parquet", pd.DataFrame([{**ROW, "depth": 1}]), MASKS, {})
    with pytest.raises(KeyError, match="area"):
        write_table(tmp_path / "t.parquet", pd.DataFrame([ROW]).drop(columns="area"), MASKS, {})


def test_a_damaged_table_is_refused_by_name(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"t\.parquet: not a readable table"):
        read_table(path)
    with pytest.raises(InputError, match=r"no\.parquet: this table is missing"):
        read_table(tmp_path / "no.parquet")


def test_a_shard_is_a_run_of_image_ranks(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"image_rank": [0, 1, 1, 2, 3]}).to_parquet(path)
    assert read_shard(path, [1, 3])["image_rank"].tolist() == [1, 1, 2]


def test_text_read_as_categories_is_the_same_text_in_alphabetical_order(tmp_path):
    path = tmp_path / "table.parquet"
    schema = pa.schema([("name", pa.string()), ("mostly", pa.string()), ("number", pa.int32())])
    frame = pd.DataFrame(
        {"name": ["b", "a", "b"], "mostly": ["x", None, None], "number": [1, 2, 3]}
    )
    write_table(path, frame, schema, {})
    table = read_table(path, categories=True)
    assert list(table["name"].cat.categories) == ["a", "b"]
    assert table["name"].tolist() == ["b", "a", "b"]
    assert table["mostly"].isna().tolist() == [False, True, True]
    assert table["number"].tolist() == [1, 2, 3]
    assert read_categories(path, "name") == ["a", "b"]
    own = read_table(path, columns=["name"], filters=[("number", ">", 2)], categories=True)
    assert own["name"].tolist() == ["b"]


def test_no_damaged_byte_changes_a_value_unseen(tmp_path):
    """Of what the pages hold; a name in the footer that changes leaves no column to be read."""
    path = tmp_path / "masks.parquet"
    write_table(
        path, pd.DataFrame([{**ROW, "mask": i, "area": 7 * i} for i in range(200)]), MASKS, {}
    )
    whole, before = path.read_bytes(), read_table(path)
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    seen = 0
    for position in range(0, len(whole) - footer, 3):
        data = bytearray(whole)
        data[position] ^= 0x55
        path.write_bytes(data)
        try:
            pd.testing.assert_frame_equal(read_table(path), before)
        except InputError:
            seen += 1
    assert seen > 50


@pytest.mark.parametrize("length", [0, 3, 100, -1])
def test_a_truncated_table_is_refused(tmp_path, length):
    path = tmp_path / "masks.parquet"
    write_table(path, pd.DataFrame([ROW]), MASKS, {})
    path.write_bytes(path.read_bytes()[:length])
    for read in (read_table, read_provenance):
        with pytest.raises(InputError, match=r"masks\.parquet: not a readable table .*: delete it"):
            read(path)


@pytest.mark.parametrize("schema", [MASKS, NARRATIVES, PHRASES, *RELEVANCE.values(), SCORES])
def test_a_table_that_was_written_is_what_it_says(schema, tmp_path):
    write_table(tmp_path / "t.parquet", schema.empty_table().to_pandas(), schema, {})
    check_contents(tmp_path / "t.parquet")


CHANGES = {
    "no row": (lambda table: table[:0], "0 rows, but 3 were written"),
    "half the rows": (lambda table: table[:1], "1 rows, but 3 were written"),
    "a row twice": (lambda table: pa.concat_tables([table, table[:1]]), "4 rows, but 3 were"),
    "no area": (lambda table: table.drop_columns("area"), "than were written: area"),
    "one more": (lambda table: table.append_column("more", [[1, 2, 3]]), "written: more"),
    "another type": (lambda table: table.cast(WIDE), "written: height"),
    "another order": (lambda table: table.select(table.column_names[::-1]), "their order"),
}
WIDE = MASKS.set(3, pa.field("height", pa.int64()))


@pytest.mark.parametrize("name", CHANGES)
def test_a_table_that_was_changed_is_refused(name, tmp_path):
    change, reason = CHANGES[name]
    path = tmp_path / "masks.parquet"
    write_table(path, pd.DataFrame([{**ROW, "mask": mask} for mask in range(3)]), MASKS, {})
    table = pq.read_table(path)
    changed = change(table)
    contents = pq.read_metadata(path).metadata[b"contents"]
    with pq.ParquetWriter(path, changed.schema) as out:
        out.write_table(changed)
        out.add_key_value_metadata({"contents": contents})
    with pytest.raises(InputError, match=re.escape(str(path))) as refused:
        check_contents(path)
    assert reason in str(refused.value)
    assert str(refused.value).endswith("delete it and rerun")


def test_a_table_that_pandas_wrote_over_is_refused(tmp_path):
    path = tmp_path / "masks.parquet"
    pd.DataFrame([ROW]).to_parquet(path)
    with pytest.raises(InputError, match="does not say what was written"):
        check_contents(path)


MEANS = pd.DataFrame(
    {
        "model": ["NA", "null, or\n so", 'the "one"'],
        "prompt": [None, "matched", "none"],
        "n_phrases": [3, 20, 1],
        "mean": [0.1234564, np.nan, -2.0],
    }
)


def test_a_csv_table_is_read_as_it_was_written_to_six_decimals(tmp_path):
    write_csv(tmp_path / "new" / "means.csv", MEANS)
    read = read_csv(tmp_path / "new" / "means.csv", columns=["model", "mean"])
    expected = MEANS.assign(mean=[0.123456, np.nan, -2.0])
    pd.testing.assert_frame_equal(read, expected, check_dtype=False, check_exact=True)
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["means.csv"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"<!DOCTYPE html><title>404, not found</title>\n",
        b"PAR1\xff\xfe\x00\n",
        b"model,mean\na,0.5",
        b"model,mean\na,0.5\nb\n",
        b"model,mean\na,0.5,1\n",
        b'model,mean\n"a,0.5\n',
        b"model,value\na,0.5\n",
    ],
)
def test_a_damaged_or_foreign_csv_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "means.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_csv(path, columns=["model", "mean"])
    said = str(refused.value)
    assert said.startswith(f"{path}: not a readable table (")
    assert said.endswith("): delete it and rerun")
    assert "\n" not in said


def test_a_csv_that_is_cut_within_a_line_is_refused(tmp_path):
    path = tmp_path / "means.csv"
    write_csv(path, MEANS)
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) - 3, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"means\.csv: not a readable table"):
            read_csv(path)
    path.unlink()
    with pytest.raises(InputError, match=r"means\.csv: this table is missing"):
        read_csv(path)


def test_no_other_place_writes_a_table():
    library = Path(clip_grounding.__file__).parent
    writers = ("to_csv(", "to_parquet(", "ParquetWriter(")
    places = {
        path.relative_to(library.parent).as_posix()
        for path in library.parent.rglob("*.py")
        if any(writer in path.read_text(encoding="utf-8") for writer in writers)
    }
    assert places == {"clip_grounding/tables.py"}
