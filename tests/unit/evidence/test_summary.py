"""Means of the evidence against plain pandas, and what is left out of them."""

import numpy as np
import pandas as pd
import pytest
from score_tables import phrase_keys, phrase_tables

from clip_grounding.evidence.collect import (
    EFFECT_SCORES,
    EVIDENCE_SCORES,
    collect_effects,
    collect_evidence,
)
from clip_grounding.evidence.columns import CEILINGS, EFFECTS, FAITHFULNESS, OUTCOMES, REMOVAL
from clip_grounding.evidence.outcomes import OUTCOME_NAMES
from clip_grounding.evidence.summary import EVIDENCE, OUTCOME_SHARES, summarize_evidence
from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.comparisons import compare
from clip_grounding.statistics.coverage import count_coverage
from clip_grounding.statistics.rankings import rank_contenders
from clip_grounding.statistics.summary import summarize
from clip_grounding.vocabulary import CONTENDER, EFFECT_METRICS, MAP_METRICS

DIRECTION = "text_to_image"
BOOTSTRAP = Bootstrap(resamples=50, confidence=0.95, seed=0)


def make_tables(n_images=12, drawn=8):
    """Random tables of two models; phrase 0 of the first image is one that no model reads."""
    keys = phrase_keys(n_images)
    areas = keys.assign(region_area=np.linspace(0.001, 0.5, len(keys), dtype=np.float32))
    areas = areas[areas["image_id"].isin(sorted(keys["image_id"].unique())[:drawn])]
    areas = areas.reset_index(drop=True)
    generator = np.random.default_rng(0)

    def table(schema, prompts):
        rows = areas.merge(pd.DataFrame({"prompt": prompts}), how="cross")
        numbers = [name for name in schema.names if str(schema.field(name).type) == "float"]
        numbers = [name for name in numbers if name != "region_area"]
        rows = rows.assign(**{name: generator.random(len(rows)) for name in numbers})
        excluded = np.full(len(rows), None, object)
        rows = rows.assign(excluded=excluded, degenerate=False)
        return rows[[name for name in schema.names if name in rows]]

    tables = {"effects": [], "ceilings": [], "faithfulness": [], "removal": [], "outcomes": []}
    for model in ("one", "two"):
        effects = table(EFFECTS, ["matched", "unimodal"])
        unread = effects.index[:2]
        effects.loc[unread, ["necessity", "sufficiency"]] = np.nan
        effects.loc[unread, "excluded"] = "no_tokens"
        tables["effects"].append(((model, DIRECTION), effects))
        tables["ceilings"].append(((model, DIRECTION), table(CEILINGS, ["matched"])))
        for name, schema in (("faithfulness", FAITHFULNESS), ("removal", REMOVAL)):
            own = table(schema, ["matched", "unimodal"])
            tables[name].append(((model, "how", DIRECTION), own))
        outcomes = table(OUTCOMES, ["matched"])
        names = list(OUTCOME_NAMES.values())
        outcomes["outcome"] = [names[i] for i in generator.integers(0, 4, len(outcomes))]
        outcomes.loc[outcomes.index % 5 == 4, "outcome"] = None
        tables["outcomes"].append(((model, "how", DIRECTION), outcomes))
    scores = keys.assign(
        direction=DIRECTION, model="one", attribution="how", prompt="matched",
        ap=generator.random(len(keys)), region_area=np.float32(0.1),
    )  # fmt: skip
    return keys, areas, tables, scores


def collect(tables):
    effects = pd.concat(collect_effects(tables["effects"], tables["ceilings"]))
    names = ("effects", "faithfulness", "outcomes", "removal")
    evidence = pd.concat(collect_evidence(*(tables[name] for name in names)))
    assert list(effects) == EFFECT_SCORES.names
    assert list(evidence) == EVIDENCE_SCORES.names
    return effects, evidence


@pytest.fixture(scope="module")
def made():
    keys, areas, tables, scores = make_tables()
    phrases, narratives = phrase_tables(keys)
    evidence, shares = summarize_evidence(
        *collect(tables),
        scores=scores, phrases=phrases, narratives=narratives, bootstrap=BOOTSTRAP,
    )  # fmt: skip
    return areas, tables, scores, evidence, shares


def find(table, **keys):
    for name, value in keys.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_means_are_those_of_the_phrases_that_the_model_reads(made):
    areas, tables, _, evidence, _ = made
    assert list(evidence.columns) == EVIDENCE.names
    unread = areas.iloc[0]
    for name, metric, how in (
        ("effects", "necessity", "none"),
        ("faithfulness", "faithfulness", "how"),
        ("removal", "srg", "how"),
        ("outcomes", "localisation", "how"),
        ("ceilings", "ceiling", "none"),
    ):
        for keys, table in tables[name]:
            own = table[table["prompt"] == "matched"] if "prompt" in table else table
            is_unread = (own["narrative"] == unread["narrative"]) & (
                own["phrase"] == unread["phrase"]
            )
            assert is_unread.sum() == 1
            row = find(
                evidence, model=keys[0], attribution=how, metric=metric, prompt="matched",
                slice="all",
            )  # fmt: skip
            assert row["mean"] == pytest.approx(own.loc[~is_unread, metric].mean())
            assert row["n_phrases"] == len(areas) - 1
            assert row["ci_low"] <= row["mean"] <= row["ci_high"]


def test_slices_are_of_the_drawn_phrases(made):
    areas, tables, _, evidence, _ = made
    (keys, table), _ = tables["faithfulness"]
    large = areas.loc[areas["region_area"] > 0.2, ["narrative", "phrase"]]
    own = table[table["prompt"] == "unimodal"].merge(large, on=["narrative", "phrase"])
    row = find(
        evidence, model=keys[0], metric="faithfulness", prompt="unimodal",
        slice="region_area", level=">20%",
    )  # fmt: skip
    assert row["mean"] == pytest.approx(own["faithfulness"].mean())
    assert 0 < row["n_phrases"] == len(own) < len(areas)


def test_precision_is_that_of_the_drawn_images(made):
    areas, _, scores, evidence, _ = made
    own = scores[scores["image_id"].isin(areas["image_id"])]
    assert len(own) < len(scores)
    row = find(evidence, metric="ap", slice="all")
    assert row["protocol"] == "strict"
    assert row["mean"] == pytest.approx(own["ap"].mean())


def test_shares_of_outcomes_are_of_the_phrases_that_have_one(made):
    areas, tables, _, _, shares = made
    assert list(shares.columns) == OUTCOME_SHARES.names
    unread = areas.iloc[0]
    for (model, how, _), table in tables["outcomes"]:
        is_unread = (table["narrative"] == unread["narrative"]) & (
            table["phrase"] == unread["phrase"]
        )
        own = table.loc[~is_unread, "outcome"].dropna()
        found = shares[(shares["model"] == model) & (shares["slice"] == "all")]
        assert set(found["attribution"]) == {how}
        assert found["mean"].sum() == pytest.approx(1)
        for row in found.itertuples():
            assert row.mean == pytest.approx((own == row.outcome).mean())
            assert row.n_phrases == len(own)


def test_no_drawn_image_makes_empty_tables():
    keys, _, tables, scores = make_tables()
    empty = {
        name: [(own, table.iloc[:0]) for own, table in tables_of]
        for name, tables_of in tables.items()
    }
    phrases, narratives = phrase_tables(keys)
    for found, schema in zip(
        summarize_evidence(
            *collect(empty),
            scores=scores,
            phrases=phrases,
            narratives=narratives,
            bootstrap=BOOTSTRAP,
        ),
        (EVIDENCE, OUTCOME_SHARES),
        strict=True,
    ):
        assert found.empty
        assert list(found.columns) == schema.names


def test_a_phrase_that_one_model_does_not_read_counts_for_neither(made):
    areas, tables, *_ = made
    phrases, narratives = phrase_tables(phrase_keys(12))
    effects, evidence = collect(tables)
    for table, metric in ((effects, "necessity"), (evidence, "faithfulness")):
        unread = table["model"].eq("one") & table["narrative"].eq(areas["narrative"].iloc[-1])
        table = table.assign(**{metric: table[metric].mask(unread)})
        summary = summarize(table, phrases, narratives, BOOTSTRAP)
        counts = summary[(summary["metric"] == metric) & (summary["slice"] == "all")]
        lost = areas["narrative"].eq(areas["narrative"].iloc[-1]).sum()
        assert set(counts["n_phrases"]) == {len(areas) - 1 - lost}
        assert set(counts["model"]) == {"one", "two"}


def test_the_main_tables_have_the_evidence_with_the_same_means(made):
    _, tables, _, evidence, _ = made
    phrases, narratives = phrase_tables(phrase_keys(12))
    collected = list(collect(tables))
    summary = summarize(collected, phrases, narratives, BOOTSTRAP)
    assert set(summary["protocol"]) == {"effects", "evidence"}
    keys = ["protocol", "direction", *CONTENDER, "metric", "slice", "level"]
    both = evidence.merge(summary[summary["average"] == "phrase"], on=keys, how="outer")
    named = both["metric"].isin([*EFFECT_METRICS, *MAP_METRICS])
    assert set(both.loc[~named, "metric"]) == {"ceiling", "morf_aopc", "lerf_aopc", "ap"}
    for column in ("n_phrases", "mean", "ci_low", "ci_high"):
        own = both[named]
        np.testing.assert_array_equal(own[f"{column}_x"], own[f"{column}_y"])
    rankings = rank_contenders(collected, BOOTSTRAP)
    assert set(rankings["metric"]) == {*EFFECT_METRICS, *MAP_METRICS}
    assert set(rankings.loc[rankings["protocol"] == "effects", "attribution"]) == {"none"}
    comparisons = compare(collected, BOOTSTRAP)
    assert set(comparisons["metric"]) == {*EFFECT_METRICS, *MAP_METRICS}
    coverage = count_coverage(collected)
    lost = coverage[coverage["outcome"] == "no_tokens"]
    assert set(lost["protocol"]) == {"effects", "evidence"}
    assert set(lost["n_phrases"]) == {1}


def test_controls_have_no_rank(made):
    _, tables, *_ = made
    _, evidence = collect(tables)
    is_own = (evidence["model"] == "one") & (evidence["prompt"] == "matched")
    control = evidence[is_own].assign(attribution="random", prompt="none")
    rankings = rank_contenders(pd.concat([evidence, control]), BOOTSTRAP)
    assert set(rankings["attribution"]) == {"how"}
    compared = compare(pd.concat([evidence, control]), BOOTSTRAP)
    assert ("how", "random") in set(
        zip(compared["attribution"], compared["reference_attribution"], strict=True)
    )
