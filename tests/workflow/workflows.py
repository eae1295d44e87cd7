"""Run the workflow as a user does: from a folder of one's own, with an overlay of settings."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Run:
    """A working directory with settings."""

    folder: Path
    config: dict
    environment: dict = field(default_factory=dict)

    def snakemake(self, *arguments, check=True, config=None, cores=2, root=ROOT, environment=None):
        """Run snakemake there; gives the finished process with its output as one text."""
        command, environment = self.command(
            *arguments, config=config, cores=cores, root=root, environment=environment
        )
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"snakemake ended with {done.returncode}:\n{done.stdout}")
        return done

    def command(self, *arguments, config=None, cores=2, root=ROOT, environment=None):
        """The same as a command and its environment, to start it oneself."""
        overlay = self.folder / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(config or self.config))
        command = [
            BIN / "snakemake",
            *("-s", root / "Snakefile", "--directory", self.folder),
            *("--configfile", overlay, "--cores", str(cores)),
            *arguments,
        ]
        environment = {**(environment or os.environ), **self.environment}
        return (
            [str(part) for part in command],
            {**environment, "PATH": f"{BIN}:{environment['PATH']}"},
        )

    def planned(self, *arguments, config=None, root=ROOT):
        """Number of jobs by rule that a dry run plans."""
        output = self.snakemake("--dry-run", *arguments, config=config, root=root).stdout
        table = output.rpartition("Job stats:")[2]
        return {
            rule: int(count)
            for rule, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)
            if rule not in ("total", "all")
        }

    def __truediv__(self, path) -> Path:
        return self.folder / path


def copy_repository(target: Path, *more: str) -> Path:
    """Copy the repository's files, with new times; `more` are beside those of the workflow."""
    names = ["Snakefile", "config.yaml", "README.md", "rules", "workflow_scripts", "profiles"]
    target.mkdir()
    for name in [*names, "envs", *more]:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, target / name, ignore=shutil.ignore_patterns("__pycache__"),
                copy_function=shutil.copyfile,
            )  # fmt: skip
        else:
            shutil.copyfile(source, target / name)
    return target


def copy_run(run: Run, folder: Path) -> Run:
    """Copy a finished run with its times and what Snakemake recorded of it."""
    shutil.copytree(run.folder, folder, symlinks=True)
    return Run(folder, run.config)


def merged(base: dict, change: dict) -> dict:
    """`base` with the changed keys, deeply."""
    out = dict(base)
    for key, value in change.items():
        nested = isinstance(value, dict) and isinstance(base.get(key), dict)
        out[key] = merged(base[key], value) if nested else value
    return out


def png_config(url, checkpoint, **more) -> dict:
    """Settings of a run on the `published` scenes of a server, with a given checkpoint folder."""
    dataset = {
        "kind": "png",
        "split": "scenes",
        "image_count": 6,
        "images": {"url": f"{url}/images.zip"},
        "panoptic": {"url": f"{url}/panoptic.zip"},
        "narratives": {"url": f"{url}/narratives.json"},
        "models": ["random-clip"],
        **more,
    }
    return {
        "dataset": "small-png",
        "datasets": {"small-png": dataset},
        "models": {"random-clip": {"checkpoint": str(checkpoint)}},
        "images_per_shard": 3,
        "figures": {"examples": 2},
        "evidence": {"images": 0},
        "gates": {"images": 0},
    }
