"""Scores of a shard against slow implementations, and what they must not depend on."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as coco_mask
from skimage.filters import threshold_otsu
from sklearn.metrics import average_precision_score
from slow_scores import slow_text_to_image

from clip_grounding.errors import InputError
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.scoring import image_regions, images
from clip_grounding.scoring.baselines import list_baselines, read_baseline
from clip_grounding.scoring.captions import score_baseline_image_to_text, score_image_to_text
from clip_grounding.scoring.images import (
    METRICS,
    SCORES,
    exclude_wordless,
    score_baseline_text_to_image,
    score_text_to_image,
    sum_curves,
)
from clip_grounding.tables import VOID_MASK

KEYS = ["narrative", "phrase", "prompt"]


def decode(record):
    size = [record["height"], record["width"]]
    return coco_mask.decode({"size": size, "counts": record["counts"]}).astype(bool)


@pytest.fixture(scope="module")
def text_to_image(small):
    relevance = small.relevance("text_to_image")
    return relevance, score_text_to_image(relevance, small.phrases, small.masks, seed=5)


@pytest.fixture(scope="module")
def image_to_text(small):
    relevance = small.relevance("image_to_text")
    tokenizer = TextTokenizer(small.checkpoint)
    return relevance, score_image_to_text(
        relevance, small.phrases, small.narratives, small.masks, tokenizer, seed=5
    )


def test_text_to_image_scores_equal_slow_ones(small, text_to_image):
    relevance, scores = text_to_image
    masks = small.masks.set_index(["image_id", "mask"])
    phrases = small.phrases.set_index(["narrative", "phrase"])
    scores = scores.set_index(KEYS)
    for row in relevance.iloc[::5].itertuples():
        phrase = phrases.loc[(row.narrative, row.phrase)]
        grid = row.relevance.reshape(row.grid_height, row.grid_width)
        region = decode(masks.loc[row.image_id, phrase["mask"]])
        void = decode(masks.loc[row.image_id, VOID_MASK])
        ours = scores.loc[(row.narrative, row.phrase, row.prompt)]
        for metric, expected in slow_text_to_image(grid, region, void).items():
            assert ours[metric] == pytest.approx(expected, abs=1e-6)


def test_image_to_text_scores_equal_slow_ones(small, image_to_text):
    relevance, scores = image_to_text
    phrases = small.phrases.set_index(["narrative", "phrase"])
    scores = scores.set_index(KEYS)
    for row in relevance.iloc[::5].itertuples():
        phrase = phrases.loc[(row.narrative, row.phrase)]
        own = small.phrases[small.phrases["narrative"] == row.narrative]
        spans = list(zip(row.token_starts, row.token_ends, strict=True))

        def overlaps(other, spans=spans):
            return np.array([a < other["char_end"] and b > other["char_start"] for a, b in spans])

        truth, ignored = overlaps(phrase), np.zeros(len(spans), bool)
        for _, other in own.iterrows():
            if set(other["segment_ids"]) & set(phrase["segment_ids"]):
                ignored |= overlaps(other)
        valid = truth | ~ignored
        values, inside = row.relevance[valid], truth[valid]
        ours = scores.loc[(row.narrative, row.phrase, row.prompt)]
        assert ours["ap"] == pytest.approx(average_precision_score(inside, values), abs=1e-6)
        predicted = values > threshold_otsu(values)
        iou = (predicted & inside).sum() / (predicted | inside).sum()
        assert ours["iou"] == pytest.approx(iou, abs=1e-6)
        assert ours["chance"] == pytest.approx(inside.mean(), abs=1e-6)
        assert ours["pointing"] == inside[values == values.max()].mean()


def test_a_mismatched_row_has_the_map_of_the_partner_that_it_names(small, text_to_image):
    relevance, scores = text_to_image
    mismatched = scores[(scores["prompt"] == "mismatched") & scores["strict_excluded"].isna()]
    masks = small.masks.set_index(["image_id", "mask"])
    phrases = small.phrases.set_index(["narrative", "phrase"])
    maps = relevance[relevance["prompt"] == "matched"].set_index(["narrative", "phrase"])
    assert len(mismatched) > 0.8 * len(small.phrases)
    for row in mismatched.iloc[::9].itertuples():
        own = phrases.loc[(row.narrative, row.phrase)]
        partner = phrases.loc[(row.partner_narrative, row.partner_phrase)]
        assert set(partner["segment_ids"]).isdisjoint(own["segment_ids"])
        assert partner["utterance"].casefold() != own["utterance"].casefold()
        source = maps.loc[(row.partner_narrative, row.partner_phrase)]
        grid = source["relevance"].reshape(source["grid_height"], source["grid_width"])
        region = decode(masks.loc[row.image_id, own["mask"]])
        void = decode(masks.loc[row.image_id, VOID_MASK])
        for metric, expected in slow_text_to_image(grid, region, void).items():
            assert getattr(row, metric) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("fixture", ["text_to_image", "image_to_text"])
def test_only_mismatched_rows_name_a_partner(fixture, request):
    _, scores = request.getfixturevalue(fixture)
    named = (scores["partner_narrative"] >= 0) & (scores["partner_phrase"] >= 0)
    is_borrowed = (scores["prompt"] == "mismatched") & scores["strict_excluded"].isna()
    np.testing.assert_array_equal(named, is_borrowed)
    assert (scores.loc[~named, ["partner_narrative", "partner_phrase"]] == -1).all(axis=None)


def test_a_phrase_without_a_word_has_no_strict_score_and_leaves_the_others_theirs(
    small, text_to_image
):
    relevance, scores = text_to_image
    tokenizer = TextTokenizer(small.checkpoint)
    pd.testing.assert_frame_equal(exclude_wordless(scores, small.phrases, tokenizer), scores)
    phrases = small.phrases.copy()
    phrases.loc[[0, 5], "utterance"] = ["", " \u00a0"]
    blank = list(phrases.loc[[0, 5], ["narrative", "phrase"]].itertuples(index=False, name=None))
    before = score_text_to_image(relevance, phrases, small.masks, seed=5)
    before = before.set_index(KEYS).sort_index()
    before.loc[(*blank[0], "mismatched"), "strict_excluded"] = "no_disjoint_phrase"
    after = exclude_wordless(before.reset_index(), phrases, tokenizer).set_index(KEYS)
    for key, row in after.iterrows():
        reason = before.loc[key, "strict_excluded"]
        if key[:2] in blank and pd.isna(reason):
            assert row["strict_excluded"] == "no_tokens"
            assert row[["ap", "iou", "best_iou", "pointing", "mass"]].isna().all()
            assert row["poster_iou"] == before.loc[key, "poster_iou"]
        else:
            pd.testing.assert_series_equal(row, before.loc[key])
    curves = sum_curves(after.reset_index())
    assert np.isfinite(curves["iou_sum"]).all()


def test_phrases_that_all_say_the_same_have_no_mismatched_score(small, text_to_image):
    relevance, _ = text_to_image
    phrases = small.phrases.assign(utterance="a person")
    scores = score_text_to_image(relevance, phrases, small.masks, seed=5)
    mismatched = scores[scores["prompt"] == "mismatched"]
    assert len(mismatched) == len(phrases)
    assert mismatched[METRICS].isna().all(axis=None)
    for column in ("poster_excluded", "strict_excluded"):
        assert set(mismatched[column]) <= {"no_other_text", "no_disjoint_phrase"}
        assert "no_other_text" in set(mismatched[column])
    assert (mismatched["region_area"] > 0).all()


@pytest.mark.parametrize("fixture", ["text_to_image", "image_to_text"])
def test_every_phrase_is_scored_once_per_prompt(small, fixture, request):
    _, scores = request.getfixturevalue(fixture)
    assert set(scores.columns) == {*SCORES.names, "curve"}
    assert not scores.duplicated(KEYS).any()
    counts = scores["prompt"].value_counts()
    assert counts["matched"] == counts["unimodal"] == counts["mismatched"] == len(small.phrases)
    scores = scores[scores["strict_excluded"].isna()]
    assert scores[METRICS].notna().all(axis=None)
    assert scores[METRICS].min(axis=None) >= 0
    assert scores[METRICS].max(axis=None) <= 1


def test_scores_do_not_depend_on_the_other_images_of_the_shard(small, text_to_image):
    relevance, scores = text_to_image
    shuffled = relevance.sample(frac=1, random_state=1)
    last = small.phrases["image_id"].max()
    part = [frame[frame["image_id"] == last] for frame in (shuffled, small.phrases, small.masks)]
    alone = score_text_to_image(*part, seed=5).sort_values(KEYS, ignore_index=True)
    together = scores[scores["image_id"] == last].sort_values(KEYS, ignore_index=True)
    pd.testing.assert_frame_equal(alone, together)


@pytest.mark.parametrize("kind", list_baselines())
def test_every_baseline_has_scores_in_each_of_its_directions_and_in_no_other(small, kind):
    shard = (small.phrases.head(6), small.masks)
    tokenizer = TextTokenizer(small.checkpoint)
    score = {
        "text_to_image": lambda: score_baseline_text_to_image(kind, *shard, (4, 4), 0),
        "image_to_text": lambda: score_baseline_image_to_text(
            kind, shard[0], small.narratives, shard[1], tokenizer, 0
        ),
    }
    for direction in score:
        if direction in read_baseline(kind).directions:
            assert score[direction]()["ap"].notna().any(), direction
        else:
            with pytest.raises(AttributeError, match=kind):
                score[direction]()


def test_a_baseline_without_a_map_is_not_scored_as_another(small):
    with pytest.raises(ModuleNotFoundError, match="corner"):
        score_baseline_text_to_image("corner", small.phrases, small.masks, (4, 4), 0)


def test_the_baselines_are_at_chance(small):
    def score(kind):
        return score_baseline_text_to_image(kind, small.phrases, small.masks, (4, 4), seed=0)

    random, empty, center = (score(kind) for kind in ("random", "empty", "center"))
    chance = random["chance"]
    assert random["poster_iou"].mean() == pytest.approx(0.29, abs=0.03)
    assert random["ap"].mean() == pytest.approx(chance.mean(), abs=0.1)
    for metric in ("ap", "pointing", "mass"):
        np.testing.assert_array_equal(empty[metric], chance)
    assert (empty["iou"] == 0).all()
    assert empty["degenerate"].all()
    assert not center["degenerate"].any()
    assert not random["degenerate"].any()


def test_the_empty_caption_baseline_is_scored_and_flagged(small):
    tokenizer = TextTokenizer(small.checkpoint)
    scores = score_baseline_image_to_text(
        "empty", small.phrases, small.narratives, small.masks, tokenizer, seed=0
    )
    assert scores["degenerate"].all()
    np.testing.assert_array_equal(scores["ap"], scores["chance"])
    assert scores["poster_iou"].between(0.3, 0.5).mean() > 0.9


def lengthened(small, n_words):
    """The first narrative's phrases in a caption lengthened to so many words."""
    narratives = small.narratives[small.narratives["narrative"] == 0].copy()
    phrases = small.phrases[small.phrases["narrative"] == 0].copy()
    padding = "in " * (n_words - len(narratives["text"].iloc[0].split()))
    narratives["text"] = padding + narratives["text"]
    phrases[["char_start", "char_end"]] += len(padding)
    return narratives, phrases


@pytest.mark.parametrize(
    ("n_words", "poster", "strict"),
    [(70, None, None), (71, "too_many_words", None), (99, "too_many_words", "beyond_context")],
)
def test_left_out_phrases_carry_their_reason(small, n_words, poster, strict):
    narratives, phrases = lengthened(small, n_words)
    tokenizer = TextTokenizer(small.checkpoint)
    masks = small.masks[small.masks["image_id"] == phrases["image_id"].iloc[0]]
    last = score_baseline_image_to_text(
        "random", phrases, narratives, masks, tokenizer, seed=0
    ).iloc[-1]
    for metric, column, reason in (
        ("poster_iou", "poster_excluded", poster),
        ("ap", "strict_excluded", strict),
    ):
        assert pd.isna(last[metric]) == (reason is not None)
        assert (None if pd.isna(last[column]) else last[column]) == reason


def test_a_shard_without_phrases_has_no_scores(small):
    phrases, narratives, masks = (
        frame.iloc[:0] for frame in (small.phrases, small.narratives, small.masks)
    )
    tokenizer = TextTokenizer(small.checkpoint)
    image = small.relevance("text_to_image").iloc[:0]
    text = small.relevance("image_to_text").iloc[:0]
    for scores in (
        score_text_to_image(image, phrases, masks, 0),
        score_image_to_text(text, phrases, narratives, masks, tokenizer, 0),
        score_baseline_text_to_image("random", phrases, masks, (4, 4), 0),
        score_baseline_image_to_text("random", phrases, narratives, masks, tokenizer, 0),
    ):
        assert scores.empty
        assert set(scores.columns) == {*SCORES.names, "curve"}
        assert sum_curves(scores).empty


def test_relevance_that_is_no_number_is_refused(small, text_to_image):
    relevance = text_to_image[0].copy()
    broken = relevance["relevance"].iloc[3].copy()
    broken[2] = np.nan
    relevance.at[3, "relevance"] = broken
    with pytest.raises(InputError, match=r"narrative \d+, phrase \d+ .* not finite"):
        score_text_to_image(relevance, small.phrases, small.masks, seed=0)


def test_what_has_no_partner_keeps_the_reason_beside_wordless_phrases(small, text_to_image):
    relevance, _ = text_to_image
    phrases = small.phrases.assign(utterance="a person")
    scores = score_text_to_image(relevance, phrases, small.masks, seed=5)
    own = exclude_wordless(scores, phrases, TextTokenizer(small.checkpoint))
    pd.testing.assert_series_equal(
        own["strict_excluded"], scores["strict_excluded"], check_dtype=False
    )
    assert (own.loc[own["prompt"] == "mismatched", "strict_excluded"].notna()).all()
    assert np.isfinite(sum_curves(own)["iou_sum"]).all()


def many_phrases(n_phrases: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """One image of 30 x 20 in six segments, each phrase with two of them and a map."""
    generator = np.random.default_rng(1)
    labels = np.repeat(np.arange(6), 100).reshape(30, 20)
    pairs = [(first, second) for first in range(6) for second in range(first)]
    keys = {"narrative": 0, "image_id": 7}
    masks = [
        {"mask": number, "counts": coco_mask.encode(np.asfortranarray(region))["counts"]}
        for number, pair in enumerate(pairs)
        for region in [np.isin(labels, pair).astype(np.uint8)]
    ]
    masks = pd.DataFrame(masks).assign(image_id=7, height=30, width=20, area=200)
    phrases = [
        {"phrase": phrase, "utterance": f"pair {phrase}", "mask": phrase % 15}
        | {"segment_ids": pairs[phrase % 15]}
        for phrase in range(n_phrases)
    ]
    grids = generator.normal(size=(n_phrases, 9)).astype(np.float32)
    rows = [
        {"phrase": phrase, "prompt": prompt, "relevance": grid}
        for phrase in range(n_phrases)
        for prompt, grid in (("matched", grids[phrase]), ("unimodal", grids[0]))
    ]
    relevance = pd.DataFrame(rows).assign(grid_height=3, grid_width=3, **keys)
    return relevance, pd.DataFrame(phrases).assign(**keys), masks


@pytest.mark.parametrize(
    ("module", "name", "value"), [(images, "_ROWS", 7), (image_regions, "_KEPT_PIXELS", 1000)]
)
def test_an_image_in_parts_scores_the_same_as_at_once(monkeypatch, module, name, value):
    shard = many_phrases(40)
    at_once = score_text_to_image(*shard, seed=5)
    noise = score_baseline_text_to_image("random", *shard[1:], (3, 3), seed=5)
    monkeypatch.setattr(module, name, value)
    pd.testing.assert_frame_equal(score_text_to_image(*shard, seed=5), at_once, check_exact=True)
    pd.testing.assert_frame_equal(
        score_baseline_text_to_image("random", *shard[1:], (3, 3), seed=5), noise, check_exact=True
    )


def test_memory_does_not_grow_with_the_phrases_of_an_image():
    shard = many_phrases(1500)
    tracemalloc.start()
    score_text_to_image(*shard, seed=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500e6  # the maps alone take 300 MB at once on the poster's grid
