"""Define the columns of the workflow's Parquet tables, and write and read them.

A table is written under a temporary name beside its target and renamed when it is whole;
its provenance travels in the schema's metadata under the key ``provenance``.
"""

import json
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clip_grounding import __version__
from clip_grounding.errors import InputError
from clip_grounding.files import replacing

KEYS = [("narrative", pa.int32()), ("phrase", pa.int32()), ("image_id", pa.int64())]

NARRATIVES = pa.schema(
    [
        ("narrative", pa.int32()),
        ("image_id", pa.int64()),
        ("image_rank", pa.int32()),
        ("annotator_id", pa.int64()),
        ("file_name", pa.string()),
        ("panoptic_file", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("caption", pa.string()),
        ("text", pa.string()),
    ]
)
PHRASES = pa.schema(
    [
        *KEYS,
        ("image_rank", pa.int32()),
        ("utterance", pa.string()),
        ("char_start", pa.int32()),
        ("char_end", pa.int32()),
        ("segment_ids", pa.list_(pa.int64())),
        ("category_ids", pa.list_(pa.int32())),
        ("categories", pa.list_(pa.string())),
        ("is_thing", pa.bool_()),
        ("is_plural", pa.bool_()),
        ("mask", pa.int32()),
    ]
)
MASKS = pa.schema(
    [
        ("image_id", pa.int64()),
        ("mask", pa.int32()),
        ("segment_ids", pa.list_(pa.int64())),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("counts", pa.binary()),
        ("area", pa.int64()),
    ]
)
RELEVANCE = {
    "text_to_image": pa.schema(
        [
            *KEYS,
            ("prompt", pa.string()),
            ("grid_height", pa.int16()),
            ("grid_width", pa.int16()),
            ("relevance", pa.list_(pa.float32())),
        ]
    ),
    "image_to_text": pa.schema(
        [
            *KEYS,
            ("prompt", pa.string()),
            ("token_starts", pa.list_(pa.int32())),
            ("token_ends", pa.list_(pa.int32())),
            ("relevance", pa.list_(pa.float32())),
        ]
    ),
}

VOID_MASK = -1
"""The number of the mask row that holds an image's void pixels (panoptic id 0)."""

_ROW_GROUP = 4096

_UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError)
"""The exceptions that damage anywhere in a table can raise."""

_LIBRARIES = (
    "ftfy",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "pycocotools",
    "torch",
    "transformers",
)


def provenance(**facts) -> dict:
    """Describe how a table was made: workflow and library versions, and `facts` of the job."""
    libraries = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue  # a rule's environment holds only what the rule needs
    return {"workflow": __version__, "libraries": libraries, **facts}


def write_table(
    path: str | Path, frames: pd.DataFrame | Iterable[pd.DataFrame], schema: pa.Schema, facts: dict
) -> None:
    """Write `frames` as the Parquet file `path`.

    Parameters
    ----------
    path : str or Path
        The file to write; it appears only when it is whole.
    frames : DataFrame or iterable of DataFrame
        The rows. An iterable is consumed one frame at a time and written in groups of some
        thousand rows, so a job's memory does not grow with its shard.
    schema : pyarrow.Schema
        The columns; other columns of a frame are an error.
    facts : dict
        Provenance beside the versions, see `provenance`.
    """
    if isinstance(frames, pd.DataFrame):
        frames = [frames]
    metadata = {"provenance": json.dumps(provenance(**facts), sort_keys=True)}
    schema = schema.with_metadata(metadata)
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True) as out,
    ):
        group = []
        for frame in frames:
            unknown = set(frame.columns) - set(schema.names)
            if unknown:
                raise ValueError(f"{path}: columns {sorted(unknown)} are not in the table's schema")
            group.append(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
            if sum(map(len, group)) >= _ROW_GROUP:
                out.write_table(pa.concat_tables(group))
                group = []
        if group:
            out.write_table(pa.concat_tables(group))


def read_table(
    path: str | Path,
    columns: list[str] | None = None,
    filters: list | None = None,
    categories: bool = False,
) -> pd.DataFrame:
    """Read the Parquet file `path` (`columns` and `filters` as in `pyarrow.parquet.read_table`).

    With `categories`, text becomes categories in alphabetical order, which take a byte a row.

    Raises
    ------
    InputError
        The file is missing or not a readable Parquet file.
    """
    try:
        text = _text_columns(path) if categories else None
        # Without a file system pyarrow would treat `key=value` in the path as partition columns.
        table = pq.read_table(
            path,
            columns=columns,
            filters=filters,
            partitioning=None,
            read_dictionary=text,
            page_checksum_verification=True,
        ).to_pandas()
    except FileNotFoundError:
        raise InputError(f"{path}: this table is missing: run the workflow to make it") from None
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    for name in table.columns.intersection(text or []):
        names = table[name].cat.categories
        table[name] = table[name].cat.reorder_categories(sorted(names))
    return table


def _damaged(path: str | Path, error: Exception) -> InputError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"{path}: not a readable table ({reason}): delete it and rerun")


def _text_columns(path: str | Path) -> list[str]:
    return [field.name for field in pq.read_schema(path) if pa.types.is_string(field.type)]


def read_categories(path: str | Path, column: str) -> list[str]:
    """Return the distinct values of a column of text, in alphabetical order."""
    return sorted(read_table(path, columns=[column], categories=True)[column].cat.categories)


def read_shard(path: str | Path, span: list[int]) -> pd.DataFrame:
    """Read the rows of a shard from a table of the whole dataset.

    Parameters
    ----------
    path : str or Path
        A table with the column ``image_rank``.
    span : list of int
        The first image rank and the one after the last.
    """
    start, stop = span
    return read_table(path, filters=[("image_rank", ">=", start), ("image_rank", "<", stop)])


def read_evaluations(
    paths: list[str], evaluations: list[list[str]], n_shards: int, filters: list | None = None
) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Read the tables of evaluations one by one, the shards of each put together.

    Parameters
    ----------
    paths : list of str
        The shards of the first evaluation, then those of the second, and so on.
    evaluations : list of [model, attribution, direction]
    n_shards : int
    filters : list, optional
        Of the rows, as for `read_table`.

    Yields
    ------
    evaluation : tuple of str
    table : DataFrame
    """
    if len(paths) != len(evaluations) * n_shards:
        raise ValueError(f"{len(paths)} files of {len(evaluations)} evaluations, {n_shards} shards")
    for i, evaluation in enumerate(evaluations):
        own = paths[i * n_shards : (i + 1) * n_shards]
        yield (
            tuple(evaluation),
            pd.concat([read_table(path, filters=filters) for path in own], ignore_index=True),
        )


def read_provenance(path: str | Path) -> dict:
    """Read what `write_table` recorded about the file `path`."""
    try:
        return json.loads(pq.read_schema(path).metadata[b"provenance"])
    except (*_UNREADABLE, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
