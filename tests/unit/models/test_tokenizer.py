"""Tokens of texts: spans, cuts, and the published rule of the first mention."""

import numpy as np
import pytest
from builders import save_checkpoint
from saved_models import KINDS, save_model

from clip_grounding.errors import InputError
from clip_grounding.models.config import read_model_config
from clip_grounding.models.tokenizer import TextTokenizer, first_mention


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("clip"), ["a red star on the sand ."])


def test_tokens_are_found_in_the_text(folder):
    tokens = TextTokenizer(folder)("A red  star.")
    spans = list(zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True))
    assert spans == [(0, 1), (2, 5), (7, 11), (11, 12)]
    assert tokens.complete
    assert len(tokens.ids) == 6
    assert tokens.ids[-1] == tokens.ids.max()


def test_the_empty_text_has_the_two_specials_alone(folder):
    tokens = TextTokenizer(folder)("")
    assert len(tokens.ids) == 2
    assert len(tokens.starts) == len(tokens.ends) == 0


def test_a_long_text_is_cut_but_keeps_its_end(folder):
    tokenizer = TextTokenizer(folder)
    text = "red star " * 50
    tokens = tokenizer(text)
    assert len(tokens.ids) == tokenizer.context_length == 77
    assert tokens.ids[-1] == tokenizer("").ids[-1]
    assert len(tokens.starts) == 75
    assert not tokens.complete
    assert tokenizer.count(text) == 102
    assert len(tokenizer.words(text)) == 100


def test_a_text_that_just_fits_is_complete(folder):
    tokens = TextTokenizer(folder)(" ".join(["star"] * 75))
    assert tokens.complete
    assert len(tokens.ids) == 77


@pytest.mark.parametrize(
    ("caption", "phrase", "span"),
    [
        ("a red star on the sand", "red star", (1, 3)),
        ("a star on a red star", "red star", (4, 2)),  # its last word comes earlier: inverted
        ("a star on the sand and a star", "a star", (0, 2)),  # the second mention too
        ("a star", "moon", (0, 0)),
        ("a star", "", (0, 0)),
    ],
)
def test_a_phrase_is_placed_at_the_first_mention_of_its_ends(caption, phrase, span):
    assert first_mention(caption.split(), phrase.split()) == span


def test_the_patch_grid_comes_from_the_checkpoint(folder):
    assert read_model_config(folder).grid == (4, 4)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        TextTokenizer(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        TextTokenizer(tmp_path)


TYPOGRAPHIC = "It’s a “red car”, &amp; the ﬁre truck"
PLAIN = 'It\'s a "red car", & the fire truck'


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """A checkpoint of each kind, its tokenizer trained on the words of `PLAIN`."""
    folder = tmp_path_factory.mktemp("kinds")
    texts = [PLAIN, "<|endoftext|> </s> <eos> <pad> a dog and a cat"]
    return {kind: save_model(kind, folder / kind, texts).folder for kind in KINDS}


def spans_of(tokenizer, text):
    tokens = tokenizer(text)
    return [text[start:end] for start, end in zip(tokens.starts, tokens.ends, strict=True)]


def test_clips_byte_pairs_read_a_typographic_text_as_its_plain_form(kinds):
    tokenizer = TextTokenizer(kinds["openclip"])
    np.testing.assert_array_equal(tokenizer(TYPOGRAPHIC).ids, tokenizer(PLAIN).ids)
    assert tokenizer.words(TYPOGRAPHIC) == tokenizer.words(PLAIN)
    assert tokenizer.count(TYPOGRAPHIC) == tokenizer.count(PLAIN)
    assert tokenizer.phrase_words("“red") == tokenizer.phrase_words('"red')


def test_tokens_of_a_mended_text_are_found_in_the_text_as_it_was(kinds):
    tokenizer = TextTokenizer(kinds["openclip"])
    tokens, plain = tokenizer(TYPOGRAPHIC), tokenizer(PLAIN)
    assert TYPOGRAPHIC[tokens.starts[-1] : tokens.ends[-1]][-1] == "k"
    assert len(tokens.starts) == len(plain.starts)
    covered = set()
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        covered |= set(range(start, end))
    assert covered == {i for i, character in enumerate(TYPOGRAPHIC) if character != " "}


@pytest.mark.parametrize("kind", ["metaclip_2", "siglip", "siglip2"])
def test_other_tokenizers_mend_nothing(kinds, kind):
    tokenizer = TextTokenizer(kinds[kind])
    assert tokenizer("car &amp; dog").ids.tolist() != tokenizer("car & dog").ids.tolist()


@pytest.mark.parametrize("special", ["<|endoftext|>", "<|startoftext|>", "</s>", "<eos>", "<pad>"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_that_spells_a_special_token_is_read_as_characters(kinds, kind, special):
    tokenizer = TextTokenizer(kinds[kind])
    if kind == "metaclip_2" and special == "</s>":  # a piece of its vocabulary
        with pytest.raises(InputError, match=rf"the text '{special} a dog' has characters"):
            tokenizer(f"{special} a dog")
        return
    ids = tokenizer(f"{special} a dog {special} and a cat").ids
    assert (ids == tokenizer.end_of_text).sum() == 1
    assert ids[-1] == tokenizer.end_of_text
    assert "".join(spans_of(tokenizer, f"{special} a dog")).endswith("adog")
