"""Choose a job's device: the GPU that it was given, a free one of several, or the CPU.

A scheduler gives a job its GPUs by ``CUDA_VISIBLE_DEVICES``. Where nobody does, jobs that
run side by side on one machine find a GPU each by locks: a job holds the lock of its GPU
until its process ends, however it ends.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from clip_grounding.errors import InputError

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

POLL = 1.0
"""Seconds between two looks for a free GPU."""


@contextmanager
def reserve_device(device: str, locks: Path | None = None) -> Iterator[torch.device]:
    """Hold a device for as long as the context lasts.

    Of several GPUs in sight the first free one is taken and locked; while there is none, it
    waits. A single GPU is taken as it is: a scheduler, or the number of jobs, sees to it.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        ``auto`` is a GPU where torch sees one, else the CPU.
    locks : Path, optional
        Folder of the lock files, on a disk of this machine; by default one per user in the
        folder for temporary files.

    Raises
    ------
    InputError
        ``cuda`` is asked for and torch sees no GPU.
    """
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        yield torch.device("cpu")
        return
    if not torch.cuda.is_available():
        raise InputError("device: cuda is asked for, but torch sees no GPU here: use auto or cpu")
    names = visible_gpus(torch.cuda.device_count(), os.environ)
    if len(names) == 1:
        yield torch.device("cuda", *names)
        return
    folder = locks or Path(tempfile.gettempdir(), f"clip-grounding-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    index, lock = _lock_one(names, folder)
    try:
        yield torch.device("cuda", index)
    finally:
        os.close(lock)


def visible_gpus(count: int, environment: Mapping[str, str]) -> dict[int, str]:
    """Return the GPUs that a job may use: torch's index of each, and its name on the machine.

    Parameters
    ----------
    count : int
        GPUs that torch sees.
    environment : mapping of str to str
        The process's environment. ``CUDA_VISIBLE_DEVICES`` has already told torch what to
        see, and names them here, so that two runs with different lists lock the same GPU by
        the same name. Without it, ``SLURM_STEP_GPUS`` or ``SLURM_JOB_GPUS`` says which ones
        Slurm assigned.

    Returns
    -------
    dict of int to str
    """
    names = _entries(environment.get("CUDA_VISIBLE_DEVICES", ""))
    if names:
        return dict(enumerate(names[:count]))
    for key in ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS"):
        assigned = [name for name in _entries(environment.get(key, "")) if name.isdecimal()]
        own = {int(name): name for name in assigned if int(name) < count}
        if own:
            return own
    return {index: str(index) for index in range(count)}


def _entries(value: str) -> list[str]:
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def _lock_one(names: dict[int, str], folder: Path) -> tuple[int, int]:
    """Return torch's index of a GPU that no other process holds, and its lock's descriptor."""
    said = False
    while True:
        for index, name in names.items():
            descriptor = os.open(folder / f"{name.replace('/', '_')}.lock", os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return index, descriptor
        if not said:
            print(f"all {len(names)} GPUs are taken by other jobs: waiting for one", flush=True)
            said = True
        time.sleep(POLL)
