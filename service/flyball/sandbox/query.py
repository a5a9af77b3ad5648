"""List requests: sort, limit, skip, page, after_id, and the page object.

Wrong values are refused as the site refuses them (422); what is asked for is found through the
narrowest index that the conditions allow, so that a poll over a large site stays cheap.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cmp_to_key
from itertools import islice
from typing import Any

from flyball.sandbox.dialect import Dialect
from flyball.sandbox.errors import Refusal, invalid
from flyball.sandbox.filters import Condition, kind, predicate, reach, read_filter
from flyball.sandbox.ids import Oid
from flyball.sandbox.tables import Anchor, Doc, Table

Query = dict[str, list[str]]
_LATEST = [("modified", -1)]
_ORDERS = {"asc": 1, "1": 1, "desc": -1, "-1": -1}
_BRACKETS = ["null", "number", "text", "", "id", "bool", "date"]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list request asks for; `limit` None means all."""

    conditions: list[Condition]
    sort: list[tuple[str, int]]
    limit: int | None
    skip: int
    after_id: str | None


@dataclass(frozen=True, slots=True)
class Rows:
    """The documents found; `total` is counted only when asked for."""

    docs: list[Doc]
    total: int | None


def read_listing(query: Query, speech: Dialect) -> Listing:
    """Read the list parameters of a query.

    Raises:
        Refusal: 422 for wrong numbers, orders and combinations (live19).
    """
    conditions = read_filter(query.get("filter", []), speech)
    if query.get("filter") == [""]:
        raise invalid(422, "Invalid pagination filter:  (operator missing)")
    sort = _read_sort(query)
    limit = _number(query, "limit", speech, zero=speech.limit_zero)
    skip = _number(query, "skip", speech)
    page = _number(query, "page", speech)
    after_id = query["after_id"][-1] if "after_id" in query else None
    if after_id is not None:
        for other in ("sort", "page", "skip"):
            if other in query:
                raise invalid(422, f'"after_id" query param cannot be used with "{other}"')
    if page is not None:
        if skip is not None:
            raise invalid(422, '"page" and "skip" query params are mutually exclusive')
        if limit is None:
            raise invalid(422, '"limit" query param is required with "page"')
        skip = (page - 1) * limit
    if speech.page_limit is not None:
        limit = min(limit or speech.page_limit, speech.page_limit)
    return Listing(conditions, sort, limit or None, skip or 0, after_id)


def _number(query: Query, name: str, speech: Dialect, *, zero: bool = False) -> int | None:
    if name not in query:
        return None
    text = query[name][-1]
    value = int(text) if text.isascii() and text.isdigit() else -1
    if value > 0 or (zero and value == 0):
        return value
    if speech.detail_errors:
        detail = {"loc": ["query", name], "msg": "Input should be a positive integer", "type": "int_parsing"}
        raise Refusal(422, "", detail=[detail])
    raise invalid(422, f"Invalid pagination int: expected positive integer, got {text}")


def _read_sort(query: Query) -> list[tuple[str, int]]:
    sort: list[tuple[str, int]] = []
    for text in query["sort"][-1].split(",") if "sort" in query else []:
        field, _, order = text.partition(":")
        if order and order.lower() not in _ORDERS:
            raise invalid(422, f"Invalid pagination sort: {text} (unknown order)")
        sort.append((field, _ORDERS[order.lower()] if order else 1))
    return sort


def run(
    table: Table,
    listing: Listing,
    speech: Dialect,
    *,
    within: Anchor | None = None,
    allowed: Callable[[Doc], bool] | None = None,
    counted: bool = False,
) -> Rows:
    """Find the rows of a table.

    Args:
        table: where to look.
        listing: what is asked for.
        speech: the site's dialect.
        within: the container to which the search is limited.
        allowed: tells what the user may see; None means everything.
        counted: also count all matches, as the page object shows them.
    """
    end = None if listing.limit is None else listing.skip + listing.limit
    if listing.sort == _LATEST and not listing.conditions and within is None and allowed is None and end is not None:
        return Rows(list(islice(table.newest(), listing.skip, end)), len(table))
    ids, by_time, rest = _narrow(table, listing, within)
    test = predicate(rest, speech)
    rows = table.rows
    if by_time is None and test is None and allowed is None and not listing.sort:
        return Rows([rows[own] for own in ids[listing.skip : end]], len(ids))
    found: Iterable[Doc] = (rows[own] for own in ids) if by_time is None else by_time
    if by_time is not None and within is not None:
        found = (doc for doc in found if table.is_below(doc, within))
    if test is not None:
        found = filter(test, found)
    if allowed is not None:
        found = filter(allowed, found)
    if by_time is not None and listing.sort == [("modified", 1)]:
        pass
    elif listing.sort:
        found = sorted(found, key=_sort_key(listing.sort))
    elif by_time is not None:
        found = sorted(found, key=lambda doc: str(doc[table.key]))
    if counted:
        whole = list(found)
        return Rows(whole[listing.skip : end], len(whole))
    return Rows(list(islice(found, listing.skip, end)), None)


def _narrow(
    table: Table, listing: Listing, within: Anchor | None
) -> tuple[list[str], Iterator[Doc] | None, list[Condition]]:
    """The smallest set of candidates that an index knows.

    Returns:
        The ids in order; instead of them the documents in the order of their last change, when
        that index is the smallest; the conditions that are left to test.
    """
    ids = table.ids if within is None else table.under(within)
    rest = listing.conditions
    for condition in listing.conditions:
        value = condition.value
        if condition.op != "=" or not isinstance(value, str):
            continue
        if condition.field == table.key:
            if within is None:
                ids, rest = ([value] if value in table.rows else []), listing.conditions
        elif condition.field == "tags":
            if within is None and table.tag_count(value) < len(ids):
                ids, rest = table.tagged(value), listing.conditions
        elif condition.field.startswith("parents."):
            level = condition.field.removeprefix("parents.")
            below = table.under((level, value))
            typed = isinstance(value, Oid) == (level != "group")
            if typed and within is None and len(below) <= len(ids):
                ids, rest = below, [c for c in listing.conditions if c is not condition]
    floor = _floor(listing.conditions)
    # A sort by time reads the log even when it is as long as the table: a page ends the reading.
    worth = len(ids) + (len(ids) if listing.sort == [("modified", 1)] and within is None else 0)
    if floor is not None and listing.after_id is None and table.count_since(floor) < worth:
        return [], table.since(floor), listing.conditions
    if listing.after_id:
        ids = table.after(ids, listing.after_id)
    return ids, None, rest


def _floor(conditions: list[Condition]) -> datetime | None:
    """The earliest `modified` that can match, when the conditions bound it."""
    floors = [
        c.value for c in conditions if c.field == "modified" and c.op in {">", ">="} and isinstance(c.value, datetime)
    ]
    return max(floors, default=None)


def _sort_key(sort: list[tuple[str, int]]) -> Callable[[Doc], Any]:
    """Order by several fields; values of different types go by type, absent ones first."""
    paths = [(field.split("."), order) for field, order in sort]

    def value(doc: Doc, parts: list[str]) -> tuple[int, Any]:
        found = next(reach(doc, parts), None)
        bracket = kind(found)
        return _BRACKETS.index(bracket), found if bracket not in {"", "null"} else 0

    if len({order for _, order in paths}) == 1 and paths[0][1] == 1:
        return lambda doc: [value(doc, parts) for parts, _ in paths]

    def compare(left: Doc, right: Doc) -> int:
        for parts, order in paths:
            a, b = value(left, parts), value(right, parts)
            if a != b:
                return order if a > b else -order
        return 0

    return cmp_to_key(compare)
