"""Identify local files named in the settings by their content, wherever they lie.

The workflow links to them. A job's settings hold the digest of the content, so that other content
reruns what reads it, whatever its date, and another place does not.
"""

import json
import os
from pathlib import Path

from clip_grounding.datasets.layout import panoptic_json
from clip_grounding.downloads.zips import Archive, parse_json
from clip_grounding.errors import InputError
from clip_grounding.files import digest_files, replacing
from clip_grounding.models.folders import read_record
from clip_grounding.workflow.places import first_local, local_place


def describe_source(source: dict, cache: Path) -> dict:
    """Return what is known of a published file, without its places on this machine.

    Parameters
    ----------
    source : dict
        The validated entry of the settings, with `url` as a list of places.
    cache : Path
        A JSON file that remembers digests.

    Returns
    -------
    dict
        The entry with only the servers' URLs, and as `content` the sha256 of the local file, where
        one is used.
    """
    servers = [place for place in source["url"] if local_place(place) is None]
    path = first_local(source["url"])
    content = {} if path is None else {"content": digest_files([path], cache)[0]}
    return {**source, "url": servers, **content}


def follow_file(link: Path, source: Path, cache: Path) -> None:
    """Point a link to a file's new place, if the old one is gone or has the same content.

    The link keeps its time. Where the content differs, the job that makes the link has to run.
    """
    if not link.is_symlink() or Path(os.readlink(link)) == source or not source.is_file():
        return
    if link.exists() and len(set(digest_files([link.resolve(), source], cache))) > 1:
        return
    status = link.lstat()
    with replacing(link) as temporary:
        temporary.symlink_to(source)
        os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def follow_folder(folder: Path, source: Path, cache: Path) -> None:
    """Do the same for each link in a checkpoint's folder, if the workflow has filled it."""
    if folder.is_symlink() or read_record(folder) is None:
        return  # a user's folder, whose links stay as they are
    for link in folder.iterdir():
        follow_file(link, source / link.name, cache)


def count_images(panoptic: Path, split: str, content: str, cache: Path) -> int | None:
    """Count the images that a panoptic archive lists.

    Parameters
    ----------
    panoptic : Path
    split : str
    content : str
        The archive's sha256: an archive with the same content is not read again.
    cache : Path
        A JSON file that remembers the counts.

    Returns
    -------
    int or None
        None for a damaged archive: the job that reads all of it reports the damage.
    """
    key = f"{content}/{split}"
    try:
        known = json.loads(cache.read_text())
        return known[key]
    except (OSError, ValueError):
        known = {}
    except (KeyError, TypeError):
        known = known if isinstance(known, dict) else {}
    try:
        with Archive(panoptic, str(panoptic)) as archive:
            member = panoptic_json(split)
            images = parse_json(archive.read(member), f"{panoptic}/{member}")["images"]
    except (InputError, KeyError, TypeError):
        return None
    with replacing(cache) as temporary:
        temporary.write_text(json.dumps({**known, key: len(images)}, indent=1, sort_keys=True))
    return len(images)


def check_image_count(name: str, dataset: dict, cache: Path, counts: Path) -> None:
    """Compare a dataset's `image_count` with its panoptic archive, if that is on this machine.

    Raises
    ------
    InputError
        They disagree: shards would be laid out for images that do not exist.
    """
    path = first_local(dataset["panoptic"]["url"])
    if path is None:
        return
    (content,) = digest_files([path], cache)
    count = count_images(path, dataset["split"], content, counts)
    if count not in (None, dataset["image_count"]):
        raise InputError(
            f"datasets.{name}.image_count: {dataset['image_count']} given, but"
            f" {path}/{panoptic_json(dataset['split'])} lists {count} images: set it to {count}"
        )
