"""What a job reruns for: its settings, and the code that it can reach.

A rule's `spec` is one string of canonical JSON with exactly the settings that its output
depends on, so that changing a setting reruns what it concerns and nothing else. Settings
that change how a job runs but not what it makes (device, batch_size, threads) are not in
it; scripts read those from `snakemake.config`. A rule's `code` is the fingerprint of its
script and of what of the library it can reach. Downloads have none: they never run again for
an edit.
"""

import atexit
import json

from clip_grounding.workflow.code_memory import CodeMemory
from clip_grounding.workflow.fingerprint import record_code


def spec_of(**settings):
    """Canonical JSON of a job's settings: the same settings are the same string."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


CODE = CodeMemory(Path(REPOSITORY, "workflow_scripts"))
if workflow.is_main_process:
    atexit.register(CODE.save)


@cache
def code_of(script, *roots):
    """Fingerprint of what a script runs; its edit reruns the rule, a touched file does not.

    `roots` are the modules of the library that the script finds by a setting. The run's main
    process records what the fingerprint stands for, under results/.code.
    """
    path = Path(REPOSITORY, "workflow_scripts", f"{script}.py")
    code = CODE.fingerprint(path, roots)
    if workflow.is_main_process:
        record_code(code, path, roots)
    return code


# How the evaluated baselines are shown, which figures read from a folder and not by name.
LOOKS = [f"clip_grounding.scoring.baselines.{kind}.CONTRACT" for kind in EVALUATE["baselines"]]
