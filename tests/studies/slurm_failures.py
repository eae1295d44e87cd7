"""What a user sees when a cluster fails under a run.

Run by hand: python tests/studies/slurm_failures.py [SCENARIO]

Starts a Slurm of one node and fails it in the ways that take too long for a test: a node that
is lost with and without Slurm's requeueing, a controller that is restarted, Ctrl-C on the
launcher. Prints what each run said at its end; every one is then finished by a run.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / name) for name in ("support", "workflow", "../workflow_scripts")]

from builders import save_checkpoint  # noqa: E402 (needs the path)
from slurm_node import SlurmNode  # noqa: E402
from workflows import ROOT, Run  # noqa: E402

from clip_grounding.scenes.archive import write_dataset  # noqa: E402

PROFILE = [
    *("--profile", ROOT / "profiles" / "slurm", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "5", "--retries", "0"),
]
SHARDS = ("0000", "0001")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="slurm-") as top:
        folder = Path(top)
        run = Run(folder / "run", make_config(folder))
        run.folder.mkdir()
        run.snakemake("results/tiny/phrases.parquet")
        (folder / "node").mkdir()
        with SlurmNode(folder / "node", node_timeout=10) as node:
            for name in sys.argv[1:] or SCENARIOS:
                fail(run, node, name, *SCENARIOS[name])


def make_config(folder: Path) -> dict:
    files = [folder / name for name in ("images.zip", "panoptic.zip", "narratives.json")]
    write_dataset(*files, image_count=30, seed=1, split="scenes")
    words = [files[2].read_text().replace('"', " ")]
    checkpoint = save_checkpoint(folder / "clip", words)
    dataset = {"kind": "scenes", "image_count": 4, "seed": 9, "models": ["random-clip"]}
    return {
        "dataset": "tiny",
        "datasets": {"tiny": dataset},
        "models": {"random-clip": {"checkpoint": str(checkpoint)}},
        "images_per_shard": 2,
    }


def fail(run: Run, node: SlurmNode, name: str, act, *arguments) -> None:
    """Start a run of two jobs, do something while the first one's script works, run again."""
    print(f"\n===== {name}", flush=True)
    folder = run / "results/tiny/relevance"
    shutil.rmtree(folder, ignore_errors=True)
    targets = [
        f"results/tiny/relevance/random-clip/gradient-attention/text_to_image/{shard}.parquet"
        for shard in SHARDS
    ]
    command, environment = run.command(*targets, *PROFILE, *arguments, environment=node.environment)
    start = time.monotonic()
    screen = run / "screen"
    with open(screen, "w") as output:
        snakemake = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        node.wait_for_script(SHARDS[0])
        act(node, snakemake)
        code = snakemake.wait(timeout=300)
    finally:
        snakemake.kill()
        snakemake.wait()
    show(screen.read_text())
    print(f"----- exit code {code} after {time.monotonic() - start:.0f} s")
    node.wait_until(lambda: node.state() in ("idle", "mixed"), "the node is back")
    again = run.snakemake(*targets, *PROFILE, environment=node.environment)
    finished = all((run / target).exists() for target in targets)
    redone = again.stdout.count("has been submitted with SLURM jobid")
    print(f"----- run again: {redone} jobs, exit code {again.returncode}, finished: {finished}")
    assert finished


def show(screen: str) -> None:
    """The lines from the jobs' start on, without the empty ones."""
    lines = [line for line in screen.partition("Select jobs to execute")[2].splitlines() if line]
    print("\n".join(lines))


def lose_node_for_a_while(node: SlurmNode, _) -> None:
    """Kill slurmd and all that runs on its node; it comes back when Slurm has noticed."""
    node.stop("slurmd", signal.SIGKILL)
    for process in node.processes_of_jobs():
        if process.is_running():
            process.kill()
    node.wait_until(lambda: node.state().startswith("down"), "the node is down", 120)
    print(
        f"(the node is {node.state()}; its jobs: {[job['JobState'] for job in node.jobs()][-2:]})"
    )
    node.start("slurmd")


def restart_controller(node: SlurmNode, _) -> None:
    node.stop("slurmctld")
    time.sleep(10)
    node.start("slurmctld")


def interrupt(_, snakemake: subprocess.Popen) -> None:
    snakemake.send_signal(signal.SIGINT)


SCENARIOS = {
    "node-lost": (lose_node_for_a_while,),
    "node-lost-no-requeue": (lose_node_for_a_while, "--slurm-no-requeue"),
    "controller-restarted": (restart_controller,),
    "ctrl-c": (interrupt,),
}

if __name__ == "__main__":
    main()
