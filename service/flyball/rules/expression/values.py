"""What a value can be: known, or unknown for a stated reason.

Known values are JSON's (without null) and dates. Everything that is missing, null or not a finite number becomes an
`Unknown` the moment it is read, so the operators never meet None or NaN from a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, NoReturn, TypeGuard

Nature = Literal["absent", "unusable", "withheld"]
Kind = Literal["boolean", "number", "text", "date", "list", "object", "other"]

KEPT: Final = 40
"""Characters of a text that a reason repeats."""


class Unknown:
    """Neither true nor false, and not a value: nothing may be done because of it.

    Args:
        reason: one phrase for people, such as `file.info.snr is missing`.
        nature: `absent` when the value is missing, null or NaN (then `has` says false); `unusable` when something is
            there that does not fit (a type mismatch, a division by zero); `withheld` when nobody could look, for
            instance because a parent answered 403. `coalesce` passes over the first two, never over the third.
    """

    __slots__ = ("nature", "reason")

    def __init__(self, reason: str = "unknown", nature: Nature = "withheld") -> None:
        self.reason = reason
        self.nature: Nature = nature

    def __bool__(self) -> NoReturn:
        raise TypeError("unknown is neither true nor false; compare with `is True` or `is False`")

    def __repr__(self) -> str:
        return f"Unknown({self.reason!r})"


class UnknownCount(Unknown):
    """A count of which only the bounds are known, because a condition was unknown for some elements.

    Args:
        doubt: what the condition gave for the first of them.
        reason: the doubt's, and how many elements it concerns.
        low: how many elements surely count.
        high: how many may count at most.
    """

    __slots__ = ("high", "low")

    def __init__(self, doubt: Unknown, reason: str, low: int, high: int) -> None:
        super().__init__(reason, "withheld" if doubt.nature == "withheld" else "unusable")
        self.low = low
        self.high = high


class UnknownList(UnknownCount):
    """A filtered list that surely has `low` elements and perhaps up to `high`."""

    __slots__ = ()


UNKNOWN: Final = Unknown()
NULL: Final = Unknown("null is no value", "absent")
NOT_FINITE: Final = Unknown("not a finite number", "absent")

_KINDS: Final[dict[type, Kind]] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    tuple: "list",
    dict: "object",
    datetime: "date",
}
_NEEDED: Final[dict[Kind, str]] = {
    "boolean": "true or false",
    "number": "a number",
    "text": "a text",
    "date": "a date",
    "list": "a list",
    "object": "an object",
    "other": "a value of the site",
}


def is_unknown(value: object) -> TypeGuard[Unknown]:
    """Whether `value` is an unknown of any sort."""
    return isinstance(value, Unknown)


def passed_on(unknown: Unknown) -> Unknown:
    """What an operation makes of an unknown operand: unknown for the same reason, and without the operand's bounds."""
    return unknown if unknown.__class__ is Unknown else Unknown(unknown.reason, unknown.nature)


def clean(value: Any) -> Any:
    """`value` as an operator may meet it: null, NaN and infinities become unknown."""
    if value is None:
        return NULL
    if value.__class__ is float and value - value != 0.0:
        return NOT_FINITE
    return value


def kind(value: Any) -> Kind:
    """The kind that decides what `value` may be combined with; booleans are no numbers."""
    known = _KINDS.get(value.__class__)
    if known is not None:
        return known
    if isinstance(value, Mapping):
        return "object"
    for base, name in _KINDS.items():
        if isinstance(value, base):
            return name
    return "other"


def needed(wanted: Kind) -> str:
    """`wanted` with its article, for a sentence that ends in `is needed`."""
    return _NEEDED[wanted]


def describe(value: Any) -> str:
    """`value` in a few words for a reason, trimmed."""
    match kind(value):
        case "boolean":
            return "true" if value else "false"
        case "number":
            return f"the number {float(value):.6g}" if isinstance(value, float) else f"the number {value:.6g}"
        case "text":
            return f"text {value[:KEPT]!r}" + ("…" if len(value) > KEPT else "")
        case "date":
            return f"the date {value.isoformat()}"
        case "list":
            return f"a list of {len(value)}"
        case "object":
            return "an object"
        case _:
            return f"a {type(value).__name__}"
