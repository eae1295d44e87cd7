"""A plan in words."""

from clip_grounding.changes import explain_plan

PLAN = """
rule compute_relevance:
    input: a
    output: results/x.parquet
    reason: Params have changed since last execution: Union of exclusive params before and now \
across all output: before: '{"attribution":{"layers":"last"},"span":[0,5]}' now: \
'{"attribution":{"layers":"all"},"span":[0,5]}'
    wildcards: dataset=tiny

rule compute_relevance:
    input: b
    output: results/y.parquet
    reason: Params have changed since last execution: Union of exclusive params before and now \
across all output: before: '{"attribution":{"layers":"last"},"span":[0,5]}' now: \
'{"attribution":{"layers":"all"},"span":[0,5]}'

localrule score_relevance:
    output: results/z.parquet
    reason: Missing output files: results/z.parquet; Input files updated by another job: \
results/x.parquet

rule rasterize_masks:
    output: m
    reason: Params have changed since last execution: Union of exclusive params before and now \
across all output: before: '{"clip_grounding.masks":{"f":"1"},"libraries":{}}' now: \
'{"clip_grounding.masks":{"f":"2"},"libraries":{}}' ; Software environment definition has changed

rule plot_scores:
    output: p
    reason: Missing output files: p

localrule all:
    input: p
    reason: Input files updated by another job: p
"""


def test_each_rule_is_listed_with_its_cause_and_the_number_of_jobs():
    assert explain_plan(PLAN) == [
        'compute_relevance (2 jobs): setting attribution.layers is "all", was "last"',
        "score_relevance (1 job): what it reads is made again by a job above",
        "rasterize_masks (1 job): clip_grounding.masks: `f` changed",
        "plot_scores (1 job): its output is not there",
    ]


def test_an_empty_plan_has_nothing_to_say():
    assert explain_plan("Nothing to be done (all requested files are present).") == []


def test_a_job_from_before_its_code_was_on_record_is_explained():
    plan = (
        "rule render_scenes:\n    reason: Params have changed since last execution: Union of "
        "exclusive params before and now across all output: before: <nothing exclusive> now: "
        "'{\"libraries\":{}}' \n"
    )
    assert explain_plan(plan) == ["render_scenes (1 job): nothing is on record of its code"]
