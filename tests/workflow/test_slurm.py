"""A run on a real Slurm of one node: the same numbers, no more GPUs than there are, every failure.

The Slurm has no accounting, so status comes from squeue, and its GPU is one by name only:
the models run on the CPU.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
import yaml
from slurm_node import SlurmNode, missing_programs
from workflows import ROOT, Run

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]

PROFILE = [
    *("--profile", ROOT / "profiles" / "slurm", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "5"),
]
RELEVANCE = "relevance/random-clip/gradient-attention/text_to_image"
KEYS = ["narrative", "phrase", "image_id", "direction", "model", "attribution", "prompt"]


@pytest.fixture(scope="module")
def node():
    if missing := missing_programs():
        reason = f"no {', '.join(missing)}: apt-get install slurmctld slurmd slurm-client munge"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as folder,
        SlurmNode(Path(folder), gpus=1) as node,
    ):
        yield node


def start_from(finished, folder, config, *paths) -> Run:
    """A run with its own folder and copies of what another one made."""
    for path in paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (finished / path).is_dir():
            shutil.copytree(finished / path, target, symlinks=True)
        else:
            shutil.copy2(finished / path, target)
    return Run(folder, {**finished.config, **config})


def jobs_of(node, run) -> list[dict]:
    """Slurm's records of a run's jobs, in the order in which they were submitted."""
    return [job for job in node.jobs() if job["WorkDir"] == str(run.folder)]


def by_shard(jobs) -> dict[str, list[dict]]:
    """Jobs by the shard at the end of their comments."""
    return {shard: [job for job in jobs if job["Comment"].endswith(f"_{shard}")] for shard in NAMES}


NAMES = DAMAGED, HUNG, GREEDY, CANCELLED, SOUND = tuple(f"{shard:04d}" for shard in range(5))
SHARDS = [f"results/tiny/{RELEVANCE}/{shard}.parquet" for shard in NAMES]


@pytest.fixture(scope="module")
def breaking(node, finished, tmp_path_factory):
    """Five shards, of which four fail, each in its own way, while other tests go on."""
    settings = {"images_per_shard": 2, "device": "cpu"}
    tables = ["results/tiny/narratives.parquet", "results/tiny/phrases.parquet"]
    run = start_from(finished, tmp_path_factory.mktemp("broken"), settings, "data", *tables)
    images = run / "data/tiny/images.zip"
    whole, times = images.read_bytes(), images.stat()
    images.write_bytes(whole[:200] + bytes(20) + whole[220:])  # in the first image's data
    os.utime(images, ns=(times.st_atime_ns, times.st_mtime_ns))  # or planning would see it
    command, environment = run.command(
        *SHARDS,
        *PROFILE,
        *("--retries", "0", "--set-threads", "compute_relevance=1", "--set-resources"),
        f"compute_relevance:runtime=1 if wildcards.shard == '{HUNG}' else 20",
        f"compute_relevance:mem_mb=300 if wildcards.shard == '{GREEDY}' else 4000",
        environment=node.environment,
    )
    with open(run / "screen", "w") as screen:
        snakemake = subprocess.Popen(command, env=environment, stdout=screen, stderr=screen)
    # It hangs, as on a filesystem that does not answer.
    node.wait_for_script(HUNG).send_signal(signal.SIGSTOP)
    node.client("scancel", by_shard(jobs_of(node, run))[CANCELLED][0]["JobId"])
    yield run, snakemake, whole, times
    snakemake.kill()
    snakemake.wait()


@pytest.fixture(scope="module")
def broken_run(breaking):
    """The same run at its end: its folder, its exit code, and what was on screen."""
    run, snakemake, whole, times = breaking
    code = snakemake.wait(timeout=300)
    images = run / "data/tiny/images.zip"
    images.write_bytes(whole)  # mended, and no newer than the maps made from it
    os.utime(images, ns=(times.st_atime_ns, times.st_mtime_ns))
    return run, code, (run / "screen").read_text()


@pytest.fixture(scope="module")
def cluster_run(breaking, node, finished, tmp_path_factory):
    """Two shards of the finished run, evaluated again on Slurm, and its records."""
    settings = {"max_images": 10, "evaluate": {"baselines": ["center"]}}
    run = start_from(finished, tmp_path_factory.mktemp("cluster"), settings, "data/tiny")
    run.snakemake("results/tiny/scores.parquet", *PROFILE, environment=node.environment)
    return run, jobs_of(node, run)


def test_slurm_gives_the_scores_of_a_local_run(cluster_run, finished):
    run, _ = cluster_run
    scores = pd.read_parquet(run / "results/tiny/scores.parquet").set_index(KEYS).sort_index()
    local = pd.read_parquet(finished / "results/tiny/scores.parquet").set_index(KEYS).sort_index()
    shards = pd.read_parquet(finished / "results/tiny/narratives.parquet")
    images = shards.loc[shards["image_rank"] < 10, "image_id"]
    same = local.index.get_level_values("image_id").isin(images)
    same &= local.index.get_level_values("attribution").isin(["gradient-attention", "center"])
    # As many threads in both: not close, but identical.
    pd.testing.assert_frame_equal(scores, local[same], check_exact=True)


def test_gpu_jobs_never_exceed_the_gpus_there_are(cluster_run, node):
    """The records of Slurm: more GPUs were asked for at a time than were ever in use."""
    _, jobs = cluster_run
    on_gpu = [job for job in jobs if job.get("TresPerJob") == "gres:gpu:1"]
    assert len(on_gpu) == 4
    assert all(job["Comment"].startswith("rule_compute_relevance_") for job in on_gpu)
    moments = [moment(job, "StartTime") for job in on_gpu]
    in_use = [sum(within(job, "StartTime", at) for job in on_gpu) for at in moments]
    wanted = [sum(within(job, "SubmitTime", at) for job in on_gpu) for at in moments]
    assert max(in_use) == node.gpus == 1
    assert max(wanted) > node.gpus


def within(job, since, at) -> bool:
    return moment(job, since) <= at < moment(job, "EndTime")


def moment(job, key) -> datetime:
    return datetime.fromisoformat(job[key])


def test_what_needs_a_network_runs_where_snakemake_does(cluster_run):
    run, jobs = cluster_run
    assert (run / "data/models/random-clip/manifest.json").exists()
    submitted = {job["Comment"].partition("_wildcards_")[0] for job in jobs}
    assert submitted == {
        "rule_index_phrases", "rule_rasterize_masks", "rule_compute_relevance",
        "rule_score_relevance", "rule_score_baseline", "rule_collect_scores",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shard", "reason"),
    [
        (DAMAGED, "is damaged (CRC): delete the archive and rerun"),
        (HUNG, "DUE TO TIME LIMIT"),
        (GREEDY, "exceeded memory limit"),
        (CANCELLED, "CANCELLED: "),
    ],
)
def test_a_failure_ends_with_its_shard_its_reason_and_its_log(broken_run, shard, reason):
    run, code, screen = broken_run
    assert code != 0
    log = f"logs/tiny/compute_relevance/random-clip/gradient-attention/text_to_image/{shard}.log"
    assert log in screen
    _, _, end = screen.partition("Failed on Slurm, rule and shard:")
    own = re.search(rf"compute_relevance tiny_\S+_{shard}: (.*)\n\s*(\S+)", end)
    assert own, screen
    if shard == DAMAGED:  # the script had its say
        assert reason in screen
    else:
        assert reason in own[0]
    assert (run / "logs/slurm/rule_compute_relevance") in Path(own[2]).parents
    assert Path(own[2]).is_file()
    assert not (run / f"results/tiny/{RELEVANCE}/{shard}.parquet").exists()


def test_what_finished_is_kept(broken_run):
    run, _, _ = broken_run
    assert (run / f"results/tiny/{RELEVANCE}/{SOUND}.parquet").exists()


def test_the_next_run_finishes_and_a_retry_has_more_memory_and_time_and_a_smaller_batch(
    broken_run, node, finished
):
    run, _, _ = broken_run
    kept = (run / SHARDS[-1]).stat().st_mtime_ns
    earlier = len(jobs_of(node, run))
    run.snakemake(
        *SHARDS,
        *PROFILE,
        *("--retries", "1", "--set-threads", "compute_relevance=1", "--set-resources"),
        f"compute_relevance:mem_mb=4000 if wildcards.shard != '{GREEDY}' or attempt > 1 else 300",
        environment=node.environment,
    )
    assert all((run / path).exists() for path in SHARDS)
    assert (run / SHARDS[-1]).stat().st_mtime_ns == kept
    jobs = by_shard(jobs_of(node, run)[earlier:])
    assert {shard: len(found) for shard, found in jobs.items()} == {
        DAMAGED: 1, HUNG: 1, GREEDY: 2, CANCELLED: 1, SOUND: 0,
    }  # fmt: skip
    first, second = jobs[GREEDY]
    assert first["JobState"] in ("FAILED", "OUT_OF_MEMORY")
    assert second["JobState"] == "COMPLETED"
    assert minutes(second["TimeLimit"]) == 2 * minutes(first["TimeLimit"])
    logs = run / "logs/tiny/compute_relevance/random-clip/gradient-attention/text_to_image"
    assert "batch size 16" in (logs / f"{GREEDY}.log").read_text()
    assert "batch size 32" in (logs / f"{HUNG}.log").read_text()


def minutes(limit) -> int:
    """Of a time limit as Slurm writes it, [days-]hours:minutes:seconds."""
    days, _, clock = limit.rpartition("-")
    hours, whole, _ = (int(part) for part in clock.split(":"))
    return (int(days or 0) * 24 + hours) * 60 + whole


def test_the_profiles_agree_on_when_a_job_reruns():
    default, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
        for name in ("default", "slurm")
    )
    shared = ("rerun-triggers", "rerun-incomplete", "keep-going", "show-failed-logs")
    assert {key: slurm[key] for key in shared} == {key: default[key] for key in shared}
    assert slurm["set-resource-scopes"] == {"gpu": "local"}
