"""What maps cost: seconds and memory of the jobs that made them, from their benchmark files.

Snakemake writes a table of one row per job: ``s`` is its wall-clock time in seconds, ``max_rss``
the most memory of the machine that its processes held, in MB, sampled now and then: a cell is
``NA`` or ``-`` where the job ended before a sample was taken.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from clip_grounding.tables import read_table
from clip_grounding.vocabulary import CONTENDER, EVALUATION, MAP_PROMPTS


def read_costs(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Add up the benchmark files of relevance jobs.

    Parameters
    ----------
    paths : iterable of str or Path
        ``…/{model}/{attribution}/{direction}/{shard}.tsv``, all shards of a contender or none.

    Returns
    -------
    DataFrame
        Columns direction, model, attribution, ``seconds`` (the sum over shards) and ``peak_mb``
        (the highest), NaN where no job has recorded it.
    """
    rows = []
    for path in map(Path, paths):
        job = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        model, attribution, direction = path.parts[-4:-1]
        seconds, peak = (pd.to_numeric(job[name], errors="coerce") for name in ("s", "max_rss"))
        rows.append((direction, model, attribution, seconds.sum(skipna=False), peak.max()))
    jobs = pd.DataFrame(rows, columns=[*EVALUATION, "seconds", "peak_mb"])
    jobs = jobs.astype({"seconds": float, "peak_mb": float}).groupby(EVALUATION)
    # A sum that lacks a shard is no cost; a peak that lacks one is still a lower bound.
    seconds = jobs["seconds"].agg(lambda own: own.sum(skipna=False))
    return pd.DataFrame({"seconds": seconds, "peak_mb": jobs["peak_mb"].max()}).reset_index()


def count_maps(scores: str | Path) -> pd.DataFrame:
    """Count each contender's maps: the rows of ``scores.parquet`` of its `MAP_PROMPTS`.

    Returns
    -------
    DataFrame
        Columns direction, model, attribution and ``n_maps``.
    """
    rows = read_table(scores, columns=["direction", *CONTENDER], categories=True)
    rows = rows[rows["prompt"].isin(MAP_PROMPTS)]
    counts = rows.groupby(EVALUATION).size().rename("n_maps").reset_index()
    return counts.astype(dict.fromkeys(EVALUATION, str))


def add_costs(summary: pd.DataFrame, costs: pd.DataFrame, maps: pd.DataFrame) -> pd.DataFrame:
    """Put what its maps cost beside every row of a contender that has any.

    Parameters
    ----------
    summary : DataFrame
        The result of `summary.summarize`.
    costs, maps : DataFrame
        The results of `read_costs` and `count_maps`.

    Returns
    -------
    DataFrame
        With ``seconds_per_map`` and ``peak_mb``, the same for both `MAP_PROMPTS`, which one job
        computes together. Missing for everything else, and where the cost is not known.
    """
    per_map = costs.merge(maps, on=EVALUATION)
    per_map["seconds_per_map"] = per_map["seconds"] / per_map["n_maps"]
    rows = summary[EVALUATION].merge(per_map, how="left", on=EVALUATION, validate="many_to_one")
    known = summary["prompt"].isin(MAP_PROMPTS).to_numpy()
    return summary.assign(
        seconds_per_map=np.where(known, rows["seconds_per_map"], np.nan),
        peak_mb=pd.array(np.where(known, rows["peak_mb"].round(), np.nan), dtype="Int64"),
    )
