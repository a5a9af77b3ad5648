"""`== != < <= > >=`, `in` and `not in`.

Only like is compared with like: number with number, text with text, date with date, truth with truth. Everything else
is a type mismatch and therefore unknown, `==` included: a metric stored as text is not "different", it is unusable.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flyball.rules.expression.context import Closure, Run
from flyball.rules.expression.dates import has_zone, note_crossing
from flyball.rules.expression.limits import NESTED_VALUE
from flyball.rules.expression.moving import slope
from flyball.rules.expression.values import Kind, Unknown, UnknownCount, clean, describe, kind, needed, passed_on

Operator = Callable[[Any, Any], Any]

OPERATORS: Final[dict[str, Operator]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EQUALITY: Final = (operator.eq, operator.ne)
_ORDERED: Final[frozenset[Kind]] = frozenset({"number", "text", "date"})


def comparison(symbol: str, left: Closure, right: Closure, names: tuple[str, str]) -> Closure:
    """Evaluates `left symbol right`; `names` are the operands as written, for the reason."""
    holds = OPERATORS[symbol]

    def compare_both(run: Run) -> Any:
        a = left(run)
        b = right(run)
        kind_a = a.__class__
        kind_b = b.__class__
        if (kind_a is float or kind_a is int) and (kind_b is float or kind_b is int):
            return holds(a, b)
        return compare(run, holds, a, b, names)

    return compare_both


def comparison_with_literal(symbol: str, left: Closure, literal: Any, names: tuple[str, str]) -> Closure:
    """The same for a number or text on the right that is written out."""
    holds = OPERATORS[symbol]
    if isinstance(literal, str):

        def compare_text(run: Run) -> Any:
            a = left(run)
            if a.__class__ is str:
                return holds(a, literal)
            return compare(run, holds, a, literal, names)

        return compare_text

    def compare_number(run: Run) -> Any:
        a = left(run)
        kind_a = a.__class__
        if kind_a is float or kind_a is int:
            return holds(a, literal)
        return compare(run, holds, a, literal, names)

    return compare_number


def compare(run: Run, holds: Operator, a: Any, b: Any, names: tuple[str, str]) -> bool | Unknown:
    """The long way, for any two values."""
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return _compare_unknown(run, holds, a, b, names)
    kind_a, kind_b = kind(a), kind(b)
    if kind_a != kind_b or kind_a == "other":
        return mismatch(a, b, names)
    if kind_a in ("list", "object"):
        if holds not in _EQUALITY:
            return Unknown(f"{names[0]} is {describe(a)}: lists and objects have no order", "unusable")
        same = equal(run, a, b, names)
        return same if isinstance(same, Unknown) or holds is operator.eq else not same
    if kind_a == "boolean" and holds not in _EQUALITY:
        return Unknown(f"{names[0]} is {describe(a)}, a number is needed", "unusable")
    if kind_a == "date" and not (has_zone(a) and has_zone(b)):
        return Unknown(f"{names[0] if has_zone(b) else names[1]} is a date without a zone", "unusable")
    if kind_a == "text":
        run.spend(min(len(a), len(b)) // 256)
    elif slope(a) or slope(b):
        note_crossing(run, a, b)
    return bool(holds(a, b))


def mismatch(a: Any, b: Any, names: tuple[str, str]) -> Unknown:
    """Why two known values of different kinds cannot be compared."""
    if names[0] == names[1]:
        return Unknown(f"{names[0]} is {describe(a)} and {describe(b)}: they cannot be compared", "unusable")
    return Unknown(
        f"{names[0]} is {describe(a)}, {needed(kind(b))} is needed to compare it with {names[1]}", "unusable"
    )


def equal(run: Run, a: Any, b: Any, names: tuple[str, str], depth: int = 0) -> bool | Unknown:
    """Whether two values are the same, part by part: one difference makes it false, else one unknown part unknown."""
    a, b = clean(a), clean(b)
    run.spend(2)
    if isinstance(a, Unknown):
        return passed_on(a)
    if isinstance(b, Unknown):
        return passed_on(b)
    kind_a = kind(a)
    if kind_a != kind(b) or kind_a not in ("list", "object"):
        return compare(run, operator.eq, a, b, names)
    if depth >= NESTED_VALUE:
        return Unknown(f"stopped: values nested more than {NESTED_VALUE} deep", "unusable")
    if len(a) != len(b):
        return False
    if kind_a == "list":
        pairs = zip(a, b, strict=True)
    else:
        if any(key not in b for key in a):
            return False
        pairs = zip(a.values(), [b[key] for key in a], strict=True)
    doubt: Unknown | None = None
    for one, other in pairs:
        same = equal(run, one, other, names, depth + 1)
        if same is False:
            return False
        if isinstance(same, Unknown):
            doubt = same
    return True if doubt is None else doubt


def membership(element: Closure, container: Closure, names: tuple[str, str]) -> Closure:
    """Evaluates `element in container`: an element of a list, a part of a text, or a key of an object."""

    def contains(run: Run) -> Any:
        wanted = element(run)
        within = container(run)
        if wanted.__class__ is str and within.__class__ is list:
            run.spend(len(within) >> 3)
            if wanted in within:
                return True
            for other in within:
                if other.__class__ is not str:
                    break
            else:
                return False
        return _find(run, wanted, within, names)

    return contains


def membership_in_texts(element: Closure, texts: Sequence[str], names: tuple[str, str]) -> Closure:
    """The same for a list of texts that is written out."""
    known = frozenset(texts)
    listed = list(texts)

    def contains(run: Run) -> Any:
        wanted = element(run)
        if wanted.__class__ is str:
            return wanted in known
        return _find(run, wanted, listed, names)

    return contains


def relation(symbol: str, names: tuple[str, str]) -> Callable[[Run, Any, Any], Any]:
    """One link of a chain such as `0 < x < 1`, applied to two values."""
    if symbol == "in":
        return lambda run, a, b: _find(run, a, b, names)
    if symbol == "not in":
        return lambda run, a, b: _opposite(_find(run, a, b, names))
    holds = OPERATORS[symbol]
    return lambda run, a, b: compare(run, holds, a, b, names)


def chain(first: Closure, links: Sequence[tuple[Closure, Callable[[Run, Any, Any], Any]]]) -> Closure:
    """Evaluates `a < b < c`: every link must hold, each operand is evaluated once, the first false link ends it."""

    def every(run: Run) -> Any:
        left = first(run)
        result: Any = True
        for operand, holds in links:
            right = operand(run)
            truth = holds(run, left, right)
            if truth is False:
                return False
            if result is True:
                result = truth
            left = right
        return result

    return every


def inverse(condition: Closure) -> Closure:
    """Evaluates `not condition` for a closure that answers true, false or unknown."""

    def invert(run: Run) -> Any:
        return _opposite(condition(run))

    return invert


def _opposite(truth: Any) -> Any:
    return truth if isinstance(truth, Unknown) else not truth


def _find(run: Run, wanted: Any, within: Any, names: tuple[str, str]) -> bool | Unknown:
    if isinstance(within, Unknown):
        return passed_on(within)
    if isinstance(wanted, Unknown):
        return passed_on(wanted)
    match kind(within):
        case "list":
            return _find_in_list(run, wanted, within, names)
        case "text" if isinstance(wanted, str):
            run.spend(len(within) // 64)
            return wanted in within
        case "object" if isinstance(wanted, str) and isinstance(within, Mapping):
            return wanted in within
        case "text" | "object":
            return Unknown(f"{names[0]} is {describe(wanted)}, a text is needed to find it in {names[1]}", "unusable")
        case _:
            return Unknown(f"{names[1]} is {describe(within)}, a list is needed", "unusable")


def _find_in_list(run: Run, wanted: Any, within: Sequence[Any], names: tuple[str, str]) -> bool | Unknown:
    doubt: Unknown | None = None
    pair = (names[0], f"an element of {names[1]}")
    for element in within:
        same = equal(run, wanted, element, pair)
        if same is True:
            return True
        if isinstance(same, Unknown) and doubt is None:
            doubt = same
    if doubt is None:
        return False
    if doubt.nature == "absent":
        return Unknown(f"{names[1]} has an element without a value", "absent")
    return doubt


def _compare_unknown(run: Run, holds: Operator, a: Any, b: Any, names: tuple[str, str]) -> bool | Unknown:
    """A comparison with an unknown; a count with known bounds can still decide it."""
    if type(a) is UnknownCount and kind(b) == "number":
        ends = [compare(run, holds, end, b, names) for end in (a.low, a.high)]
        return _decided(holds, a, b, ends)
    if type(b) is UnknownCount and kind(a) == "number":
        ends = [compare(run, holds, a, end, names) for end in (b.low, b.high)]
        return _decided(holds, b, a, ends)
    return passed_on(a if isinstance(a, Unknown) else b)


def _decided(holds: Operator, count: UnknownCount, other: float, ends: list[bool | Unknown]) -> bool | Unknown:
    if holds in _EQUALITY:
        possible = count.low <= other <= count.high and float(other).is_integer()
        return passed_on(count) if possible else holds is operator.ne
    return ends[0] if ends[0] is ends[1] else passed_on(count)
