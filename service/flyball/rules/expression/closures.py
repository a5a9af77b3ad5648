"""The small closures that stand between the larger parts: literals, lists, and calls of functions."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flyball.rules.expression.context import Closure, Run
from flyball.rules.expression.functions import FUNCTIONS, Call, search
from flyball.rules.expression.patterns import Pattern
from flyball.rules.expression.values import NULL, Unknown, UnknownCount, UnknownList, clean, passed_on

SHORT: Final = 1_000
"""Characters of a text that is searched without further ado."""


def constant(value: Any) -> Closure:
    """Evaluates a literal; null is unknown."""
    known = NULL if value is None else value
    return lambda _run: known


def listing(elements: Sequence[Closure]) -> Closure:
    """Evaluates `[a, b, …]`; an element may be unknown without the list being so."""
    return lambda run: [element(run) for element in elements]


def presence(value: Closure) -> Closure:
    """Evaluates `has(value)`: false for missing, null and NaN; unknown when nobody could look or use it."""

    def has(run: Run) -> Any:
        result = value(run)
        if isinstance(result, Unknown):
            return False if result.nature == "absent" else passed_on(result)
        return True

    return has


def first_known(values: Sequence[Closure]) -> Closure:
    """Evaluates `coalesce(a, b, …)`: the first that is known, but nothing past one that nobody could look at."""

    def coalesce(run: Run) -> Any:
        result: Any = NULL
        for value in values:
            result = value(run)
            if not isinstance(result, Unknown) or result.nature == "withheld":
                break
        return result

    return coalesce


def length(value: Closure, name: str) -> Closure:
    """Evaluates `len(value)`; a list with unclear elements still has bounds."""

    def measure(run: Run) -> Any:
        result = value(run)
        if isinstance(result, UnknownList):
            unclear = result.high - result.low
            return UnknownCount(result, f"{unclear} element(s) unclear: {result.reason}", result.low, result.high)
        if isinstance(result, Unknown):
            return passed_on(result)
        return FUNCTIONS["len"].call(run, (name,), (result,))

    return measure


def application(call: Call, arguments: Sequence[Closure], names: Sequence[str]) -> Closure:
    """Evaluates a built-in function; an unknown argument makes the call unknown."""
    if len(arguments) == 1:
        only = arguments[0]

        def apply_to_one(run: Run) -> Any:
            value = only(run)
            return passed_on(value) if isinstance(value, Unknown) else call(run, names, (value,))

        return apply_to_one

    def apply(run: Run) -> Any:
        values: list[Any] = []
        for argument in arguments:
            value = argument(run)
            if isinstance(value, Unknown):
                return passed_on(value)
            values.append(value)
        return call(run, names, values)

    return apply


def searching(text: Closure, name: str, pattern: Pattern) -> Closure:
    """Evaluates `matches` and `glob` with a pattern that is written out."""

    def find(run: Run) -> Any:
        value = text(run)
        if value.__class__ is str and len(value) < SHORT:
            run.spend(pattern.work(value))
            return pattern.found_in(value)
        return passed_on(value) if isinstance(value, Unknown) else search(run, name, value, pattern)

    return find


def environment_call(name: str, arguments: Sequence[Closure], variables: Mapping[str, int]) -> Closure:
    """Evaluates a function of the environment, which sees the names in force.

    Args:
        name: of the function.
        arguments: of the call.
        variables: the variables of the enclosing comprehensions and where each is kept.
    """

    def call(run: Run) -> Any:
        values: list[Any] = []
        for argument in arguments:
            value = argument(run)
            if isinstance(value, Unknown):
                return passed_on(value)
            values.append(value)
        function = run.context.functions.get(name)
        if function is None:
            return Unknown(f"{name} is not available here")
        run.spend(50)
        scope = run.names
        if variables:
            bound = {variable: run.variables[place] for variable, place in variables.items()}
            scope = ChainMap(bound, scope)  # type: ignore[arg-type] # only read, so any mapping serves
        return clean(function(scope, *values))

    return call
