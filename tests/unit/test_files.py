"""Files appear whole, whoever writes beside them, and digests are of what is there."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clip_grounding import files
from clip_grounding.files import digest_file, digest_files, replacing

REPOSITORY = Path(__file__).parents[2]
WRITE = """
import sys
from clip_grounding.files import replacing
for number in range(60):
    with replacing(sys.argv[1]) as temporary:
        temporary.write_text(sys.argv[2] * 1000)
"""


def test_processes_that_write_one_file_do_not_remove_each_others(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow_scripts")}
    command = [sys.executable, "-c", WRITE, str(tmp_path / "notes.json")]
    processes = [subprocess.Popen([*command, text], env=environment) for text in "abcd"]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert len(set((tmp_path / "notes.json").read_text())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json"]


def test_threads_that_write_one_file_do_not_share_their_temporary_file(tmp_path):
    def write(text):
        for _ in range(30):
            with replacing(tmp_path / "notes.json") as temporary:
                temporary.write_text(text * 1000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert len(set((tmp_path / "notes.json").read_text())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json"]


def leave_behind(folder, host, process, age=0.0):
    path = folder / f".notes.json.{host}-{process}-abcdef.part"
    path.write_text("half")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_only_what_a_dead_process_left_is_removed(tmp_path):
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    day = 25 * 3600
    gone = [
        leave_behind(tmp_path, files._HOST, done.pid),
        leave_behind(tmp_path, "0" * 8, 7, age=day),
        leave_behind(tmp_path, files._HOST, os.getppid(), age=day),  # its number is used again
    ]
    kept = [
        leave_behind(tmp_path, files._HOST, os.getpid()),
        leave_behind(tmp_path, "0" * 8, done.pid),  # another machine's process may live
        tmp_path / ".notes.json.other.txt",
        tmp_path / ".notes.jsonx.part",
    ]
    for path in kept[2:]:
        path.write_text("a user's")
    with replacing(tmp_path / "notes.json") as temporary:
        temporary.write_text("whole")
    assert sorted(tmp_path.iterdir()) == sorted([*kept, tmp_path / "notes.json"])
    assert not any(path.exists() for path in gone)


def test_a_block_that_raises_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "a").write_text("before")
    with pytest.raises(TypeError), replacing(tmp_path / "a") as temporary:
        temporary.write_text("half") + None
    assert (tmp_path / "a").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_digest_is_of_the_file_that_is_there_now_though_size_and_date_are_kept(tmp_path):
    path, cache = tmp_path / "a", tmp_path / ".digests.json"
    path.write_bytes(b"one")
    before = path.stat()
    assert digest_files([path], cache) == [digest_file(path)]
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest_files([path], cache) == [digest_file(path)]


@pytest.mark.parametrize("content", ["[]", "null", "{", '{"a": [1]}', "\x00", "[" * 100_000])
def test_a_cache_that_holds_anything_else_is_made_anew(tmp_path, content):
    path, cache = tmp_path / "a", tmp_path / ".digests.json"
    path.write_bytes(b"one")
    cache.write_text(content)
    assert digest_files([path], cache) == [digest_file(path)]
    assert list(json.loads(cache.read_text()).values()) == [digest_file(path)]


def test_a_cached_digest_that_is_none_is_not_believed(tmp_path):
    path, cache = tmp_path / "a", tmp_path / ".digests.json"
    path.write_bytes(b"one")
    digest_files([path], cache)
    known = json.loads(cache.read_text())
    cache.write_text(json.dumps(dict.fromkeys(known, "../etc")))
    assert digest_files([path], cache) == [digest_file(path)]
