"""What a query finds: its terms as tests of the values that a document of the index holds.

Text is kept twice in the index: as it stands, for exact comparisons, and cut into pieces in lower
case, for CONTAINS. An unquoted number, date or boolean is compared with the second, so that
`subject.label = 1001` also finds `sub-1001` (K19). Lists match by element.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from flyball.sandbox.search.index import Entry
from flyball.sandbox.search.language import Joined, Node, Not, Phrase, Term

Test = Callable[[Entry], bool]
Fits = Callable[[Any], bool]

_LONGEST_RAW = 256
_SHORTEST_PIECE = 2
_INTEGER = re.compile(r"-?\d+\Z")
_DECIMAL = re.compile(r"-?\d+\.\d+\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)?)?\Z")
_WORD = re.compile(r"\w+(?:[.'\u2019]\w+)*")


class PatternError(ValueError):
    """A regular expression that cannot be read."""


def compile_query(node: Node) -> Test:
    """One test for a whole query.

    Raises:
        PatternError: a broken regular expression.
    """
    if isinstance(node, Not):
        negated = compile_query(node.of)
        return lambda entry: not negated(entry)
    if isinstance(node, Joined):
        tests = [compile_query(part) for part in node.parts]
        if node.op == "and":
            return lambda entry: all(test(entry) for test in tests)
        return lambda entry: any(test(entry) for test in tests)
    return _compile_term(node)


def _compile_term(term: Term) -> Test:
    parts = term.field.split(".")
    if term.op in {"!=", "!~"}:
        fits = _fits("=" if term.op == "!=" else "=~", term.phrases)
        return lambda entry: not any(fits(value) for value in entry.values(parts))
    fits = _fits(term.op, term.phrases)
    return lambda entry: any(fits(value) for value in entry.values(parts))


def _fits(op: str, phrases: tuple[Phrase, ...]) -> Fits:
    if op == "exists":
        return lambda value: value is not None and value not in ("", [], {})
    if op == "in":
        tests = [_in_list(phrase) for phrase in phrases]
        return lambda value: any(test(value) for test in tests)
    (phrase,) = phrases
    if op == "contains":
        return contains(phrase.text)
    if op == "like":
        return _pattern(_wildcard(phrase.text))
    if op == "=~":
        return _pattern(phrase.text)
    return _equals(phrase) if op == "=" else _compares(op, phrase)


def typed(phrase: Phrase) -> Any:
    """The value that an unquoted phrase stands for: boolean, number, the bounds of a date, or text."""
    text = phrase.text
    if phrase.quoted:
        return text
    if text in {"true", "false"}:
        return text == "true"
    if _INTEGER.match(text):
        return int(text)
    if _DECIMAL.match(text):
        return float(text)
    return _span(text) or text if _DATE.match(text) else text


def _span(text: str) -> tuple[datetime, datetime] | None:
    """The first and the last moment that a date or time may mean."""
    try:
        first = datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None
    first = first.replace(tzinfo=UTC) if first.tzinfo is None else first.astimezone(UTC)
    long = timedelta(days=1) if "T" not in text else timedelta(milliseconds=1 if re.search("[.,]", text) else 1000)
    return first, first + long - timedelta(microseconds=1)


def _text(value: Any) -> str | None:
    """A value as exact text; longer ones are not kept (K19)."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_RAW else None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equals(phrase: Phrase) -> Fits:
    wanted = typed(phrase)
    if isinstance(wanted, str):
        return lambda value: _text(value) == wanted
    piece = _has_piece(phrase.text.lower())
    if isinstance(wanted, bool):
        return lambda value: (value is wanted) or piece(value)
    if isinstance(wanted, tuple):
        first, last = wanted
        return lambda value: first <= value <= last if isinstance(value, datetime) else piece(value)
    return lambda value: value == wanted if _number(value) else piece(value)


def _compares(op: str, phrase: Phrase) -> Fits:
    wanted = typed(phrase)
    if isinstance(wanted, bool):
        return lambda _value: False
    if isinstance(wanted, tuple):
        # A date that is a whole day is over at its end.
        bound = wanted[1] if op in {">", "<="} else wanted[0]
        compare = _ORDER[op]
        return lambda value: isinstance(value, datetime) and compare(value, bound)
    compare = _ORDER[op]
    if isinstance(wanted, str):
        return lambda value: _text(value) is not None and compare(value, wanted)
    return lambda value: _number(value) and compare(value, wanted)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def _in_list(phrase: Phrase) -> Fits:
    wanted = typed(phrase)
    if isinstance(wanted, int | float):
        return lambda value: value == wanted if _number(value) else _text(value) == phrase.text
    return lambda value: _text(value) == phrase.text


def _wildcard(text: str) -> str:
    """`?` and `_` stand for one character, `*` and `%` for any number."""
    return "".join("." if c in "?_" else ".*" if c in "*%" else re.escape(c) for c in text)


def _pattern(pattern: str) -> Fits:
    """A pattern for the whole of a text, in its own letter case."""
    try:
        matcher = re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise PatternError(str(error)) from error

    def fits(value: Any) -> bool:
        text = _text(value)
        return text is not None and matcher.fullmatch(text) is not None

    return fits


def contains(text: str) -> Fits:
    """Any word of the phrase is found inside of a word of the value, in any letter case."""
    pieces = [_has_piece(word.lower()) for word in _WORD.findall(text)]
    wanted = typed(Phrase(text))

    def fits(value: Any) -> bool:
        if _number(value):
            return not isinstance(wanted, bool) and bool(value == wanted)
        return any(piece(value) for piece in pieces)

    return fits


def _has_piece(piece: str) -> Fits:
    """A single character is too short to be found (K19)."""
    if len(piece) < _SHORTEST_PIECE:
        return lambda _value: False
    return lambda value: isinstance(value, str) and piece in value.lower()
