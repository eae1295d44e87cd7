"""Tokens of texts: spans, cuts, and the published rule of the first mention."""

import pytest
from conftest import save_checkpoint

from clip_grounding.errors import InputError
from clip_grounding.models.config import read_model_config
from clip_grounding.tokens import TextTokenizer, first_mention


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
