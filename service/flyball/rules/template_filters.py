"""What templates may do with values: filters and comparisons, all bounded and none of them raising.

Here None stands for a value that is not there: missing, null, NaN or unknown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from flyball.rules.expression.values import Unknown, kind

OUTPUT: Final = 4_000
"""Characters of one rendered text; nothing on the way to it is longer."""

ROUNDS: Final = 2_000
"""Elements that all loops and filters of one rendering may go through."""

SEARCHED: Final = 100_000
"""Characters of a text that `in` looks through."""

_DEEPEST: Final = 3
_NAMING: Final = ("label", "name", "id")
_NUMBER: Final = 10**300


class State:
    """What one rendering has spent and missed.

    Args:
        missing: what is written for a value that is not there.
    """

    __slots__ = ("holes", "left", "missing")

    def __init__(self, missing: str) -> None:
        self.left = ROUNDS
        self.holes = 0
        self.missing = missing

    def take(self, value: Any) -> list[Any]:
        """The elements of a list, as many as the rendering may still go through."""
        if not isinstance(value, list | tuple):
            return []
        taken = [seen(each) for each in value[: self.left]]
        self.left -= len(taken)
        return taken


def seen(value: Any) -> Any:
    """`value` as a template meets it."""
    if isinstance(value, Unknown) or (isinstance(value, float) and value - value != 0.0):
        return None
    return value


def below(value: Any, key: Any) -> Any:
    """The field or element `key` of `value`; attributes of Python objects are out of reach."""
    try:
        if isinstance(value, Mapping) or (isinstance(value, list | tuple) and key.__class__ is int):
            return seen(value[key])
    except (KeyError, IndexError, TypeError):
        pass
    return None


def written(value: Any, room: int = OUTPUT, depth: int = 0) -> str:
    """`value` as text, cut to `room` characters; a document is written as its label or name."""
    match kind(value):
        case "text":
            return str(value[:room])
        case "boolean":
            return "true" if value else "false"
        case "number":
            whole = isinstance(value, int)
            return f"{value:.10g}" if not whole else str(value) if -_NUMBER < value < _NUMBER else "?"
        case "date":
            return str(value.isoformat())
        case "list" if depth < _DEEPEST:
            return ", ".join(_element(each, depth) for each in value[:100])[:room]
        case "object":
            return _object(value, room, depth)
        case _:
            return "…" if isinstance(value, list | tuple) else "?"


def _element(value: Any, depth: int) -> str:
    value = seen(value)
    return "?" if value is None else written(value, 200, depth + 1)


def _object(value: Mapping[str, Any], room: int, depth: int) -> str:
    for key in _NAMING:
        if isinstance(value.get(key), str):
            return str(value[key])[:room]
    if depth >= _DEEPEST or len(value) > 20:
        return f"{len(value)} fields"
    shown = {str(key): _element(value[key], depth) for key in value}
    return json.dumps(shown, ensure_ascii=False)[:room]


def compare(state: State, left: Any, *links: Any) -> bool | None:
    """`left` with each following operator and operand; None when a value is not there."""
    for symbol, right in zip(links[::2], links[1::2], strict=True):
        if seen(left) is None or seen(right) is None:
            return None
        if not COMPARISONS[symbol](left, state.take(right) if isinstance(right, list | tuple) else right):
            return False
        left = right
    return True


def _ordering(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if kind(left) != kind(right) or kind(left) not in ("number", "text", "date"):
            return False
        if isinstance(left, datetime) and (left.tzinfo is None) != (right.tzinfo is None):
            return False
        return test(left, right)

    return ordered


def _same(left: Any, right: Any) -> bool:
    try:
        return kind(left) == kind(right) and bool(left == right)
    except RecursionError:
        return False  # objects of more levels than anyone has looked at


def _within(element: Any, container: Any) -> bool:
    if isinstance(container, str):
        return isinstance(element, str) and element in container[:SEARCHED]
    if not isinstance(element, str | int | float):
        return False
    if isinstance(container, Mapping):
        return element in container
    return isinstance(container, list | tuple) and any(
        _same(element, each) for each in container if isinstance(each, str | int | float)
    )


COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": _same,
    "ne": lambda left, right: not _same(left, right),
    "lt": _ordering(lambda left, right: left < right),
    "lteq": _ordering(lambda left, right: left <= right),
    "gt": _ordering(lambda left, right: left > right),
    "gteq": _ordering(lambda left, right: left >= right),
    "in": _within,
    "notin": lambda left, right: not _within(left, right),
}


def _changed(change: Callable[[str], str]) -> Callable[[State, Any], Any]:
    def apply(_state: State, value: Any) -> Any:
        return None if value is None else change(written(value))[:OUTPUT]

    return apply


def _join(state: State, value: Any, separator: Any = ", ", attribute: Any = None) -> Any:
    if not isinstance(value, list | tuple):
        return value
    items = state.take(value)
    if attribute is not None:
        items = [below(each, attribute) for each in items]
    state.holes += sum(each is None for each in items)
    return written(separator, 100).join(_element(each, 0) for each in items)[:OUTPUT]


def _map(state: State, value: Any, attribute: Any) -> Any:
    return [below(each, attribute) for each in state.take(value)]


def _default(_state: State, value: Any, default: Any = "") -> Any:
    return default if value is None else value


def _round(_state: State, value: Any, digits: Any = 0) -> Any:
    if value is None or kind(value) != "number" or digits.__class__ is not int or not 0 <= digits <= 15:
        return value
    return round(value, digits) if digits else round(value)


def _length(_state: State, value: Any) -> Any:
    return len(value) if isinstance(value, str | list | tuple | Mapping) else None


def _first(_state: State, value: Any) -> Any:
    return seen(value[0]) if isinstance(value, str | list | tuple) and value else None


def _last(_state: State, value: Any) -> Any:
    return seen(value[-1]) if isinstance(value, str | list | tuple) and value else None


def _sort(state: State, value: Any) -> Any:
    items = [each for each in state.take(value) if each is not None]
    return sorted(items, key=lambda each: (kind(each), each if kind(each) == "number" else written(each, 200)))


def _unique(state: State, value: Any) -> Any:
    found: dict[str, Any] = {}
    for each in state.take(value):
        found.setdefault(_element(each, 0), each)
    return list(found.values())


def _replace(_state: State, value: Any, old: Any, new: Any) -> Any:
    if value is None or not isinstance(old, str) or not old:
        return value
    return written(value).replace(old[:100], "" if new is None else written(new, 100))[:OUTPUT]


def _truncate(_state: State, value: Any, length: Any = 80) -> Any:
    if value is None or length.__class__ is not int or length < 1:
        return value
    text = written(value)
    return text if len(text) <= length else text[: length - 1] + "…"


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "join": _join,
    "map": _map,
    "lower": _changed(str.lower),
    "upper": _changed(str.upper),
    "trim": _changed(str.strip),
    "title": _changed(str.title),
    "default": _default,
    "d": _default,
    "round": _round,
    "length": _length,
    "count": _length,
    "first": _first,
    "last": _last,
    "sort": _sort,
    "unique": _unique,
    "replace": _replace,
    "truncate": _truncate,
}
"""The filters of templates: each takes the state of the rendering, the value, and its own arguments."""
