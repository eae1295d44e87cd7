"""Failures on a cluster: Slurm's reason and log for every failed job, at the end of a run."""

import sys

from clip_grounding.workflow.slurm_reasons import explain_failures


onerror:
    for run_log in [log] if isinstance(log, str) else log:
        lines = explain_failures(Path(run_log).read_text(errors="replace"))
        if lines:
            print("Failed on Slurm, rule and shard:", *lines, sep="\n  ", file=sys.stderr)
