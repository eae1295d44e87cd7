"""Stamps: what an output says of itself, and what of it can be trusted."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from clip_grounding.errors import InputError
from clip_grounding.workflow.memory import Output, list_files, refuse_stale, restore_records
from clip_grounding.workflow.stamps import Stamp, identify, read_stamp, write_stamp

SCHEMA = pa.schema([("value", pa.int32())])


class Params(SimpleNamespace):
    """Parameters of a rule, as Snakemake hands them to a script."""

    def get(self, name):
        return getattr(self, name, None)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data/tiny").mkdir(parents=True)
    Path("results/tiny").mkdir(parents=True)


def settings(**values):
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def stamp_text(path, text="a", rule="make", spec=None, code="c0dec0dec0dec0de", inputs=()):
    """Write a file that is no table, with its stamp."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    spec = settings(seed=0) if spec is None else spec
    write_stamp(Stamp(path, rule, spec, code, {name: identify(name) for name in inputs}))
    return path


def write_parquet(path, spec=None, code="c0dec0dec0dec0de", inputs=()):
    """Write a table with its stamp embedded, as a job does."""
    import pandas as pd

    from clip_grounding.workflow.job import Job

    spec = settings(seed=0) if spec is None else spec
    job = Job("make", spec, code, {name: identify(name) for name in inputs}, (path,))
    job.write_table(path, pd.DataFrame({"value": [1]}), SCHEMA)
    return path


class Records(dict):
    """Records in memory."""

    def params(self, path):
        return self.get(path)

    def write(self, path, rule, inputs, params):
        self[path] = params


def restore(*paths, records=None, is_download=False):
    records = Records() if records is None else records
    said = restore_records([Output(path, "make", is_download) for path in paths], records)
    return records, said


def is_unknown(params):
    return len(params) == 1 and "unknown" in params[0]


@pytest.mark.parametrize(("write", "name"), [(stamp_text, "a.csv"), (write_parquet, "a.parquet")])
def test_a_stamp_travels_with_a_copied_folder(write, name):
    path = write(f"results/tiny/deep/er/{name}")
    before = read_stamp(path)
    shutil.copytree("results", "elsewhere/results", copy_function=shutil.copyfile)
    shutil.rmtree("results")
    shutil.move("elsewhere/results", "results")
    assert read_stamp(path).identity == before.identity


def test_another_content_in_a_files_place_has_no_stamp():
    path = stamp_text("results/tiny/a.csv")
    Path(path).write_text("b")
    assert read_stamp(path) is None


def test_the_same_content_with_another_time_keeps_its_stamp():
    path = stamp_text("results/tiny/a.csv")
    before = read_stamp(path).identity
    os.utime(path, (1, 1))
    assert read_stamp(path).identity == before


def test_a_manifest_stands_for_its_folder():
    Path("data/models/mine").mkdir(parents=True)
    weights = Path("data/models/mine/model.safetensors")
    weights.write_bytes(b"1")
    manifest = stamp_text("data/models/mine/manifest.json", "{}")
    assert read_stamp(manifest) is not None
    weights.write_bytes(b"2")
    assert read_stamp(manifest) is None


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "other"},
        {"spec": settings(seed=1)},
        {"code": "beefbeefbeefbeef"},
        {"text": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_made_a_file_changes_its_identity(change):
    path = stamp_text("results/tiny/a.csv")
    before = identify(path)
    stamp_text(path, **change)
    assert identify(path) != before


def test_another_input_changes_the_identity_of_all_below():
    stamp_text("results/tiny/a.csv")
    middle = write_parquet("results/tiny/b.parquet", inputs=["results/tiny/a.csv"])
    end = write_parquet("results/tiny/c.parquet", inputs=[middle])
    before = identify(end)
    stamp_text("results/tiny/a.csv", spec=settings(seed=1))
    write_parquet(middle, inputs=["results/tiny/a.csv"])
    write_parquet(end, inputs=[middle])
    assert identify(end) != before


def test_equal_settings_make_equal_tables():
    path = write_parquet("results/tiny/a.parquet")
    before = identify(path)
    write_parquet(path)
    assert identify(path) == before


def test_an_output_without_a_record_gets_one_of_its_stamp():
    path = write_parquet("results/tiny/a.parquet", spec=settings(seed=3))
    records, said = restore(path)
    assert records[path] == sorted([repr("c0dec0dec0dec0de"), repr(settings(seed=3))])
    assert len(said) == 1
    assert restore(path, records=records)[1] == []  # known from then on


def test_a_record_that_the_stamp_contradicts_is_corrected():
    path = write_parquet("results/tiny/a.parquet", spec=settings(seed=3))
    records = Records({path: sorted([repr("c0dec0dec0dec0de"), repr(settings(seed=4))])})
    restore(path, records=records)
    assert records[path] == sorted([repr("c0dec0dec0dec0de"), repr(settings(seed=3))])


def test_a_file_in_anothers_place_is_made_again():
    one, two = (write_parquet(f"results/tiny/{name}.parquet") for name in "ab")
    shutil.copy2(one, two)
    assert is_unknown(restore(two)[0][two])


@pytest.mark.parametrize("damage", ["silent", "cut", "flipped stamp"])
def test_an_output_that_says_nothing_is_made_again(damage):
    path = write_parquet("results/tiny/a.parquet")
    data = Path(path).read_bytes()
    if damage == "silent":
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"value": [1]}), path)
    elif damage == "cut":
        Path(path).write_bytes(data[: len(data) // 2])
    else:
        Path(path).write_bytes(data.replace(b"c0dec0dec0dec0de", b"beefbeefbeefbeef"))
    params = restore(path)[0][path]
    assert is_unknown(params) or repr("beefbeefbeefbeef") in params


def test_an_output_of_another_input_is_made_again():
    source = stamp_text("results/tiny/a.csv")
    path = write_parquet("results/tiny/b.parquet", inputs=[source])
    stamp_text(source, text="other")
    os.utime(source, (1, 1))  # older than what was made from the first
    assert is_unknown(restore(path)[0][path])


def test_files_that_were_copied_in_any_order_are_dated_by_what_they_are_made_from():
    source = stamp_text("results/tiny/a.csv")
    middle = write_parquet("results/tiny/b.parquet", inputs=[source])
    end = write_parquet("results/tiny/c.parquet", inputs=[middle])
    for seconds, path in [(300, source), (200, middle), (100, end)]:
        os.utime(path, (seconds, seconds))
    restore(end, middle, source)
    times = [os.stat(path).st_mtime for path in (source, middle, end)]
    assert times == [300, 300, 300]


def test_a_source_that_was_touched_makes_nothing_older_than_it():
    Path("original.csv").write_text("a")
    Path("data/tiny/a.csv").symlink_to(Path("original.csv").absolute())
    write_stamp(Stamp("data/tiny/a.csv", "make", settings(seed=0), None, {}))
    path = write_parquet("results/tiny/b.parquet", inputs=["data/tiny/a.csv"])
    os.utime("original.csv", (4e9, 4e9))
    restore(path)
    assert os.stat(path).st_mtime == 4e9


def test_a_users_file_where_a_download_goes_is_refused():
    Path("data/tiny/images.zip").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"data/tiny/images\.zip: .*move it elsewhere"):
        restore("data/tiny/images.zip", is_download=True)
    assert Path("data/tiny/images.zip").read_bytes() == b"mine"


def test_a_run_that_makes_nothing_again_refuses_other_settings_by_name():
    path = write_parquet("results/tiny/a.parquet", spec=settings(seed=3))
    outputs = [Output(path, "make", False)]
    refuse_stale(outputs, lambda path: (settings(seed=3), "c0dec0dec0dec0de"))
    with pytest.raises(InputError, match=r"a\.parquet.*seed.*4.*3"):
        refuse_stale(outputs, lambda path: (settings(seed=4), "c0dec0dec0dec0de"))
    with pytest.raises(InputError, match=r"a\.parquet"):
        refuse_stale(outputs, lambda path: (settings(seed=3), "beefbeefbeefbeef"))


def test_hidden_files_are_no_outputs():
    stamp_text("results/tiny/a.csv")
    assert list(list_files(["results/tiny"])) == ["results/tiny/a.csv"]
