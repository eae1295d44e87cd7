"""Records in the footer of a Parquet table that are known only when all its rows are written.

``contents`` says how many rows and which columns were written, by which a table is known that
something else has changed since. A job may add records of its own. Neither takes part in a stamp.
"""

import json
from collections.abc import Callable
from weakref import WeakKeyDictionary

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

CONTENTS = "contents"

_rows: WeakKeyDictionary = WeakKeyDictionary()
_promised: dict[str, Callable[[], dict]] = {}


def promise_record(key: str, record: Callable[[], dict]) -> None:
    """Have what `record` returns put into the next table's footer, when its rows are written."""
    _promised[key] = record


def count_rows(writer, frame) -> None:
    """Count the rows of a frame that goes to a `pyarrow.parquet.ParquetWriter`."""
    _rows[writer] = _rows.get(writer, 0) + len(frame)


def add_footer(writer, schema) -> None:
    """Add the records to the table that is being written, once all its rows have been.

    Parameters
    ----------
    writer : pyarrow.parquet.ParquetWriter
    schema : pyarrow.Schema
    """
    records = {key: record() for key, record in _promised.items()}
    _promised.clear()
    records[CONTENTS] = describe_contents(_rows.pop(writer, 0), schema)
    writer.add_key_value_metadata(
        {key: json.dumps(record, sort_keys=True) for key, record in records.items()}
    )


def describe_contents(rows: int, schema) -> dict:
    """Return the number of rows, and the name and type of every column, as JSON reads them."""
    return {"rows": rows, "columns": [[field.name, _type_name(field.type)] for field in schema]}


def _type_name(kind) -> str:
    """Name a type; a list's without the name of its elements, which Parquet changes."""
    elements = getattr(kind, "value_type", None)
    return str(kind) if elements is None else f"list<{elements}>"
