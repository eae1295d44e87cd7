"""Read the records of a dataset's JSON files strictly: an error names the record."""

from clip_grounding.datasets.layout import is_file_name
from clip_grounding.errors import InputError

_KINDS = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}
INT32, INT64 = 2**31 - 1, 2**63 - 1
"""The largest numbers of the tables' columns."""


def read_field(record, key: str, kind: type, where: str):
    """Return a record's value, checked to have the type of the published format."""
    if not isinstance(record, dict):
        raise InputError(f"{where}: {_show(record)} instead of a mapping: use the published file")
    if key not in record:
        raise InputError(f"{where}: `{key}` is missing: use the published file")
    value = record[key]
    if type(value) is not kind:  # isinstance would take true for a whole number
        raise InputError(
            f"{where}: `{key}` is {_show(value)}, not {_KINDS[kind]}: use the published file"
        )
    return value


def read_whole(record, key: str, where: str, least: int = 0, most: int = INT64) -> int:
    """Read a whole number that a table's column or a PNG can hold."""
    value = read_field(record, key, int, where)
    if not least <= value <= most:
        raise InputError(
            f"{where}: `{key}` is {_show(value)}, not from {least} to {most}: use the published"
            " file"
        )
    return value


def read_text(record, key: str, where: str) -> str:
    """Read text that can be written as UTF-8."""
    value = read_field(record, key, str, where)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: `{key}` holds half of a surrogate pair at character {error.start}, which is"
            " no text: write the character as UTF-8 or as both halves"
        ) from error
    return value


def read_file_name(record, where: str) -> str:
    """Read the name of a file, which must not point out of the folder that it is in."""
    value = read_field(record, "file_name", str, where)
    if not is_file_name(value):
        raise InputError(
            f"{where}: `file_name` is {_show(value)}, not the name of a file in the split's folder:"
            " use the published archive"
        )
    return value


def read_id(record, key: str, where: str) -> int:
    if isinstance(record, dict) and key in record:
        return read_number(record[key], key, where)
    return read_field(record, key, str, where)


def read_number(value, key: str, where: str) -> int:
    """Read an id, which the narratives write as text."""
    is_text = isinstance(value, str) and value.isdecimal() and len(value) <= len(str(INT64))
    if (type(value) is int or is_text) and 0 <= (number := int(value)) <= INT64:
        return number
    raise InputError(f"{where}: `{key}` has {_show(value)}, not an id: use the published file")


def _show(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
