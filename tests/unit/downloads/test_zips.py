"""Zips and JSON: what is damaged, hostile or says two things is refused in one bounded sentence."""

import io
import json
import struct
import tracemalloc
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clip_grounding.datasets.archives import open_images
from clip_grounding.downloads.zips import Archive, DamagedError, describe_remedy, parse_json
from clip_grounding.errors import InputError


def make_zip(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return bytearray(out.getvalue())


def change_directory(data, offset, form, value):
    """Change a field of the first entry of a zip's directory."""
    struct.pack_into(form, data, data.index(b"PK\x01\x02") + offset, value)
    return data


def read(data, member="a"):
    with Archive(io.BytesIO(data), "a.zip") as archive:
        return archive.read(member)


class Nowhere(io.RawIOBase):
    """Counts what is written to it."""

    size = 0

    def write(self, data):
        self.size += len(data)
        return len(data)


@pytest.mark.parametrize(
    ("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")]
)
def test_only_stored_and_deflated_members_are_read(method, name):
    data = make_zip([("a", bytes(20_000_000))], method)
    assert len(data) < 10_000
    tracemalloc.start()
    with pytest.raises(InputError, match=f"member a is compressed by {name}, only stored"):
        read(data)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_bomb_with_a_false_compressed_size_is_refused_unread():
    data = make_zip([("a", bytes(200_000_000))])
    change_directory(data, 20, "<L", 199_000_000)  # so that it seems not to grow
    out = Nowhere()
    with (
        Archive(io.BytesIO(data), "a.zip") as archive,
        pytest.raises(InputError, match="member a claims 199,000,000 bytes, more than the archive"),
    ):
        archive.copy("a", out)
    assert out.size == 0


def test_a_bomb_with_a_false_size_is_read_no_further_than_that():
    data = change_directory(make_zip([("a", bytes(200_000_000))]), 24, "<L", 1000)
    out = Nowhere()
    tracemalloc.start()
    with Archive(io.BytesIO(data), "a.zip") as archive, pytest.raises(DamagedError, match="CRC"):
        archive.copy("a", out)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert out.size <= 1000


def test_a_member_shorter_than_announced_is_refused_though_its_checksum_is_right():
    data = change_directory(make_zip([("a", b"short")]), 24, "<L", 9)
    with pytest.raises(DamagedError, match=r"a is damaged \(5 bytes, 9 were announced\)"):
        read(data)


def test_a_member_that_is_there_twice_is_refused():
    with pytest.warns(UserWarning, match="Duplicate"):
        data = make_zip([("a", b"published"), ("b", b""), ("a", b"evil")])
    with pytest.raises(InputError, match=r"a.zip: member 'a' is there 2 times: this is not the"):
        read(data)


@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (8, "<H", 0x1, "is encrypted"),
        (8, "<H", 0x20, "is damaged"),  # a patch
        (6, "<H", 990, "truncated or not a zip .*version"),
        (10, "<H", 99, "is compressed by 99"),
        (10, "<H", 9, "is compressed by deflate64"),
        (42, "<L", 60, "is damaged|claims|truncated"),  # the place of the member
        (42, "<L", 2**32 - 2, "claims|truncated"),
    ],
)
def test_odd_entries_are_one_sentence(offset, form, value, message):
    data = change_directory(make_zip([("a", b"x" * 200)]), offset, form, value)
    with pytest.raises(InputError, match=message):
        read(data)


BASE = bytes(make_zip([("a", bytes(range(256)) * 8), ("b", b"y" * 500)]))


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, len(BASE)),
)
@example([(BASE.index(b"PK\x05\x06") + 16, 255)], 0)
def test_no_damage_is_a_traceback_or_other_bytes(changes, cut):
    data = bytearray(BASE)
    for position, value in changes:
        data[position] = value
    data = data[: len(data) - cut] if cut < 40 else data
    try:
        content = read(data)
    except InputError:
        return
    assert content == bytes(range(256)) * 8


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 45), st.binary(min_size=1, max_size=8))
def test_no_directory_is_a_traceback(offset, field):
    data = bytearray(BASE)
    start = data.index(b"PK\x01\x02") + offset
    data[start : start + len(field)] = field
    with suppress(InputError):
        read(data)


@pytest.mark.parametrize("kind", ["loop", "folder", "empty file"])
def test_what_is_no_file_is_one_sentence(tmp_path, kind):
    path = tmp_path / "images.zip"
    if kind == "loop":
        path.symlink_to(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"images.zip: truncated or not a zip"):
        open_images(path, "val2017")


# JSON


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' is there twice in one object"),
        ('[{"b": {"a": 1, "c": 0, "a": 1}}]', "the key 'a' is there twice"),
        ('{"a": 1, "\\u0061": 2}', "the key 'a' is there twice"),
        ("[" + "9" * 5000 + "]", "the number 99999999999999999999… is beyond 64 bits"),
        (f"[{2**63}]", "is beyond 64 bits"),
        (f"[{-(2**63) - 1}]", "is beyond 64 bits"),
        ("[NaN]", "NaN is not a finite number"),
        ("[-Infinity]", "-Infinity is not a finite number"),
        ("[1e999]", "1e999 is not a finite number"),
        ('["\\ud800"]', "half a surrogate pair"),
        ('["\\uDC00"]', "half a surrogate pair"),
        ('["\\ude00\\ud83d"]', "half a surrogate pair"),
        ('["\\ud83d x \\ude00"]', "half a surrogate pair"),
        ('["\\ud83d\\\\ude00"]', "half a surrogate pair"),
        ('{"\\ud83d": 1}', "half a surrogate pair"),
        ("[" * 100_000, "recursion"),
        ("[1,\n2,]", "at line 2, column 3"),
        ("", "at line 1, column 1"),
    ],
)
def test_json_that_says_two_things_or_nothing_is_refused(tmp_path, text, problem):
    path = tmp_path / "narratives.json"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        parse_json(path.read_bytes(), str(path))
    message = str(refusal.value)
    assert message.startswith(f"{path}: invalid JSON")
    assert problem in message
    assert message.endswith("delete the file and rerun")
    assert len(message) < 400


@pytest.mark.parametrize("data", [b'["\xed\xa0\x80"]', b'["\xff"]', b"\x00\x00", b"\xff\xfe["])
def test_json_that_is_no_text_is_refused(data):
    with pytest.raises(InputError, match=r"p.zip/a.json: invalid JSON .*not the published archive"):
        parse_json(data, "p.zip/a.json")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab\\u😀"), inner),
        max_leaves=20,
    ),
    st.booleans(),
)
@example(["😀\\ud83d", "\\", "\ud7ff\ue000"], True)
def test_sound_json_is_read_as_it_is(value, escaped):
    assert parse_json(json.dumps(value, ensure_ascii=escaped).encode(), "a.json") == value


@given(st.lists(st.sampled_from(["\\ud83d", "\\ude00", "\\\\", "\\u0041", "x", "u", '\\"'])))
def test_half_pairs_are_found_wherever_they_are(pieces):
    text = f'["{"".join(pieces)}"]'
    try:
        json.loads(text)[0].encode()
        sound = True
    except UnicodeEncodeError:
        sound = False
    try:
        parse_json(text.encode(), "a.json")
    except InputError:
        assert not sound
    else:
        assert sound


def test_a_bound_on_memory_holds_when_json_is_only_checked(tmp_path):
    from clip_grounding.downloads.files import check_content

    path = tmp_path / "a.json"
    record = {"image_id": "139", "segments": [{"utterance": "a cat", "plural": False}] * 20}
    path.write_text(json.dumps([record] * 5000))
    tracemalloc.start()
    check_content(path, ".json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * path.stat().st_size


def test_the_remedy_names_what_must_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/ds/downloads").mkdir(parents=True)
    (tmp_path / "data/ds/downloads/a-1.zip").write_bytes(b"")
    (tmp_path / "mine.zip").write_bytes(b"")
    link = tmp_path / "data/ds/images.zip"
    link.symlink_to("downloads/a-1.zip")
    assert describe_remedy("data/ds/images.zip") == "delete data/ds/downloads/a-1.zip and rerun"
    inside = describe_remedy("data/ds/images.zip/annotations/panoptic_val2017.zip")
    assert inside == "delete data/ds/downloads/a-1.zip and rerun"
    link.unlink()
    link.symlink_to(tmp_path / "mine.zip")
    assert describe_remedy(link, "archive") == (
        "put the right archive at mine.zip, which data/ds/images.zip links to, and rerun"
    )
    link.unlink()
    link.write_bytes(np.zeros(3).tobytes())
    assert describe_remedy(link, "archive") == "delete the archive and rerun"
