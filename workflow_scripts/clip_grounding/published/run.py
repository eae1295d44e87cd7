"""Read the per-phrase scores that the poster's authors published, without running their pickles.

Six torch files hold one score per phrase in scoring order and one sum per narrative, so that
phrases can be told apart by narrative although the files name neither.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from clip_grounding.errors import InputError
from clip_grounding.published.files import NARRATIVES, PHRASES, file_name

_SUM_DIVISOR = 5  # the published code divides every narrative's sum by 5
_TOLERANCE = 1e-6  # sums of at most a few thousand float64 scores agree far better


def read_published_run(
    paths: Iterable[str | Path],
    narratives: int = NARRATIVES,
    phrases: dict[str, dict[str, int]] = PHRASES,
) -> pd.DataFrame:
    """Read the six published files and find the narrative of each score.

    Parameters
    ----------
    paths : iterable of str or Path
        The files, under their published names.
    narratives : int
        Number of narratives that each file must have a sum for.
    phrases : dict
        Number of scores that each file must have, by direction and contender.

    Returns
    -------
    DataFrame
        Rows of `published_files.PUBLISHED_SCORES`, in scoring order per direction and contender.

    Raises
    ------
    InputError
        A file is missing, differs from what was published, or asks for code to be run.
    """
    paths = {Path(path).name: Path(path) for path in paths}
    files, entries, sums = {}, {}, {}
    for direction, counts in phrases.items():
        for contender, count in counts.items():
            name = file_name(direction, contender)
            if name not in paths:
                raise InputError(f"{name}: this file of the published run is missing")
            key = direction, contender
            files[key] = paths[name]
            metrics = load_metrics(paths[name])
            entries[key] = _numbers(metrics, "entry_level_metrics", count, paths[name])
            sums[key] = _numbers(metrics, "instance_level_metrics", narratives, paths[name])
            sums[key] *= _SUM_DIVISOR

    together = [("text_to_image", contender) for contender in phrases["text_to_image"]]
    sizes = narrative_sizes(
        np.sum([entries[key] for key in together], axis=0),
        np.sum([sums[key] for key in together], axis=0),
    )
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "direction": direction,
                    "contender": contender,
                    "entry": np.arange(len(scores)),
                    "narrative": _narrative_of_each(
                        scores, sums[direction, contender], sizes, files[direction, contender]
                    ),
                    "poster_iou": scores,
                }
            )
            for (direction, contender), scores in entries.items()
        ],
        ignore_index=True,
    )


def load_metrics(path: Path) -> dict:
    """Load a published file; a pickle that names anything not on the list is refused unread.

    Raises
    ------
    InputError
        The file is missing, damaged, or names another global.
    """
    if not path.is_file():
        raise InputError(f"{path}: this file of the published run is missing")
    with safe_globals(_ALLOWED):
        try:
            foreign = sorted(get_unsafe_globals_in_checkpoint(path))
            if not foreign:
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged pickle can raise anything
            # torch wraps the reason in advice on how to load the file anyway.
            reason = str(error).rpartition("WeightsUnpickler error:")[2].strip() or repr(error)
            reason = reason.splitlines()[0].split(". ")[0]
            raise InputError(
                f"{path}: not a readable torch file ({reason}): fetch the published file again"
            ) from error
    raise InputError(
        f"{path}: its pickle asks for {', '.join(foreign)}, which the published files do not"
        " need; it was not loaded: fetch the published file again"
    )


def _plain_dict(_factory) -> dict:
    """Stand in for `defaultdict`: `weights_only` fills only plain dictionaries."""
    return {}


# Names in the published pickles and what replaces them: constructors of numbers and
# containers alone. NumPy 2 renamed its module.
_NUMPY_SCALAR = np.float64(0).__reduce__()[0]
_ALLOWED = [
    (_NUMPY_SCALAR, "numpy.core.multiarray.scalar"),
    (_NUMPY_SCALAR, "numpy._core.multiarray.scalar"),
    (np.dtype, "numpy.dtype"),
    np.dtypes.Float64DType,
    (_plain_dict, "collections.defaultdict"),
    (list, "builtins.list"),
]


def _numbers(metrics: dict, level: str, count: int, path: Path) -> np.ndarray:
    """Return the scores of a level, float64 of shape (count,)."""
    key = f'{level}["iou"]'
    found = metrics.get(level) if isinstance(metrics, dict) else None
    found = found.get("iou") if isinstance(found, dict) else None
    if not isinstance(found, list):
        raise InputError(
            f"{path}: {key}: a list of {count:,} numbers expected, {_kind(found)} found: this is"
            " not the published file"
        )
    if len(found) != count:
        raise InputError(
            f"{path}: {key}: {count:,} numbers expected, {len(found):,} found: this is not the"
            " published file"
        )
    for position, value in enumerate(found):
        if not isinstance(value, float) or not 0 <= value < np.inf:  # np.float64 is a float
            raise InputError(
                f"{path}: {key}[{position}]: a number of at least 0 expected, {value!r} found:"
                " this is not the published file"
            )
    return np.array(found, dtype=np.float64)


def _kind(value) -> str:
    return "nothing" if value is None else type(value).__name__


def narrative_sizes(scores: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Find how many consecutive scores make up each narrative's sum.

    Parameters
    ----------
    scores : ndarray of float, shape (n_phrases,)
        In scoring order, each above 0: otherwise the end of a narrative would be ambiguous.
    sums : ndarray of float, shape (n_narratives,)
        0 for a narrative without phrases.

    Returns
    -------
    ndarray of int, shape (n_narratives,)
        Scores per narrative. The caller must check them: sums that fit nowhere go unnoticed.
    """
    ends = np.searchsorted(scores.cumsum(), sums.cumsum() - _TOLERANCE) + 1
    ends = np.minimum(np.where(sums.cumsum() < _TOLERANCE, 0, ends), len(scores))
    return np.diff(ends, prepend=0)


def _narrative_of_each(
    scores: np.ndarray, sums: np.ndarray, sizes: np.ndarray, path: Path
) -> np.ndarray:
    """Return the narrative of each score; one whose sum is 0 was skipped with all its phrases."""
    own = np.where(sums > 0, sizes, 0)
    index = np.repeat(np.arange(len(own)), own)
    if len(index) == len(scores):
        gaps = np.abs(np.bincount(index, scores, minlength=len(own)) - sums)
        wrong = np.flatnonzero(gaps > _TOLERANCE)
    else:
        wrong = np.flatnonzero(own.cumsum() > len(scores))
    if len(index) != len(scores) or len(wrong):
        first = f", first at narrative {wrong[0]}" if len(wrong) else ""
        raise InputError(
            f'{path}: instance_level_metrics["iou"]: not the sums of consecutive scores{first}:'
            " this is not the published file, or one of another run than the rest"
        )
    return index
