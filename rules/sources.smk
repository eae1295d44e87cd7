"""What comes from elsewhere: where it is, and which part of it a job needs.

Nothing here is `ancient`: Snakemake does not run a job whose output is missing if all that makes it
wait is a job behind an ancient input.
"""

from clip_grounding.checkpoints import digest_folder, stay_offline
from clip_grounding.downloads.files import local_path
from clip_grounding.folders import describe_folder

stay_offline()


def source_of(dataset, name):
    """The config's entry of a png dataset's file, with `url` as a list."""
    entry = DATASETS[dataset][name]
    return {**entry, "url": [entry["url"]] if isinstance(entry["url"], str) else entry["url"]}


def is_remote(source):
    return source["url"][0].startswith(("http://", "https://"))


@cache
def images_folder(dataset):
    """The folder that a png dataset's images lie in; None where they come as a zip."""
    if DATASETS[dataset]["kind"] != "png":
        return None
    folder = local_path(source_of(dataset, "images")["url"][0])
    return str(folder) if folder is not None and folder.is_dir() else None


def has_sharded_images(dataset):
    """Tell whether every shard has a zip of its images: more images then change no shard's.

    The published zip's checksum must be known, so that what is fetched later is of the same zip.
    """
    if DATASETS[dataset]["kind"] != "png":
        return False
    source = source_of(dataset, "images")
    return is_remote(source) and None not in (source["size"], source["sha256"])


def images_file(dataset, shard):
    """The zip that has a shard's images, or the list of those in a folder."""
    if images_folder(dataset):
        return f"data/{dataset}/images/{shard}.json"
    if has_sharded_images(dataset):
        return f"data/{dataset}/images/{shard}.zip"
    return f"data/{dataset}/images.zip"


def images_files(dataset, shards):
    """The zips, or lists, that have the images of several shards."""
    return list(dict.fromkeys(images_file(dataset, shard.name) for shard in shards))


def source_spec(wildcards):
    """Where a file is, what is known of it, and which part of it is needed."""
    name, _, _ = wildcards.source.partition(".")
    source = source_of(wildcards.dataset, name)
    if name == "panoptic" and is_remote(source):
        source["split"] = DATASETS[wildcards.dataset]["split"]
    return spec_of(**source)


def images_spec(wildcards):
    return spec_of(
        **source_of(wildcards.dataset, "images"),
        split=DATASETS[wildcards.dataset]["split"],
        span=shard_span(wildcards.dataset, wildcards.shard),
    )


def listed_spec(wildcards):
    """A folder of images: which shard's, and what a glance at its files tells of a change."""
    folder = images_folder(wildcards.dataset)
    source = source_of(wildcards.dataset, "images")
    if (source["size"], source["sha256"]) != (None, None):
        raise WorkflowError(
            f"datasets.{wildcards.dataset}.images: {folder} is a folder, but size and sha256 are of"
            " a file: remove them, or give the zip"
        )
    return spec_of(
        folder=folder,
        split=DATASETS[wildcards.dataset]["split"],
        span=shard_span(wildcards.dataset, wildcards.shard),
        content=describe_folder(folder),
    )


def checkpoint_spec(wildcards):
    """A hub checkpoint is its revision; a local folder is its content, whatever its files' times."""
    model = MODELS[wildcards.model]
    content = None
    if model["revision"] is None:
        content = digest_folder(model["checkpoint"], "data/models/.digests.json")
    return spec_of(checkpoint=model["checkpoint"], revision=model["revision"], content=content)


def downloads_of(dataset):
    """All that a dataset's evaluation needs from elsewhere."""
    models = [model for model in models_of(dataset) if "checkpoint" in MODELS[model]]
    checkpoints = [f"data/models/{model}/manifest.json" for model in models]
    if DATASETS[dataset]["kind"] != "png":
        return checkpoints
    return [
        f"data/{dataset}/narratives.json",
        f"data/{dataset}/panoptic.zip",
        *images_files(dataset, shards_of(dataset)),
        *checkpoints,
    ]
