"""How long planning takes: python tests/benchmarks/dry_run.py [--large] [CHECKOUT ...]

Plans the default settings, and with --large also train2017 with three models and three
attributions in both directions, in an empty folder each: a first plan, and some with what the
first one remembers. Several checkouts take turns, so that their ratio holds on a busy machine; the
processor time is that of the whole process.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")

LARGE = """
dataset: png_train2017
evaluate:
  models: [openai-vit-b32, openai-vit-b16, openai-vit-l14]
  attributions: [gradient-attention, raw-attention, rollout]
"""


def plan(checkout: Path, folder: Path, overlay: Path | None) -> tuple[float, float, int]:
    """Return the seconds and processor seconds of a dry run, and the jobs that it plans."""
    command = [SNAKEMAKE, "--snakefile", checkout / "Snakefile", "--dry-run", "--quiet", "rules"]
    command += ["--configfile", overlay] if overlay else []
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, "PATH": f"{SNAKEMAKE.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    total = re.search(r"^total +(\d+)", done.stdout + done.stderr, re.MULTILINE)
    return wall, used, int(total[1]) if total else 0


def main() -> None:
    """Print seconds per checkout and case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only-large", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    checkouts = [checkout.resolve() for checkout in options.checkouts]
    with tempfile.TemporaryDirectory() as top:
        overlay = Path(top, "large.yaml")
        overlay.write_text(LARGE)
        cases: dict[str, Path | None] = {} if options.only_large else {"default": None}
        if options.large or options.only_large:
            cases["large"] = overlay
        for case, settings in cases.items():
            times: dict[Path, list[tuple[float, float, int]]] = {one: [] for one in checkouts}
            for _ in range(1 + options.repeat):
                for number, checkout in enumerate(checkouts):
                    folder = Path(top, f"{case}-{number}")
                    folder.mkdir(exist_ok=True)
                    times[checkout].append(plan(checkout, folder, settings))
            for checkout, (first, *later) in times.items():
                wall, used = (statistics.median(one[i] for one in later or [first]) for i in (0, 1))
                print(
                    f"{case:8} {checkout}: {first[2]} jobs; first {first[0]:.2f} s"
                    f" ({first[1]:.2f} s of processor), then {wall:.2f} s ({used:.2f} s)"
                )


if __name__ == "__main__":
    main()
