"""Certificates: who gets one, and the reason in words of those who do not."""

import numpy as np
import pandas as pd
import pytest

from clip_grounding.gates.certificates import BLIND, CERTIFICATES, UNMEASURED, certify
from clip_grounding.gates.columns import MEASURED
from clip_grounding.gates.plan import gates_share, list_blind, list_gated
from clip_grounding.gates.summary import GATES, summarize_gates
from clip_grounding.statistics.bootstrap import Bootstrap

BOOTSTRAP = Bootstrap(200, 0.95, 0)
PASSING = {
    ("weights", "R"): 0.0,
    ("weights", "D"): 0.0,
    ("target", "mismatched"): -0.5,
    ("target", "random_target"): -0.5,
}
EVALUATION = ["model", "method", "text_to_image"]


def measured(n_images=40, spread=0.05, **means):
    """Rows of which every other image is above and below the mean; R=0.5 sets one statistic's."""
    rows = [
        (image, 0, image, gate, statistic, 0, None, mean + spread * (-1) ** image)
        for (gate, statistic), passing in PASSING.items()
        for image in range(n_images)
        for mean in [means.get(statistic, passing)]
    ]
    names = [name for name in MEASURED.names if name != "excluded"]
    return pd.DataFrame(rows, columns=names).assign(excluded=None)


def evidence(faithfulness=0.3, srg=20.0):
    """Means with intervals of ± 0.1 of a method and of random maps."""
    rows = [
        ("evidence", "text_to_image", "model", attribution, prompt, metric, "all", "all", mean)
        for attribution, prompt, own in (
            ("method", "matched", (faithfulness, srg)),
            ("method", "unimodal", (5, 5)),
            ("random", "none", (0.0, 0.0)),
        )
        for metric, mean in zip(("faithfulness", "srg"), own, strict=True)
    ]
    names = ["protocol", "direction", "model", "attribution", "prompt", "metric", "slice", "level"]
    table = pd.DataFrame(rows, columns=[*names, "mean"])
    return table.assign(ci_low=table["mean"] - 0.1, ci_high=table["mean"] + 0.1)


def certificate(table, own_evidence):
    gates = summarize_gates([(tuple(EVALUATION), table)], BOOTSTRAP)
    (row,) = certify(gates, own_evidence, [EVALUATION], []).itertuples(index=False)
    assert row._fields == tuple(CERTIFICATES.names)
    return row.certificate, row.reason


def test_a_method_that_passes_everything_is_certified():
    assert certificate(measured(), evidence()) == (
        "passed",
        "weights and target passed; faithfulness and SRG above random's",
    )


@pytest.mark.parametrize(
    ("means", "own_evidence", "words"),
    [
        ({"R": 0.5}, {}, "weights: R is 0.5"),
        ({"D": 0.09}, {}, "weights: D is 0.09, its upper bound 0.10 not below 0.1"),
        ({"mismatched": 0.01}, {}, "target: mismatched is 0.0"),
        ({"random_target": 0.3}, {}, "target: random_target is 0.30"),
        ({}, {"faithfulness": 0.15}, "faithfulness: the lower bound 0.05 is not above random's"),
        ({}, {"srg": -3}, "SRG: the lower bound -3.10 is not above random's upper bound 0.10"),
        ({}, {"srg": np.nan}, "SRG has no value"),
    ],
)
def test_whatever_is_not_shown_is_named(means, own_evidence, words):
    result, reason = certificate(measured(**means), evidence(**own_evidence))
    assert result == "failed"
    assert reason.startswith(words)
    assert ";" not in reason


def test_few_images_are_no_proof():
    result, reason = certificate(measured(n_images=4, spread=0), evidence())
    assert result == "failed"
    assert reason.count("has only 4 images") == 4


def test_a_sample_without_maps_certifies_nothing():
    empty = MEASURED.empty_table().to_pandas()
    assert certificate(empty, evidence()) == ("failed", "no image of the sample has a map to test")


def test_without_evidence_or_a_prompt_there_is_no_certificate():
    assert certificate(measured(), None) == ("not applicable", UNMEASURED)
    gates = GATES.empty_table().to_pandas()
    (row,) = certify(gates, evidence(), [], [EVALUATION]).itertuples()
    assert (row.certificate, row.reason) == ("not applicable", BLIND)


CONFIG = {
    "datasets": {"scenes": {"models": ["base", "scenes-clip"], "image_count": 400}},
    "models": {"base": {"checkpoint": "./base"}, "scenes-clip": {"train": "scenes"}},
    "attributions": {
        "grad": {"kind": "gradient_attention", "directions": None},
        "raw": {"kind": "raw_attention", "directions": ["text_to_image"]},
    },
    "evaluate": {
        "models": None,
        "attributions": ["grad", "raw"],
        "directions": ["text_to_image", "image_to_text"],
        "baselines": ["random"],
    },
    "gates": {"images": 100},
}


def test_the_plan_leaves_out_methods_without_a_prompt():
    assert list_blind(CONFIG, "scenes") == [
        ["base", "raw", "text_to_image"],
        ["scenes-clip", "raw", "text_to_image"],
    ]
    gated = list_gated(CONFIG, "scenes")
    assert sorted(gated) == sorted(
        [model, "grad", direction]
        for model in ("base", "scenes-clip")
        for direction in CONFIG["evaluate"]["directions"]
    )
    assert gates_share(CONFIG, "scenes") == 0.25
