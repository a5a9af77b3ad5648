"""Reading the fields of queries, JSON bodies and forms, with the server's own complaints.

Lists in a query are one value with commas, so no element can contain one. Unknown keys are refused
in a query and ignored in a body.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flyball.sandbox.query import Query
from flyball.sandbox.scout.errors import Problems, invalid

_TRUE = {"t", "true", "on", "y", "yes", "1"}
_FALSE = {"f", "false", "off", "n", "no", "0"}
MISSING = "Missing data for required field."
NULL = "Field may not be null."


class Unfit(ValueError):  # noqa: N818 -- a complaint, part of an answer
    """A value that does not fit; the text is the server's."""


Reader = Callable[[Any], Any]


def integer(value: Any) -> int:
    """A whole number, also as text."""
    if isinstance(value, bool):
        raise Unfit("Not a valid integer.")
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unfit("Not a valid integer.") from error


def number(value: Any) -> float:
    """A number, also as text."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise Unfit("Not a valid number.") from error


def boolean(value: Any) -> bool:
    """True or false in one of many spellings."""
    text = str(value).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise Unfit("Not a valid boolean.")


def text(value: Any) -> str:
    """Text."""
    if not isinstance(value, str):
        raise Unfit("Not a valid string.")
    return value


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise Unfit("Not a valid mapping type.")
    return value


@dataclass(frozen=True, slots=True)
class Field:
    """One field: how its value is read, and whether it is a list with commas or has to be there."""

    read: Reader
    many: bool = False
    required: bool = False


Spec = Mapping[str, Field]


def read_query(query: Query, spec: Spec) -> dict[str, Any]:
    """The values of a query.

    Raises:
        Refusal: 422 with every complaint.
    """
    problems: Problems = {name: ["Unknown field."] for name in query if name not in spec}
    values: dict[str, Any] = {}
    for name, field in spec.items():
        if name not in query:
            if field.required:
                problems[name] = [MISSING]
            continue
        _read(name, query[name][-1].split(",") if field.many else query[name][-1], field, values, problems)
    if problems:
        raise invalid("query", problems)
    return values


def read_body(body: Mapping[str, Any], spec: Spec, place: str = "json") -> dict[str, Any]:
    """The values of a body; keys that are not asked for are ignored.

    Raises:
        Refusal: 422 with every complaint.
    """
    values, problems = try_body(body, spec)
    if problems:
        raise invalid(place, problems)
    return values


def try_body(body: Mapping[str, Any], spec: Spec) -> tuple[dict[str, Any], Problems]:
    """The values of a body and the complaints about it."""
    problems: Problems = {}
    values: dict[str, Any] = {}
    for name, field in spec.items():
        if name not in body:
            if field.required:
                problems[name] = [MISSING]
        elif body[name] is None:
            problems[name] = [NULL]
        elif field.many and not isinstance(body[name], list):
            problems[name] = ["Not a valid list."]
        else:
            _read(name, body[name], field, values, problems)
    return values, problems


def _read(name: str, value: Any, field: Field, values: dict[str, Any], problems: Problems) -> None:
    if not field.many:
        try:
            values[name] = field.read(value)
        except Unfit as error:
            problems[name] = [str(error)]
        return
    found, wrong = [], {}
    for place, element in enumerate(value):
        try:
            found.append(field.read(element))
        except Unfit as error:
            wrong[str(place)] = [str(error)]
    if wrong:
        problems[name] = wrong
    else:
        values[name] = found
