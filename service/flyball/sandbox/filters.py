"""Filter strings: `label=~^task,parents.project=64a0…,modified>=2026-11-02T09:15:42.318000`.

Conditions are joined by commas and all have to hold. Values are typed by their shape, and only
values of one type are ever compared, so a wrong spelling finds nothing rather than failing
(live19). Arrays match by element. Paths are those of the stored documents.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flyball.sandbox.dialect import Dialect
from flyball.sandbox.errors import Refusal, invalid
from flyball.sandbox.ids import Oid

Doc = dict[str, Any]
Predicate = Callable[[Doc], bool]

_LEVELS = frozenset({"group", "project", "subject", "session", "acquisition"})
_OID = re.compile(r"[0-9a-fA-F]{24}\Z")
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{6})?)?)?\Z")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?\Z")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\Z")
_WORDS = {"null": None, "true": True, "false": False}
_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "bool",
    int: "number",
    float: "number",
    Oid: "id",
    str: "text",
    datetime: "date",
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison: a stored path, an operator, a typed value (for `=|` a list of them)."""

    field: str
    op: str
    value: Any


def read_filter(texts: list[str], speech: Dialect) -> list[Condition]:
    """The conditions of the request's `filter` parameters.

    Raises:
        Refusal: 422 for two filters, an empty one or a condition without an operator; 500 for a
            broken pattern (live19).
    """
    if not texts:
        return []
    if len(texts) > 1:
        raise invalid(422, 'Multiple "filter" query params not supported')
    found: dict[tuple[str, str], Condition] = {}
    for text in _split(texts[0], speech):
        condition = _condition(text, speech)
        # The same operator twice on one key keeps only the last (live19).
        found[condition.field, condition.op] = condition
    return list(found.values())


def _split(text: str, speech: Dialect) -> list[str]:
    """Cut at the commas, keeping escaped ones and those in brackets where the site knows them."""
    parts: list[str] = []
    current: list[str] = []
    escaped = bracketed = False
    for char in text:
        if escaped:
            current.append(char if char == "," else "\\" + char)
            escaped = False
        elif char == "\\" and speech.escaped_commas:
            escaped = True
        elif char == "," and not bracketed:
            parts.append("".join(current))
            current = []
        else:
            if speech.in_operator and char == "[" and "".join(current[-2:]) == "=|":
                bracketed = True
            elif char == "]":
                bracketed = False
            current.append(char)
    parts.append("".join(current) + ("\\" if escaped else ""))
    return parts


def _condition(text: str, speech: Dialect) -> Condition:
    """One condition; operators of two characters are looked for first, anywhere in it (live19)."""
    two = ("=~", "=|", "!=", "<=", ">=") if speech.in_operator else ("=~", "!=", "<=", ">=")
    op = next((o for o in two if o in text), None)
    if op is None:
        places = [(text.index(o), o) for o in ("=", "<", ">") if o in text]
        if not places:
            raise invalid(422, f"Invalid pagination filter: {text} (operator missing)")
        op = min(places)[1]
    field, value = text.split(op, 1)
    if field in _LEVELS:
        field = f"parents.{field}"
    if op == "=~":
        try:
            return Condition(field, op, re.compile(value))
        except re.error as error:
            raise Refusal(500, f"Regular expression is invalid: {error}") from error
    if op == "=|":
        inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
        return Condition(field, op, [typed(item, speech) for item in inner.split(",")])
    return Condition(field, op, typed(value, speech))


def typed(text: str, speech: Dialect) -> Any:
    """The value that a text stands for, by its shape."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1]
    if _OID.match(text):
        return Oid(text.lower())
    if (_ISO if speech.iso_dates else _NAIVE).match(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return text
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if text in _WORDS:
        return _WORDS[text]
    return float(text) if _NUMBER.match(text) else text


def kind(value: Any) -> str:
    """The type bracket in which a value can be compared; empty for lists and maps."""
    return _KINDS.get(type(value), "")


def reach(node: Any, parts: list[str], at: int = 0) -> Iterator[Any]:
    """Every value at the end of a dotted path, going through arrays (and into them at the end)."""
    if at == len(parts):
        yield node
        if isinstance(node, list):
            yield from node
    elif isinstance(node, dict):
        if parts[at] in node:
            yield from reach(node[parts[at]], parts, at + 1)
    elif isinstance(node, list):
        if parts[at].isdigit() and int(parts[at]) < len(node):
            yield from reach(node[int(parts[at])], parts, at + 1)
        for element in node:
            if isinstance(element, dict):
                yield from reach(element, parts, at)


def predicate(conditions: list[Condition], speech: Dialect) -> Predicate | None:
    """One function that tells whether a stored document fits all conditions; None: all fit."""
    tests = [_test(condition, speech) for condition in conditions]
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda doc: all(test(doc) for test in tests)


def _test(condition: Condition, speech: Dialect) -> Predicate:
    parts = condition.field.split(".")
    if parts[0] == "files" and not speech.files_in_filters:
        return lambda _doc: condition.op == "!="
    fits = _fits(condition, speech)
    if len(parts) == 1 and condition.op not in {"!=", "=|"} and condition.value is not None:
        return _quick(parts[0], parts, fits)
    if condition.op == "!=":
        return lambda doc: not _any(doc, parts, fits, matches_absent=condition.value is None)
    matches_absent = condition.op == "=" and condition.value is None
    return lambda doc: _any(doc, parts, fits, matches_absent=matches_absent)


def _quick(name: str, parts: list[str], fits: Callable[[Any], bool]) -> Predicate:
    """The same test without a walk for plain fields, which scans of large tables consist of."""

    def test(doc: Doc) -> bool:
        value = doc.get(name)
        if isinstance(value, list):
            return _any(doc, parts, fits, matches_absent=False)
        return value is not None and fits(value)

    return test


def _any(doc: Doc, parts: list[str], fits: Callable[[Any], bool], *, matches_absent: bool) -> bool:
    seen = False
    for value in reach(doc, parts):
        if fits(value):
            return True
        seen = True
    return matches_absent and not seen


def _fits(condition: Condition, speech: Dialect) -> Callable[[Any], bool]:
    """Whether one reached value fits the condition (for `!=`: whether it equals)."""
    loose = speech.id_typing == "loose"

    def bracket(value: Any) -> str:
        found = kind(value)
        return "text" if loose and found == "id" else found

    wanted = condition.value
    if condition.op == "=~":
        return lambda value: kind(value) in {"text", "id"} and wanted.search(value) is not None
    if condition.op == "=|":
        options = [(bracket(option), option) for option in wanted]
        return lambda value: any(bracket(value) == b and value == option for b, option in options)
    own = bracket(wanted)
    if condition.op in {"=", "!="}:
        return lambda value: bracket(value) == own and value == wanted
    if not speech.comparison_operators or own == "":
        return lambda _value: False
    if own == "null":
        return lambda value: value is None and "=" in condition.op
    compare = _COMPARE[condition.op]
    return lambda value: bracket(value) == own and compare(value, wanted)
