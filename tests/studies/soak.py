"""Random faults for a given time; after each, are the tables those of an undisturbed run?

Run by hand: python tests/studies/soak.py --minutes 60 [--seed N] [--folder F]

A run on four rendered scenes is killed, starved of disk and memory, corrupted, re-dated, copied
without its memory and given other settings, one fault after the other. After each the run is
finished as a user would: its messages are followed, and nothing else is done. Then every table is
compared with that of a run that nothing disturbed. Prints what it did, and at the end the number
of faults of each kind, of differences and of tracebacks. Ends with 1 if there was either.
"""

import argparse
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / name) for name in ("support", "workflow", "../workflow_scripts")]

from builders import save_checkpoint  # noqa: E402 (needs the path)
from workflows import Run  # noqa: E402

from clip_grounding.errors import InputError  # noqa: E402
from clip_grounding.scenes.archive import write_dataset  # noqa: E402
from clip_grounding.tables import read_csv, read_table  # noqa: E402

TABLES = ["summary", "comparisons", "areas", "curves", "rankings", "waterfall"]
TARGETS = ["results/tiny/scores.parquet", *(f"results/tiny/{name}.csv" for name in TABLES)]
DOWN = ("data", "results")
COSTS = ["seconds_per_map", "processor", "device", "threads", "peak_mb", "peak_gpu_mb"]
MOST_REMEDIES = 8
"""Messages that are followed before a run counts as one that cannot be finished."""
TRACE = "Traceback (most recent call last)"

_REMEDIES = re.compile(r"(\S+): [^\n]*?: delete it and rerun")


class Soak:
    """A run, the tables that it should have, and what has been done to it.

    Parameters
    ----------
    folder : Path
        Holds the runs.
    dice : random.Random
    """

    def __init__(self, folder: Path, dice: random.Random):
        self.dice, self.folder, self.copies = dice, folder, 0
        self.run = Run(folder / "run", make_config(folder))
        self.run.folder.mkdir()
        self.run.snakemake(*TARGETS)
        self.right = dict(read_tables(self.run.folder))
        self.targets = list(self.right)
        self.counts: Counter = Counter()

    def step(self) -> list[str]:
        """Do one random fault, finish the run, and return what is wrong with it."""
        fault = self.dice.choice(FAULTS)
        self.counts[fault.__name__] += 1
        state = self.dice.getstate()
        done = fault(self)
        print(f"{time.strftime('%H:%M:%S')} {fault.__name__}: {done}", flush=True)
        problems = list(self.finish())
        for problem in problems:
            print(f"    WRONG {problem}", flush=True)
        if problems:
            kept = self.folder / f"wrong-{sum(self.counts.values())}"
            shutil.copytree(self.run.folder, kept, symlinks=True)
            print(f"    kept in {kept}; the dice were {hash(state)}", flush=True)
        return problems

    def finish(self) -> Iterator[str]:
        """Run until nothing is left to do, following messages, and compare the tables."""
        for _ in range(MOST_REMEDIES):
            done = self.run.snakemake(*self.targets, check=False)
            yield from find_tracebacks(done.stdout)
            if done.returncode == 0:
                faults = list(self.compare())
                if not any(isinstance(fault, Path) for fault in faults):
                    yield from faults
                    return
                for path in faults:
                    path.unlink()  # as the reader's message says
                continue
            if not self.follow(done.stdout):
                yield f"no remedy in: {done.stdout[-1500:]}"
                return
        yield f"not finished after {MOST_REMEDIES} remedies: {done.stdout[-1500:]}"

    def follow(self, output: str) -> bool:
        """Do what a failed run's messages say; return whether there was anything to do."""
        if "--unlock" in output:
            self.run.snakemake("--unlock", *self.targets)
            return True
        named = {self.run / path.removeprefix("error: ") for path in _REMEDIES.findall(output)}
        named |= {self.run / path for path in re.findall(r"delete (\S+) and rerun", output)}
        for path in named:
            print(f"    told to delete {path.relative_to(self.run.folder)}", flush=True)
            path.unlink(missing_ok=True)
        return bool(named)

    def compare(self) -> Iterator[str | Path]:
        """Yield differences from the undisturbed tables, and paths that the reader refuses."""
        for name, right in self.right.items():
            path = self.run / name
            try:
                table = read(path)
            except InputError as error:
                print(f"    the reader says: {error}", flush=True)
                yield path
                continue
            try:
                pd.testing.assert_frame_equal(table, right, check_exact=True)
            except AssertionError as error:
                yield f"{name} differs: {' '.join(str(error).split())[:300]}"

    def pick(self, *suffixes: str, top: tuple[str, ...] = DOWN) -> Path:
        """Pick a file of the run that has one of the suffixes."""
        files = [
            path
            for folder in top
            for path in sorted((self.run / folder).rglob("*"))
            if path.is_file() and path.suffix in suffixes and "models" not in path.parts
        ]
        return self.dice.choice(files)

    def work(self) -> str:
        """Delete some results, so that a run has something to do."""
        gone = {self.pick(".parquet", ".csv", top=("results",)) for _ in range(3)}
        for path in gone:
            path.unlink()
        return f"{len(gone)} tables deleted"

    def start(self, limits=(), config=None) -> subprocess.Popen:
        """Start a run of its own process group, under resource limits."""
        targets = TARGETS if config else self.targets  # other settings have other shards
        command, environment = self.run.command(*targets, config=config)

        def restrict():
            for kind, value in limits:
                resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))

        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=restrict,
        )

    def end(self, launcher: subprocess.Popen) -> str:
        """Wait for a run that a fault was done to; tracebacks of ours are reported as it ends."""
        output, _ = launcher.communicate()
        tracebacks = list(find_tracebacks(output))
        for line in tracebacks:
            print(f"    TRACEBACK {line}", flush=True)
        self.counts["TRACEBACKS"] += len(tracebacks)
        return f"ended with {launcher.returncode}"


def kill_a_job(soak: Soak) -> str:
    """SIGKILL one of a run's processes at a random time."""
    what, launcher = soak.work(), soak.start()
    time.sleep(soak.dice.uniform(1, 30))
    children = list_children(launcher)
    victim = soak.dice.choice(children) if children else None
    if victim:
        victim.kill()
    return f"{what}, {'one' if victim else 'no'} process killed, {soak.end(launcher)}"


def kill_everything(soak: Soak) -> str:
    """SIGKILL the launcher and all of its jobs, as a power cut does."""
    what, launcher = soak.work(), soak.start()
    delay = soak.dice.uniform(1, 30)
    time.sleep(delay)
    children = list_children(launcher)
    launcher.kill()
    for child in children:
        child.kill()
    return f"{what}, all killed after {delay:.0f} s, {soak.end(launcher)}"


def interrupt(soak: Soak) -> str:
    """Press Ctrl-C."""
    what, launcher = soak.work(), soak.start()
    time.sleep(soak.dice.uniform(3, 30))
    os.killpg(launcher.pid, signal.SIGINT)
    return f"{what}, Ctrl-C, {soak.end(launcher)}"


def fill(soak: Soak) -> str:
    """Let no file grow beyond some kilobytes, as a quota would."""
    limit = soak.dice.choice([2_000, 20_000, 60_000])
    launcher = (soak.work(), soak.start([(resource.RLIMIT_FSIZE, limit)]))[1]
    return f"files of at most {limit:,} bytes, {soak.end(launcher)}"


def starve(soak: Soak) -> str:
    """Limit the memory that a process can have."""
    limit = soak.dice.choice([600, 900, 1400]) * 2**20
    launcher = (soak.work(), soak.start([(resource.RLIMIT_AS, limit)]))[1]
    return f"at most {limit >> 20} MB a process, {soak.end(launcher)}"


def corrupt(soak: Soak) -> str:
    """Change, cut or empty one file, or put another one into its place."""
    path = soak.pick(".parquet", ".csv", ".json", ".zip")
    content = bytearray(path.read_bytes())
    how = soak.dice.choice(["flip", "cut", "empty", "swap"])
    if how == "flip" and content:
        for _ in range(8):
            content[soak.dice.randrange(len(content))] ^= 1 << soak.dice.randrange(8)
    elif how == "cut":
        content = content[: len(content) // 2]
    elif how == "swap":
        content = soak.pick(path.suffix).read_bytes()
    else:
        content = b""
    target = path.resolve()
    target.write_bytes(content)
    return f"{how} {path.relative_to(soak.run.folder)}"


def redate(soak: Soak) -> str:
    """Give files random times of the last year."""
    paths = {soak.pick(".parquet", ".csv", ".json", ".zip") for _ in range(10)}
    for path in paths:
        then = time.time() - soak.dice.uniform(0, 365 * 86400)
        os.utime(path, (then, then))
    return f"{len(paths)} files"


def copy_without_memory(soak: Soak) -> str:
    """Go on in a copy that has other times and nothing of what Snakemake remembers."""
    soak.copies += 1
    old, new = soak.run, soak.folder / f"copy-{soak.copies}"
    ignore = shutil.ignore_patterns(".snakemake")
    shutil.copytree(old.folder, new, symlinks=True, ignore=ignore, copy_function=shutil.copyfile)
    soak.run = Run(new, old.config)
    shutil.rmtree(old.folder)
    return new.name


def change_back(soak: Soak) -> str:
    """Run with another setting, for some time or to the end, and then with the old one again."""
    change = soak.dice.choice(
        [{"seed": 7}, {"images_per_shard": 3}, {"max_images": 2}, {"bootstrap": {"resamples": 100}}]
    )
    launcher = soak.start(config={**soak.run.config, **change})
    if soak.dice.random() < 0.5:
        time.sleep(soak.dice.uniform(5, 40))
        os.killpg(launcher.pid, signal.SIGINT)
    return f"{change}, {soak.end(launcher)}"


def delete_memory(soak: Soak) -> str:
    """Delete a folder that a run could need, in the midst of it or before."""
    name = soak.dice.choice([".snakemake", "results", "logs", "data/tiny", "results/tiny/.stamps"])
    launcher = None
    if soak.dice.random() < 0.5:
        soak.work()
        launcher = soak.start()
        time.sleep(soak.dice.uniform(5, 20))
    shutil.rmtree(soak.run / name, ignore_errors=True)
    return f"{name}{', in mid-run, ' + soak.end(launcher) if launcher else ''}"


FAULTS = [
    kill_a_job, kill_everything, interrupt, fill, starve, corrupt, corrupt, corrupt, redate,
    copy_without_memory, change_back, delete_memory,
]  # fmt: skip


def make_config(folder: Path) -> dict:
    files = [folder / name for name in ("images.zip", "panoptic.zip", "narratives.json")]
    write_dataset(*files, image_count=30, seed=1, split="scenes")
    checkpoint = save_checkpoint(folder / "clip", [files[2].read_text().replace('"', " ")])
    dataset = {"kind": "scenes", "image_count": 4, "seed": 9, "models": ["random-clip"]}
    return {
        "dataset": "tiny",
        "datasets": {"tiny": dataset},
        "models": {"random-clip": {"checkpoint": str(checkpoint)}},
        "images_per_shard": 2,
        "evaluate": {"baselines": ["empty"]},
        "bootstrap": {"resamples": 200},
        "evidence": {"images": 0},
        "device": "cpu",
    }


def list_children(launcher: subprocess.Popen) -> list[psutil.Process]:
    try:
        return psutil.Process(launcher.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def read(path: Path) -> pd.DataFrame:
    """Read a table without the columns of what it cost to make."""
    table = read_table(path) if path.suffix == ".parquet" else read_csv(path)
    return table.drop(columns=COSTS, errors="ignore")


def read_tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read every table of a run, by its path in the run's folder."""
    for path in sorted((folder / "results").rglob("*")):
        if path.suffix in (".parquet", ".csv"):
            yield str(path.relative_to(folder)), read(path)


def find_tracebacks(output: str) -> Iterator[str]:
    """Yield the last line of every traceback in a run's output."""
    for part in output.split(TRACE)[1:]:
        lines = part.splitlines()[1:]
        last = next((line for line in lines if line and not line.startswith((" ", "\t"))), "?")
        yield f"traceback: {last[:300]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    soak = Soak(folder, random.Random(chosen.seed))
    print(f"{len(soak.right)} tables of an undisturbed run; seed {chosen.seed}", flush=True)
    end, problems = time.monotonic() + 60 * chosen.minutes, []
    while time.monotonic() < end:
        problems += soak.step()
    tracebacks = soak.counts.pop("TRACEBACKS", 0)
    print(f"{sum(soak.counts.values())} faults: {dict(soak.counts)}")
    print(f"{len(problems)} problems, {tracebacks} tracebacks in disturbed runs")
    return 1 if problems or tracebacks else 0


if __name__ == "__main__":
    raise SystemExit(main())
