"""The evidence on the gallery's page is what the tables say, of the phrases that were drawn."""

import numpy as np
import pytest
from galleries import CAPTION, DIRECTIONS, invented_evidence, invented_tables

from clip_grounding.evidence.outcomes import OUTCOME_NAMES
from clip_grounding.gallery.evidence import add_evidence, gather_evidence
from clip_grounding.gallery.images import pack_items
from clip_grounding.gallery.index import build_index, read_partners
from clip_grounding.gallery.selection import choose_items
from clip_grounding.geometry import WHOLE

MODELS = ["first", "second"]
VIEWS = dict.fromkeys(MODELS, WHOLE)
KEYS = ["narrative", "phrase", "prompt"]


@pytest.fixture
def invented():
    """The items of ten narratives, and evidence tables of five of them."""
    tables = invented_tables([CAPTION] * 10, MODELS)
    facts = [tables[name] for name in ("scores", "phrases", "narratives")]
    items = choose_items(*facts, DIRECTIONS, 100, "stratified", 0)
    return items, invented_evidence(tables["phrases"], MODELS), tables


def rows_of(tables, stage, *names):
    """The rows of one table, by phrase and prompt."""
    (table,) = [own for evaluated, own in tables[stage] if evaluated == names]
    return table.set_index(KEYS)


def known(outcome):
    """A table has NaN where there is no outcome."""
    return outcome if isinstance(outcome, str) else None


def test_an_item_has_the_values_of_its_own_rows(invented):
    items, evidence, _ = invented
    gathered = gather_evidence(items, **evidence)
    drawn = 0
    for item, own in zip(items.itertuples(), gathered, strict=True):
        if item.narrative % 2:
            assert own == {}
            continue
        drawn += 1
        for model in MODELS:
            pair = (model, "gradient-attention", item.direction)
            for prompt in ("matched", "unimodal", "mismatched"):
                key = (item.narrative, item.phrase, prompt)
                row = rows_of(evidence, "effects", model, item.direction).loc[key]
                expected = row[["necessity", "p_value", "sufficiency"]].to_list()
                assert own["effects"][model]["values"][prompt] == pytest.approx(expected, abs=5e-4)
                maps = own["maps"][pair[:2]]
                row = rows_of(evidence, "faithfulness", *pair).loc[key]
                assert maps["faithfulness"][prompt] == pytest.approx(row["faithfulness"], abs=5e-4)
                row = rows_of(evidence, "outcomes", *pair).loc[key]
                assert maps["outcomes"][prompt] == known(row["outcome"])
    assert drawn == 20


def test_curves_begin_with_the_whole_input_and_are_there_where_they_were_measured(invented):
    items, evidence, _ = invented
    pair = ("second", "gradient-attention")
    for item, own in zip(items.itertuples(), gather_evidence(items, **evidence), strict=True):
        if item.narrative % 2:
            continue
        maps = own["maps"][pair]
        if item.narrative % 4:
            assert maps["srg"] == maps["curves"] == {}
            continue
        row = rows_of(evidence, "removal", *pair, item.direction)
        row = row.loc[(item.narrative, item.phrase, "unimodal")]
        expected = [[row["similarity"], *row["morf"]], [row["similarity"], *row["lerf"]]]
        np.testing.assert_allclose(maps["curves"]["unimodal"], expected, atol=0.005)
        assert maps["srg"]["unimodal"] == pytest.approx(row["srg"], abs=5e-4)
        assert list(maps["curves"]) == ["matched", "unimodal"]


def test_a_phrase_that_a_model_does_not_read_has_no_values(invented):
    items, evidence, _ = invented
    for (model, _), table in evidence["effects"]:
        if model == "first":
            table.loc[table["narrative"] == 0, "excluded"] = "no_tokens"
    for item, own in zip(items.itertuples(), gather_evidence(items, **evidence), strict=True):
        if item.narrative != 0:
            continue
        assert own["effects"]["first"] == {"excluded": "no_tokens", "values": {}}
        assert own["effects"]["second"]["values"]
        first, second = (own["maps"][model, "gradient-attention"] for model in MODELS)
        assert first["excluded"] == "no_tokens"
        assert first["outcomes"] == first["faithfulness"] == first["srg"] == first["curves"] == {}
        assert second["faithfulness"]


def test_missing_numbers_are_null(invented):
    items, evidence, _ = invented
    for _, table in evidence["faithfulness"]:
        table["faithfulness"] = np.nan
    for _, table in evidence["removal"]:
        table["srg"] = np.nan
    gathered = [own for own in gather_evidence(items, **evidence) if own]
    maps = [own["maps"][model, "gradient-attention"] for own in gathered for model in MODELS]
    assert all(own["faithfulness"]["matched"] is None for own in maps)
    assert all(own["curves"] == {} for own in maps)


def test_the_index_has_the_outcomes_of_the_matched_maps(invented):
    items, evidence, tables = invented
    facts = [tables[name] for name in ("scores", "phrases", "narratives")]
    index = build_index(items, *facts)
    packed = pack_items(
        items, tables["phrases"], tables["relevance"], read_partners(facts[0]), VIEWS
    )
    add_evidence(index, packed, gather_evidence(items, **evidence))
    assert list(index["evidence"]["outcomes"]) == list(OUTCOME_NAMES.values())
    seen = set()
    for item, entry in zip(index["items"], packed, strict=True):
        if item["narrative"] % 2:
            assert "outcomes" not in item
            assert "effects" not in entry
            assert all("evidence" not in pair for pair in entry["pairs"])
            continue
        key = (item["narrative"], item["phrase"], "matched")
        expected = [
            rows_of(evidence, "outcomes", model, "gradient-attention", item["direction"]).loc[key]
            for model in MODELS
        ]
        assert item["outcomes"] == [known(row["outcome"]) for row in expected]
        seen |= set(item["outcomes"])
    assert seen == {*OUTCOME_NAMES.values(), None}


def test_a_model_without_maps_in_a_direction_has_no_outcome_there(invented):
    items, evidence, tables = invented
    facts = [tables[name] for name in ("scores", "phrases", "narratives")]
    for stage in ("outcomes", "faithfulness", "removal"):
        evidence[stage] = [
            own for own in evidence[stage] if own[0][::2] != ("second", "image_to_text")
        ]
    index = build_index(items, *facts)
    packed = pack_items(
        items, tables["phrases"], tables["relevance"], read_partners(facts[0]), VIEWS
    )
    add_evidence(index, packed, gather_evidence(items, **evidence))
    for item in index["items"]:
        if item["direction"] == "image_to_text" and "outcomes" in item:
            assert item["outcomes"][1] is None
