"""Filters beside the query, in the search engine's own form: `terms`, `term`, `range`, `exists`."""

from collections.abc import Callable
from typing import Any

from flyball.sandbox.errors import invalid
from flyball.sandbox.search.index import Entry
from flyball.sandbox.search.language import Phrase, Term
from flyball.sandbox.search.matching import Test, compile_query

_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def read_filters(given: Any) -> list[Test]:
    """Tests for the filters of a request; all have to hold.

    Raises:
        Refusal: 400 for what is no list, or no known filter.
    """
    if given is None:
        return []
    if not isinstance(given, list):
        raise invalid(400, "filters must be a list")
    return [test for each in given for test in _one(each)]


def _one(given: Any) -> list[Test]:
    if not isinstance(given, dict) or len(given) != 1:
        raise _unreadable()
    kind, spec = next(iter(given.items()))
    if kind not in _KINDS or not isinstance(spec, dict):
        raise _unreadable()
    return [test for field, value in spec.items() for test in _KINDS[kind](_plain(field), value)]


def _unreadable() -> Exception:
    return invalid(400, "Unable to parse filters - invalid format.")


def _plain(field: str) -> str:
    return field.removesuffix(".raw")


def _phrase(value: Any) -> Phrase:
    if isinstance(value, bool):
        return Phrase(str(value).lower())
    return Phrase(str(value), quoted=isinstance(value, str))


def _terms(field: str, values: Any) -> list[Test]:
    """Any of the values; the text `null` stands for an absent field (K19)."""
    listed = values if isinstance(values, list) else [values]
    there = [_phrase(value) for value in listed if value != "null"]
    tests = [compile_query(Term("in", field, tuple(there)))] if there else []
    if "null" in listed:
        exists = compile_query(Term("exists", field))
        tests.append(lambda entry: not exists(entry))
    return [_any_of(tests)]


def _any_of(tests: list[Test]) -> Test:
    def test(entry: Entry) -> bool:
        return any(one(entry) for one in tests)

    return test


def _term(field: str, value: Any) -> list[Test]:
    return [compile_query(Term("=", field, (_phrase(value),)))]


def _range(field: str, bounds: Any) -> list[Test]:
    if not isinstance(bounds, dict) or not set(bounds) <= set(_BOUNDS):
        raise _unreadable()
    return [compile_query(Term(_BOUNDS[name], field, (Phrase(str(value)),))) for name, value in bounds.items()]


def _exists(_field: str, name: Any) -> list[Test]:
    return [compile_query(Term("exists", str(name)))]


_KINDS: dict[str, Callable[[str, Any], list[Test]]] = {
    "terms": _terms,
    "term": _term,
    "range": _range,
    "exists": _exists,
}
