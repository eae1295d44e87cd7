"""Group a caption's tokens into words, and list runs of tokens elsewhere in it."""

import re

import numpy as np


def number_words(text: str, starts: np.ndarray) -> np.ndarray:
    """Number the words that tokens belong to.

    Parameters
    ----------
    text : str
        Its words are separated by spaces.
    starts : ndarray of int, shape (n_tokens,)
        Where each token starts in the text. A token that stands for the space before a word
        belongs to the word.

    Returns
    -------
    ndarray of int64, shape (n_tokens,)
        From 0; words without a token have no number.
    """
    ends = np.array([word.end() for word in re.finditer(r"\S+", text)] or [len(text)])
    words = np.searchsorted(ends, starts, side="right").clip(max=len(ends) - 1)
    return np.unique(words, return_inverse=True)[1]


def list_runs(length: int, blocked: np.ndarray) -> np.ndarray:
    """List all runs of `length` tokens that hold none of the blocked ones.

    Parameters
    ----------
    length : int
        At least 1.
    blocked : ndarray of bool, shape (n_tokens,)

    Returns
    -------
    ndarray of bool, shape (n_runs, n_tokens)
    """
    n_tokens = len(blocked)
    if length > n_tokens:
        return np.zeros((0, n_tokens), bool)
    starts = np.arange(n_tokens - length + 1)[:, None]
    places = np.arange(n_tokens)
    runs = (places >= starts) & (places < starts + length)
    return runs[~(runs & blocked).any(axis=1)]
