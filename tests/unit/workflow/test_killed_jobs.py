"""A job that a signal ended left no word of its own: the end of the run says what it means."""

import pytest

from clip_grounding.workflow.killed_jobs import explain_signals, read_run_log

ENDED = """\
RuleException:
CalledProcessError in file "/w/rules/relevance.smk", line 43:
Command 'set -euo pipefail;  /bin/python /r/.snakemake/scripts/a.compute_relevance.py' {end}.
[Wed Nov 25 14:40:16 2026]
Error in rule compute_relevance:
    message: None
    jobid: 16
    input: results/tiny/narratives.parquet, results/tiny/phrases.parquet
    output: results/tiny/relevance/{shard}.parquet
    log: logs/tiny/0001.log (check log file(s) for error details)
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("died with <Signals.SIGKILL: 9>", "SIGKILL: if nobody ended it, the machine ran out of"),
        ("returned non-zero exit status 137", "SIGKILL: if nobody ended it"),
        ("died with <Signals.SIGABRT: 6>", "SIGABRT: a library gave up"),
        ("died with <Signals.SIGBUS: 7>", "SIGBUS: a disk that it read from is full"),
    ],
)
def test_each_signal_is_explained_with_its_job(end, said):
    (line,) = explain_signals(ENDED.format(end=end, shard="0001"))
    assert line.startswith(f"compute_relevance (results/tiny/relevance/0001.parquet): {said}")


def test_jobs_are_told_apart_and_ordinary_failures_left_to_their_logs():
    ends = ["returned non-zero exit status 1", *["died with <Signals.SIGKILL: 9>"] * 2]
    log = "".join(ENDED.format(end=end, shard=shard) for shard, end in enumerate(ends))
    assert [line.split()[1] for line in explain_signals(log)] == [
        "(results/tiny/relevance/1.parquet):",
        "(results/tiny/relevance/2.parquet):",
    ]


def test_a_run_without_killed_jobs_has_nothing_to_say():
    assert explain_signals("Building DAG of jobs...\n") == []


def test_a_log_that_was_removed_is_said_and_stops_nothing(tmp_path, capsys):
    assert read_run_log(tmp_path / "gone.log") == ""
    assert "removed while this run needed it: run again" in capsys.readouterr().err
    (tmp_path / "run.log").write_bytes(b"Building \xff\n")
    assert read_run_log(tmp_path / "run.log").startswith("Building")
