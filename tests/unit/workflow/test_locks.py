"""A locked folder says whose run it is, and unlocking is advised only where nothing runs."""

import json
import platform
import subprocess
import sys

from clip_grounding.workflow.locks import describe_lock, note_run


def change(note, **facts):
    note.write_text(json.dumps(json.loads(note.read_text()) | facts))


def test_a_run_that_works_is_named_and_is_not_to_be_unlocked(tmp_path):
    note_run(tmp_path)
    said = describe_lock(tmp_path)
    assert "which is running: wait for its end, or stop it with kill -INT" in said
    assert "--unlock" not in said


def test_a_run_that_is_gone_is_to_be_unlocked(tmp_path):
    note = note_run(tmp_path)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    change(note, process=ended.pid)
    assert "which was killed or lost to a power cut" in describe_lock(tmp_path)
    assert "--unlock" in describe_lock(tmp_path)


def test_another_process_of_the_same_number_is_not_taken_for_the_run(tmp_path):
    note = note_run(tmp_path)
    change(note, started=json.loads(note.read_text())["started"] - 100)
    assert "which was killed" in describe_lock(tmp_path)


def test_a_run_on_another_machine_is_to_be_looked_for_there(tmp_path):
    change(note_run(tmp_path), host="node7", process=42)
    said = describe_lock(tmp_path)
    assert platform.node() not in said
    assert "on node7, process 42: see on that machine whether it still runs (ps -p 42)" in said


def test_a_lock_without_a_readable_note_still_has_a_remedy(tmp_path):
    (tmp_path / "run-here-1.json").write_text("{")
    assert "a run that left no note" in describe_lock(tmp_path)
    assert "--unlock" in describe_lock(tmp_path)


def test_no_room_for_the_note_stops_no_run(tmp_path):
    assert note_run(tmp_path / "missing") is None
