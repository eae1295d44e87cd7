"""Resources of jobs: time, memory and batch size, from clip_grounding.workflow.sizing, and GPU.

None of them is part of `spec`: requesting more reruns nothing.
"""

from clip_grounding.workflow import sizing

# OpenMP's threads spin for a millisecond while they wait for each other. Beside other jobs on the
# same cores that multiplies the time of a job with short steps, and its CPU time, by ten.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


def uses_gpu(wildcards):
    return 0 if CONFIG["device"] == "cpu" else 1


def shard_size(wildcards):
    start, stop = span_of(wildcards)
    return stop - start


def relevance_minutes(wildcards, threads, attempt):
    return sizing.relevance_minutes(
        images=shard_size(wildcards),
        model=MODELS[wildcards.model],
        attribution=ATTRIBUTIONS[wildcards.attribution],
        direction=wildcards.direction,
        threads=threads,
        gpu=uses_gpu(wildcards) > 0,
        attempt=attempt,
    )


def gates_minutes(wildcards, threads, attempt):
    """Return a request for a method's gates: some maps of each image, more of those of the curve."""
    settings, whole = CONFIG["gates"], image_count(wildcards.dataset)
    drawn = min(whole, 10 + 2 * gates_share(CONFIG, wildcards.dataset) * whole)
    model = MODELS[wildcards.model]
    return sizing.relevance_minutes(
        images=sizing.gates_passes(
            model, drawn, settings["target_images"], settings["curve_images"]
        ),
        model=model,
        attribution=ATTRIBUTIONS[wildcards.attribution],
        direction=wildcards.direction,
        threads=threads,
        gpu=uses_gpu(wildcards) > 0,
        attempt=attempt,
    )


def relevance_mb(wildcards, attempt):
    return sizing.relevance_mb(
        model=MODELS[wildcards.model],
        attribution=ATTRIBUTIONS[wildcards.attribution],
        batch_size=relevance_batch(wildcards, attempt),
        gpu=uses_gpu(wildcards) > 0,
        attempt=attempt,
    )


def relevance_batch(wildcards, attempt):
    """Return the script's batch size: a smaller one makes the same maps in less memory."""
    return sizing.relevance_batch(CONFIG["batch_size"], attempt)


def evidence_minutes(stage, share):
    """Return a request for a job that measures a share of the images."""

    def minutes(wildcards, threads, attempt):
        settings = CONFIG["evidence"]
        return sizing.evidence_minutes(
            images=drawn_size(wildcards, share),
            model=MODELS[wildcards.model],
            direction=wildcards.direction,
            passes=sizing.evidence_passes(stage, settings["subsets"], settings["controls"]),
            threads=threads,
            gpu=uses_gpu(wildcards) > 0,
            attempt=attempt,
        )

    return minutes


def evidence_mb(wildcards, attempt):
    batch_size = relevance_batch(wildcards, attempt)
    return sizing.evidence_mb(MODELS[wildcards.model], batch_size, uses_gpu(wildcards) > 0, attempt)


def scoring_minutes(wildcards, attempt):
    return sizing.scoring_minutes(shard_size(wildcards), attempt=attempt)


def waterfall_minutes(wildcards, attempt):
    """Return the minutes of a waterfall: each step is a separate scoring."""
    return sizing.scoring_minutes(shard_size(wildcards), steps=6, attempt=attempt)


def scoring_mb(wildcards, attempt):
    return sizing.scoring_mb(shard_size(wildcards), attempt)


def image_count(dataset):
    return shards_of(dataset)[-1].stop


def table_minutes(wildcards, attempt):
    dataset = wildcards.dataset
    return sizing.table_minutes(image_count(dataset), len(evaluations_of(dataset)), attempt)


def table_mb(wildcards, attempt):
    dataset = wildcards.dataset
    return sizing.table_mb(image_count(dataset), len(evaluations_of(dataset)), attempt)


def index_minutes(wildcards, attempt):
    return sizing.index_minutes(DATASETS[wildcards.dataset]["image_count"], attempt)


def index_mb(wildcards, attempt):
    return sizing.index_mb(DATASETS[wildcards.dataset]["image_count"], attempt)


def growing(amount):
    """Return a fixed request for jobs of constant size, multiplied by the attempt."""

    def request(wildcards, attempt):
        return amount * attempt

    return request
