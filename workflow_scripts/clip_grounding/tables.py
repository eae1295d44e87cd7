"""The tables of the workflow, Parquet and CSV: their columns, the one writer and the one reader.

A table is written under a temporary name beside its target and renamed when it is whole;
its provenance travels in the schema's metadata under the key ``provenance``, other records in the
file's footer (`footers`).
"""

import csv
import io
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
from clip_grounding.footers import CONTENTS, add_footer, count_rows, describe_contents
from clip_grounding.geometry import View

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
            count_rows(out, frame)
            if sum(map(len, group)) >= _ROW_GROUP:
                out.write_table(pa.concat_tables(group))
                group = []
        if group:
            out.write_table(pa.concat_tables(group))
        add_footer(out, schema)


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


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write `table` as the CSV file `path`, which appears only when it is whole.

    Numbers that are not whole have six decimals; a missing value is an empty cell.
    """
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")


def read_csv(path: str | Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a CSV file as `write_csv` writes it; only an empty cell is a missing value.

    Parameters
    ----------
    path : str or Path
    columns : iterable of str
        Columns that the table must have.

    Raises
    ------
    InputError
        The file is missing, is no CSV file, is cut short, or lacks a column.
    """
    try:
        content = Path(path).read_text(encoding="utf-8")
        if not content.endswith("\n"):
            raise ValueError("its last line has no end")
        lines = csv.reader(io.StringIO(content), strict=True)
        header = next(lines)
        if lacking := set(columns) - set(header):
            raise ValueError(f"it has no column {min(lacking)}")
        if any(len(line) != len(header) for line in lines):
            raise ValueError(f"line {lines.line_num} has not the {len(header)} cells of the first")
        return pd.read_csv(io.StringIO(content), keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise InputError(f"{path}: this table is missing: run the workflow to make it") from None
    except (OSError, ValueError, csv.Error) as error:
        raise _damaged(path, error) from error


def _damaged(path: str | Path, error: Exception) -> InputError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"{path}: not a readable table ({reason}): delete it and rerun")


def _text_columns(path: str | Path) -> list[str]:
    return [field.name for field in pq.read_schema(path) if pa.types.is_string(field.type)]


def read_column_names(path: str | Path) -> list[str]:
    """Return the names of a Parquet file's columns; raise `InputError` as `read_table` does."""
    try:
        return pq.read_schema(path).names
    except FileNotFoundError:
        raise InputError(f"{path}: this table is missing: run the workflow to make it") from None
    except _UNREADABLE as error:
        raise _damaged(path, error) from error


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


def read_images(paths: Iterable[str | Path], image_ids: Iterable[int]) -> pd.DataFrame:
    """Read the rows of some images from the tables of several shards.

    Parameters
    ----------
    paths : iterable of str or Path
        Tables with the column ``image_id``, at least one.
    image_ids : iterable of int
    """
    own = [("image_id", "in", sorted({int(number) for number in image_ids}))]
    return pd.concat([read_table(path, filters=own) for path in paths], ignore_index=True)


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


def read_views(paths: list[str], evaluations: list[list[str]], n_shards: int) -> dict[str, View]:
    """Read what each model sees of an image; arguments as for `read_evaluations`."""
    firsts = zip(evaluations, paths[::n_shards], strict=True)
    return {model: View(*read_provenance(path)["view"]) for (model, *_), path in firsts}


def read_provenance(path: str | Path) -> dict:
    """Read what `write_table` recorded about the file `path`."""
    try:
        return json.loads(pq.read_schema(path).metadata[b"provenance"])
    except (*_UNREADABLE, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def read_cost(path: str | Path) -> dict | None:
    """Read what the maps of a relevance table cost, from the end of the file alone.

    Returns
    -------
    dict or None
        ``processor`` (cpu or gpu), ``device`` (its name), ``threads``; ``maps``, how many the
        attribution method computed, and the ``wall_seconds`` and, on a CPU, ``cpu_seconds`` of the
        process that its calls took; ``peak_mb`` and ``peak_gpu_mb``, the most memory that the
        job held, in MB of 2^20 bytes. None if the table was written by a version that recorded no
        cost.

    Raises
    ------
    InputError
        The file is missing or damaged.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return json.loads(metadata[b"cost"]) if b"cost" in metadata else None
    except (*_UNREADABLE, ValueError) as error:
        raise _damaged(path, error) from error


def check_contents(path: str | Path) -> None:
    """Check that a table still has the rows and columns that `write_table` put into it.

    Raises
    ------
    InputError
        It has others, does not say which it should have, or is not readable.
    """
    try:
        file = pq.read_metadata(path)
        written = json.loads((file.metadata or {}).get(CONTENTS.encode(), b"null"))
        found = describe_contents(file.num_rows, pq.read_schema(path))
    except (*_UNREADABLE, ValueError) as error:
        raise _damaged(path, error) from error
    if written != found:
        difference = _difference(written, found)
        raise InputError(
            f"{path}: changed since it was written ({difference}): delete it and rerun"
        )


def _difference(written: dict | None, found: dict) -> str:
    if written is None:
        return "it does not say what was written into it"
    if written["columns"] == found["columns"]:
        return f"{found['rows']:,} rows, but {written['rows']:,} were written"
    old, new = ({tuple(column) for column in own["columns"]} for own in (written, found))
    names = ", ".join(sorted({name for name, _ in old ^ new})) or "their order"
    return f"other columns than were written: {names}"
