"""The relevance job against plain autograd, and what its maps must not depend on."""

import numpy as np
import pandas as pd
import pytest
import torch
from plain_attribution import plain_relevance
from transformers import CLIPModel

from clip_grounding.geometry import pad_to_square, square_padding
from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.models.tokenizer import TextTokenizer

DIRECTIONS = ["text_to_image", "image_to_text"]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("layers", "used"), [("last", 1), ("all", 2)])
def test_every_map_equals_plain_autograd_on_the_published_inputs(small, direction, layers, used):
    relevance = small.relevance(direction, layers).set_index(["narrative", "phrase", "prompt"])
    model = CLIPModel.from_pretrained(small.checkpoint, attn_implementation="eager").eval()
    preprocess, tokenizer = ImagePreprocessor(small.checkpoint), TextTokenizer(small.checkpoint)
    assert len(relevance) == 2 * len(small.phrases)
    for phrase in small.phrases.iloc[::7].itertuples():
        for prompt in ("matched", "unimodal"):
            image, text = small.inputs(phrase, direction, prompt)
            pixels = torch.from_numpy(preprocess(image))
            ids = torch.from_numpy(tokenizer(text).ids)
            plain = plain_relevance(model, pixels, ids, direction, used)
            ours = relevance.loc[(phrase.narrative, phrase.phrase, prompt), "relevance"]
            np.testing.assert_allclose(ours, plain.numpy(), atol=1e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_batch_size_changes_no_map(small, direction):
    one, many = (small.relevance(direction, batch_size=n) for n in (1, 64))
    keys = ["narrative", "phrase", "prompt"]
    pd.testing.assert_frame_equal(one[keys], many[keys])
    for a, b in zip(one["relevance"], many["relevance"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_image_to_text_keeps_where_each_token_stands(small):
    rows = small.relevance("image_to_text").iloc[:4]
    texts = small.narratives.set_index("narrative")["text"]
    for row in rows.itertuples():
        words = [texts[row.narrative][a:b] for a, b in zip(row.token_starts, row.token_ends)]  # noqa: B905
        assert "".join(words) == texts[row.narrative].replace(" ", "")
        assert len(row.relevance) == len(words)


@pytest.mark.parametrize(
    ("height", "width", "padded"), [(4, 9, (8, 9)), (9, 9, (9, 9)), (10, 4, (10, 10))]
)
def test_padding_is_even_and_may_fall_one_pixel_short(height, width, padded):
    assert pad_to_square(np.ones((height, width, 3), np.uint8)).shape == (*padded, 3)
    rows, columns = square_padding(height, width)
    assert (height + 2 * rows, width + 2 * columns) == padded
