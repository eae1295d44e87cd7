"""Sources of data and checkpoints: where each is, and which part of it a job needs.

Nothing here is `ancient`: Snakemake does not run a job whose output is missing if it only waits for
a job behind an ancient input.
"""

import hashlib
import json

from clip_grounding.models.checkpoints import digest_folder, stay_offline
from clip_grounding.workflow.places import is_local_folder
from clip_grounding.files import drop_dangling_links
from clip_grounding.datasets.folders import digest_images, image_root, link_folder
from clip_grounding.workflow.local_sources import (
    check_image_count,
    describe_source,
    follow_file,
    follow_folder,
)
from clip_grounding.models.folders import refuse_foreign_manifest
from clip_grounding.workflow.places import first_local, local_place

stay_offline()

# Digests of local files, by path, size and times: a file is read again only if one differs.
DIGESTS = Path("data/.digests.json")

# Refuse now: Snakemake deletes a job's outputs before the job starts.
try:
    for name in models_of(CONFIG["dataset"]):
        refuse_foreign_manifest(Path("data/models", name))
except InputError as error:
    raise WorkflowError(str(error)) from None


def source_of(dataset, name):
    """Return the config's entry of a png dataset's file, with `url` as a list of places."""
    return DATASETS[dataset][name]


@cache
def images_folder(dataset):
    """Return the folder of a png dataset's images; None where they are in a zip."""
    if DATASETS[dataset]["kind"] != "png":
        return None
    folder = local_place(source_of(dataset, "images")["url"][0])
    return str(folder) if folder is not None and folder.is_dir() else None


def follow_sources(dataset):
    """Check a dataset's local sources, and update the links to those that have moved."""
    if DATASETS[dataset]["kind"] == "png":
        check_image_count(dataset, DATASETS[dataset], DIGESTS, Path("data/.image_counts.json"))
        for name in ("images.zip", "panoptic.zip", "narratives.json"):
            path = first_local(source_of(dataset, name.partition(".")[0])["url"])
            if path is not None:
                follow_file(Path("data", dataset, name), path, DIGESTS)
        if folder := images_folder(dataset):
            link_folder(
                f"data/{dataset}/images.json", image_root(folder, DATASETS[dataset]["split"])
            )
    for model in models_of(dataset):
        folder = MODELS[model].get("checkpoint", "")
        if is_local_folder(folder):
            follow_folder(Path("data/models", model), Path(folder), DIGESTS)


try:
    if workflow.is_main_process:  # done before any job starts
        follow_sources(CONFIG["dataset"])
except InputError as error:
    raise WorkflowError(str(error)) from None
except OSError as error:
    raise WorkflowError(
        f"{error.filename}: {error.strerror}: allow this user to read the settings' local files and"
        " to write to data/, and make room there"
    ) from None


# Links to a deleted download, or to a user's file that is gone.
if workflow.is_main_process:
    for folder in ["published", *dataset_names("png")]:
        drop_dangling_links(Path("data", folder))


def is_remote(source):
    return source["url"][0].startswith(("http://", "https://"))


def has_sharded_images(dataset):
    """Return whether every shard has a zip of its images, so that more images change no shard's.

    The published zip's checksum must be known, so that later downloads are from the same zip.
    """
    if DATASETS[dataset]["kind"] != "png":
        return False
    source = source_of(dataset, "images")
    return is_remote(source) and None not in (source["size"], source["sha256"])


def images_file(dataset, shard):
    """Return the zip that has a shard's images, or the list of those in the dataset's folder."""
    if images_folder(dataset):
        return f"data/{dataset}/images.json"
    if has_sharded_images(dataset):
        return f"data/{dataset}/images/{shard}.zip"
    return f"data/{dataset}/images.zip"


def images_files(dataset, shards):
    """Return the zips, or the list, that have the images of several shards."""
    return list(dict.fromkeys(images_file(dataset, shard.name) for shard in shards))


def images_input(wildcards):
    return images_file(wildcards.dataset, wildcards.shard)


def download_source_spec(wildcards):
    """Return the facts and needed parts of a file, but not its place on this machine."""
    name, _, _ = wildcards.source.partition(".")
    source = source_of(wildcards.dataset, name)
    part = {}
    if name == "panoptic" and is_remote(source):
        part["split"] = split_of(wildcards)
    return spec_of(**describe_source(source, DIGESTS), **part)


def download_images_spec(wildcards):
    return spec_of(
        **describe_source(source_of(wildcards.dataset, "images"), DIGESTS),
        split=split_of(wildcards),
        span=span_of(wildcards),
    )


def list_images_spec(wildcards):
    """Return the settings of a folder of images: its content, wherever it lies."""
    folder, split = images_folder(wildcards.dataset), split_of(wildcards)
    source = source_of(wildcards.dataset, "images")
    if (source["size"], source["sha256"]) != (None, None):
        raise WorkflowError(
            f"datasets.{wildcards.dataset}.images: {folder} is a folder, but size and sha256 are of"
            " a file: remove them, or give the zip"
        )
    try:
        digests = digest_images(folder, split, DIGESTS)
    except InputError as error:
        raise WorkflowError(str(error)) from None
    content = hashlib.sha256(json.dumps(digests).encode()).hexdigest()
    return spec_of(split=split, content=content)


def fetch_checkpoint_spec(wildcards):
    """Return a checkpoint's settings: a hub revision, or a local folder's content."""
    model = MODELS[wildcards.model]
    if model["revision"] is not None:
        return spec_of(checkpoint=model["checkpoint"], revision=model["revision"], content=None)
    return spec_of(content=digest_folder(model["checkpoint"], DIGESTS))


def download_published_spec(wildcards):
    folder = CONFIG["published_metrics"]
    if folder is None:
        raise WorkflowError(
            "published_metrics: not set; give the folder or the URL prefix of the six published"
            " files, for example --config published_metrics=path/to/folder"
        )
    place = f"{folder.rstrip('/')}/{wildcards.file}"
    return spec_of(**describe_source({"url": [place]}, DIGESTS))


def downloads_of(dataset):
    """List everything that a dataset's evaluation needs from elsewhere."""
    models = [model for model in models_of(dataset) if "checkpoint" in MODELS[model]]
    checkpoints = [CHECKPOINT.format(model=model) for model in models]
    if DATASETS[dataset]["kind"] != "png":
        return checkpoints
    return [
        f"data/{dataset}/narratives.json",
        f"data/{dataset}/panoptic.zip",
        *images_files(dataset, shards_of(dataset)),
        *checkpoints,
    ]
