"""Charts, each drawn from tables."""

# name of the figure: (its tables, its settings, its label in the report); it is drawn by
# `draw_<name>` in clip_grounding/figures/<name>.py
CHARTS = {
    "heatmap": (rules.rank_contenders.output.rankings, interval_spec, "models and attributions"),
    "cost": (rules.summarize_scores.output.summary, interval_spec, "score and cost"),
    "scores": (rules.summarize_scores.output.summary, bars_spec, "poster scores"),
    "strict": (rules.summarize_scores.output.summary, bars_spec, "strict scores"),
    "differences": (rules.compare_contenders.output.comparisons, bars_spec, "paired differences"),
    "area": (rules.summarize_areas.output.areas, pair_spec, "scores by region area"),
    "slices": (rules.summarize_scores.output.summary, pair_spec, "strict scores by slice"),
    "thresholds": (
        [rules.summarize_curves.output.curves, rules.summarize_scores.output.summary],
        interval_spec,
        "IoU by threshold",
    ),
    "waterfall": (rules.summarize_waterfall.output.summary, pair_spec, "from poster to strict"),
}

# The same of the evidence, which is not measured where `evidence: images` is 0.
EVIDENCE_CHARTS = {
    "evidence": (
        rules.summarize_evidence.output.evidence_csv,
        interval_spec,
        "localisation and faithfulness",
    ),
    "effects": (rules.summarize_evidence.output.evidence_csv, interval_spec, "effects of regions"),
    "outcomes": (rules.summarize_evidence.output.outcomes_csv, interval_spec, "four outcomes"),
    "removal": (
        rules.summarize_evidence.output.removal_curves_csv,
        pair_spec,
        "similarity under removal",
    ),
}

# The same of the gates, which are not measured where `gates: images` is 0.
GATES_CHARTS = {
    "gates": (
        [rules.summarize_gates.output.gates_csv, rules.summarize_gates.output.certificates_csv],
        spec_of(),
        "gates and certificates",
    ),
    "cascade": (
        rules.summarize_gates.output.gates_csv,
        model_spec,
        "maps while the model is randomised",
    ),
}


for chart, (tables, spec, label) in {**CHARTS, **EVIDENCE_CHARTS, **GATES_CHARTS}.items():

    rule:
        name:
            f"plot_{chart}"
        localrule: True
        input:
            tables,
        output:
            chart_files(chart, label),
        params:
            code=code_of("plot_chart", f"clip_grounding.figures.{chart}.draw_{chart}", *LOOKS),
            spec=spec,
        log:
            f"logs/{{dataset}}/plot_{chart}.log",
        benchmark:
            f"benchmarks/{{dataset}}/plot_{chart}.tsv"
        threads: 1
        resources:
            mem_mb=growing(1000),
            runtime=growing(10),
        conda:
            "../envs/tables.yaml"
        script:
            "../workflow_scripts/plot_chart.py"
