"""What maps cost: time of the attribution method and memory, which relevance jobs have recorded.

The records stand in the metadata of the relevance tables, see `clip_grounding.tables.read_cost`.
Time on a CPU is that of the process, which other jobs on the same machine hardly lengthen as long
as threads do not spin while they wait for each other (``GOMP_SPINCOUNT`` in rules/resources.smk).
Time of a GPU is from call to end with the GPU waited for, which a job that shares it lengthens.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from clip_grounding.tables import read_cost
from clip_grounding.vocabulary import EVALUATION, MAP_PROMPTS

CLOCK = ["processor", "device", "threads"]
"""The columns that say where maps were timed: times of different ones are not averaged."""

COSTS = ["seconds_per_map", *CLOCK, "timed_maps", "untimed_tables", "peak_mb", "peak_gpu_mb"]
"""The columns of a summary about cost."""

_COUNTS = ["threads", "timed_maps", "untimed_tables", "peak_mb", "peak_gpu_mb"]
_RECORD = [*CLOCK, "maps", "wall_seconds", "cpu_seconds", "peak_mb", "peak_gpu_mb"]


def read_costs(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read what the maps of each evaluation cost.

    Parameters
    ----------
    paths : iterable of str or Path
        ``…/{model}/{attribution}/{direction}/{shard}.parquet``: the relevance tables, of which
        the ends alone are read.

    Returns
    -------
    DataFrame
        A row per evaluation: direction, model, attribution and `COSTS`. Where its jobs ran on
        several devices, or with several numbers of threads, the numbers are those of the one that
        computed most of its maps, ``timed_maps``, and not averages over them. ``untimed_tables``
        counts tables without a record; where all are without, the rest is missing.
    """
    rows = []
    for path in map(Path, paths):
        model, attribution, direction = path.parts[-4:-1]
        rows.append({**(read_cost(path) or {}), **_evaluation(direction, model, attribution)})
    jobs = pd.DataFrame(rows, columns=[*EVALUATION, *_RECORD])
    if untimed := int(jobs["maps"].isna().sum()):
        print(
            f"{untimed} of {len(jobs)} relevance tables are of a version that recorded no cost, and"
            " count for none: `snakemake --forcerun compute_relevance` makes and times all maps"
        )
    costs = [{**_evaluation(*names), **_add_up(own)} for names, own in jobs.groupby(EVALUATION)]
    costs = pd.DataFrame(costs, columns=[*EVALUATION, *COSTS])
    return costs.astype({"seconds_per_map": float, **dict.fromkeys(_COUNTS, "Int64")})


def _evaluation(direction: str, model: str, attribution: str) -> dict[str, str]:
    return dict(zip(EVALUATION, (direction, model, attribution), strict=True))


def _add_up(jobs: pd.DataFrame) -> dict:
    """Return the columns of `COSTS` from the records of one evaluation's jobs."""
    is_timed = jobs["maps"] > 0  # a record without maps is that of a shard without phrases
    costs = {"untimed_tables": int(jobs["maps"].isna().sum())}
    if not is_timed.any():
        return costs
    jobs = jobs[is_timed].astype({"maps": int})
    maps = jobs.groupby(CLOCK)["maps"].sum()  # sorted, so that the first of equals is taken
    clock = dict(zip(CLOCK, maps.idxmax(), strict=True))
    own = jobs[(jobs[CLOCK] == pd.Series(clock)).all(axis=1)]
    seconds = own["cpu_seconds" if clock["processor"] == "cpu" else "wall_seconds"].sum()
    peaks = own[["peak_mb", "peak_gpu_mb"]].astype(float).max().round()
    return {
        **costs,
        **clock,
        **peaks.to_dict(),
        "timed_maps": maps.max(),
        "seconds_per_map": seconds / maps.max(),
    }


def add_costs(summary: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Put what its maps cost beside every row of a contender that has any.

    Parameters
    ----------
    summary : DataFrame
        The result of `summary.summarize`.
    costs : DataFrame
        The result of `read_costs`.

    Returns
    -------
    DataFrame
        With the columns `COSTS`, the same for both `MAP_PROMPTS`, which one job computes together.
        Missing for everything else.
    """
    keys = [*EVALUATION, "prompt"]
    costs = costs.merge(pd.DataFrame({"prompt": MAP_PROMPTS}), how="cross")
    rows = summary[keys].merge(costs, how="left", on=keys, validate="many_to_one")
    return summary.assign(**rows[COSTS].set_axis(summary.index))
