"""Say which jobs would run and why: snakemake --dry-run ... | python workflow_scripts/why.py"""

import sys

from clip_grounding.changes import explain_plan

plan = sys.stdin.read()
lines = explain_plan(plan)
if lines:
    print("\n".join(lines))
elif "Nothing to be done" in plan:
    print("nothing: every file is up to date")
else:
    sys.exit(plan)  # an error of Snakemake's: pass it on
