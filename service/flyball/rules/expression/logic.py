"""Three-valued logic: what counts as true, `and`, `or`, `not`, and `a if c else b`.

Every condition answers True, False or an Unknown. `false and unknown` is false and `true or unknown` is true, whatever
the unknown part would turn out to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyball.rules.expression.context import Closure, Run
from flyball.rules.expression.values import Unknown, UnknownList, describe, passed_on


def truth_of(value: Any, name: str) -> bool | Unknown:
    """A boolean is its own truth, a list is true when it has elements; nothing else is a condition."""
    if value is True or value is False:
        return bool(value)
    if isinstance(value, list | tuple):
        return len(value) > 0
    if isinstance(value, UnknownList) and value.low:
        return True
    if isinstance(value, Unknown):
        return passed_on(value)
    return Unknown(f"{name} is {describe(value)}, a condition (true, false or a list) is needed", "unusable")


def as_condition(value: Closure, name: str) -> Closure:
    """Evaluates the truth of `value`."""

    def condition(run: Run) -> Any:
        result = value(run)
        if result is True or result is False:
            return result
        return truth_of(result, name)

    return condition


def conjunction(conditions: Sequence[Closure]) -> Closure:
    """Evaluates `a and b and …`, stopping at the first false one."""
    if len(conditions) == 2:
        first, second = conditions

        def both(run: Run) -> Any:
            one = first(run)
            if one is False:
                return False
            other = second(run)
            if other is False or one is True:
                return other
            return one

        return both

    def every(run: Run) -> Any:
        result: Any = True
        for condition in conditions:
            truth = condition(run)
            if truth is False:
                return False
            if result is True:
                result = truth
        return result

    return every


def disjunction(conditions: Sequence[Closure]) -> Closure:
    """Evaluates `a or b or …`, stopping at the first true one."""

    def some(run: Run) -> Any:
        result: Any = False
        for condition in conditions:
            truth = condition(run)
            if truth is True:
                return True
            if result is False:
                result = truth
        return result

    return some


def choice(condition: Closure, if_true: Closure, if_false: Closure) -> Closure:
    """Evaluates `if_true if condition else if_false`; an unknown condition makes the whole unknown."""

    def choose(run: Run) -> Any:
        truth = condition(run)
        if truth is True:
            return if_true(run)
        if truth is False:
            return if_false(run)
        return truth

    return choose
