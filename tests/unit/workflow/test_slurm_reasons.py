"""The end of a failed run on Slurm says which job, why, and where Slurm's log is."""

from clip_grounding.workflow.slurm_reasons import explain_failures


def run_log(folder, *jobs) -> str:
    lines = []
    for job, shard, state in jobs:
        path = folder / "rule_compute_relevance" / f"tiny_{shard}" / f"{job}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines.append(f"Job 7 has been submitted with SLURM jobid {job} (log: {path}).")
        if state:
            lines.append(f"    message: SLURM-job '{job}' failed, SLURM status is: '{state}'. More")
            path.write_text(
                f"slurmstepd-node: error: StepId={job}.0 exceeded memory limit (2 > 1)\n"
                f"srun: error: node: task 0: Killed\n"
                f"slurmstepd-node: error: *** STEP {job}.0 ON node CANCELLED AT noon ***\n"
            )
    return "\n".join(lines)


def test_a_failed_job_is_listed_with_reason_and_log(tmp_path):
    (line,) = explain_failures(run_log(tmp_path, (4, "0002", "FAILED"), (5, "0003", None)))
    assert line == (
        "compute_relevance tiny_0002: FAILED: StepId=4.0 exceeded memory limit (2 > 1);"
        " STEP 4.0 ON node CANCELLED AT noon\n"
        f"    {tmp_path}/rule_compute_relevance/tiny_0002/4.log"
    )


def test_a_job_that_a_retry_finished_is_not_listed(tmp_path):
    assert explain_failures(run_log(tmp_path, (4, "0002", "FAILED"), (5, "0002", None))) == []


def test_of_several_failed_attempts_the_last_is_listed(tmp_path):
    jobs = [(4, "0002", "FAILED"), (5, "0002", "TIMEOUT")]
    (line,) = explain_failures(run_log(tmp_path, *jobs))
    assert line.startswith("compute_relevance tiny_0002: TIMEOUT")
    assert line.endswith("5.log")


def test_a_failure_without_a_word_from_slurm_says_so(tmp_path):
    text = run_log(tmp_path, (4, "0002", "FAILED"))
    (tmp_path / "rule_compute_relevance/tiny_0002/4.log").write_text("Snakemake's words\n")
    assert "nothing from Slurm: see the rule's log above" in explain_failures(text)[0]


def test_a_local_run_has_nothing_to_list():
    assert explain_failures("Error in rule compute_relevance:\n    message: None") == []
