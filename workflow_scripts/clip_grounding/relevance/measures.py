"""What a relevance job's attribution costs, measured while it runs and kept with its table.

Timed are the calls of the attribution method alone: neither the start of the job, nor loading the
weights, embedding the targets, reading images and writing. The record stands in the table's footer
under ``cost`` and takes no part in its stamp: two runs of the same job have the same result,
whatever they took.
"""

import platform
import resource
import sys
import time
from pathlib import Path

from clip_grounding.footers import promise_record

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

KEY = "cost"

_MB = 2**20


class _Meter:
    """The measurements of this process's job: CPU time and peaks of memory are the process's too.

    Parameters
    ----------
    device : torch.device
    threads : int
    """

    def __init__(self, device, threads: int):
        self._device, self._threads = device, threads
        self._maps, self._wall, self._cpu = 0, 0.0, 0.0
        self._is_gpu = device.type == "cuda"
        if self._is_gpu:
            import torch  # jobs that write tables without maps have none

            self._cuda = torch.cuda
            self._cuda.reset_peak_memory_stats(device)

    def begin(self) -> None:
        """Begin a call, when the device has finished what was asked of it before."""
        self._wait()
        self._began = time.perf_counter(), time.process_time()

    def end(self, maps: int) -> None:
        """End the call that began last, when the device has finished it."""
        self._wait()
        wall, cpu = self._began
        self._wall += time.perf_counter() - wall
        self._cpu += time.process_time() - cpu
        self._maps += maps

    def _wait(self) -> None:
        if self._is_gpu:
            self._cuda.synchronize(self._device)

    def record(self) -> dict:
        """Return the record: see `clip_grounding.tables.read_cost`."""
        peak = self._cuda.max_memory_allocated(self._device) / _MB if self._is_gpu else None
        return {
            "processor": "gpu" if self._is_gpu else "cpu",
            "device": self._cuda.get_device_name(self._device) if self._is_gpu else _cpu_name(),
            "threads": self._threads,
            "maps": self._maps,
            "wall_seconds": self._wall,
            # Beside a GPU, threads prepare the next images meanwhile.
            "cpu_seconds": None if self._is_gpu else self._cpu,
            "peak_mb": _peak_mb(),
            "peak_gpu_mb": peak,
        }


_meter: _Meter | None = None


def start_measuring(device, threads: int) -> None:
    """Begin the measurements of a job; its next table records them.

    Parameters
    ----------
    device : torch.device
        Of the model.
    threads : int
        CPU threads of the job.
    """
    global _meter
    _meter = _Meter(device, threads)
    promise_record(KEY, _meter.record)


def begin_attribution() -> None:
    """Begin to time a call of the attribution method; one that fails is not counted."""
    if _meter is not None:
        _meter.begin()


def end_attribution(items) -> None:
    """End the timing of a call, which made a map for each of `items`."""
    if _meter is not None:
        _meter.end(len(items))


def _cpu_name() -> str:
    """Return the model of the machine's processor, as far as the system names it."""
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        for line in cpus.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    return platform.processor() or platform.machine()


def _peak_mb() -> float:
    """Return the most memory of the machine that this process has held, in MB of 2^20 bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":  # getrusage's begins at that of the process which started this one
                return int(value.split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MB if sys.platform == "darwin" else peak / 1024
