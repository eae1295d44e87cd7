"""The gates of a run: their tables and charts, and what reruns."""

import pandas as pd
import pytest
from PIL import Image
from workflows import Run, copy_run, merged

from clip_grounding.evidence.draws import draw_images

pytestmark = pytest.mark.workflow

IMAGES = 9
GATES = {"images": IMAGES, "models": 2, "target_images": 5, "curve_images": 2}
METHODS = ["gradient-attention", "raw-attention"]


@pytest.fixture(scope="module")
def gated(finished, tmp_path_factory) -> Run:
    """The gates of one direction of the finished run, with a method that has no prompt."""
    evaluate = {"directions": ["text_to_image"], "attributions": METHODS}
    change = {
        "gates": GATES,
        "evaluate": evaluate,
        "attributions": {"raw-attention": {"kind": "raw_attention"}},
    }
    folder = tmp_path_factory.mktemp("gates") / "run"
    run = Run(copy_run(finished, folder).folder, merged(finished.config, change))
    run.snakemake("gates")
    return run


def test_no_image_means_no_gates(finished):
    assert not list((finished / "results/tiny").glob("gates*"))
    refused = finished.snakemake("--dry-run", "gates", check=False)
    assert refused.returncode
    assert "gates: images is 0, so there is no gate to pass" in refused.stdout


def test_gates_rerun_no_map_and_no_score(finished):
    planned = finished.planned(config=merged(finished.config, {"gates": {"images": 100}}))
    assert planned == {
        "measure_gates": 2,
        "summarize_gates": 1,
        "plot_gates": 1,
        "plot_cascade": 1,
        "rank_contenders": 1,  # which say who is certified
        "plot_heatmap": 1,
    }


def test_the_gates_are_of_the_drawn_images_of_all_shards(gated):
    phrases = pd.read_parquet(gated / "results/tiny/phrases.parquet")
    drawn = phrases["image_id"][draw_images(phrases["image_id"].to_numpy(), IMAGES / 12, 0)]
    path = "results/tiny/gates/random-clip/gradient-attention/text_to_image.parquet"
    table = pd.read_parquet(gated / path)
    assert set(table["image_id"]) == set(drawn)
    assert table.loc[table["gate"] == "target", "image_id"].nunique() == 5
    assert table.loc[table["gate"] == "curve", "image_id"].nunique() == 2


def test_the_tables_name_every_statistic_and_every_method(gated):
    gates = pd.read_csv(gated / "results/tiny/gates.csv")
    assert set(gates["attribution"]) == {"gradient-attention"}
    tested = gates[gates["limit"].notna()]
    assert len(tested) == 4
    assert ((tested["bound"] < tested["limit"]) >= tested["passed"]).all()
    assert gates.loc[gates["gate"] == "curve", "passed"].isna().all()
    certificates = pd.read_csv(gated / "results/tiny/certificates.csv").set_index("attribution")
    assert set(certificates.index) == set(METHODS)
    assert (certificates["certificate"] == "not applicable").all()
    assert certificates.loc["raw-attention", "reason"] == "its maps are the same for every prompt"
    assert "evidence" in certificates.loc["gradient-attention", "reason"]


def test_the_charts_are_pictures(gated):
    for name in ("gates", "cascade"):
        with Image.open(gated / f"results/tiny/figures/{name}.png") as picture:
            assert picture.size[0] > 1000


def test_a_method_s_setting_reruns_its_own_gate_and_the_tables(gated):
    assert not {"measure_gates", "summarize_gates"} & set(gated.planned())
    second = {"second": {"kind": "gradient_attention", "layers": "all"}}
    evaluate = {"directions": ["text_to_image"], "attributions": [*METHODS, "second"]}
    more = merged(gated.config, {"attributions": second, "evaluate": evaluate})
    planned = gated.planned("gates", config=more)
    assert planned["measure_gates"] == planned["summarize_gates"] == 1
    assert planned["compute_relevance"] == 3  # of the second method alone
    planned = gated.planned("gates", config=merged(gated.config, {"gates": {"models": 3}}))
    assert planned["measure_gates"] == 1
    assert "compute_relevance" not in planned
