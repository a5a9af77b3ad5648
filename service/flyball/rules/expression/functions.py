"""The fixed functions of the language that only look at their arguments.

Each is called with known values (an unknown argument makes the call unknown before it comes here). The ones that decide
which arguments are evaluated at all (`any`, `all`, `has`, `coalesce`, `count`) are the builder's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cmp_to_key
from typing import Any, Final

from flyball.rules.expression.arithmetic import bounded
from flyball.rules.expression.context import Run
from flyball.rules.expression.dates import SECONDS, has_zone, note_crossing, read_date
from flyball.rules.expression.limits import TEXT
from flyball.rules.expression.moving import Moving, slope
from flyball.rules.expression.patterns import COMPILE_WORK, Pattern, PatternError, glob, regex
from flyball.rules.expression.values import Kind, Unknown, clean, describe, kind, needed

Names = Sequence[str]
Call = Callable[[Run, Names, Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language: how many arguments it takes, what it does, and how it is written."""

    least: int
    most: int
    call: Call
    usage: str


def _wrong(value: Any, name: str, wanted: Kind) -> Unknown:
    return Unknown(f"{name} is {describe(value)}, {needed(wanted)} is needed", "unusable")


def _text(run: Run, value: Any, name: str) -> Unknown | None:
    """None when `value` is a text of a fair size; takes the work of going through it."""
    if not isinstance(value, str):
        return _wrong(value, name, "text")
    if len(value) > TEXT:
        return Unknown(f"stopped: {name} has more than {TEXT:,} characters", "unusable")
    run.spend(len(value) // 4)
    return None


def _len(_run: Run, names: Names, values: Sequence[Any]) -> Any:
    value = values[0]
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    return Unknown(f"{names[0]} is {describe(value)}, a list or a text is needed", "unusable")


def _elements(run: Run, names: Names, values: Sequence[Any]) -> Sequence[Any] | Unknown:
    """The elements of one list, or several arguments, all of them known and of one kind."""
    elements = values
    if len(values) == 1:
        if not isinstance(values[0], list | tuple):
            return _wrong(values[0], names[0], "list")
        elements = [clean(element) for element in values[0]]
    run.spend(len(elements) * 2)
    kinds: set[Kind] = set()
    for element in elements:
        if isinstance(element, Unknown):
            return Unknown(f"an element of {names[0]}: {element.reason}", element.nature)
        kinds.add(kind(element))
    if len(kinds) > 1:
        odd = next(element for element in elements if kind(element) != kind(elements[0]))
        return _wrong(odd, f"an element of {names[0]}" if len(values) == 1 else "an argument", kind(elements[0]))
    if kinds == {"date"} and not all(has_zone(element) for element in elements):
        return Unknown(f"an element of {names[0]} is a date without a zone", "unusable")
    return elements


def _ordered(run: Run, names: Names, values: Sequence[Any]) -> list[Any] | Unknown:
    elements = _elements(run, names, values)
    if isinstance(elements, Unknown):
        return elements
    if elements and kind(elements[0]) not in ("number", "text", "date"):
        return Unknown(f"{names[0]} has {describe(elements[0])}: such elements have no order", "unusable")
    run.spend(len(elements) * 4)
    if not any(slope(element) for element in elements):
        return sorted(elements)

    def order(left: Any, right: Any) -> int:
        note_crossing(run, left, right)
        return -1 if left < right else 1 if left > right else 0

    return sorted(elements, key=cmp_to_key(order))


def _sorted(run: Run, names: Names, values: Sequence[Any]) -> Any:
    if not isinstance(values[0], list | tuple):
        return _wrong(values[0], names[0], "list")
    return _ordered(run, names, values)


def _extreme(which: int) -> Call:
    def pick(run: Run, names: Names, values: Sequence[Any]) -> Any:
        ordered = _ordered(run, names, values)
        if isinstance(ordered, Unknown):
            return ordered
        return ordered[which] if ordered else Unknown(f"{names[0]} is empty", "absent")

    return pick


def _sum(run: Run, names: Names, values: Sequence[Any]) -> Any:
    if not isinstance(values[0], list | tuple):
        return _wrong(values[0], names[0], "list")
    elements = _elements(run, names, values)
    if isinstance(elements, Unknown):
        return elements
    if elements and kind(elements[0]) not in ("number", "boolean"):
        return _wrong(elements[0], f"an element of {names[0]}", "number")
    total = bounded(sum(element if isinstance(element, int) else float(element) for element in elements))
    pace = sum(slope(element) for element in elements)
    return total if isinstance(total, Unknown) or not pace else Moving.of(total, pace)


def _abs(run: Run, names: Names, values: Sequence[Any]) -> Any:
    value = values[0]
    if kind(value) != "number":
        return _wrong(value, names[0], "number")
    if not slope(value):
        return abs(value)
    note_crossing(run, value, 0.0)
    return Moving.of(abs(float(value)), slope(value) if value > 0 else -slope(value))


def _round(run: Run, names: Names, values: Sequence[Any]) -> Any:
    value = values[0]
    if kind(value) != "number":
        return _wrong(value, names[0], "number")
    digits = values[1] if len(values) > 1 else None
    if digits is not None and (digits.__class__ is not int or not -15 <= digits <= 15):
        return Unknown(f"{names[1]} is {describe(digits)}, a whole number from -15 to 15 is needed", "unusable")
    pace = slope(value)
    if pace:
        unit = 10.0 ** -(digits or 0)
        past = (float(value) / unit + 0.5) % 1.0
        run.turns(((1.0 - past) if pace > 0 and past else -past) * unit / pace)
    return round(value if isinstance(value, int) else float(value), digits)


def _case(change: Callable[[str], str]) -> Call:
    def convert(run: Run, names: Names, values: Sequence[Any]) -> Any:
        wrong = _text(run, values[0], names[0])
        return wrong if wrong is not None else change(values[0])

    return convert


def _ends(test: Callable[[str, str], bool]) -> Call:
    def check(run: Run, names: Names, values: Sequence[Any]) -> Any:
        for value, name in zip(values, names, strict=True):
            wrong = _text(run, value, name)
            if wrong is not None:
                return wrong
        return test(values[0], values[1])

    return check


def search(run: Run, name: str, text: Any, pattern: Pattern) -> bool | Unknown:
    """Whether `pattern` is found in `text`."""
    wrong = _text(run, text, name)
    if wrong is not None:
        return wrong
    run.spend(pattern.work(text))
    return pattern.found_in(text)


def _search(compile_pattern: Callable[[str], Pattern]) -> Call:
    def check(run: Run, names: Names, values: Sequence[Any]) -> Any:
        if not isinstance(values[1], str):
            return _wrong(values[1], names[1], "text")
        known = run.pattern
        if known is None or known[0] is not compile_pattern or known[1] != values[1]:
            run.spend(COMPILE_WORK)
            try:
                known = run.pattern = (compile_pattern, values[1], compile_pattern(values[1]))
            except PatternError as error:
                return Unknown(f"{names[1]}: {error}", "unusable")
        return search(run, names[0], values[0], known[2])

    return check


def _in_units(unit: str) -> Call:
    length = SECONDS[unit]

    def convert(_run: Run, names: Names, values: Sequence[Any]) -> Any:
        value = values[0]
        if value.__class__ is float or value.__class__ is int:
            return value / length
        if kind(value) != "number":
            return _wrong(value, names[0], "number")
        return Moving.of(value / length, slope(value) / length) if slope(value) else value / length

    return convert


def _date(_run: Run, names: Names, values: Sequence[Any]) -> Any:
    value = values[0]
    if isinstance(value, datetime):
        return value if has_zone(value) else Unknown(f"{names[0]} is a date without a zone", "unusable")
    return read_date(value, names[0]) if isinstance(value, str) else _wrong(value, names[0], "date")


MANY: Final = 100

FUNCTIONS: Final[dict[str, Function]] = {
    "len": Function(1, 1, _len, "len(list)"),
    "sum": Function(1, 1, _sum, "sum(list)"),
    "min": Function(1, MANY, _extreme(0), "min(list) or min(a, b)"),
    "max": Function(1, MANY, _extreme(-1), "max(list) or max(a, b)"),
    "sorted": Function(1, 1, _sorted, "sorted(list)"),
    "abs": Function(1, 1, _abs, "abs(number)"),
    "round": Function(1, 2, _round, "round(number, digits)"),
    "lower": Function(1, 1, _case(str.lower), "lower(text)"),
    "upper": Function(1, 1, _case(str.upper), "upper(text)"),
    "startswith": Function(2, 2, _ends(str.startswith), "startswith(text, beginning)"),
    "endswith": Function(2, 2, _ends(str.endswith), "endswith(text, ending)"),
    "matches": Function(2, 2, _search(regex), "matches(text, regex)"),
    "glob": Function(2, 2, _search(glob), "glob(text, pattern)"),
    "years": Function(1, 1, _in_units("years"), "years(seconds)"),
    "days": Function(1, 1, _in_units("days"), "days(seconds)"),
    "hours": Function(1, 1, _in_units("hours"), "hours(seconds)"),
    "minutes": Function(1, 1, _in_units("minutes"), "minutes(seconds)"),
    "date": Function(1, 1, _date, "date(text)"),
}
CONDITIONS: Final = frozenset({"startswith", "endswith", "matches", "glob"})
"""Functions that answer true, false or unknown."""
