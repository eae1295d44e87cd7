"""Failures that no log explains, at the end of a run: killed jobs, and Slurm's reasons."""

import sys

from clip_grounding.workflow.killed_jobs import explain_signals
from clip_grounding.workflow.slurm_reasons import explain_failures


def read_run_log(path):
    """Snakemake's log of this run; empty if .snakemake was removed meanwhile."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


onerror:
    for run_log in map(read_run_log, [log] if isinstance(log, str) else log):
        for title, lines in (
            ("Failed on Slurm, rule and shard:", explain_failures(run_log)),
            ("Ended by a signal, rule and output:", explain_signals(run_log)),
        ):
            if lines:
                print(title, *lines, sep="\n  ", file=sys.stderr)
