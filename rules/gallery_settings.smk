"""Settings and inputs of the gallery."""

from clip_grounding.files import digest_file
from clip_grounding.gallery.page import ASSETS


def evidence_inputs(wildcards):
    """Return the tables of the evidence that the page shows; none where no image is measured."""
    if not HAS_EVIDENCE:
        return {}
    maps = {
        "outcomes": rules.score_evidence.output.outcomes,
        "faithfulness": rules.score_evidence.output.faithfulness,
        "removal": rules.measure_removal.output.removal,
    }
    return {
        "effects": measured_files(rules.measure_effects.output.effects)(wildcards),
        **{stage: explained_files(pattern)(wildcards) for stage, pattern in maps.items()},
    }


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
        measured=(plan.list_measured(CONFIG, wildcards.dataset) if HAS_EVIDENCE else []),
        shards=len(shards_of(wildcards.dataset)),
        parts=len(parts_of(wildcards.dataset)),
        seed=CONFIG["seed"],
        assets={path.name: digest_file(path) for path in sorted(ASSETS.iterdir())},
    )
