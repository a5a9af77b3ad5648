"""Grouped views: one row for each combination of the group's columns, with sums and means."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from flyball.sandbox.tables import Doc
from flyball.sandbox.views.rows import Rows
from flyball.sandbox.views.spec import ViewSpec


def grouped(table: Rows, spec: ViewSpec) -> Rows:
    """The table with its rows put together; unchanged for a view without groups."""
    if not spec.group_by:
        return table
    keys = [column.name for column in spec.group_by]
    counted = [column for column in spec.columns if column.accumulator is not None]
    groups: dict[tuple[str, ...], list[Doc]] = {}
    for row in table.rows:
        groups.setdefault(tuple(repr(row.get(key)) for key in keys), []).append(row)
    rows: list[Doc] = []
    for members in groups.values():
        row = {key: members[0].get(key) for key in keys}
        for column in counted:
            row[column.name] = accumulated([m.get(column.name) for m in members], str(column.accumulator))
        rows.append(row)
    return Rows([*keys, *(column.name for column in counted)], rows)


def accumulated(values: Sequence[Any], how: str) -> Any:
    """One value out of many: `count` counts what is there, the others take numbers."""
    if how == "count":
        return sum(value is not None for value in values)
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return _HOW[how](numbers) if numbers else None


def _deviation(numbers: list[float]) -> float:
    middle = sum(numbers) / len(numbers)
    return math.sqrt(sum((number - middle) ** 2 for number in numbers) / len(numbers))


_HOW: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "mean": lambda numbers: sum(numbers) / len(numbers),
    "standard_deviation": _deviation,
    "minimum": min,
    "maximum": max,
}
