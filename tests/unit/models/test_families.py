"""Whole checkpoints of every supported kind, from their folder to scored maps."""

import numpy as np
import pandas as pd
import plain_methods
import pytest
import torch
from plain_forward import content
from saved_models import KINDS, save_model

from clip_grounding.models.config import read_model_config
from clip_grounding.models.loading import load_model
from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.scoring.captions import score_image_to_text
from clip_grounding.scoring.images import METRICS, score_text_to_image
from clip_grounding.statistics.paired import pair_scores

DIRECTIONS = ["text_to_image", "image_to_text"]
CONTEXTS = {"openclip": 77, "metaclip_2": 77, "siglip": 64, "siglip2": 24}
GRIDS = {"openclip": (4, 4), "metaclip_2": (4, 4), "siglip": (14, 14), "siglip2": (4, 4)}
METHODS = [
    ("gradient_attention", {"layers": "last"}),
    ("rollout", {}),
    ("grad_eclip", {}),
    ("integrated_gradients", {"steps": 3}),
]
CAPTIONS = [
    "there is an orange square in the sky , three yellow crosses in the sky .",
    "A Man's dog -- Running!  2 red dogs",
    'xyz "sky" (sand) Ünï #1',
    "",
    "in " * 99,
]


@pytest.fixture(scope="module")
def saved(small, tmp_path_factory):
    """A checkpoint of each kind; that of SigLIP 2 has a context shorter than some captions."""
    folder = tmp_path_factory.mktemp("kinds")
    shapes = {"siglip2": {"max_position_embeddings": CONTEXTS["siglip2"]}}
    texts = small.narratives["text"]
    return {kind: save_model(kind, folder / kind, texts, **shapes.get(kind, {})) for kind in KINDS}


@pytest.fixture(scope="module")
def relevance(small, saved):
    """Gradient attention's maps, computed once for each kind and direction."""
    return {
        (kind, direction): small.relevance(direction, checkpoint=saved[kind].folder)
        for kind in KINDS
        for direction in DIRECTIONS
    }


def score(small, folder, direction, maps):
    if direction == "text_to_image":
        return score_text_to_image(maps, small.phrases, small.masks, seed=0)
    tokenizer = TextTokenizer(folder)
    return score_image_to_text(
        maps, small.phrases, small.narratives, small.masks, tokenizer, seed=0
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_opened_model_gives_the_stock_similarities(small, saved, kind):
    model, clip = saved[kind].model(), load_model(saved[kind].folder, torch.device("cpu"))
    ids = [saved[kind].ids(text) for text in CAPTIONS]
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, clip.image_size, clip.image_size, generator=generator)
    images = clip.embed(clip.image, pixels)
    for text in ids:
        stock = model(input_ids=text[None], pixel_values=pixels).logits_per_image[:, 0]
        ours = clip.similarity(images, clip.embed(clip.text, text[None]))
        torch.testing.assert_close(ours, stock, atol=1e-4, rtol=1e-5)
        found = clip.text.content(text[None])[0].nonzero()[:, 0].tolist()
        assert found == content(model, text, "image_to_text")
    assert clip.grid == GRIDS[kind] == read_model_config(saved[kind].folder).grid


@pytest.mark.parametrize("text", CAPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_token_ids_are_those_of_transformers(saved, kind, text):
    tokenizer = TextTokenizer(saved[kind].folder)
    padded = tokenizer.pad([tokenizer(text).ids])[0].tolist()
    assert padded == saved[kind].ids(text).tolist()
    assert tokenizer.context_length == CONTEXTS[kind]
    if "siglip" in kind:
        assert len(padded) == CONTEXTS[kind]


def test_siglip2_ends_a_text_though_its_tokenizer_file_does_not(small, saved, tmp_path):
    texts = small.narratives["text"]
    bare = TextTokenizer(save_model("siglip2", tmp_path, texts, ends=False).folder)
    whole = TextTokenizer(saved["siglip2"].folder)
    assert bare("two dogs").ids.tolist() == whole("two dogs").ids.tolist()
    assert bare.end_of_text == whole.end_of_text == 1
    assert bare.padding == 0


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_those_of_transformers(saved, kind):
    image = np.random.default_rng(0).integers(0, 256, (40, 61, 3)).astype(np.uint8)
    preprocess = ImagePreprocessor(saved[kind].folder)
    config = read_model_config(saved[kind].folder)
    covered = config.grid[0] * config.patch_size
    assert preprocess.view == (config.image_size, covered, "siglip" not in kind)
    ours = preprocess(image)
    np.testing.assert_allclose(ours, saved[kind].pixels(image), atol=1e-6)


@pytest.mark.parametrize(("method", "params"), METHODS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_maps_equal_the_plain_method_on_transformers_own_inputs(
    small, saved, relevance, kind, direction, method, params
):
    maps = relevance[kind, direction]
    if method != "gradient_attention":
        attribution = {"kind": method, **params}
        maps = small.relevance(direction, checkpoint=saved[kind].folder, attribution=attribution)
    maps = maps.set_index(["narrative", "phrase", "prompt"])["relevance"]
    model, explain = saved[kind].model(), getattr(plain_methods, method)
    for phrase in small.phrases.iloc[::25].itertuples():
        for prompt in ("matched", "unimodal"):
            image, text = small.inputs(phrase, direction, prompt)
            pixels, ids = saved[kind].pixels(image), saved[kind].ids(text)
            plain = explain(model, pixels, ids, direction, **params).numpy()
            ours = maps.loc[phrase.narrative, phrase.phrase, prompt]
            np.testing.assert_allclose(ours, plain, atol=1e-4 * np.abs(plain).max() + 2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_spans_join_to_the_text_as_far_as_it_was_read(small, relevance, kind):
    texts = small.narratives.set_index("narrative")["text"]
    for row in relevance[kind, "image_to_text"].itertuples():
        text = texts[row.narrative]
        spans = zip(row.token_starts, row.token_ends, strict=True)
        joined = "".join(text[start:end] for start, end in spans)
        read = text.translate(str.maketrans("", "", " .,'")) if kind == "siglip" else text
        read = read.replace(" ", "")
        assert len(row.relevance) == len(row.token_starts)
        if len(row.relevance) < CONTEXTS[kind] - 2:
            assert joined == read
        else:
            assert read.startswith(joined)


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("siglip", 'the "red" star, (sand).', ["the", "red", "star", "sand"]),
        ("siglip2", "The  red star", ["The", "red", "star"]),
        ("metaclip_2", " the red star ", ["the", "red", "star"]),
    ],
)
def test_a_span_is_what_its_token_reads(tmp_path, kind, text, words):
    texts = ["the red star sand"] * 9
    tokens = TextTokenizer(save_model(kind, tmp_path, texts).folder)(text)
    spans = [text[a:b] for a, b in zip(tokens.starts, tokens.ends, strict=True)]
    spelled = [span for span in spans if span]
    assert "".join(spelled) == "".join(words)
    for word in words:
        start = text.index(word)
        inside = (tokens.starts >= start) & (tokens.ends <= start + len(word))
        inside &= tokens.ends > tokens.starts
        assert "".join(np.array(spans)[inside]) == word


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_maps_are_scored_under_both_protocols(small, saved, relevance, kind, direction):
    scores = score(small, saved[kind].folder, direction, relevance[kind, direction])
    assert set(scores["prompt"]) == {"matched", "unimodal", "mismatched"}
    for metric, excluded in (("poster_iou", "poster_excluded"), ("ap", "strict_excluded")):
        assert (scores[metric].isna() == scores[excluded].notna()).all()
        assert scores[metric].dropna().between(0, 1).all()
        assert scores[metric].notna().any()
    if direction == "text_to_image":
        assert scores[["poster_excluded", "strict_excluded"]].isna().all(axis=None)


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_beyond_the_context_is_left_out_with_its_reason(small, saved, relevance, kind):
    scores = score(small, saved[kind].folder, "image_to_text", relevance[kind, "image_to_text"])
    scores = scores.merge(small.phrases, on=["narrative", "phrase"])
    texts = small.narratives.set_index("narrative")["text"]
    tokenizer = TextTokenizer(saved[kind].folder)
    n_read = {n: len(text) for n, text in texts.items()}
    for narrative, text in texts.items():
        tokens = tokenizer(text)
        if tokenizer.count(text) > CONTEXTS[kind]:
            n_read[narrative] = tokens.ends[-1]
    is_cut = scores["narrative"].map(lambda n: n_read[n] < len(texts[n]))
    is_beyond = scores["char_end"] > scores["narrative"].map(n_read)
    assert (is_cut == (scores["poster_excluded"] == "too_many_tokens")).all()
    assert (is_beyond == (scores["strict_excluded"] == "beyond_context")).all()
    assert is_beyond.any() or kind != "siglip2"


@pytest.mark.parametrize("kind", KINDS)
def test_a_phrase_is_found_by_its_first_mention_whatever_the_tokenizer(small, saved, kind):
    """SigLIP 2 has one token for a word at the start of a text and another for it elsewhere."""
    tokenizer = TextTokenizer(saved[kind].folder)
    for narrative in small.narratives.itertuples():
        words = tokenizer.words(narrative.text)
        own = small.phrases[small.phrases["narrative"] == narrative.narrative]
        for phrase in own["utterance"]:
            first, *_ = tokenizer.phrase_words(phrase)
            *_, last = tokenizer.phrase_words(phrase)
            assert first in words
            assert last in words


def test_models_of_both_families_are_compared_on_the_phrases_that_all_have(small, saved, relevance):
    tables = [
        score(small, saved[kind].folder, "image_to_text", relevance[kind, "image_to_text"]).assign(
            model=kind, attribution="gradient-attention", direction="image_to_text"
        )
        for kind in KINDS
    ]
    scores = pd.concat(tables, ignore_index=True)
    paired = pair_scores(scores)
    matched = [i for i, (_, _, prompt) in enumerate(paired.contenders) if prompt == "matched"]
    assert len(matched) == len(KINDS)
    known = ~np.isnan(paired.values[:, matched, METRICS.index("ap")])
    assert (known == known[:, :1]).all()
    cut = scores[scores["strict_excluded"] == "beyond_context"]
    n_cut = len(cut[["narrative", "phrase"]].drop_duplicates())
    assert 0 < known[:, 0].sum() == len(small.phrases) - n_cut < len(small.phrases)
