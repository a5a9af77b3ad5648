"""An expression: compiled once, then decided, valued and explained for any number of documents."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from flyball.rules.expression.builder import Builder
from flyball.rules.expression.context import Closure, Context, Flips, Run, Stopped
from flyball.rules.expression.dates import still
from flyball.rules.expression.explain import Explanation, explanation
from flyball.rules.expression.forms import is_condition
from flyball.rules.expression.limits import NESTED_VALUE
from flyball.rules.expression.moving import Moving
from flyball.rules.expression.parse import parse
from flyball.rules.expression.trace import Blueprint
from flyball.rules.expression.values import Unknown

ANY_NUMBER: Final = (0, 100)
_WHOLE: Final = 1 << 63


class Expression:
    """A compiled expression. Made by `compile_expression`; never changes, and may be used from anywhere.

    Attributes:
        source: the text it was compiled from.
        reads: the paths that it reads, each as its root name and the literal keys below it, up to the first key that
            is worked out or is a number: `file.info.snr` is `("file", "info", "snr")`. What a comprehension reads of
            its variable is not in it; the list it goes through is.
        reads_below: the same for the names that `count` binds to the nodes below the target.
        levels: the levels that `count` goes through.
        functions: the names of the functions that it calls.
        calls: each call as its name and its arguments, `...` for those that are not literals; to check, for instance,
            that the profile of `qc('bold-rest')` exists.
        uses_now: whether it reads the present time itself.
        warnings: remarks on parts that are accepted and can never be known, for `check` to show.
    """

    __slots__ = (
        "_environment",
        "_names",
        "_test",
        "_traced",
        "_value",
        "_variables",
        "calls",
        "functions",
        "levels",
        "reads",
        "reads_below",
        "source",
        "uses_now",
        "warnings",
    )

    def __init__(self, source: str, names: Collection[str], functions: Mapping[str, tuple[int, int]]) -> None:
        parsed = parse(source)
        builder = Builder(parsed, names, functions)
        self._value = builder.whole(as_condition=False)
        if is_condition(parsed.tree):
            self._test = self._value
        else:
            self._test = Builder(parsed, names, functions).whole(as_condition=True)
        facts = builder.facts
        self.source = source
        self.reads = frozenset(facts.reads)
        self.reads_below = frozenset(facts.reads_below)
        self.levels = frozenset(facts.levels)
        self.calls = frozenset(facts.calls)
        self.functions = frozenset(name for name, _ in facts.calls)
        self.uses_now = facts.uses_now
        self.warnings = tuple(dict.fromkeys(facts.warnings))
        self._variables = facts.variables
        self._names = frozenset(names)
        self._environment = dict(functions)
        self._traced: dict[bool, tuple[Closure, Blueprint, int]] = {}

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def test(self, context: Context) -> bool | Unknown:
        """The truth of the expression: True, False, or an Unknown with its reason. Never raises."""
        try:
            result: bool | Unknown = self._test(Run(context, self._variables))
        except Stopped as stopped:
            return Unknown(str(stopped), "unusable")
        return result

    def value(self, context: Context, *, moving: bool = False) -> Any:
        """The value of the expression: a JSON value, a date with a zone, or an Unknown. Never raises.

        Unknown elements of a list that the expression makes are None.

        Args:
            context: what to evaluate it in.
            moving: for the values of names (`let`): a number or date that moves with the present time stays an
                instance of a subclass that knows it, so that the expressions that read the name note their flips.
                Such values do not fit every JSON encoder.
        """
        try:
            result = self._value(Run(context, self._variables, moving=moving))
        except Stopped as stopped:
            return Unknown(str(stopped), "unusable")
        return result if moving else _plain(result)

    def explain(self, context: Context, *, as_condition: bool = True) -> Explanation:
        """Evaluates once more, watched, and tells the story part by part. Never raises.

        Args:
            context: what to evaluate it in.
            as_condition: whether the truth is wanted (as `test` gives it) or the value (as `value` does).
        """
        closure, blueprint, variables = self._watched(as_condition=as_condition)
        seen = blueprint.fresh()
        try:
            result = closure(Run(context, variables, seen))
        except Stopped as stopped:
            result = Unknown(str(stopped), "unusable")
        return explanation(result if as_condition else _plain(result), blueprint.lines, seen)

    def _watched(self, *, as_condition: bool) -> tuple[Closure, Blueprint, int]:
        """The watched closures, built when first asked for."""
        known = self._traced.get(as_condition)
        if known is None:
            blueprint = Blueprint()
            builder = Builder(parse(self.source), self._names, self._environment, blueprint)
            closure = builder.whole(as_condition=as_condition)
            known = self._traced[as_condition] = (closure, blueprint, builder.facts.variables)
        return known


def compile_expression(
    source: str,
    *,
    names: Collection[str],
    functions: Mapping[str, tuple[int, int]] | Collection[str] = (),
) -> Expression:
    """Compiles an expression.

    Args:
        source: its text.
        names: the root names it may read.
        functions: the environment's functions that it may call, each with its least and most number of arguments; as
            a plain collection, any number is taken.

    Raises:
        ExpressionError: with what is wrong, where, and what would be right.
    """
    arity = functions if isinstance(functions, Mapping) else dict.fromkeys(functions, ANY_NUMBER)
    return Expression(source, names, arity)


def next_flip(expression: Expression, context: Context) -> datetime | None:
    """The next instant at which the truth of `expression` may change by the mere passing of time.

    It is exact (one millisecond late, never early) for what grows or falls steadily with the present time: differences
    and sums of dates and numbers, units, comparisons, `abs`, `round`, `min`, `max`, `sorted`, `sum`, `%`. Anything else
    made of the present time, such as a product of two ages, is looked at again after five minutes. None when nothing
    that the result depends on will move; a later change of what `and` and `or` did not need is found when the part
    that made it needless flips. Equality holds for an instant only and is not caught in it.
    """
    flips = Flips()
    expression.test(replace(context, flips=flips))
    return flips.at


def _plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON has it, and dates; whole numbers of more than 64 bits become real ones."""
    if isinstance(value, list | tuple) and depth < NESTED_VALUE:
        return [None if isinstance(element, Unknown) else _plain(element, depth + 1) for element in value]
    if isinstance(value, datetime):
        return still(value)
    if isinstance(value, Moving) or (value.__class__ is int and not -_WHOLE <= value < _WHOLE):
        return float(value)
    return value
