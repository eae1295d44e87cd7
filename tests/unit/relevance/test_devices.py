"""Jobs side by side get a GPU each. There is none here: torch is told how many it sees."""

import multiprocessing
import os
import signal

import pytest
import torch

from clip_grounding.errors import InputError
from clip_grounding.relevance import devices
from clip_grounding.relevance.devices import reserve_device, visible_gpus

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def gpus(monkeypatch):
    """Make torch see so many GPUs, assigned by nobody."""

    def see(count):
        for key in ("CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS"):
            monkeypatch.delenv(key, raising=False)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(devices, "POLL", 0.05)

    return see


def hold(locks, visible, line):
    """A job: reserve a GPU, say which, keep it until the line is closed."""
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    with reserve_device("auto", locks) as device:
        line.send(str(device))
        line.poll(30)


class Jobs:
    """Processes that hold a GPU each, as many as they can get."""

    def __init__(self, locks, number, visible=None):
        self.processes, self.lines = [], []
        for _ in range(number):
            ours, theirs = FORK.Pipe()
            process = FORK.Process(target=hold, args=(locks, visible, theirs))
            process.start()
            theirs.close()
            self.processes.append(process)
            self.lines.append(ours)

    def devices(self, seconds=10):
        """The GPU of each job, None for one that has none so far."""
        return [line.recv() if line.poll(seconds) else None for line in self.lines]

    def let_go(self, number):
        self.lines[number].send("enough")
        self.processes[number].join(timeout=10)

    def end(self):
        for process in self.processes:
            process.kill()
            process.join(timeout=10)


@pytest.fixture
def start_jobs(gpus, tmp_path):
    started = []

    def start(*arguments, **options):
        started.append(Jobs(tmp_path, *arguments, **options))
        return started[-1]

    yield start
    for jobs in started:
        jobs.end()


def test_jobs_at_a_time_get_a_gpu_each(gpus, start_jobs):
    gpus(4)
    found = start_jobs(4).devices()
    assert sorted(found) == ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]


@pytest.mark.parametrize("killed", [False, True])
def test_a_job_too_many_waits_until_one_ends_or_is_killed(gpus, start_jobs, killed):
    gpus(2)
    jobs = start_jobs(2)
    first = jobs.devices()
    assert sorted(first) == ["cuda:0", "cuda:1"]
    waiting = start_jobs(1)
    assert waiting.devices(seconds=0.5) == [None]
    if killed:
        os.kill(jobs.processes[1].pid, signal.SIGKILL)
    else:
        jobs.let_go(1)
    assert waiting.devices() == [first[1]]


def test_runs_with_other_lists_of_gpus_lock_the_same_gpu(gpus, start_jobs):
    """GPU 1 of the machine is the second of 0,1 and the first of 1,2."""
    gpus(2)
    assert sorted(start_jobs(2, visible="0,1").devices()) == ["cuda:0", "cuda:1"]
    assert start_jobs(1, visible="1,2").devices() == ["cuda:1"]


def test_a_single_gpu_needs_no_lock(gpus, tmp_path):
    gpus(1)
    with reserve_device("auto", tmp_path) as one, reserve_device("cuda", tmp_path) as other:
        assert one == other == torch.device("cuda", 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("count", "environment", "expected"),
    [
        (3, {}, {0: "0", 1: "1", 2: "2"}),
        (2, {"CUDA_VISIBLE_DEVICES": "2,3"}, {0: "2", 1: "3"}),
        (1, {"CUDA_VISIBLE_DEVICES": "GPU-8a5b, "}, {0: "GPU-8a5b"}),
        (1, {"CUDA_VISIBLE_DEVICES": "0", "SLURM_JOB_GPUS": "3"}, {0: "0"}),  # renumbered by Slurm
        (4, {"SLURM_JOB_GPUS": "2"}, {2: "2"}),
        (4, {"SLURM_JOB_GPUS": "1,2", "SLURM_STEP_GPUS": "1"}, {1: "1"}),
        (1, {"SLURM_JOB_GPUS": "3"}, {0: "0"}),  # the job sees its own GPU alone, as number 0
    ],
)
def test_the_gpus_of_a_job_are_those_that_it_was_given(count, environment, expected):
    assert visible_gpus(count, environment) == expected


def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused(gpus):
    gpus(0)
    with reserve_device("auto") as device:
        assert device == torch.device("cpu")
    with pytest.raises(InputError, match="device: cuda is asked for"), reserve_device("cuda"):
        pass


def test_the_cpu_is_taken_where_it_is_asked_for(gpus):
    gpus(2)
    with reserve_device("cpu") as device:
        assert device == torch.device("cpu")
