"""Per-phrase image-to-text scores of one shard under both protocols, for models and baselines."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.scoring import poster, strict
from clip_grounding.scoring.baselines import load_baseline
from clip_grounding.scoring.draws import Draw, phrase_generator
from clip_grounding.scoring.images import (
    NO_PARTNER,
    SCORES,
    add_left_out,
    join_maps,
    region_areas,
)


def score_image_to_text(
    relevance: pd.DataFrame,
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    masks: pd.DataFrame,
    tokenizer: TextTokenizer,
    seed: int,
) -> pd.DataFrame:
    """Score the image-to-text relevance of a shard.

    Parameters
    ----------
    relevance : DataFrame
        Rows of ``tables.RELEVANCE["image_to_text"]``.
    phrases, narratives, masks : DataFrame
        The shard's.
    tokenizer : TextTokenizer
        The model's.
    seed : int
        Draws the mismatched phrases, from the same narrative.

    Returns
    -------
    DataFrame
        Rows of ``scores.SCORES`` and ``curve``. ``poster_iou`` is null where the published
        evaluation skips the narrative, for its words or its tokens; the strict metrics are
        null where the phrase lies beyond the context length; both are for ``mismatched`` where
        no phrase can lend its map.
    """
    rows, left_out = join_maps(relevance, phrases, "narrative", seed)
    captions = read_captions(phrases, narratives, masks, tokenizer)
    scores = []
    for row in rows.itertuples():
        caption = captions[row.narrative]
        too_long = None if caption.is_complete else "too_many_tokens"
        scores.append(
            caption.score(row, row.relevance, caption.poster_excluded or too_long)
            | caption.score_strictly(row, row.relevance)
        )
    scores = pd.DataFrame(scores, columns=[*SCORES.names, "curve"])
    return add_left_out(scores, left_out, masks)


def score_baseline_image_to_text(
    kind: str,
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    masks: pd.DataFrame,
    tokenizer: TextTokenizer,
    seed: int,
) -> pd.DataFrame:
    """Score a baseline on word tokens.

    As published, a baseline knows no context length for the poster's score: it skips only
    by words. The strict metrics are given for the phrases on which a model has them.
    """
    baseline = load_baseline(kind)
    captions = read_captions(phrases, narratives, masks, tokenizer)
    scores = []
    for row in phrases.assign(prompt="none", **NO_PARTNER).itertuples():
        caption = captions[row.narrative]
        generator = None
        if baseline.CONTRACT["is_drawn"]:
            generator = phrase_generator(seed, row.narrative, row.phrase, Draw.PIXELS)
        values = baseline.map_words(len(caption.words), generator)
        scores.append(
            caption.score(row, values, caption.poster_excluded)
            | caption.score_strictly(row, values[: len(caption.starts)])
        )
    return pd.DataFrame(scores, columns=[*SCORES.names, "curve"])


@dataclass(frozen=True)
class Caption:
    """A narrative's text in a model's tokens, and what each of its phrases is scored against.

    Attributes
    ----------
    words : list of str
        All word tokens of the text.
    starts, ends : ndarray, shape (n_tokens,)
        Character spans of those within the context length.
    is_complete : bool
        Whether that is all of them.
    poster_excluded : str or None
        Why the poster's protocol skips the narrative whatever the model.
    poster_truths, strict_truths, ignored : dict of int to ndarray of bool
        By phrase: its tokens under each protocol, and those that the strict one ignores; under
        the poster's none where `poster_excluded`.
    region_areas : dict of int to float
        By phrase: its region's share of the image.
    """

    words: list[str]
    starts: np.ndarray
    ends: np.ndarray
    is_complete: bool
    poster_excluded: str | None
    poster_truths: dict[int, np.ndarray]
    strict_truths: dict[int, np.ndarray]
    ignored: dict[int, np.ndarray]
    region_areas: dict[int, float]

    def score(self, row, relevance: np.ndarray, excluded: str | None) -> dict:
        """Keys, poster score and region of a phrase's row."""
        foreground, degenerate = poster.token_foreground(relevance)
        iou = np.nan
        if excluded is None:
            truth = self.poster_truths[row.phrase]
            iou = poster.two_class_iou(foreground[None], truth[None])[0]
        return {
            "narrative": row.narrative,
            "phrase": row.phrase,
            "image_id": row.image_id,
            "prompt": row.prompt,
            "poster_iou": iou,
            "degenerate": degenerate,
            "poster_excluded": excluded,
            "region_area": self.region_areas[row.phrase],
            "partner_narrative": row.partner_narrative,
            "partner_phrase": row.partner_phrase,
        }

    def exclude_strictly(self, row) -> str | None:
        """Say why the strict protocol leaves a phrase out, None where it does not."""
        if not self.is_complete and row.char_end > self.ends[-1]:
            return "beyond_context"
        return None if self.strict_truths[row.phrase].any() else "no_tokens"

    def score_strictly(self, row, relevance: np.ndarray) -> dict:
        """Strict metrics of a phrase's row, or why it has none."""
        excluded = self.exclude_strictly(row)
        if excluded:
            missing = dict.fromkeys([*strict.METRICS, "curve"], np.nan)
            return {**missing, "strict_excluded": excluded}
        truth, valid = self.strict_truths[row.phrase], ~self.ignored[row.phrase]
        scores = strict.score_tokens(relevance[valid], truth[valid])
        return {**scores, "strict_excluded": None}


def read_captions(
    phrases: pd.DataFrame,
    narratives: pd.DataFrame,
    masks: pd.DataFrame,
    tokenizer: TextTokenizer,
) -> dict[int, Caption]:
    """Each narrative that has phrases, tokenised."""
    texts = dict(zip(narratives["narrative"], narratives["text"], strict=True))
    areas = region_areas(masks)
    captions = {}
    for narrative, own in phrases.groupby("narrative"):
        text = texts[narrative]
        tokens, words = tokenizer(text), tokenizer.words(text)
        too_wordy = poster.is_too_wordy(text)
        poster_truths, strict_truths, own_areas = {}, {}, {}
        for row in own.itertuples():
            if not too_wordy:  # else nobody asks, and thousands of words are long to compare
                poster_truths[row.phrase] = poster.text_truth(
                    words, tokenizer.phrase_words(row.utterance)
                )
            strict_truths[row.phrase] = strict.overlapping_tokens(
                tokens.starts, tokens.ends, row.char_start, row.char_end
            )
            own_areas[row.phrase] = areas[row.image_id, row.mask]
        captions[narrative] = Caption(
            words,
            tokens.starts,
            tokens.ends,
            tokens.complete,
            "too_many_words" if too_wordy else None,
            poster_truths,
            strict_truths,
            _shared_tokens(own, strict_truths),
            own_areas,
        )
    return captions


def _shared_tokens(phrases: pd.DataFrame, truths: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Tokens of a narrative's other phrases that name a segment of each phrase, not its own."""
    naming: dict[int, np.ndarray] = {}
    for row in phrases.itertuples():
        for segment in row.segment_ids:
            naming[segment] = naming.get(segment, False) | truths[row.phrase]
    shared = {}
    for row in phrases.itertuples():
        truth = truths[row.phrase]
        sharing = np.zeros_like(truth)
        for segment in row.segment_ids:
            sharing |= naming[segment]
        shared[row.phrase] = sharing & ~truth
    return shared
