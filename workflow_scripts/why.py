"""Print what would run and why: snakemake --dry-run ARGS 2>&1 | python workflow_scripts/why.py"""

import sys

from clip_grounding.workflow.changes import explain_plan, is_plan

plan = sys.stdin.read()
if not is_plan(plan):
    sys.exit(plan)  # an error of Snakemake's: pass it on
lines = explain_plan(plan)
if "Nothing to be done" in plan:
    lines = ["nothing would run:", *lines] if lines else ["nothing: every file is up to date"]
print("\n".join(lines))
