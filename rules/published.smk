"""Optional checks against the published per-phrase scores: a comparison with ours, and a
reanalysis. Both targets need the setting `published_metrics`.
"""

from clip_grounding.published import files as published_files
from clip_grounding.published.means import choose_published_pair


rule download_published:
    """Download one of the six published files, or link to it on this machine."""
    localrule: True
    output:
        file="data/published/{file}",
    params:
        spec=download_published_spec,
    wildcard_constraints:
        file=one_of(published_files.NAMES),
    log:
        "logs/published/download_published/{file}.log",
    benchmark:
        "benchmarks/published/download_published/{file}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        "../envs/download.yaml"
    script:
        "../workflow_scripts/download_published.py"


rule read_published:
    """Read the six published files, without running their code, and recover the narratives."""
    input:
        files=expand(rules.download_published.output.file, file=published_files.NAMES),
    output:
        scores="results/published/scores.parquet",
    params:
        code=code_of("read_published"),
        spec=spec_of(narratives=published_files.NARRATIVES, phrases=published_files.PHRASES),
    log:
        "logs/published/read_published.log",
    benchmark:
        "benchmarks/published/read_published.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow_scripts/read_published.py"


rule compare_published:
    """Compare our poster scores with the published ones, phrase by phrase."""
    input:
        scores=rules.collect_scores.output.scores.format(dataset=CONFIG["dataset"]),
        phrases=rules.index_phrases.output.phrases.format(dataset=CONFIG["dataset"]),
        published=rules.read_published.output.scores,
    output:
        agreement=report(
            f"results/{CONFIG['dataset']}/published/agreement.csv",
            caption="report/published.rst",
            category=CONFIG["dataset"],
            subcategory="Published run",
            labels={"table": "agreement"},
        ),
        worst=report(
            f"results/{CONFIG['dataset']}/published/worst.csv",
            caption="report/published_worst.rst",
            category=CONFIG["dataset"],
            subcategory="Published run",
            labels={"table": "worst phrases"},
        ),
    params:
        code=code_of("compare_published"),
        spec=spec_of(dataset=CONFIG["dataset"], **choose_published_pair(CONFIG, CONFIG["dataset"])),
    log:
        f"logs/{CONFIG['dataset']}/compare_published.log",
    benchmark:
        f"benchmarks/{CONFIG['dataset']}/compare_published.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/compare_published.py"


rule reanalyse_published:
    """Reanalyse the published scores by region area, without running a model."""
    input:
        published=rules.read_published.output.scores,
    output:
        table=report(
            "results/published/reanalysis.csv",
            caption="report/published_reanalysis.rst",
            category="Published run",
            labels={"table": "what the number hides"},
        ),
        pdf="results/published/area.pdf",
        png=report(
            "results/published/area.png",
            caption="report/published_area.rst",
            category="Published run",
            labels={"figure": "score against region area"},
        ),
    params:
        code=code_of("reanalyse_published"),
        spec=spec_of(bootstrap=CONFIG["bootstrap"], seed=CONFIG["seed"]),
    log:
        "logs/published/reanalyse_published.log",
    benchmark:
        "benchmarks/published/reanalyse_published.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow_scripts/reanalyse_published.py"
