"""Query strings as Neuroscout reads them.

A list is one value with commas in it. They are written bare: the server's web worker refuses a request line of more
than 4094 bytes, and `%2C` would spend three of them on each comma. A name that holds a comma cannot be asked for at
all, since the server takes it apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

LONGEST = 3500
"""Bytes of a path with its query; leaves room for a base path, the method and the protocol."""

Value = str | int | bool | Sequence[str | int] | None


def with_query(path: str, **values: Value) -> str:
    """A path with its query. None is left out; booleans are spelt as the official client spells them."""
    pairs = [f"{name}={_written(value)}" for name, value in values.items() if value is not None]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def searchable(name: str) -> bool:
    """Whether a name can be asked for: the server takes a comma for the end of one."""
    return "," not in name


def portions(ids: Iterable[int | str], spent: int) -> Iterator[list[int | str]]:
    """The ids in runs that fit on one request line each.

    Args:
        ids: in any order; it is kept.
        spent: bytes of the request line that are used already.
    """
    portion: list[int | str] = []
    size = spent
    for ident in ids:
        length = len(_written(ident)) + 1
        if portion and size + length > LONGEST:
            yield portion
            portion, size = [], spent
        portion.append(ident)
        size += length
    if portion:
        yield portion


def _written(value: Value) -> str:
    if isinstance(value, str):
        return quote(value, safe="")
    if isinstance(value, bool | int):
        return str(value)
    return ",".join(_written(item) for item in value or ())
