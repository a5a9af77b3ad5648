"""Completion of a query that is being typed: names of fields, or values that a field has."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from flyball.sandbox.search.index import LEVELS, SearchIndex
from flyball.sandbox.search.language import Token, tokens
from flyball.sandbox.search.matching import Test
from flyball.sandbox.tables import Doc

_MOST = 15
_LOOKED_AT = 5000
_HIDDEN = {"permissions", "parents", "parent", "parent_ref", "files", "notes", "hash", "collections", "inputs", "job"}
_IDS = {"word", "quoted", "open"}
_OPERATORS = {"operator", "IN", "LIKE", "CONTAINS"}


def suggest(index: SearchIndex, text: str, readable: Test) -> Doc:
    """What may stand at the end of a query.

    Returns:
        `{"from": offset, "suggestions": [{"display", "value", "type", "facet"}]}`: the text from the
        offset on is to be replaced by the value.
    """
    start, typed, field = unfinished(text)
    if typed is None:
        return {"from": 0, "suggestions": []}
    if field is None:
        found = sorted((name, kind) for name, kind in fields(index).items() if typed.lower() in name.lower())
    else:
        found = [(value, "string") for value in _values(index, field, typed, readable)]
    shown = [{"display": name, "value": _escaped(name), "type": kind, "facet": False} for name, kind in found[:_MOST]]
    return {"from": start, "suggestions": shown}


def unfinished(text: str) -> tuple[int, str | None, str | None]:
    """The word at the end of a query: where it begins, what it says, and the field that it is a value of.

    The word is None where nothing can be suggested.
    """
    found = tokens(text)
    if not found or found[-1].kind not in _IDS or (found[-1].kind != "open" and text[-1].isspace()):
        return 0, None, None
    last = found[-1]
    if len(found) == 1:
        return last.offset, last.text, None
    before = found[-2]
    if before.kind in _IDS:
        return 0, None, None
    if before.kind in _OPERATORS or (before.kind == "mark" and before.text in "[,"):
        return last.offset, last.text, _field_before(found)
    return last.offset, last.text, None


def _field_before(found: list[Token]) -> str:
    operator = max((at for at, token in enumerate(found) if token.kind in _OPERATORS), default=0)
    return found[operator - 1].text if operator else ""


def fields(index: SearchIndex) -> dict[str, str]:
    """The fields that documents have, with their types."""
    known: dict[str, str] = {}
    for level in LEVELS:
        for entry in islice(index.entries((level,)), _LOOKED_AT):
            for name, value in _leaves(entry.doc, level):
                known.setdefault(name, _kind(value))
    return known


def _leaves(doc: Doc, before: str) -> Iterator[tuple[str, Any]]:
    for name, value in doc.items():
        if name in _HIDDEN or name.startswith("_"):
            continue
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}.{name}")
        elif value is not None and value != []:
            yield f"{before}.{name}", value[0] if isinstance(value, list) else value


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "float"
    return "date" if isinstance(value, datetime) else "string"


def _values(index: SearchIndex, field: str, typed: str, readable: Test) -> list[str]:
    """Values of a text field that hold what was typed, the most frequent first."""
    parts = field.split(".")
    if parts[0] not in LEVELS:
        return []
    counts: dict[str, int] = {}
    for entry in index.entries((parts[0],)):
        if readable(entry):
            for value in entry.values(parts):
                if isinstance(value, str) and typed.lower() in value.lower():
                    counts[value] = counts.get(value, 0) + 1
    return sorted(counts, key=lambda value: (-counts[value], value))


def _escaped(text: str) -> str:
    """A text as a query has to spell it."""
    if not any(c in ',[]() \t\n\\"' for c in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'
