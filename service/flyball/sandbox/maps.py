"""Maps within maps, as documents are: their leaves, what stands at a dotted path, two of them merged."""

from collections.abc import Iterable, Iterator
from typing import Any

from flyball.sandbox.tables import Doc


def leaves(doc: Doc, before: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is no map, with its path: `info.age`."""
    for name, inner in doc.items():
        if isinstance(inner, dict):
            yield from leaves(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}", inner


def inside(value: Any, path: str) -> Any:
    """What stands at a path; the value itself for an empty one, None where there is nothing."""
    for step in path.split(".") if path else ():
        value = value.get(step) if isinstance(value, dict) else None
    return value


def refuse_unknown(values: Doc, known: Iterable[str], what: str) -> None:
    """Checks the keys of a part of a scenario.

    Raises:
        ValueError: there is one that is not known; the text names `what` these are.
    """
    unknown = sorted(set(values).difference(known))
    if unknown:
        raise ValueError(f"unknown {what} {unknown}; there are {sorted(known)}")


def merged(old: Doc, new: Doc) -> Doc:
    """`old` with the values of `new`; where both have a map, these merged."""
    found = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found
