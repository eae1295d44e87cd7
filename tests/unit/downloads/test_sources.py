"""A dataset's files: by hand, linked, in parts or whole, and checked against what is known."""

import hashlib
import io
import json
import re
import zipfile

import numpy as np
import pytest
from serving import CERTIFICATE, Answer, serve, shop

from clip_grounding.datasets import layout
from clip_grounding.downloads import remote
from clip_grounding.downloads.checksums import BY_HAND, read_checksums
from clip_grounding.downloads.sources import bring_source
from clip_grounding.downloads.urls import stored_name
from clip_grounding.errors import InputError

NARRATIVES = json.dumps([{"image_id": str(number)} for number in range(5000)]).encode()
OTHER = json.dumps([{"image_id": str(number)} for number in range(4000)]).encode()


@pytest.fixture(autouse=True)
def in_a_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(remote, "TIMEOUT", 0.5)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))


def digest(body):
    return hashlib.sha256(body).hexdigest()


def make_zip(sizes, seed=0, compression=zipfile.ZIP_STORED):
    """A zip of members with random bytes, by name and size."""
    out, random = io.BytesIO(), np.random.default_rng(seed)
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, size in sizes.items():
            archive.writestr(name, random.bytes(size))
    return out.getvalue()


PANOPTIC = make_zip(
    {
        "annotations/panoptic_train2017.zip": 30_000_000,
        "annotations/panoptic_val2017.json": 200_000,
        "annotations/panoptic_train2017.json": 19_000_000,
        "annotations/panoptic_val2017.zip": 700_000,
        "annotations/readme.txt": 300,
    }
)
MEMBERS = layout.panoptic_members("val2017")


def assert_same_members(path, whole, members):
    with zipfile.ZipFile(path) as part, zipfile.ZipFile(io.BytesIO(whole)) as published:
        assert part.namelist() == members
        for member in members:
            assert part.read(member) == published.read(member)


def test_a_download_is_kept_under_its_published_name_and_linked(tmp_path):
    with serve({"/png_val.json": NARRATIVES}) as server:
        bring_source([f"{server.url}/png_val.json?raw=1"], "data/ds/narratives.json", "data/ds")
        stored = stored_name(f"{server.url}/png_val.json?raw=1")
    path = tmp_path / "data/ds/narratives.json"
    assert path.read_bytes() == NARRATIVES
    assert re.fullmatch(r"png_val-[0-9a-f]{12}\.json", stored)
    assert str(path.readlink()) == f"downloads/{stored}"


def test_the_first_checksum_is_recorded_with_its_origin(tmp_path):
    with serve({"/a.json": NARRATIVES}) as server:
        bring_source([f"{server.url}/a.json"], "data/ds/narratives.json", "data/ds")
    name = f"downloads/{stored_name(f'{server.url}/a.json')}"
    record = read_checksums(tmp_path / "data/ds/SHA256SUMS")[name]
    assert record.sha256 == digest(NARRATIVES)
    assert record.origin == f"{server.url}/a.json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record.day)
    text = (tmp_path / "data/ds/SHA256SUMS").read_text()
    assert f"{digest(NARRATIVES)}  {name}\n" in text  # as sha256sum --check reads it


def test_a_later_download_that_differs_from_the_record_is_refused_with_both(tmp_path):
    answers = {"/a.json": NARRATIVES}
    with serve(answers) as server:
        url = f"{server.url}/a.json"
        bring_source([url], "data/ds/narratives.json", "data/ds")
        (tmp_path / "data/ds/downloads" / stored_name(url)).unlink()
        (tmp_path / "data/ds/narratives.json").unlink()
        answers["/a.json"] = OTHER
        with pytest.raises(InputError) as refusal:
            bring_source([url], "data/ds/narratives.json", "data/ds")
        assert digest(OTHER) in str(refusal.value)
        assert digest(NARRATIVES) in str(refusal.value)
        assert "give its sha256 in the config" in str(refusal.value)
        assert not (tmp_path / "data/ds/narratives.json").exists()
        # The remedy that it names works.
        bring_source([url], "data/ds/narratives.json", "data/ds", sha256=digest(OTHER))
    assert (tmp_path / "data/ds/narratives.json").read_bytes() == OTHER


def test_a_mirror_with_what_the_record_says_is_good(tmp_path):
    with serve({"/a.json": NARRATIVES}) as server:
        urls = [f"{server.url}/gone.json", f"{server.url}/a.json"]
        bring_source(urls, "data/ds/narratives.json", "data/ds")
    assert (tmp_path / "data/ds/downloads" / stored_name(urls[0])).read_bytes() == NARRATIVES


def test_what_was_downloaded_is_checked_and_not_downloaded_again(tmp_path):
    with serve({"/a.json": NARRATIVES}) as server:
        for _ in range(2):
            bring_source([f"{server.url}/a.json"], "data/ds/narratives.json", "data/ds")
            (tmp_path / "data/ds/narratives.json").unlink()  # as Snakemake does before a job
        assert len(server.log) == 1


@pytest.mark.parametrize("change", ["url", "sha256"])
def test_another_url_or_checksum_downloads_again(tmp_path, change):
    with serve({"/old/a.json": NARRATIVES, "/new/a.json": OTHER}) as server:
        bring_source([f"{server.url}/old/a.json"], "data/ds/narratives.json", "data/ds")
        url = f"{server.url}/{'new' if change == 'url' else 'old'}/a.json"
        if change == "sha256":
            with pytest.raises(InputError, match=digest(OTHER)):
                bring_source([url], "data/ds/narratives.json", "data/ds", sha256=digest(OTHER))
        else:
            bring_source([url], "data/ds/narratives.json", "data/ds")
            assert (tmp_path / "data/ds/narratives.json").read_bytes() == OTHER
        assert len(server.log) == 2


def put_by_hand(tmp_path, body):
    file = tmp_path / "data/ds/downloads/a.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(body)


@pytest.mark.parametrize("known", [{}, {"sha256": digest(NARRATIVES)}, {"size": len(NARRATIVES)}])
def test_a_file_put_in_place_by_hand_is_checked_and_used(tmp_path, known):
    put_by_hand(tmp_path, NARRATIVES)
    bring_source(["http://127.0.0.1:1/a.json"], "data/ds/narratives.json", "data/ds", **known)
    assert (tmp_path / "data/ds/narratives.json").read_bytes() == NARRATIVES
    record = read_checksums(tmp_path / "data/ds/SHA256SUMS")["downloads/a.json"]
    assert record.origin == f"{BY_HAND} for http://127.0.0.1:1/a.json"
    assert record.sha256 == digest(NARRATIVES)


@pytest.mark.parametrize("known", [{"sha256": digest(NARRATIVES)}, {"size": len(NARRATIVES)}])
def test_a_wrong_file_put_in_place_by_hand_is_refused_and_kept(tmp_path, known):
    put_by_hand(tmp_path, OTHER)
    with pytest.raises(InputError, match=r"data/ds/downloads/a.json: .* (was|were) expected"):
        bring_source(["http://127.0.0.1:1/a.json"], "data/ds/narratives.json", "data/ds", **known)
    assert (tmp_path / "data/ds/downloads/a.json").read_bytes() == OTHER


def test_a_local_file_is_linked_and_not_copied(tmp_path):
    (tmp_path / "mine.json").write_bytes(NARRATIVES)
    bring_source(["mine.json"], "data/ds/narratives.json", "data/ds")
    assert (tmp_path / "data/ds/narratives.json").readlink() == tmp_path / "mine.json"
    assert not (tmp_path / "data/ds/downloads").exists()


def test_three_members_of_a_large_archive_move_little(tmp_path):
    members = [*MEMBERS, "annotations/readme.txt"]
    with serve({"/p.zip": shop(PANOPTIC)}) as server:
        bring_source(
            [f"{server.url}/p.zip"], "data/ds/panoptic.zip", "data/ds", len(PANOPTIC), None, members
        )
    assert len(PANOPTIC) > 49e6
    assert server.sent < 2e6
    assert_same_members(tmp_path / "data/ds/panoptic.zip", PANOPTIC, members)


def test_members_are_continued_after_an_interruption(tmp_path):
    answers = {"/p.zip": [*[shop(PANOPTIC)] * 2, shop(PANOPTIC, cut=100_000), Answer(status=404)]}
    with serve(answers) as server:
        url = [f"{server.url}/p.zip"]
        with pytest.raises(InputError, match="404"):
            bring_source(url, "data/ds/panoptic.zip", "data/ds", members=MEMBERS)
        answers["/p.zip"] = shop(PANOPTIC)
        bring_source(url, "data/ds/panoptic.zip", "data/ds", members=MEMBERS)
    assert_same_members(tmp_path / "data/ds/panoptic.zip", PANOPTIC, MEMBERS)
    assert server.sent < 1_300_000  # nothing twice


def test_a_server_that_sends_no_parts_is_asked_for_the_whole(tmp_path):
    whole = make_zip({MEMBERS[0]: 1000, MEMBERS[1]: 2000, "more": 300_000})
    with serve({"/p.zip": whole}) as server:
        url = [f"{server.url}/p.zip"]
        bring_source(url, "data/ds/panoptic.zip", "data/ds", len(whole), digest(whole), MEMBERS)
    assert (tmp_path / "data/ds/panoptic.zip").read_bytes() == whole


def test_a_damaged_member_is_fetched_once_more(tmp_path):
    damaged = bytearray(PANOPTIC)
    with zipfile.ZipFile(io.BytesIO(PANOPTIC)) as archive:
        damaged[archive.getinfo(MEMBERS[1]).header_offset + 5000] ^= 255
    # tail and directory, then the members: the second answer holds the wrong byte
    answers = {"/p.zip": [shop(PANOPTIC), shop(bytes(damaged))]}
    with serve(answers) as server:
        url = [f"{server.url}/p.zip"]
        with pytest.raises(InputError, match=r"panoptic_val2017.zip is damaged .CRC"):
            bring_source(url, "data/ds/panoptic.zip", "data/ds", len(PANOPTIC), members=MEMBERS)
        assert not (tmp_path / "data/ds/panoptic.zip").exists()
        answers["/p.zip"] = shop(PANOPTIC)
        bring_source(url, "data/ds/panoptic.zip", "data/ds", len(PANOPTIC), members=MEMBERS)
    assert_same_members(tmp_path / "data/ds/panoptic.zip", PANOPTIC, MEMBERS)


def test_a_missing_member_is_named(tmp_path):
    with (
        serve({"/p.zip": shop(PANOPTIC)}) as server,
        pytest.raises(InputError, match=r"has no member annotations/panoptic_test2017.json"),
    ):
        bring_source(
            [f"{server.url}/p.zip"],
            "data/ds/panoptic.zip",
            "data/ds",
            members=layout.panoptic_members("test2017"),
        )
    assert not (tmp_path / "data/ds/panoptic.zip").exists()


def test_more_images_fetch_only_the_rest_and_all_of_them_make_the_whole_zip(tmp_path):
    sizes = {f"val2017/{number:012d}.jpg": 150_000 for number in range(40)}
    whole, names = make_zip(sizes), list(sizes)
    known = {"size": len(whole), "sha256": digest(whole)}
    with serve({"/val2017.zip": shop(whole)}, tls=True) as server:
        url, path = [f"{server.url}/val2017.zip"], tmp_path / "data/ds/images.zip"
        moved = []
        for members in (names[:10], names[:20], None):
            bring_source(url, path, "data/ds", **known, members=members)
            moved.append(server.sent)
            if members:
                assert_same_members(path, whole, members)
    assert path.read_bytes() == whole
    assert moved[0] < 10 * 150_000 + 300_000
    assert moved[1] - moved[0] < 10 * 150_000 + 100_000
    assert moved[2] == len(whole)  # every byte once
    assert len(server.log) < 12


HOSTILE = {
    "an absolute name": ("/etc/passwd", "points outside of the archive"),
    "a name with ..": ("../../escape.txt", "points outside of the archive"),
    "a windows path": ("C:\\escape.txt", "points outside of the archive"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_archive_with_hostile_names_is_refused(tmp_path, kind):
    name, message = HOSTILE[kind]
    body = make_zip({name: 100, MEMBERS[0]: 100, MEMBERS[1]: 100})
    with serve({"/p.zip": shop(body)}) as server, pytest.raises(InputError, match=message):
        bring_source([f"{server.url}/p.zip"], "data/ds/panoptic.zip", "data/ds", members=MEMBERS)
    assert [path.name for path in (tmp_path / "data/ds").iterdir()] == ["downloads"]
    assert not list(tmp_path.parent.rglob("escape.txt"))


def test_a_truncated_directory_is_refused(tmp_path):
    with (
        serve({"/p.zip": shop(PANOPTIC[:-40])}) as server,
        pytest.raises(InputError, match="truncated or not a zip"),
    ):
        bring_source([f"{server.url}/p.zip"], "data/ds/panoptic.zip", "data/ds", members=MEMBERS)
    assert not (tmp_path / "data/ds/panoptic.zip").exists()


def test_the_first_images_by_id_are_chosen(tmp_path):
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in (9, 3, 7)]
    with zipfile.ZipFile(tmp_path / "panoptic.zip", "w") as archive:
        archive.writestr("annotations/panoptic_val2017.json", json.dumps({"images": images}))
    chosen = layout.image_members(tmp_path / "panoptic.zip", "val2017", [0, 2])
    assert chosen == ["val2017/3.jpg", "val2017/7.jpg"]


def test_a_disk_that_is_full_is_said_for_single_members_too(tmp_path):
    folder = tmp_path / "data/ds/downloads"
    folder.mkdir(parents=True)
    with serve({"/p.zip": shop(PANOPTIC)}) as server:
        url = f"{server.url}/p.zip"
        (folder / f"{stored_name(url)}.part").symlink_to("/dev/full")
        with pytest.raises(InputError, match=r"\(No space left on device\): make room in"):
            bring_source([url], "data/ds/panoptic.zip", "data/ds", members=MEMBERS)
