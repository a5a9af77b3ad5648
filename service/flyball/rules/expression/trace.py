"""Watching an evaluation: which parts were reached, what they gave, and what was read.

An expression is explained by evaluating it once more with the same closures, each one of interest wrapped in a
recorder; so an explanation cannot tell another story than the decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from flyball.rules.expression.context import Closure, Run
from flyball.rules.expression.values import Unknown

SAMPLES: Final = 5
"""Values kept of a part that is reached many times, inside of a loop."""


@dataclass(slots=True)
class Line:
    """One part of an expression that gets a line of its own.

    Args:
        text: the part as written.
        depth: how many lines stand above it.
        recorder: where its results are kept.
        looped: whether it is evaluated for each element of a list.
        values: the paths and calls that it reads itself: as written, their recorders, and whether they are read for
            each element of a list.
    """

    text: str
    depth: int
    recorder: int
    looped: bool
    values: list[tuple[str, int, bool]] = field(default_factory=list)


@dataclass(slots=True)
class Seen:
    """What one part gave, over all times it was reached."""

    times: int = 0
    true: int = 0
    false: int = 0
    unknown: int = 0
    doubt: Unknown | None = None
    samples: list[Any] = field(default_factory=list)
    matches: list[Any] = field(default_factory=list)

    def add(self, value: Any, element: Any) -> None:
        self.times += 1
        if value is True:
            self.true += 1
            if element is not None and len(self.matches) < SAMPLES:
                self.matches.append(element)
        elif value is False:
            self.false += 1
        elif isinstance(value, Unknown):
            self.unknown += 1
            if self.doubt is None:
                self.doubt = value
        if len(self.samples) < SAMPLES:
            self.samples.append(value)


class Blueprint:
    """Collects, while an expression is built, which parts are to be watched."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.recorders = 0
        self._open: list[Line] = []

    @contextmanager
    def line(self, text: str, *, looped: bool) -> Iterator[Line]:
        """The part `text` gets a line; what is built meanwhile stands below it."""
        line = Line(text, len(self._open), self._recorder(), looped)
        self.lines.append(line)
        self._open.append(line)
        try:
            yield line
        finally:
            self._open.pop()

    def value(self, text: str, *, looped: bool) -> int:
        """The recorder for a value that is read for the innermost open line."""
        values = self._open[-1].values
        for known, recorder, again in values:
            if known == text and again == looped:
                return recorder
        recorder = self._recorder()
        values.append((text, recorder, looped))
        return recorder

    def fresh(self) -> list[Seen]:
        """Empty recorders for one evaluation."""
        return [Seen() for _ in range(self.recorders)]

    def _recorder(self) -> int:
        self.recorders += 1
        return self.recorders - 1


def recorded(closure: Closure, recorder: int, variable: int | None = None) -> Closure:
    """`closure`, watched; `variable` is the loop variable to remember with a match."""

    def watch(run: Run) -> Any:
        value = closure(run)
        if run.seen is not None:
            run.seen[recorder].add(value, None if variable is None else run.variables[variable])
        return value

    return watch
