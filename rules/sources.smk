"""What comes from elsewhere, as the jobs that read it see it: where it is, and what it contains.

A file whose content the config fixes (a checksum, a revision, the digest of a local checkpoint) is
`ancient` as an input: its content is in the spec of the jobs that read it, so that the same file,
downloaded again or put in place with another time, reruns none of them.
"""

from clip_grounding.checkpoints import digest_folder, stay_offline

stay_offline()


def source_of(dataset, name):
    """The config's entry of a png dataset's file, with `url` as a list."""
    entry = DATASETS[dataset][name]
    return {**entry, "url": [entry["url"]] if isinstance(entry["url"], str) else entry["url"]}


def is_remote(source):
    return source["url"][0].startswith(("http://", "https://"))


def takes_few_images(dataset):
    """Tell whether single images are fetched, not the whole zip: for at most half of them.

    The zip's checksum must be known, so that what is fetched later is of the same zip.
    """
    source = source_of(dataset, "images")
    wanted = CONFIG["max_images"]
    return (
        None not in (wanted, source["size"], source["sha256"])
        and is_remote(source)
        and 2 * wanted <= DATASETS[dataset]["image_count"]
    )


def source_spec(wildcards):
    """Where a file is, what is known of it, and which part of it is needed."""
    name, _, _ = wildcards.source.partition(".")
    source = source_of(wildcards.dataset, name)
    part = {}
    if name == "panoptic" and is_remote(source):
        part = {"split": DATASETS[wildcards.dataset]["split"]}
    elif name == "images" and takes_few_images(wildcards.dataset):
        part = {"split": DATASETS[wildcards.dataset]["split"], "images": CONFIG["max_images"]}
    return spec_of(**source, **part)


def source_inputs(wildcards):
    """Single images are chosen from the list in the panoptic archive."""
    if wildcards.source == "images.zip" and takes_few_images(wildcards.dataset):
        return {"panoptic": ancient(f"data/{wildcards.dataset}/panoptic.zip")}
    return {}


def source_content(dataset, *names):
    """What the config says of the content of a dataset's files, for the specs of their readers."""
    if DATASETS[dataset]["kind"] != "png":
        return {}
    return {name: DATASETS[dataset][name]["sha256"] for name in names}


def source_file(dataset, name):
    """A dataset's file as an input: images, panoptic or narratives."""
    path = f"data/{dataset}/{name}{'.json' if name == 'narratives' else '.zip'}"
    return ancient(path) if source_content(dataset, name).get(name) else path


@cache
def checkpoint_content(model):
    """What fixes a checkpoint: hub id and revision, or the content of a local folder."""
    model = MODELS[model]
    if "checkpoint" not in model:
        return None
    if model["revision"] is not None:
        return [model["checkpoint"], model["revision"]]
    return digest_folder(model["checkpoint"], "data/models/.digests.json")


def checkpoint_file(model):
    """A model's manifest as an input."""
    path = f"data/models/{model}/manifest.json"
    return ancient(path) if checkpoint_content(model) else path


def checkpoint_spec(wildcards):
    """A hub checkpoint is its revision; a local folder is its content, whatever its files' times."""
    model = MODELS[wildcards.model]
    content = checkpoint_content(wildcards.model) if model["revision"] is None else None
    return spec_of(checkpoint=model["checkpoint"], revision=model["revision"], content=content)


def downloads_of(dataset):
    """All that a dataset's evaluation needs from elsewhere."""
    models = [model for model in DATASETS[dataset]["models"] if "checkpoint" in MODELS[model]]
    files = ["images.zip", "panoptic.zip", "narratives.json"]
    return [
        *(f"data/{dataset}/{name}" for name in files if DATASETS[dataset]["kind"] == "png"),
        *(f"data/models/{model}/manifest.json" for model in models),
    ]
