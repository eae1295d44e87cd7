"""Choose and collect the examples: for a few phrases, the maps of both directions.

The phrases are not hand-picked: they are spread evenly over the scores of a shard.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clip_grounding.geometry import WHOLE, View, upsample_to_image
from clip_grounding.regions import decode_region
from clip_grounding.vocabulary import MAP_PROMPTS, PHRASE


@dataclass(frozen=True)
class Example:
    """What the page shows of one phrase.

    Attributes
    ----------
    image_id : int
    share : float
        Share of the shard's phrases that score lower.
    image : ndarray of uint8, shape (height, width, 3)
    region : ndarray of bool, shape (height, width)
    text : str
        The caption.
    phrase : (int, int)
        Characters of the phrase in the caption.
    maps : dict of str to ndarray of float32, shape (height, width)
        Text-to-image relevance by prompt; empty where that direction is not evaluated.
    tokens : ndarray of int, shape (n_tokens, 2), or None
        Characters of each token; None where image-to-text is not evaluated.
    words : ndarray of float32, shape (n_tokens,), or None
        Matched image-to-text relevance.
    scores : dict of (direction, prompt) to str
        The scores as text.
    """

    image_id: int
    share: float
    image: np.ndarray
    region: np.ndarray
    text: str
    phrase: tuple[int, int]
    maps: dict[str, np.ndarray]
    tokens: np.ndarray | None
    words: np.ndarray | None
    scores: dict[tuple[str, str], str]


def choose_examples(scores: pd.DataFrame, count: int, metric: str = "poster_iou") -> pd.DataFrame:
    """Choose phrases of different images that spread evenly over the scores.

    Phrases are ranked by their score with the matched prompt. For each of `count` equal
    parts of the ranking, the phrase nearest to the part's middle is taken whose image has
    not been taken yet.

    Parameters
    ----------
    scores : DataFrame
        Rows of a shard's ``scores`` table.
    count : int
        Fewer are chosen where fewer images have a scored phrase.
    metric : str

    Returns
    -------
    DataFrame
        Columns narrative, phrase, image_id and ``share``, the part of the phrases that
        rank lower; the best first.
    """
    ranked = scores[(scores["prompt"] == "matched") & scores[metric].notna()]
    ranked = ranked.sort_values([metric, *PHRASE]).reset_index(drop=True)
    count = min(count, ranked["image_id"].nunique())
    places: list[int] = []
    for part in range(count):
        middle = (part + 0.5) / count * len(ranked) - 0.5
        free = ranked[~ranked["image_id"].isin(ranked["image_id"].loc[places])]
        places.append(free.index[np.abs(free.index - middle).argmin()])
    chosen = ranked.loc[sorted(places, reverse=True), [*PHRASE, "image_id"]]
    return chosen.assign(share=chosen.index / max(len(ranked), 1))


def gather_examples(
    chosen: pd.DataFrame,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    relevance: dict[str, pd.DataFrame],
    scores: dict[str, pd.DataFrame],
    read_image: Callable[[str, int, int], np.ndarray],
    metric: str = "poster_iou",
    view: View = WHOLE,
) -> list[Example]:
    """Collect what the page shows of the chosen phrases.

    Parameters
    ----------
    chosen : DataFrame
        See `choose_examples`.
    narratives, phrases, masks : DataFrame
        Tables that hold at least the chosen phrases.
    relevance, scores : dict of str to DataFrame
        The shard's tables of each evaluated direction.
    read_image : callable
        Takes file name, height and width; returns uint8 RGB of shape (height, width, 3).
    metric : str
    view : View
        What the model sees of an image.

    Returns
    -------
    list of Example
        In the order of `chosen`.
    """
    narratives = narratives.set_index("narrative")
    phrases = phrases.set_index(PHRASE)
    masks = masks.set_index(["image_id", "mask"])
    maps = {name: table.set_index([*PHRASE, "prompt"]) for name, table in relevance.items()}
    values = {name: table.set_index([*PHRASE, "prompt"]) for name, table in scores.items()}
    examples = []
    for row in chosen.itertuples():
        key = (row.narrative, row.phrase)
        narrative, phrase = narratives.loc[row.narrative], phrases.loc[key]
        record = masks.loc[(row.image_id, phrase["mask"])]
        height, width = int(record["height"]), int(record["width"])
        patches, tokens, words = {}, None, None
        if "text_to_image" in maps:
            for prompt in MAP_PROMPTS:
                found = maps["text_to_image"].loc[(*key, prompt)]
                grid = found["relevance"].reshape(found["grid_height"], found["grid_width"])
                patches[prompt] = upsample_to_image(grid, height, width, view)
        if "image_to_text" in maps:
            found = maps["image_to_text"].loc[(*key, "matched")]
            tokens = np.stack([found["token_starts"], found["token_ends"]], axis=1)
            words = found["relevance"]
        examples.append(
            Example(
                image_id=row.image_id,
                share=row.share,
                image=read_image(narrative["file_name"], height, width),
                region=decode_region(
                    height,
                    width,
                    record["counts"],
                    f"image {row.image_id}, mask {phrase['mask']}",
                ),
                text=narrative["text"],
                phrase=(int(phrase["char_start"]), int(phrase["char_end"])),
                maps=patches,
                tokens=tokens,
                words=words,
                scores={
                    (direction, prompt): print_score(table.loc[(*key, prompt)], metric)
                    for direction, table in values.items()
                    for prompt in MAP_PROMPTS
                },
            )
        )
    return examples


def print_score(row: pd.Series, metric: str) -> str:
    """Return a score as text, and say where the map is flat or the phrase was left out."""
    if np.isnan(row[metric]):
        return "none"
    return f"{row[metric]:.3f}" + (" (flat map)" if row["degenerate"] else "")
