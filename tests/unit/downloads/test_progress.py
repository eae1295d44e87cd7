"""Progress: a bar with rate and time left on a terminal, a line now and then in a log."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from serving import serve, shop

from clip_grounding.downloads import progress
from clip_grounding.downloads.files import download
from clip_grounding.downloads.progress import Progress

BODY = bytes(3_000_000)
REPOSITORY = Path(__file__).parents[3]
PROGRAM = """
import sys
from clip_grounding.downloads.files import download
from clip_grounding.logs import start_log
start_log(sys.argv[2] + ".log")
download([sys.argv[1]], sys.argv[2])
"""


def test_a_log_has_one_line_for_a_quick_download(tmp_path, capsys):
    with serve({"/images.zip": shop(BODY)}) as server:
        download([f"{server.url}/images.zip"], tmp_path / "file")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("images.zip: 3.0 MB of 3.0 MB (100%), at ")


def test_a_slow_download_says_now_and_then_how_long_it_will_take(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0)
    with Progress("images.zip", total=4_000_000, here=1_000_000) as bar:
        bar.advance(1_000_000)
    first, line, last = capsys.readouterr().out.splitlines()
    assert first == "images.zip: going on after 1,000,000 bytes"
    assert line.startswith("images.zip: 2.0 MB of 4.0 MB (50%) at ")
    assert line.endswith(" left")
    assert last.startswith("images.zip: 2.0 MB of 4.0 MB")


def test_a_job_started_on_a_terminal_shows_its_bar_there_and_not_in_its_log(tmp_path):
    ours, theirs = pty.openpty()
    with serve({"/images.zip": shop(BODY)}) as server:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, f"{server.url}/images.zip", str(tmp_path / "file")],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow_scripts")},
            stderr=theirs,
            check=True,
        )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "images.zip:" in shown
    assert "B/s" in shown
    assert "\r" in shown
    assert "\r" not in (tmp_path / "file.log").read_text()
