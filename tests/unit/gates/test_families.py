"""The gates of whole checkpoints of other kinds, in both directions."""

import pandas as pd
import pytest
from saved_models import save_model

from clip_grounding.attribution import load_attribution
from clip_grounding.gates.columns import LIMITS
from clip_grounding.gates.jobs import run_gates
from clip_grounding.tables import read_images

SHORT = 24
"""Context of SigLIP 2 here, which cuts some captions."""


@pytest.mark.parametrize("kind", ["metaclip_2", "siglip2"])
@pytest.mark.parametrize("direction", ["text_to_image", "image_to_text"])
def test_every_statistic_is_there(small, tmp_path, kind, direction):
    shape = {"max_position_embeddings": SHORT} if kind == "siglip2" else {}
    folder = save_model(kind, tmp_path / kind, small.narratives["text"], **shape).folder
    phrases = small.phrases[small.phrases["image_rank"] < 6]
    path = tmp_path / "relevance.parquet"
    small.relevance(direction, layers="all", checkpoint=folder).to_parquet(path)
    relevance = read_images([path], phrases["image_id"])
    assert set(relevance["image_id"]) == set(phrases["image_id"])
    table = run_gates(
        direction,
        load_attribution("gradient_attention", layers="all"),
        folder,
        [small.folder / "images.zip"],
        "scenes",
        small.narratives,
        phrases,
        small.masks,
        relevance,
        device="cpu",
        precision="float32",
        batch_size=4,
        threads=1,
        seed=0,
        n_models=1,
        n_target=3,
        n_curve=1,
    )
    known = table[table["excluded"].isna()]
    assert known["value"].notna().all()
    statistics = set(known[["gate", "statistic"]].itertuples(index=False, name=None))
    assert set(LIMITS) - {("weights", "D")} <= statistics
    curve = known[known["gate"] == "curve"].groupby("statistic")["layer"].agg(list)
    for tower in ("image tower", "text tower"):
        assert {"projection", "layer 1", "embeddings"} <= set(curve[tower])


def test_no_drawn_image_is_no_row(small, tmp_path):
    path = tmp_path / "relevance.parquet"
    small.relevance("text_to_image").to_parquet(path)
    rows = read_images([path, path], small.phrases[:0]["image_id"])
    assert isinstance(rows, pd.DataFrame)
    assert rows.empty
