"""Say what would run and why: snakemake --dry-run ARGS 2>&1 | python why.py [WORKING-DIRECTORY]"""

import sys
from pathlib import Path

from clip_grounding.changes import explain_plan, is_plan

plan = sys.stdin.read()
if not is_plan(plan):
    sys.exit(plan)  # an error of Snakemake's: pass it on
lines = explain_plan(plan, Path(*sys.argv[1:]))
if "Nothing to be done" in plan:
    lines = ["nothing: every file is up to date", *lines]
print("\n".join(lines))
