"""The paths that rules share, and lists of them: of every shard, of every contender.

A rule's path is `rules.<rule>.output.<name>`; that of a checkpoint, which one of two rules makes,
is `CHECKPOINT`.
"""

CHECKPOINT = "data/models/{model}/manifest.json"


def shard_files(pattern, dataset, **wildcards):
    """List the files of all shards, of a pattern that has {shard}; or of all parts, of {part}."""
    names = (
        parts_of(dataset) if "{part}" in pattern else [shard.name for shard in shards_of(dataset)]
    )
    return [pattern.format(dataset=dataset, shard=name, part=name, **wildcards) for name in names]


def files_of(pattern, dataset, evaluations):
    """List every shard's file of a pattern, evaluation by evaluation."""
    return [
        path
        for model, attribution, direction in evaluations
        for path in shard_files(
            pattern, dataset, model=model, attribution=attribution, direction=direction
        )
    ]


def explained_files(pattern):
    """Return an input function: the files of all evaluations that have maps."""
    return lambda wildcards: files_of(pattern, wildcards.dataset, explained_of(wildcards.dataset))
