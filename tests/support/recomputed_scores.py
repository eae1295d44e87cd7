"""Every score of a phrase anew, with the well-known libraries: an oracle for whole tables.

It shares no code with the library. Rows are those of the tables that a run leaves behind.
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

import ftfy
import numpy as np
import pandas as pd
from PIL import Image
from pycocotools import mask as coco_mask
from skimage.filters import threshold_otsu
from sklearn.metrics import average_precision_score
from slow_scores import best_iou, resized

SIZE, MOST_WORDS = 224, 70
WHOLE = (1, 1, False)  # the view of what sees all of an image
PADDING_CLASSES = {"pixels": 0, "cells": 1, "partner": 2}  # what is drawn: the seed's last number
CHANCE_NAMES = ("chance", "area")  # of the metric that is the share of values inside


def drawn(seed, row, what):
    return np.random.default_rng([seed, row.narrative, row.phrase, PADDING_CLASSES[what]])


def padding(shape):
    return [(max(shape) - side) // 2 for side in shape[:2]]


def two_classes(predicted, truth):
    """Mean IoU of foreground and background in float32; a class absent from both counts 0."""
    ious = [
        np.float32((p & t).sum()) / np.float32(max((p | t).sum(), 1))
        for p, t in ((predicted, truth), (~predicted, ~truth))
    ]
    return (ious[0] + ious[1]) / np.float32(2)


def otsu(values):
    """Otsu's threshold, in double precision where single has too few numbers for its bins."""
    try:
        return threshold_otsu(values)
    except ValueError:
        return threshold_otsu(values.astype(np.float64))


def above_otsu(values):
    """Foreground, and whether there is none because all values are equal."""
    if len(values.ravel()) == 0 or values.min() == values.max():
        return np.zeros(values.shape, bool), True
    return values > otsu(values), False


def strict_scores(values, inside):
    """Metrics of a ranking, (n_values,) float32, against the values inside."""
    share = inside.mean()
    predicted, flat = above_otsu(values)
    if flat:
        return dict.fromkeys(["ap", "best_iou", "pointing", "mass", *CHANCE_NAMES], share) | {
            "iou": 0.0
        }
    positive = np.maximum(values.astype(np.float64), 0)
    return {
        "ap": average_precision_score(inside, values),
        "iou": (predicted & inside).sum() / (predicted | inside).sum(),
        "best_iou": 1.0 if inside.all() else best_iou(inside, values),
        "pointing": inside[values == values.max()].mean(),
        "mass": positive[inside].sum() / positive.sum() if positive.any() else share,
        **dict.fromkeys(CHANCE_NAMES, share),
    }


def seen_from(size, shorter, view):
    """Edges of what patches see of a side of a padded square, in its pixels as fractions."""
    model_size, covered, crops = view
    resized = model_size * size // shorter if crops else model_size
    first = (resized - model_size) // 2
    return Fraction(first * size, resized), Fraction((first + covered) * size, resized)


def enlarged(grid, shape, view=WHOLE):
    """Bilinear map of an image with whole numbers as weights, divided once: what is equal stays so.

    torch's double precision rounds what lies halfway between two of float32 one way at one
    side of a symmetric map and the other way at the other.
    """
    across, wholes = [], []
    sides = [side + 2 * added for side, added in zip(shape, padding(shape), strict=True)]
    for length, size, inner in zip(grid.shape, sides, shape, strict=True):
        start, end = seen_from(size, min(sides), view)
        # The first pixel's centre in cells, from the first cell's; from pixel to pixel a step.
        step = length / (end - start)
        first = (Fraction(1, 2) - start) * step - Fraction(1, 2)
        whole = np.lcm(first.denominator, step.denominator)
        places = np.arange(size) * int(step * whole) + int(first * whole)
        places = np.clip(places, 0, whole * (length - 1))
        low = np.minimum(places // whole, max(length - 2, 0))
        weights = np.zeros((size, length))
        weights[np.arange(size), low] = whole - (places - whole * low)
        if length > 1:
            weights[np.arange(size), low + 1] = places - whole * low
        added = (size - inner) // 2
        across.append(weights[added : added + inner])
        wholes.append(whole)
    total = across[0] @ grid.astype(np.float64) @ across[1].T
    return (total / (wholes[0] * wholes[1])).astype(np.float32)


def poster_truth(region):
    rows, columns = padding(region.shape)
    padded = np.pad(region.astype(np.uint8) * 255, [(rows, rows), (columns, columns)])
    small = Image.fromarray(padded).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return (np.asarray(small) / 255).astype(int) == 1


def thresholds(values, rounding):
    """Otsu's threshold of values from 0 to 1, and those to which the rounding of values may lead.

    A map may have many values on the edges of bins, where it decides on which side they count.
    """
    moved = [np.clip(values + shift, 0, 1) for shift in (-rounding, rounding)]
    inner = (values > 0) & (values < 1)
    return [otsu(values), *(otsu(np.where(inner, own, values)) for own in moved)]


def poster_foregrounds(grid):
    """Foregrounds of a map at the poster's size that are right, and whether the map is flat.

    Each with the pixels that lie so close to the threshold that single precision decides: torch's
    own differs between processors that multiply and add in one step and those that do not.
    """
    up = resized(grid, (SIZE, SIZE))
    span = up.max() - up.min()
    nowhere = np.zeros(up.shape, bool)
    if grid.min() == grid.max() or not span > 0:
        return [(nowhere, nowhere)], True
    values = (up - up.min()) / span
    rounding = 4 * np.finfo(np.float32).eps * np.abs(up).max() / span
    found = [
        (values > own, np.abs(values - own) <= rounding) for own in thresholds(values, rounding)
    ]
    return found, False


def extreme_ious(predicted, in_doubt, truth):
    """The worst and the best score that the pixels in doubt can make of a foreground."""
    ways = [predicted, np.where(in_doubt, truth, predicted), np.where(in_doubt, ~truth, predicted)]
    ious = [two_classes(own, truth) for own in ways[: 3 if in_doubt.any() else 1]]
    return min(ious), max(ious)


def score_image(grid, region, truth, void, foreground=None, view=WHOLE):
    """All scores of a text-to-image map; `foreground` is the poster's where it is drawn.

    `truth` is `poster_truth` of the region.
    """
    native = enlarged(grid, region.shape, view)
    own, flat = poster_foregrounds(grid)
    if foreground is not None:
        own = [(foreground, np.zeros(truth.shape, bool))]
    return strict_scores(native[~void], region[~void]) | {
        "poster_iou": two_classes(own[0][0], truth),
        "poster_iou_ranges": [extreme_ious(*how, truth) for how in own],
        "degenerate": flat,
    }


@dataclass(frozen=True)
class Words:
    """The word tokens of texts, as a stock transformers tokenizer reads them."""

    tokenizer: object

    @cached_property
    def mends(self):
        """Whether the checkpoint has CLIP's own byte pairs, before which texts are mended."""
        model = self.tokenizer.backend_tokenizer.model
        return getattr(model, "end_of_word_suffix", None) == "</w>"

    def mended(self, text):
        if not self.mends:
            return text
        return html.unescape(html.unescape(ftfy.fix_text(text)))

    def encoded(self, text):
        return self.tokenizer(
            self.mended(text),
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
            verbose=False,
        )

    def __call__(self, text):
        tokens = self.tokenizer.convert_ids_to_tokens(self.encoded(text)["input_ids"])
        return [token.strip("▁") for token in tokens]

    def spans(self, text, recorded=None):
        """Characters of each token; the `recorded` ones where mending changes the text."""
        if recorded is not None and self.mended(text) != text:
            return recorded
        return [trimmed(text, *span) for span in self.encoded(text)["offset_mapping"]]


def trimmed(text, start, end):
    """A token's characters without the spaces that sentencepiece counts to it."""
    if not text[start:end].strip():
        return start, start
    stripped = text[start:end].lstrip()
    start = end - len(stripped)
    return start, start + len(stripped.rstrip())


def overlap(spans, phrase):
    return np.array(
        [start < phrase.char_end and end > phrase.char_start for start, end in spans], bool
    )


def score_caption(values, phrase, own_phrases, text, words, spans, is_complete, is_model):
    """All scores of image-to-text relevance, per word token.

    `spans` are those of the tokens within the context length; `is_model` is False for baselines,
    whose `values` are for all tokens and which the poster's protocol skips only by words.
    """
    tokens, own = words(text), words(f" {phrase.utterance}")
    predicted, flat = np.zeros(len(values), bool), True
    if len(values) and values.min() != values.max():
        total = values.sum()
        predicted, flat = above_otsu(values / total if total > 0 else values)[0], False
    result = {"degenerate": flat, "poster_excluded": None, "strict_excluded": None}
    if len(text.split(" ")) > MOST_WORDS:
        result["poster_excluded"] = "too_many_words"
    elif is_model and not is_complete:
        result["poster_excluded"] = "too_many_tokens"
    else:
        truth = np.zeros(len(tokens), bool)
        if own and own[0] in tokens and own[-1] in tokens:
            truth[tokens.index(own[0]) : tokens.index(own[-1]) + 1] = True
        result["poster_iou"] = two_classes(predicted, truth)
    truth = overlap(spans, phrase)
    if not is_complete and phrase.char_end > spans[-1][1]:
        return result | {"strict_excluded": "beyond_context"}
    if not truth.any():
        return result | {"strict_excluded": "no_tokens"}
    ignored = np.zeros(len(spans), bool)
    for other in own_phrases.itertuples():
        if set(other.segment_ids) & set(phrase.segment_ids):
            ignored |= overlap(spans, other)
    valid = truth | ~ignored
    return result | strict_scores(values[: len(spans)][valid], truth[valid])


def folded(text):
    """What is compared of two phrases: words without case, composition and punctuation."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.findall(r"\w+", text) or text.split()


def partner_of(phrase, candidates, seed):
    """Row of `candidates` whose map a phrase borrows, or the reason why there is none."""
    disjoint = [
        other
        for other in candidates.itertuples()
        if not set(other.segment_ids) & set(phrase.segment_ids)
    ]
    others = [
        other
        for other in disjoint
        if folded(other.utterance) not in ([], folded(phrase.utterance))  # a blank asks for nothing
    ]
    if not others:
        return "no_other_text" if disjoint else "no_disjoint_phrase"
    return others[drawn(seed, phrase, "partner").integers(len(others))]


class Recomputation:
    """Recomputes rows of a table of scores from the tables of a run.

    `tables` has ``phrases``, ``narratives`` and ``masks``; `relevance` one table per
    (model, attribution, direction); `tokenizers` one stock tokenizer and context length per model;
    `views` per model the pixels of its input's side, those of them that patches cover, and whether
    its preprocessing crops.
    `first_model` is the one whose tokens and grid the baselines have.
    """

    def __init__(self, phrases, narratives, masks, relevance, tokenizers, views, first_model, seed):
        self.phrases, self.narratives = phrases, narratives
        self.seed, self.first_model, self.views = seed, first_model, views
        self.texts = dict(zip(narratives["narrative"], narratives["text"], strict=True))
        self.masks = masks.set_index(["image_id", "mask"])
        self.rows = phrases.set_index(["narrative", "phrase"], drop=False)
        self.relevance = {
            contender: table.set_index(["narrative", "phrase", "prompt"])
            for contender, table in relevance.items()
        }
        self.phrase_of = {(row.narrative, row.phrase): row for row in phrases.itertuples()}
        self.phrases_of = {
            within: dict(iter(phrases.groupby(within))) for within in ("image_id", "narrative")
        }
        self.region, self.truth = cache(self._region), cache(self._truth)
        self.words = {name: Words(tokenizer) for name, (tokenizer, _) in tokenizers.items()}
        self.lengths = {name: length for name, (_, length) in tokenizers.items()}

    def _truth(self, image_id, mask):
        return poster_truth(self.region(image_id, mask))

    def _region(self, image_id, mask):
        record = self.masks.loc[(image_id, mask)]
        size = [int(record["height"]), int(record["width"])]
        return coco_mask.decode({"size": size, "counts": record["counts"]}).astype(bool)

    def expected(self, row) -> dict:
        """Every column of a row of scores, missing scores left out."""
        phrase = self.phrase_of[row.narrative, row.phrase]
        region = self.region(row.image_id, phrase.mask)
        found = {
            "image_id": phrase.image_id,
            "region_area": region.mean(),
            "partner_narrative": -1,
            "partner_phrase": -1,
            "poster_excluded": None,
            "strict_excluded": None,
            "degenerate": False,
        }
        source, prompt = phrase, row.prompt
        if prompt == "mismatched":
            within = "image_id" if row.direction == "text_to_image" else "narrative"
            own = self.phrases_of[within][getattr(phrase, within)]
            source, prompt = partner_of(phrase, own, self.seed), "matched"
            if isinstance(source, str):
                return found | {"poster_excluded": source, "strict_excluded": source}
            found |= {"partner_narrative": source.narrative, "partner_phrase": source.phrase}
        record = None
        if row.model != "baseline":
            contender = row.model, row.attribution, row.direction
            record = self.relevance[contender].loc[(source.narrative, source.phrase, prompt)]
        score = self._image if row.direction == "text_to_image" else self._caption
        return found | score(row, phrase, region, record)

    def _image(self, row, phrase, region, record):
        void, foreground = self.region(row.image_id, -1), None
        truth = self.truth(row.image_id, phrase.mask)
        if record is not None:
            shape = record["grid_height"], record["grid_width"]
            grid, view = np.reshape(record["relevance"], shape), self.views[row.model]
            scores = score_image(grid, region, truth, void, view=view)
            if not self.words[row.model](phrase.utterance):
                kept = ("poster_iou", "poster_iou_ranges", "degenerate")
                scores = {name: scores[name] for name in kept}
                scores["strict_excluded"] = "no_tokens"
            return scores
        shape = self.first_grid
        grid = np.zeros(shape, np.float32)
        if row.attribution == "random":
            noise = drawn(self.seed, row, "pixels").random(SIZE**2, dtype=np.float32)
            foreground = above_otsu(noise.reshape(SIZE, SIZE))[0]
            grid = drawn(self.seed, row, "cells").random(shape, dtype=np.float32)
        if row.attribution == "center":
            y, x = ((np.arange(side) + 0.5) / side - 0.5 for side in shape)
            vertical, horizontal = np.exp(-8 * y**2), np.exp(-8 * x**2)
            grid = (vertical[:, None] * horizontal).astype(np.float32)
        return score_image(grid, region, truth, void, foreground) | {
            "degenerate": row.attribution != "random" and np.ptp(grid) == 0
        }

    @cached_property
    def first_grid(self):
        """The grid that baselines have: that of the first model's maps."""
        for (model, _, direction), table in self.relevance.items():
            if model == self.first_model and direction == "text_to_image":
                return tuple(table.iloc[0][["grid_height", "grid_width"]])
        raise LookupError(f"no text-to-image maps of {self.first_model}")

    def _caption(self, row, phrase, region, record):
        model = self.first_model if record is None else row.model
        words, text = self.words[model], self.texts[row.narrative]
        n_tokens = len(words(text))
        n_read = min(n_tokens, self.lengths[model])
        recorded = None if record is None else self._recorded(record)
        if recorded is None and words.mended(text) != text:
            recorded = self._recorded_of(model, row.narrative)
        spans = words.spans(text, recorded)[:n_read]
        if record is not None:
            values = record["relevance"]
            if self._recorded(record) != spans:
                raise AssertionError(f"narrative {row.narrative}: token spans {recorded}, {spans}")
        elif row.attribution == "random":
            values = drawn(self.seed, row, "pixels").random(n_tokens, dtype=np.float32)
        else:
            values = np.zeros(n_tokens, np.float32)
        own = self.phrases_of["narrative"][row.narrative]
        is_complete = n_read == n_tokens
        return score_caption(
            values, phrase, own, text, words, spans, is_complete, record is not None
        )

    def _recorded_of(self, model, narrative):
        """Token spans of a narrative from any map of a model."""
        for (name, _, direction), table in self.relevance.items():
            if name == model and direction == "image_to_text":
                return self._recorded(table.loc[narrative].iloc[0])
        raise LookupError(f"no image-to-text maps of {model}")

    @staticmethod
    def _recorded(record):
        pairs = zip(record["token_starts"], record["token_ends"], strict=True)
        return [(int(start), int(end)) for start, end in pairs]


def largest_differences(scores: pd.DataFrame, recomputation) -> pd.DataFrame:
    """Per column of `scores`: its largest difference from the recomputed one, and where.

    Texts and missing values differ by infinity.
    """
    worst = {}
    for row in scores.itertuples():
        expected = recomputation.expected(row)
        for name in scores.columns.difference(
            ["narrative", "phrase", "prompt", "direction", "model", "attribution", "curve"]
        ):
            ours, right = getattr(row, name), expected.get(name)
            known = [not (value is None or value != value) for value in (ours, right)]
            if not all(known):
                difference = np.inf if any(known) else 0.0
            elif isinstance(right, str):
                difference = 0.0 if ours == right else np.inf
            else:
                difference = min(
                    max(float(ours) - float(high), float(low) - float(ours), 0.0)
                    for low, high in expected.get(f"{name}_ranges", [(right, right)])
                )
            if name not in worst or difference > worst[name][0]:
                where = f"{row.direction} {row.model} {row.attribution} {row.prompt}"
                worst[name] = (
                    difference,
                    f"{where} narrative {row.narrative} phrase {row.phrase}: {ours}, not {right}",
                )
    return pd.DataFrame(
        [(name, *found) for name, found in worst.items()],
        columns=["column", "difference", "where"],
    )
