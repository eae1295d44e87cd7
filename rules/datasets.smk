"""Datasets that the workflow writes in the published formats: a rule per kind of them."""

from clip_grounding.converters import list_converters, parameters_of

for kind in list_converters():

    rule:
        name:
            f"render_{kind}"
        output:
            images="data/{dataset}/images.zip",
            panoptic="data/{dataset}/panoptic.zip",
            narratives="data/{dataset}/narratives.json",
        params:
            code=code_of("render_dataset", f"clip_grounding.converters.{kind}"),
            spec=lambda wildcards: spec_of(**parameters_of(DATASETS[wildcards.dataset])),
        wildcard_constraints:
            dataset=one_of(dataset_names(kind)),
        log:
            f"logs/{{dataset}}/render_{kind}.log",
        benchmark:
            f"benchmarks/{{dataset}}/render_{kind}.tsv"
        threads: 1
        resources:
            mem_mb=growing(1000),
            runtime=growing(30),
        conda:
            "../envs/tables.yaml"
        script:
            "../workflow_scripts/render_dataset.py"
