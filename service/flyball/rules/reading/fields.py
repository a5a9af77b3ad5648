"""The types of single values in rule files: what they accept, what they become, what editors are told."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, PlainSerializer, StringConstraints, WithJsonSchema

from flyball.configfile.durations import shortened
from flyball.configfile.schema import OrOne
from flyball.rules.expression import ExpressionError
from flyball.rules.expression.patterns import PatternError, glob, regex
from flyball.rules.rule import Since

T = TypeVar("T")

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
"""An id: letters, digits, `-`, `_`, `.`; it stands in addresses, file names and once-keys."""

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
"""A name that expressions can use."""


def _glob(value: Any) -> Any:
    if isinstance(value, str):
        try:
            glob(value.removeprefix("!"))
        except PatternError as error:
            raise ValueError(str(error)) from None
    return value


Glob = Annotated[str, BeforeValidator(_glob), StringConstraints(pattern=r"^!?[^!]")]
"""A glob that RE2 takes; `!` before it excludes."""


def expression_text(value: Any) -> Any:
    """YAML's `true` stands for the expression `true`, and a bare number for itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


ExpressionText = Annotated[
    str,
    BeforeValidator(expression_text),
    StringConstraints(min_length=1),
    WithJsonSchema({"type": ["string", "boolean"], "description": "An expression."}),
]
"""Text of an expression; compiled later, when the names it may use are known."""


def _listed(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


OneOrMany = Annotated[tuple[T, ...], BeforeValidator(_listed), OrOne()]
"""A list, or its only entry."""

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_since(value: Any) -> Since:
    """Read `now`, `all`, a date (midnight UTC) or a date and time with zone.

    Raises:
        ValueError: with what would be right.
    """
    if isinstance(value, Since):
        return value
    if value == "now":
        return Since()
    if value == "all":
        return Since(everything=True)
    hint = "write now, all, a date such as 2026-01-31, or a time with its zone such as 2026-01-31T08:00+01:00"
    text = value if isinstance(value, str) else ""
    try:
        if _ISO_DAY.fullmatch(text):
            day = date.fromisoformat(text)
            return Since(date=datetime(day.year, day.month, day.day, tzinfo=UTC))
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{shortened(value)} is no date; {hint}") from None
    if moment.tzinfo is None:
        raise ValueError(f"{shortened(value)} has no zone, so nobody knows which moment it is; {hint}")
    return Since(date=moment.astimezone(UTC))


def _since_text(value: Since) -> str:
    if value.everything:
        return "all"
    return "now" if value.date is None else value.date.isoformat()


SinceField = Annotated[
    Since,
    BeforeValidator(parse_since),
    PlainSerializer(_since_text, return_type=str),
    WithJsonSchema({"anyOf": [{"enum": ["now", "all"]}, {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}"}]}),
]


def _regex(value: Any) -> Any:
    if isinstance(value, str):
        try:
            regex(value)
        except (PatternError, ExpressionError) as error:
            raise ValueError(str(error)) from None
    return value


RegexText = Annotated[str, BeforeValidator(_regex), StringConstraints(min_length=1)]
"""A regular expression that RE2 takes, found anywhere in the text unless it says `^` and `$`."""
