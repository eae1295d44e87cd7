"""Failures that no log explains, at the end of a run: killed jobs, and Slurm's reasons."""

import sys

from clip_grounding.workflow.killed_jobs import explain_signals, read_run_log
from clip_grounding.workflow.slurm_reasons import explain_failures


onerror:
    for path in [log] if isinstance(log, str) else log:
        run_log = read_run_log(path)
        for title, lines in (
            ("Failed on Slurm, rule and shard:", explain_failures(run_log)),
            ("Ended by a signal, rule and output:", explain_signals(run_log)),
        ):
            if lines:
                print(title, *lines, sep="\n  ", file=sys.stderr)
