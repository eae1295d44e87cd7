"""CLIP grounding: does CLIP look at the right thing? From datasets to scores and figures."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


# Read from this file's folder, wherever the run works; --configfile and --config add to it.
configfile: Path(workflow.current_basedir) / "config.yaml"


report: "rules/report/workflow.rst"


include: "rules/common.smk"
include: "rules/sources.smk"
include: "rules/resources.smk"
include: "rules/figures.smk"
include: "rules/download.smk"
include: "rules/scenes.smk"
include: "rules/annotations.smk"
include: "rules/relevance.smk"
include: "rules/scores.smk"
include: "rules/evidence_settings.smk"
include: "rules/evidence.smk"
include: "rules/rankings.smk"
include: "rules/examples.smk"
include: "rules/gallery.smk"
include: "rules/published.smk"
include: "rules/failures.smk"


rule all:
    default_target: True
    input:
        multiext(
            f"results/{CONFIG['dataset']}/",
            "scores.parquet",
            "summary.csv",
            "coverage.csv",
            "comparisons.csv",
            "rankings.csv",
            "waterfall.csv",
            "areas.csv",
            "curves.csv",
        ),
        figures_of(CONFIG["dataset"]),
        animations_of(CONFIG["dataset"]),
        f"results/{CONFIG['dataset']}/gallery/index.html",


include: "rules/memory.smk"
