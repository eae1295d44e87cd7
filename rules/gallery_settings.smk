"""Settings of the gallery."""

from clip_grounding.files import digest_file
from clip_grounding.gallery.page import ASSETS


def build_gallery_spec(wildcards):
    """Return what the gallery shows, and the digests of the page's files."""
    return spec_of(
        **CONFIG["gallery"],
        dataset=wildcards.dataset,
        split=split_of(wildcards),
        directions=[
            direction
            for direction in DIRECTIONS
            if any(direction == own for _, _, own in explained_of(wildcards.dataset))
        ],
        evaluations=explained_of(wildcards.dataset),
        shards=len(shards_of(wildcards.dataset)),
        seed=CONFIG["seed"],
        assets={path.name: digest_file(path) for path in sorted(ASSETS.iterdir())},
    )
