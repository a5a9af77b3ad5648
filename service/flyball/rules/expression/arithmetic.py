"""`+ - * / %` and the unary minus: numbers, joined texts and lists, and dates with seconds.

The usual case, two plain numbers, is decided first; everything else takes the long way. No result leaves the bounds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from flyball.rules.expression.context import Closure, Run
from flyball.rules.expression.dates import has_zone, seconds_between, shifted
from flyball.rules.expression.limits import NUMBER, TEXT
from flyball.rules.expression.moving import Moving, slope
from flyball.rules.expression.values import Unknown, describe, kind, needed, passed_on

OPERATIONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}
_LOWEST: Final = -NUMBER
TOO_LARGE: Final = Unknown("stopped: a number beyond 1e300", "unusable")


def bounded(number: Any) -> Any:
    """`number`, or unknown when it is out of bounds (an overflow to infinity is)."""
    return number if _LOWEST <= number <= NUMBER else TOO_LARGE


def arithmetic(symbol: str, left: Closure, right: Closure, names: tuple[str, str]) -> Closure:
    """Evaluates `left symbol right`; `names` are the operands as written, for the reason."""
    operate = OPERATIONS[symbol]

    def calculate(run: Run) -> Any:
        a = left(run)
        b = right(run)
        kind_a = a.__class__
        kind_b = b.__class__
        if (kind_a is float or kind_a is int) and (kind_b is float or kind_b is int):
            try:
                result = operate(a, b)
            except ZeroDivisionError:
                return Unknown(f"{names[1]} is zero, nothing can be divided by it", "unusable")
            return result if _LOWEST <= result <= NUMBER else TOO_LARGE
        return _combine(run, symbol, a, b, names)

    return calculate


def negation(operand: Closure, name: str) -> Closure:
    """Evaluates `-operand`."""

    def negate(run: Run) -> Any:
        value = operand(run)
        if value.__class__ is float or value.__class__ is int:
            return -value
        if isinstance(value, Unknown):
            return passed_on(value)
        if kind(value) != "number":
            return Unknown(f"{name} is {describe(value)}, a number is needed", "unusable")
        return Moving.of(-float(value), -slope(value))

    return negate


def _combine(run: Run, symbol: str, a: Any, b: Any, names: tuple[str, str]) -> Any:
    if a.__class__ is datetime and b.__class__ is datetime and symbol == "-" and has_zone(a) and has_zone(b):
        return (a - b).total_seconds()
    if isinstance(a, Unknown):
        return passed_on(a)
    if isinstance(b, Unknown):
        return passed_on(b)
    run.spend(2)
    match (symbol, kind(a), kind(b)):
        case (_, "number", "number"):
            return _moving(run, symbol, a, b, names)
        case ("+", "text", "text"):
            return _joined_text(run, a, b)
        case ("+", "list", "list"):
            run.spend(len(a) + len(b))
            return [*a, *b]
        case ("-", "date", "date"):
            if not (has_zone(a) and has_zone(b)):
                return Unknown(f"{names[0] if has_zone(b) else names[1]} is a date without a zone", "unusable")
            return seconds_between(a, b)
        case ("+", "date", "number") | ("-", "date", "number"):
            return _shift(a, b if symbol == "+" else _negative(b), names)
        case ("+", "number", "date"):
            return _shift(b, a, names)
        case _:
            return _mismatch(symbol, a, b, names)


def _mismatch(symbol: str, a: Any, b: Any, names: tuple[str, str]) -> Unknown:
    kinds = (kind(a), kind(b))
    wrong = 1 if kinds[0] == "number" else 0
    value = (a, b)[wrong]
    if kinds[1 - wrong] == "number":
        return Unknown(f"{names[wrong]} is {describe(value)}, {needed('number')} is needed", "unusable")
    return Unknown(f"{names[0]} is {describe(a)} and {names[1]} is {describe(b)}: no {symbol} between them", "unusable")


def _joined_text(run: Run, a: str, b: str) -> str | Unknown:
    length = len(a) + len(b)
    if length > TEXT:
        return Unknown(f"stopped: a text of more than {TEXT:,} characters", "unusable")
    run.spend(length // 4)
    return a + b


def _negative(number: float) -> float:
    return Moving.of(-float(number), -slope(number))


def _shift(date: datetime, seconds: float, names: tuple[str, str]) -> Any:
    moved = shifted(date, seconds)
    if moved is None:
        return Unknown(f"stopped: {names[0]} and {names[1]} give a date outside of the calendar", "unusable")
    return moved


def _moving(run: Run, symbol: str, a: float, b: float, names: tuple[str, str]) -> Any:
    """Arithmetic of numbers of which at least one moves with the present time."""
    pace_a, pace_b = slope(a), slope(b)
    a = a if isinstance(a, int) else float(a)
    b = b if isinstance(b, int) else float(b)
    if symbol in "/%" and b == 0:
        return Unknown(f"{names[1]} is zero, nothing can be divided by it", "unusable")
    pace: float
    if symbol == "+":
        pace = pace_a + pace_b
    elif symbol == "-":
        pace = pace_a - pace_b
    elif symbol == "*" and not (pace_a and pace_b):
        pace = pace_a * b + pace_b * a
    elif symbol == "/" and not pace_b:
        pace = pace_a / b
    elif symbol == "%" and not pace_b:
        pace = pace_a
        rest = a % b
        run.turns((b - rest) / pace if (pace > 0) == (b > 0) else -rest / pace)
    else:
        run.turns_somehow()
        pace = 0.0
    result = OPERATIONS[symbol](a, b)
    if bounded(result) is TOO_LARGE or abs(pace) > NUMBER:
        return TOO_LARGE
    return Moving.of(result, pace)
