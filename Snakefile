"""CLIP grounding: does CLIP look at the right thing? From datasets to scores and figures."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


# Read from this file's folder, wherever the run works; --configfile and --config add to it.
configfile: Path(workflow.current_basedir) / "config.yaml"


report: "rules/report/workflow.rst"


include: "rules/common.smk"
include: "rules/rerun.smk"
include: "rules/paths.smk"
include: "rules/sources.smk"
include: "rules/resources.smk"
include: "rules/download.smk"
include: "rules/datasets.smk"
include: "rules/scenes.smk"
include: "rules/annotations.smk"
include: "rules/relevance.smk"
include: "rules/scores.smk"
include: "rules/evidence_settings.smk"
include: "rules/evidence.smk"
include: "rules/gates_settings.smk"
include: "rules/gates.smk"
include: "rules/statistics.smk"
include: "rules/figures_settings.smk"
include: "rules/figures.smk"
include: "rules/examples_settings.smk"
include: "rules/examples.smk"
include: "rules/gallery_settings.smk"
include: "rules/gallery.smk"
include: "rules/published.smk"
include: "rules/failures.smk"


rule all:
    default_target: True
    input:
        expand(
            [
                rules.collect_scores.output.scores,
                rules.summarize_scores.output.summary,
                rules.summarize_scores.output.coverage,
                rules.compare_contenders.output.comparisons,
                rules.rank_contenders.output.rankings,
                rules.summarize_waterfall.output.summary,
                rules.summarize_areas.output.areas,
                rules.summarize_curves.output.curves,
                rules.build_gallery.output.page,
            ],
            dataset=CONFIG["dataset"],
        ),
        charts_of(CONFIG["dataset"], CHARTS),
        examples_of(CONFIG["dataset"]),
        animations_of(CONFIG["dataset"]),
        evidence_of(CONFIG["dataset"]) if HAS_EVIDENCE else [],
        gates_of(CONFIG["dataset"]) if HAS_GATES else [],


rule evidence:
    """Make the evidence of the evaluated dataset, as tables and charts (a target)."""
    localrule: True
    input:
        evidence_of(CONFIG["dataset"]),


rule gates:
    """Make the gates and certificates of the evaluated dataset (a target)."""
    localrule: True
    input:
        gates_of(CONFIG["dataset"]),


include: "rules/locks.smk"
include: "rules/memory.smk"
include: "rules/signatures.smk"
