"""Comprehensions, `any`, `all` and `count`: going through lists with three-valued conditions.

An element whose filter is unknown may or may not belong to the list. `any` and `all` weigh it as logic does; a list
with such elements is unknown, but its length is known to lie between two bounds, which often decides a comparison.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flyball.rules.expression.context import Closure, Run
from flyball.rules.expression.values import Unknown, UnknownCount, UnknownList, clean, describe, passed_on

Bindings = Callable[[Run], Iterator[Any]]


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Stands for all elements of a list that is itself unknown."""

    unknown: Unknown


@dataclass(frozen=True, slots=True)
class Clause:
    """One `for variable in source if filters` of a comprehension.

    Args:
        variable: where the element is kept.
        source: evaluates what is gone through.
        filters: conditions on the element.
        name: the source as written.
        work: units of work for each element.
    """

    variable: int
    source: Closure
    filters: Sequence[Closure]
    name: str
    work: int


def bindings(clauses: Sequence[Clause]) -> Bindings:
    """Goes through all combinations of the clauses' elements.

    Yields True for each combination that belongs, an Unknown for each that may belong, and an `Unlisted` for a source
    that is unknown; combinations that do not belong are passed over. The variables are bound while it stands there.
    """
    clause, *rest = clauses
    inner = bindings(rest) if rest else None

    def go(run: Run) -> Iterator[Any]:
        elements = listed(clause.source(run), clause.name)
        if isinstance(elements, Unknown):
            yield Unlisted(elements)
            return
        variables, variable, filters, work = run.variables, clause.variable, clause.filters, clause.work
        for element in elements:
            run.left -= work
            if run.left < 0:
                run.spend(0)
            variables[variable] = clean(element)
            belongs: Any = True
            for condition in filters:
                truth = condition(run)
                if truth is False:
                    belongs = False
                    break
                if belongs is True:
                    belongs = truth
            if belongs is False:
                continue
            if inner is None:
                yield belongs
                continue
            for deeper in inner(run):
                yield deeper if belongs is True or isinstance(deeper, Unlisted) else belongs

    return go


def listed(value: Any, name: str) -> Sequence[Any] | Unknown:
    """`value` as something to go through: a list, or the keys of an object."""
    if value.__class__ is list or isinstance(value, list | tuple):
        return value
    if isinstance(value, Unknown):
        return passed_on(value)
    if isinstance(value, Mapping):
        return list(value)
    return Unknown(f"{name} is {describe(value)}, a list is needed", "unusable")


def any_of(elements: Bindings, condition: Closure) -> Closure:
    """Evaluates `any(condition for …)`: true once one element surely makes it true."""
    return _settled_by(elements, condition, settling=True)


def all_of(elements: Bindings, condition: Closure) -> Closure:
    """Evaluates `all(condition for …)`: false once one element surely makes it false."""
    return _settled_by(elements, condition, settling=False)


def _settled_by(elements: Bindings, condition: Closure, *, settling: bool) -> Closure:
    """`settling` once the condition surely is so for one element; its opposite when it is so for none."""
    otherwise = not settling

    def evaluate(run: Run) -> Any:
        doubt: Any = otherwise
        for belongs in elements(run):
            truth: Any
            if isinstance(belongs, Unlisted):
                truth = belongs.unknown
            else:
                truth = condition(run)
                if truth is otherwise:
                    continue
                if belongs is not True:
                    truth = belongs
            if truth is settling:
                return settling
            if doubt is otherwise:
                doubt = truth
        return doubt

    return evaluate


def list_of(elements: Bindings, body: Closure) -> Closure:
    """Evaluates `[body for …]`."""

    def evaluate(run: Run) -> Any:
        found: list[Any] = []
        doubt: Unknown | None = None
        perhaps = 0
        for belongs in elements(run):
            if belongs is True:
                found.append(body(run))
            elif isinstance(belongs, Unlisted):
                return belongs.unknown
            else:
                perhaps += 1
                doubt = belongs if doubt is None else doubt
        if doubt is None:
            return found
        return UnknownList(doubt, doubt.reason, len(found), len(found) + perhaps)

    return evaluate


def count_below(level: str, variable: int, condition: Closure, work: int) -> Closure:
    """Evaluates `count(level, condition)` over the nodes of that level below the target.

    Args:
        level: the level in the singular.
        variable: where each node is kept, to be named in an explanation.
        condition: evaluated with the node's names in force.
        work: units of work for each node.
    """

    def evaluate(run: Run) -> Any:
        below = run.context.below
        nodes = Unknown(f"the {level}s below the target are not known") if below is None else below(level)
        if isinstance(nodes, Unknown):
            return nodes
        outer = run.names
        low = perhaps = 0
        doubt: Unknown | None = None
        try:
            for node in nodes:
                run.spend(work)
                run.names = ChainMap(dict(node), outer)  # type: ignore[arg-type] # read only, any mapping serves
                run.variables[variable] = node.get(level)
                truth = condition(run)
                if truth is True:
                    low += 1
                elif truth is not False:
                    perhaps += 1
                    doubt = truth if doubt is None else doubt
        finally:
            run.names = outer
        if doubt is None:
            return low
        return UnknownCount(doubt, f"{perhaps} of the {level}s unclear: {doubt.reason}", low, low + perhaps)

    return evaluate
