"""Evidence of whole checkpoints of every supported kind, in both directions."""

import numpy as np
import pandas as pd
import pytest
from saved_models import KINDS, save_model

from clip_grounding.evidence.effects import measure_effects
from clip_grounding.evidence.faithfulness import score_faithfulness
from clip_grounding.evidence.maps import join_drawn_maps
from clip_grounding.evidence.outcomes import OUTCOME_NAMES, score_outcomes
from clip_grounding.evidence.removal import measure_removal
from clip_grounding.evidence.subsets import measure_similarities

SHORT = 24
"""Context of SigLIP 2 here, which cuts some captions."""


@pytest.fixture(scope="module", params=KINDS)
def explainer(small, make_explainer, tmp_path_factory, request):
    shapes = {"siglip2": {"max_position_embeddings": SHORT}}
    folder = tmp_path_factory.mktemp(request.param)
    texts = small.narratives["text"]
    return make_explainer(
        save_model(request.param, folder, texts, **shapes.get(request.param, {})).folder
    )


@pytest.mark.parametrize("direction", ["text_to_image", "image_to_text"])
def test_every_measure_is_there_for_every_kind_of_model(small, explainer, direction):
    ids = sorted(small.phrases["image_id"].unique())[:3]
    phrases = small.phrases[small.phrases["image_id"].isin(ids)]
    with small.open_images() as images:
        tables = explainer, small.narratives, phrases, small.masks, images.pixels
        effects = pd.concat(measure_effects(direction, *tables, seed=0))
        similarities = pd.concat(measure_similarities(direction, *tables, 0, n_subsets=64))
        generator = np.random.default_rng(0)
        sizes = similarities["units"].map(len)
        maps = similarities[["narrative", "phrase", "image_id"]].assign(
            prompt="matched", relevance=[generator.random(size) for size in sizes]
        )
        rows = join_drawn_maps(direction, maps, effects, small.phrases, seed=0)
        removal = pd.concat(measure_removal(direction, *tables, rows, seed=0))
    faithfulness = score_faithfulness(direction, rows, similarities, small.phrases)
    outcomes = score_outcomes(rows, effects)

    # Three tables of passes see the same whole items.
    keys = ["narrative", "phrase"]
    matched = [
        own[own["prompt"] == "matched"].set_index(keys).sort_index() for own in (effects, removal)
    ]
    whole = similarities.set_index(keys).sort_index()["similarity"]
    for own in matched:
        np.testing.assert_allclose(own["similarity"], whole, atol=1e-3)

    assert len(faithfulness) == len(outcomes) == len(removal) == len(rows)
    assert faithfulness["faithfulness"].between(-1, 1).all()
    assert removal["srg"].notna().all()
    measured = effects[effects["excluded"].isna()]
    assert measured[["necessity", "sufficiency", "p_value"]].stack().between(0, 1).all()
    assert set(outcomes["outcome"].dropna()) <= set(OUTCOME_NAMES.values())
    reasons = {"covers_image"} if direction == "text_to_image" else {"no_control"}
    if direction == "image_to_text":
        texts = small.narratives.set_index("narrative")["text"]
        cut = [own for own in texts.index if not explainer.tokenizer(texts[own]).complete]
        beyond = effects[effects["excluded"] == "beyond_context"]
        assert set(beyond["narrative"]) <= set(cut)
        assert len(beyond) > 0 or explainer.tokenizer.context_length > SHORT
        reasons |= {"beyond_context"}
    assert set(effects["excluded"].dropna()) <= reasons
    assert len(measured) > len(effects) / 3
