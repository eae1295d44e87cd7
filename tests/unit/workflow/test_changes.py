"""A plan in words: a line per cause, and one for what follows from it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clip_grounding.workflow.changes import explain_plan
from clip_grounding.workflow.differences import describe_code, describe_settings

CHANGED = (
    "Params have changed since last execution: Union of exclusive params before and now across all"
    " output: before: {} now: {} "
)
HEAD = "host: node\nBuilding DAG of jobs...\n"


def job(rule, reason, inputs="", output="", local=False):
    lines = [f"{'local' * local}rule {rule}:", f"    input: {inputs}", f"    output: {output}"]
    return "\n".join([*lines, f"    reason: {reason}", "    wildcards: dataset=tiny", "", ""])


def params(before, now):
    return CHANGED.format(*(f"'{json.dumps(part)}'" if part else "<nothing exclusive>"
                            for part in (before, now)))  # fmt: skip


LAYERS = params({"attribution": {"layers": "last"}}, {"attribution": {"layers": "all"}})
SEED = params({"seed": 1}, {"seed": 2})


def follows(files):
    return f"Input files updated by another job: {files}"


def test_a_line_per_cause_names_its_rules_and_another_what_follows():
    plan = HEAD + "".join(
        [
            job("compute_relevance", LAYERS, "a", "r/0"),
            job("compute_relevance", LAYERS, "a", "r/1"),
            job("score_relevance", follows("r/0"), "m, r/0", "s/0, t/0", local=True),
            job("score_relevance", follows("r/1"), "m, r/1", "s/1, t/1"),
            job("collect_scores", follows("s/0, s/1"), "s/0, s/1", "c"),
            job("build_gallery", SEED, "r/0, c", "g"),
            job("score_baseline", SEED, "m", "b"),
            job("plot_scores", "Missing output files: p", "c", "p"),
            job("all", follows("p"), "p, g"),
        ]
    )
    assert explain_plan(plan) == [
        'setting attribution.layers is "all", was "last": compute_relevance (2 jobs)',
        "  and 2 rules below (3 jobs), which read what these make",
        "setting seed is 2, was 1: build_gallery (1 job), score_baseline (1 job)",
        "no output yet: plot_scores (1 job)",
    ]


def test_causes_of_the_same_jobs_share_a_line():
    reason = params({"seed": 1, "models": ["a"]}, {"seed": 2, "models": ["a", "b"]})
    assert explain_plan(job("plot_scores", reason)) == [
        "setting models: added: b; setting seed is 2, was 1: plot_scores (1 job)"
    ]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Updated input files: a, b, c, d, e", "newer than what is made of it: a, b, c and 2 more"),
        ("Software environment definition has changed since last execution",
         "another software environment"),
        ("Set of input files has changed since last execution", "other input files than before"),
        ("Forced execution", "asked for (--force)"),
        ("Something new", "Something new"),
    ],
)  # fmt: skip
def test_other_reasons_are_said(reason, said):
    assert explain_plan(job("plot_scores", reason)) == [f"{said}: plot_scores (1 job)"]


def record(folder, code, definitions, **libraries):
    path = folder / "results/.code" / f"{code}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"definitions": definitions, "libraries": libraries}))


OLD, NEW = "0" * 16, "0123456789abcdef"


def said_in(folder):
    """The head of what Snakemake prints, with the working directory."""
    facts = f"  Date: 2026-11-25 04:52:25\n  Working directory: {folder}\n  Config MD5: b01c\n"
    return f"SNAKEMAKE\n=========\n{facts}\n{HEAD}"


def test_code_is_looked_up_in_the_records_of_the_working_directory(tmp_path):
    record(
        tmp_path,
        OLD,
        {"clip_grounding.tokenizer.f": "1", "clip_grounding.a.g": "2"},
        torch="2.1",
    )
    record(
        tmp_path,
        NEW,
        {"clip_grounding.tokenizer.f": "3", "clip_grounding.b.g": "2"},
        torch="2.1",
    )
    plan = said_in(tmp_path) + job("score_relevance", CHANGED.format(f"'{OLD}'", f"'{NEW}'"))
    assert explain_plan(plan) == ["code: `f` changed: score_relevance (1 job)"]


@pytest.mark.parametrize(("known", "which"), [(OLD, "now"), (NEW, "before")])
def test_code_without_a_record_is_said_to_have_none(tmp_path, known, which):
    record(tmp_path, known, {})
    plan = said_in(tmp_path) + job("score_relevance", CHANGED.format(f"'{OLD}'", f"'{NEW}'"))
    assert explain_plan(plan) == [
        f"its code is another, and what it was {which} is not on record: score_relevance (1 job)"
    ]


def test_outputs_and_params_without_a_record_are_said():
    plan = (
        HEAD
        + "Nothing to be done (all requested files are present and up to date).\n"
        + "24 jobs have missing provenance/metadata so that it in part cannot be used to trigger"
        " re-runs.\nRules with missing metadata: score_relevance compute_relevance\n"
    )
    assert explain_plan(plan) == [
        "no complete record of how they were made, so that only missing files and times tell:"
        " compute_relevance, score_relevance (24 jobs)"
    ]
    assert explain_plan(job("index_phrases", params(None, {"split": "a"}))) == [
        "nothing is on record of its settings: index_phrases (1 job)"
    ]


def test_warnings_are_passed_on_and_the_plan_s_own_words_are_not():
    table = "Job stats:\njob      count\n-----  -----\nall 1\nplot_scores 1\ntotal 2\n\n"
    end = (
        "Reasons:\n    (check individual jobs above for details)\n    params have changed:\n"
        "        plot_scores\n\n"
        "Some jobs were triggered by provenance information, see 'reason' section in the rule"
        " displays above.\nIf you prefer x\nIf you are sure '--cleanup-metadata <outfile>'. \n"
        "Rules with provenance triggered jobs: plot_scores\n\n"
        "This was a dry-run (flag -n). The order of jobs does not reflect the order of execution.\n"
    )
    head = (
        "Using workflow specific profile p for setting default command line arguments.\n"
        "Config file c is extended by additional config specified via the command line.\n"
        "Assuming unrestricted shared filesystem usage.\n" + said_in("folder")
    )
    warning = "The clock of the file system is ahead."
    plan = head + table + f"{warning}\n\n" + job("plot_scores", SEED) + table + end
    assert explain_plan(plan) == ["setting seed is 2, was 1: plot_scores (1 job)", warning]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (["rollout", "rise"], ["rise", "value-norms"], "added: value-norms; removed: rollout"),
        (["a", "b"], ["b", "a"], "another order"),
        (
            [["m", "rise", "image"], ["m", "rise", "text"]],
            [["m", "rise", "image"], ["m", "rise", "text"], ["m", "new", "image"],
             ["m", "new", "text"]],
            "added: new",
        ),
        ([["m", "a", "x"], ["m", "b", "y"]], [["m", "a", "x"], ["m", "b", "y"], ["m", "a", "y"]],
         "added: m a y"),
        (["a"], list("abcdefgh"), "added: b, c, d, e and 3 more"),
    ],
)  # fmt: skip
def test_lists_of_names_are_compared_as_sets(old, new, said):
    assert list(describe_settings({"list": old}, {"list": new})) == [f"setting list: {said}"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"span": [0, 5]}, {"span": [0, 6]}, "setting span is [0, 6], was [0, 5]"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "setting a.b is 2, was 1"),
        ({}, {"a": None}, "setting a is new: null"),
        ({"a": None}, {}, "setting a is gone, was null"),
        ({"a": None}, {"a": ["x"]}, 'setting a is ["x"], was null'),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, 'setting a is [{"b": 2}], was [{"b": 1}]'),
    ],
)
def test_other_settings_are_given_with_both_values(old, new, said):
    assert list(describe_settings(old, new)) == [said]


def of(definitions=(), **libraries):
    return {"definitions": dict(definitions), "libraries": libraries}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (of({"a.f": "1"}), of({"a.f": "2"}), ["code: `f` changed"]),
        (of(), of({"a.f": "2"}), ["code: `f` is called now"]),
        (of({"a.f": "2"}), of(), ["code: `f` is called no more"]),
        (of({"a.f": "1"}), of({"b.f": "1"}), ["code: names stand for other definitions of the same"
                                              " names"]),
        (of({"a.f": "1", "b.f": "2"}), of({"c.f": "2", "b.f": "3"}), ["code: `f` changed"]),
        (of({"s.py": "1"}), of({"s.py": "2"}), ["code: `s.py` changed"]),
        (of(torch="2.1"), of(torch="2.2"), ["torch is 2.2, was 2.1"]),
        (of(torch="2.1"), of(), ["torch is not used, was 2.1"]),
        (of({"a.f": "1"}, torch="2.1"), of({"a.f": "2"}, torch="2.2"),
         ["code: `f` changed", "torch is 2.2, was 2.1"]),
        (of({f"a.{name}": "1" for name in "abcdefg"}), of(),
         ["code: `a` is called no more, `b` is called no more, `c` is called no more,"
          " `d` is called no more and 3 more"]),
    ],
)  # fmt: skip
def test_code_is_compared_definition_by_definition_wherever_it_stands(old, new, said):
    assert list(describe_code(old, new)) == said


@pytest.mark.parametrize(
    ("plan", "status", "said"),
    [
        (HEAD + "Nothing to be done (all requested files are present and up to date).\n", 0,
         "nothing: every file is up to date"),
        (HEAD + job("plot_scores", SEED), 0, "setting seed is 2, was 1: plot_scores (1 job)"),
        ("WorkflowError:\nsettings: no such key\n", 1, "WorkflowError:\nsettings: no such key"),
        (HEAD + "MissingInputException in rule plot_scores\n", 1, "MissingInputException"),
    ],
)  # fmt: skip
def test_the_command_says_what_the_plan_or_the_error_says(plan, status, said):
    script = Path(__file__).parents[3] / "workflow_scripts/why.py"
    done = subprocess.run(
        [sys.executable, script], input=plan, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert said in (done.stdout if status == 0 else done.stderr)
