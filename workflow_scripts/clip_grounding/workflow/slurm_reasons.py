"""Report Slurm's reasons for failed jobs at the end of a run.

Snakemake shows a failed job's logs up to the first that is empty. A job that Slurm killed has
often printed nothing yet, so Slurm's log, which gives the reason, would not be shown.
"""

import re
from pathlib import Path

SUBMITTED = re.compile(r"submitted with SLURM jobid (\S+) \(log: (.+)\)\.")
FAILED = re.compile(r"SLURM-job '(\S+)' failed.*?SLURM status is: '(\w+)'", re.DOTALL)
REASON = re.compile(r"slurmstepd\S*: error: (?:\*\*\* )?(.*?)(?: \*\*\*)?$", re.MULTILINE)


def explain_failures(run_log: str) -> list[str]:
    """Return a line per job that no retry finished: its name, Slurm's reason and log.

    Parameters
    ----------
    run_log : str
        Snakemake's log of the run, with submissions and failures.
    """
    paths = dict(SUBMITTED.findall(run_log))
    states = dict(FAILED.findall(run_log))
    # A job's folder is named after its rule and wildcards, and shared by its attempts.
    last_attempts = {Path(path).parent: job for job, path in paths.items()}
    lines = []
    for folder, job in last_attempts.items():
        if job not in states:
            continue
        path = Path(paths[job])
        reasons = REASON.findall(path.read_text(errors="replace")) if path.is_file() else []
        why = "; ".join(dict.fromkeys(reasons)) or "nothing from Slurm: see the rule's log above"
        rule = folder.parent.name.removeprefix("rule_")
        lines.append(f"{rule} {folder.name}: {states[job]}: {why}\n    {path}")
    return lines
