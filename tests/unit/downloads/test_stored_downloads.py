"""What is kept of downloads: never another file's, never damaged, and every remedy works."""

import hashlib
import io
import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from serving import CERTIFICATE, Answer, serve, shop

from clip_grounding.datasets.index import _read_narratives
from clip_grounding.downloads import remote
from clip_grounding.downloads.checksums import BY_HAND, read_checksums, record_checksum
from clip_grounding.downloads.files import download
from clip_grounding.downloads.sources import bring_source
from clip_grounding.downloads.urls import stored_name
from clip_grounding.downloads.zips import Archive
from clip_grounding.errors import InputError
from clip_grounding.files import drop_dangling_links

GOOD = json.dumps([{"image_id": str(number)} for number in range(5000)]).encode()
OTHER = json.dumps([{"image_id": str(number)} for number in range(4000)]).encode()
NARRATIVES = "data/ds/narratives.json"
SUMS = Path("data/ds/SHA256SUMS")
STORE = Path("data/ds/downloads")


@pytest.fixture(autouse=True)
def in_a_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(remote, "TIMEOUT", 0.5)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))


def digest(body):
    return hashlib.sha256(body).hexdigest()


def make_zip(members, seed=0):
    """A zip of members with random bytes, by name and size."""
    out, random = io.BytesIO(), np.random.default_rng(seed)
    with zipfile.ZipFile(out, "w") as archive:
        for name, size in members.items():
            archive.writestr(name, random.bytes(size))
    return out.getvalue()


def bring(url, path=NARRATIVES, **known):
    bring_source([url] if isinstance(url, str) else url, path, "data/ds", **known)
    return Path(path).read_bytes()


def damage(path, position=0.5):
    """Overwrite bytes in place, and keep the size and the date as if nothing had happened."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    start = int(len(data) * position)
    data[start : start + 20] = bytes(20)
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def follow(remedy):
    """Delete the file that a message says to delete."""
    name = re.search(r"delete (\S+) and rerun|(\S+): [^:]*: delete it", remedy)
    path = Path(name[1] or name[2])
    assert path.is_file()
    path.unlink()


# Delete the file and rerun.


def test_deleting_a_damaged_json_as_its_message_says_brings_it_anew():
    with serve({"/a.json": GOOD}) as server:
        url = f"{server.url}/a.json"
        bring(url)
        damage(STORE / stored_name(url))
        with pytest.raises(InputError, match="invalid JSON") as refusal:
            _read_narratives(Path(NARRATIVES))
        follow(str(refusal.value))
        assert not Path(NARRATIVES).exists()  # so that Snakemake runs the download again
        assert bring(url) == GOOD


def test_deleting_a_damaged_archive_as_its_message_says_brings_it_anew():
    whole = make_zip({"val2017/a.jpg": 90_000})
    for path in ("data/ds/images.zip", "data/ds/images/0000.zip"):
        with serve({"/a.zip": whole}) as server:
            url, known = f"{server.url}/a.zip", {"sha256": digest(whole)}
            bring(url, path, **known)
            damage(STORE / stored_name(url))
            with Archive(path, path) as archive, pytest.raises(InputError, match="CRC") as refusal:
                archive.read("val2017/a.jpg")
            follow(str(refusal.value))
            assert not Path(path).exists()
            assert bring(url, path, **known) == whole


@pytest.mark.parametrize("known", [{}, {"sha256": digest(GOOD)}], ids=["unknown", "known"])
def test_deleting_the_link_alone_does_not_link_a_damaged_download_again(known):
    with serve({"/a.json": GOOD}) as server:
        url = f"{server.url}/a.json"
        bring(url, **known)
        damage(STORE / stored_name(url))
        Path(NARRATIVES).unlink()
        with pytest.raises(InputError, match="sha256") as refusal:
            bring(url, **known)
        assert not Path(NARRATIVES).exists()
        follow(str(refusal.value))
        assert bring(url, **known) == GOOD


@pytest.mark.parametrize("name", ["a.json", "a.zip"])
def test_a_damaged_download_that_an_older_version_recorded_is_fetched_anew(name):
    good = {"a.json": GOOD, "a.zip": make_zip({"val2017/a.jpg": 9000})}[name]
    bad = good[:2000] + bytes(100) + good[2100:]
    path = f"data/ds/x{Path(name).suffix}"
    with serve({f"/{name}": good}) as server:
        url = f"{server.url}/{name}"
        STORE.mkdir(parents=True)
        (STORE / stored_name(url)).write_bytes(bad)
        record_checksum(SUMS, f"downloads/{stored_name(url)}", digest(bad), url)
        assert bring(url, path) == good
    assert read_checksums(SUMS)[f"downloads/{stored_name(url)}"].sha256 == digest(good)


def test_a_damaged_file_of_the_users_own_is_to_be_replaced_not_deleted():
    mine = Path("mine.json")
    mine.write_bytes(GOOD)
    bring(str(mine))
    damage(mine)
    with pytest.raises(InputError, match=f"put the right file at {mine}") as refusal:
        _read_narratives(Path(NARRATIVES))
    assert "delete" not in str(refusal.value)
    with pytest.raises(InputError, match=r"not a complete JSON .*put the right file there"):
        bring(str(mine))
    mine.write_bytes(GOOD)
    assert bring(str(mine)) == GOOD


def test_a_file_by_hand_is_the_remedy_of_a_server_that_is_gone():
    with serve({}) as server:
        url = f"{server.url}/sub/a.json"
        for put in (0, 1):  # once under the plain name, once where that is another URL's
            with pytest.raises(InputError, match="404") as refusal:
                bring(url)
            place = Path(re.search(r"fetch it by hand as (\S+)", str(refusal.value))[1])
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(GOOD)
            assert bring(url) == GOOD
            place.unlink()
            SUMS.unlink()
            if put == 0:
                assert place == (STORE / "a.json").absolute() or place == STORE / "a.json"
                record_checksum(SUMS, "downloads/a.json", digest(OTHER), "http://other/a.json")
                (STORE / "a.json").write_bytes(OTHER)
            else:
                assert place.name == stored_name(url)


def test_a_wrong_file_by_hand_is_right_once_the_config_has_its_checksum():
    with serve({"/a.json": GOOD}) as server:
        url = f"{server.url}/a.json"
        bring(url)
        (STORE / stored_name(url)).write_bytes(OTHER)
        with pytest.raises(InputError, match="if it is right, give its sha256 in the config"):
            bring(url)
        assert bring(url, sha256=digest(OTHER)) == OTHER


def test_published_files_by_hand_are_the_remedy_of_a_server_that_is_gone():
    with (
        serve({}) as server,
        pytest.raises(InputError, match="their folder as `published_metrics`"),
    ):
        download([f"{server.url}/scores.pt"], "data/published/scores.pt")
    Path("folder").mkdir()
    Path("folder/scores.pt").write_bytes(b"scores")
    download(["folder/scores.pt"], "data/published/scores.pt")
    assert Path("data/published/scores.pt").read_bytes() == b"scores"


def test_a_line_of_sums_that_is_no_checksum_can_be_deleted():
    with serve({"/a.json": GOOD}) as server:
        url = f"{server.url}/a.json"
        bring(url)
        SUMS.write_text(SUMS.read_text() + "garbage\n")
        with pytest.raises(
            InputError, match=r"line 3 is not a checksum.*correct or delete the line"
        ):
            bring(url)
        SUMS.write_text(SUMS.read_text().removesuffix("garbage\n"))
        assert bring(url) == GOOD
        SUMS.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(InputError, match=r"not readable .*delete it and rerun"):
            bring(url)
        SUMS.unlink()
        assert bring(url) == GOOD


def test_a_truncated_download_is_never_recorded():
    half = Answer(GOOD[:-20] + b"]", headers={"Content-Length": None})
    with serve({"/a.json": [half, GOOD]}) as server:
        with pytest.raises(InputError, match="not a complete JSON"):
            bring(f"{server.url}/a.json")
        assert read_checksums(SUMS) == {}
        assert bring(f"{server.url}/a.json") == GOOD


def test_an_archive_with_a_damaged_member_is_never_recorded():
    whole = make_zip({"val2017/a.jpg": 9000, "val2017/b.jpg": 9000})
    damaged = whole[:3000] + bytes(10) + whole[3010:]
    with serve({"/a.zip": [damaged, whole]}) as server:
        with pytest.raises(InputError, match=r"not a complete zip .member val2017/a.jpg .*CRC"):
            bring(f"{server.url}/a.zip", "data/ds/images.zip")
        assert read_checksums(SUMS) == {}
        assert bring(f"{server.url}/a.zip", "data/ds/images.zip") == whole


def test_digests_that_are_no_digests_are_made_anew():
    with serve({"/a.json": GOOD}) as server:
        url = f"{server.url}/a.json"
        bring(url)
        for content in ("[]", "3", '{"a": 3}', "[" * 100_000, "\x00"):
            (STORE / ".digests.json").write_text(content)
            assert bring(url) == GOOD
        assert len(server.log) == 1


def test_links_to_files_that_are_gone_are_dropped_and_nothing_else():
    folder = Path("data/ds")
    (folder / "images").mkdir(parents=True)
    Path("mine.zip").write_bytes(b"mine")
    for name in ("panoptic.zip", "images/0000.zip"):
        (folder / name).symlink_to(Path("downloads/gone.zip"))
    (folder / "images.zip").symlink_to(Path("mine.zip").absolute())
    (folder / "notes.txt").write_text("a user's")
    drop_dangling_links(folder)
    drop_dangling_links(Path("data/absent"))
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    assert left == ["images", "images.zip", "notes.txt"]


# After a power cut.


@pytest.mark.parametrize("known", [{}, {"sha256": digest(GOOD)}], ids=["unknown", "known"])
def test_zeros_where_the_note_claims_bytes_are_not_taken(known):
    answers = {"/a.json": [shop(GOOD, cut=70_000), Answer(status=404)]}
    with serve(answers) as server:
        url = f"{server.url}/a.json"
        with pytest.raises(InputError, match="404"):
            bring(url, **known)
        part = STORE / f"{stored_name(url)}.part"
        part.write_bytes(part.read_bytes()[:20_000] + bytes(50_000))
        answers["/a.json"] = shop(GOOD)
        assert bring(url, **known) == GOOD
    assert read_checksums(SUMS)[f"downloads/{stored_name(url)}"].sha256 == digest(GOOD)


def test_a_part_that_is_shorter_than_its_note_claims_is_completed():
    answers = {"/a.json": [shop(GOOD, cut=70_000), Answer(status=404)]}
    with serve(answers) as server:
        url = f"{server.url}/a.json"
        with pytest.raises(InputError, match="404"):
            bring(url)
        os.truncate(STORE / f"{stored_name(url)}.part", 20_000)
        answers["/a.json"] = shop(GOOD)
        assert bring(url) == GOOD
    assert server.log[-1].range == "bytes=20000-"


@pytest.mark.parametrize("zeros", [slice(0, None), slice(0, 60_000), slice(-30_000, None)])
def test_zeros_in_a_part_of_an_archive_are_fetched_again(zeros):
    members = {"val2017/a.jpg": 90_000, "val2017/b.jpg": 90_000, "val2017/c.jpg": 900_000}
    whole, wanted = make_zip(members), ["val2017/a.jpg", "val2017/b.jpg"]
    with serve({"/a.zip": shop(whole)}) as server:
        url = f"{server.url}/a.zip"
        bring(url, "data/ds/images/0000.zip", members=wanted[:1])
        part = STORE / f"{stored_name(url)}.part"
        data = bytearray(part.read_bytes())
        data[zeros] = bytes(len(data[zeros]))
        part.write_bytes(data)
        bring(url, "data/ds/images/0001.zip", members=wanted)
    with (
        zipfile.ZipFile("data/ds/images/0001.zip") as some,
        Archive(io.BytesIO(whole), "w") as all_,
    ):
        for member in wanted:
            assert some.read(member) == all_.read(member)


def test_bytes_are_synced_before_the_note_that_claims_them(monkeypatch):
    events, fsync, replace = [], os.fsync, os.replace

    def watch_fsync(descriptor):
        target = os.readlink(f"/proc/self/fd/{descriptor}")
        events.append(("sync", Path(target).name))
        fsync(descriptor)

    def watch_replace(source, target):
        events.append(("rename", Path(target).name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(os, "replace", watch_replace)
    with serve({"/a.json": [shop(GOOD, cut=70_000), shop(GOOD)]}) as server:
        url = f"{server.url}/a.json"
        bring(url)
    part, note = f"{stored_name(url)}.part", f"{stored_name(url)}.part.json"
    notes = [index for index, event in enumerate(events) if event == ("rename", note)]
    assert notes
    for index in notes:
        kind, content = events[index - 1]
        assert (kind, content.startswith(f".{note}.")) == ("sync", True)  # the note's own bytes
        assert events[index - 2] == ("sync", part)
        assert events[index + 1] == ("sync", "downloads")
    sums = events.index(("rename", "SHA256SUMS"))
    assert events[sums - 1][1].startswith(".SHA256SUMS.")
    assert ("sync", "downloads") in events[notes[-1] + 1 : sums]  # the final name


# Files with the same last part.


@pytest.mark.parametrize(
    ("one", "other"),
    [("/a/data.json", "/b/data.json"), ("/get?id=1", "/get?id=2"), ("/a/d.json", "/a/d.json?v=2")],
)
def test_two_urls_with_the_same_last_part_are_two_files(one, other):
    with serve({one: GOOD, other: OTHER}) as server:
        assert bring(server.url + one, "data/ds/one.json") == GOOD
        assert bring(server.url + other, "data/ds/other.json") == OTHER
        assert bring(server.url + one, "data/ds/one.json") == GOOD
        assert bring(server.url + other, "data/ds/one.json") == OTHER
    assert len(server.log) == 2
    assert len(list(STORE.glob("*-*.json")) + list(STORE.glob("get-*"))) == 2


def test_a_part_of_another_url_is_not_continued():
    answers = {"/a/d.json": [shop(GOOD, cut=50_000), Answer(status=404)]}
    with serve(answers) as server, pytest.raises(InputError, match="404"):
        bring(f"{server.url}/a/d.json")
    with serve({"/b/d.json": shop(OTHER)}) as server:
        assert bring(f"{server.url}/b/d.json") == OTHER
    assert server.log[0].range is None


def test_a_file_by_hand_for_one_url_is_not_taken_for_another():
    STORE.mkdir(parents=True)
    (STORE / "data.json").write_bytes(GOOD)
    with serve({"/b/data.json": OTHER}) as server:
        assert bring(f"{server.url}/a/data.json", "data/ds/one.json") == GOOD
        assert bring(f"{server.url}/b/data.json", "data/ds/other.json") == OTHER
    origin = read_checksums(SUMS)["downloads/data.json"].origin
    assert origin == f"{BY_HAND} for {server.url}/a/data.json"


def test_a_download_of_an_older_version_is_used_for_its_own_url_alone():
    STORE.mkdir(parents=True)
    (STORE / "data.json").write_bytes(GOOD)
    with serve({"/b/data.json": OTHER}) as server:
        record_checksum(SUMS, "downloads/data.json", digest(GOOD), f"{server.url}/a/data.json")
        assert bring(f"{server.url}/b/data.json") == OTHER
        assert (STORE / "data.json").read_bytes() == GOOD
        assert bring(f"{server.url}/a/data.json") == GOOD
    assert len(server.log) == 1


def test_mirrors_in_another_order_use_what_was_downloaded():
    with serve({"/a/data.json": GOOD}) as server:
        urls = [f"{server.url}/a/data.json", f"{server.url}/b/data.json"]
        bring(urls)
        assert bring(urls[::-1]) == GOOD
        assert len(server.log) == 1


def test_mirrors_in_another_order_continue_what_was_begun():
    answers = {"/a/d.json": [shop(GOOD, cut=60_000), Answer(status=404)]}
    with serve(answers) as server:
        urls = [f"{server.url}/a/d.json", f"{server.url}/b/d.json"]
        known = {"size": len(GOOD), "sha256": digest(GOOD)}
        with pytest.raises(InputError):
            bring(urls, **known)
        answers["/b/d.json"] = shop(GOOD, '"other"')
        assert bring(urls[::-1], **known) == GOOD
    assert server.log[-1].range == "bytes=60000-"


# The sha256 of the config.

MEMBERS = {"annotations/p.json": 20_000, "annotations/p.zip": 30_000, "annotations/q.zip": 900_000}
PUBLISHED = make_zip(MEMBERS)
ALTERED = make_zip(MEMBERS, seed=1)
WANTED = ["annotations/p.json", "annotations/p.zip"]


def test_an_altered_archive_of_the_right_size_is_refused_over_plain_http(capsys):
    assert len(ALTERED) == len(PUBLISHED)
    known = {"size": len(PUBLISHED), "sha256": digest(PUBLISHED), "members": WANTED}
    with serve({"/p.zip": shop(ALTERED)}) as server, pytest.raises(InputError) as refusal:
        bring(f"{server.url}/p.zip", "data/ds/panoptic.zip", **known)
    assert f"its sha256 is {digest(ALTERED)}, {digest(PUBLISHED)} was expected" in str(
        refusal.value
    )
    assert not Path("data/ds/panoptic.zip").exists()
    assert "fetching all of it to check" in capsys.readouterr().out


def test_over_https_members_alone_are_fetched_and_what_is_not_checked_is_said(capsys):
    known = {"size": len(PUBLISHED), "sha256": digest(PUBLISHED), "members": WANTED}
    with serve({"/p.zip": shop(PUBLISHED)}, tls=True) as server:
        bring(f"{server.url}/p.zip", "data/ds/panoptic.zip", **known)
    assert server.sent < 200_000
    assert "not by the sha256 of the whole file" in capsys.readouterr().out


def test_a_plain_mirror_behind_an_https_server_is_checked_as_a_whole():
    known = {"size": len(PUBLISHED), "sha256": digest(PUBLISHED), "members": WANTED}
    with serve({}, tls=True) as gone, serve({"/p.zip": shop(PUBLISHED)}) as mirror:
        urls = [f"{gone.url}/p.zip", f"{mirror.url}/p.zip"]
        assert bring(urls, "data/ds/panoptic.zip", **known) == PUBLISHED
        Path("data/ds/panoptic.zip").unlink()
        (STORE / stored_name(urls[0])).unlink()
    with serve({}, tls=True) as gone, serve({"/p.zip": shop(ALTERED)}) as mirror:
        urls = [f"{gone.url}/p.zip", f"{mirror.url}/p.zip"]
        with pytest.raises(InputError, match="its sha256 is"):
            bring(urls, "data/ds/panoptic.zip", **known)


def test_parts_of_a_plain_mirror_are_not_taken_for_members_over_https():
    known = {"size": len(PUBLISHED), "sha256": digest(PUBLISHED)}
    secure = {"/p.zip": Answer(status=404)}
    with serve(secure, tls=True) as server:
        with serve({"/p.zip": [shop(ALTERED, cut=900_000), Answer(status=404)]}) as mirror:
            urls = [f"{server.url}/p.zip", f"{mirror.url}/p.zip"]
            with pytest.raises(InputError, match="404"):
                bring(urls, "data/ds/panoptic.zip", **known, members=WANTED)
        # The whole goes on over https, and is cut off: the note is the https server's now.
        secure["/p.zip"] = [shop(PUBLISHED, '"v2"', cut=10_000), Answer(status=404)]
        with pytest.raises(InputError, match="404"):
            bring(urls[:1], "data/ds/panoptic.zip", **known)
        secure["/p.zip"] = shop(PUBLISHED, '"v2"')
        bring(urls[:1], "data/ds/panoptic.zip", **known, members=WANTED)
    with (
        zipfile.ZipFile("data/ds/panoptic.zip") as some,
        Archive(io.BytesIO(PUBLISHED), "p") as all_,
    ):
        for member in WANTED:
            assert some.read(member) == all_.read(member)


def test_parts_that_came_over_https_are_checked_when_the_whole_is_completed():
    known = {"size": len(PUBLISHED), "sha256": digest(PUBLISHED)}
    answers = {"/p.zip": shop(ALTERED)}
    with serve(answers, tls=True) as server:
        url = f"{server.url}/p.zip"
        bring(url, "data/ds/images/0000.zip", **known, members=WANTED)
        answers["/p.zip"] = shop(PUBLISHED)
        assert bring(url, "data/ds/images.zip", **known) == PUBLISHED


def test_an_archive_that_lists_a_member_twice_is_refused_from_a_server():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(WANTED[0], b"published")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(WANTED[0], b"evil")
    with serve({"/p.zip": shop(out.getvalue())}) as server:
        for known in ({"members": WANTED[:1]}, {}):
            with pytest.raises(InputError, match=r"'annotations/p.json' is there 2 times"):
                bring(f"{server.url}/p.zip", "data/ds/panoptic.zip", **known)


def test_a_server_whose_archive_is_mended_is_asked_again():
    answers = {"/p.zip": shop(make_zip({"annotations/q.zip": 500}))}
    with serve(answers) as server:
        url = f"{server.url}/p.zip"
        with pytest.raises(InputError, match=r"has no member annotations/p.json"):
            bring(url, "data/ds/panoptic.zip", members=WANTED)
        answers["/p.zip"] = shop(PUBLISHED, '"v2"')
        bring(url, "data/ds/panoptic.zip", members=WANTED)


@pytest.mark.parametrize("kind", ["loop", "folder"])
def test_an_odd_thing_in_the_place_of_a_download_is_one_sentence(kind):
    with serve({"/a.json": GOOD}) as server:
        url = f"{server.url}/a.json"
        place = STORE / stored_name(url)
        STORE.mkdir(parents=True)
        if kind == "loop":
            place.symlink_to(place.name)
            assert bring(url) == GOOD
        else:
            place.mkdir()
            with pytest.raises(InputError, match=f"{place}: .*delete it"):
                bring(url)
