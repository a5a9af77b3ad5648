"""What one evaluation may see, and what it may spend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from flyball.rules.expression.limits import WORK
from flyball.rules.expression.moving import MovingDate
from flyball.rules.expression.values import Unknown

if TYPE_CHECKING:
    from flyball.rules.expression.patterns import Pattern
    from flyball.rules.expression.trace import Seen

Closure = Callable[["Run"], Any]
Scope = Mapping[str, Any]

MARGIN: Final = timedelta(milliseconds=1)
"""How long after the computed crossing a decision is taken again, so that rounding cannot bring it too early."""

NONLINEAR: Final = timedelta(minutes=5)
"""When to look again at a quantity of the present time whose course is not piecewise linear."""


class Flips:
    """Collects the earliest instant at which a decision that read the present time may change.

    One collector serves all expressions of one decision, `let` values included.
    """

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at: datetime | None = None

    def note(self, instant: datetime) -> None:
        if self.at is None or instant < self.at:
            self.at = instant


@dataclass(frozen=True, slots=True)
class Context:
    """The world as one evaluation sees it.

    Args:
        names: root names to JSON values (dict, list, str, numbers, booleans, None), dates with a zone, or an
            `Unknown` for a root that could not be read. Any mapping does; a dict is fastest.
        now: the present time, with a zone.
        functions: functions of the environment, such as `qc`. Each is called with the names in force (a mapping that
            includes the variables of an enclosing comprehension) and the values of its arguments; it returns a value
            or an `Unknown`, is never called with an unknown, and must not raise.
        below: gives for a level (`acquisition`, `file` …) the nodes below the target, each as a mapping of level to
            document with at least that level; or an `Unknown` when they could not be read. Serves `count`.
        flips: collects when the result may change by the mere passing of time.
    """

    names: Scope
    now: datetime
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    below: Callable[[str], Iterable[Scope] | Unknown] | None = None
    flips: Flips | None = None


class Stopped(Exception):  # noqa: N818 - reads as what happened
    """The evaluation went over its bounds; caught by the expression, which then answers unknown."""


class Run:
    """The moving parts of one evaluation: names in force, loop variables, work left, what was seen."""

    __slots__ = ("context", "left", "moving", "names", "pattern", "seen", "variables")

    def __init__(
        self, context: Context, variables: int, seen: list[Seen] | None = None, *, moving: bool = False
    ) -> None:
        self.moving = moving
        self.pattern: tuple[object, str, Pattern] | None = None
        self.names = context.names
        self.context = context
        self.left = WORK
        self.variables: list[Any] = [None] * variables if variables else _NONE
        self.seen = seen

    def spend(self, units: int) -> None:
        """Takes `units` from the work that is left.

        Raises:
            Stopped: when none is left.
        """
        self.left -= units
        if self.left < 0:
            raise Stopped("stopped: too much work (the lists are too long or the loops too deep)")

    def now(self) -> datetime:
        """The present time; it knows that it moves when somebody wants to know of it."""
        context = self.context
        return MovingDate.of(context.now, 1.0) if self.moving or context.flips is not None else context.now

    def turns(self, seconds: float) -> None:
        """Notes that something changes `seconds` from now; what lies in the past is no news."""
        flips = self.context.flips
        if flips is None or not -0.0005 <= seconds < 1e10:
            return
        try:
            flips.note(self.context.now + timedelta(seconds=max(seconds, 0.0)) + MARGIN)
        except OverflowError:
            return  # beyond the year 9999: never

    def turns_somehow(self) -> None:
        """Notes that something may change at a time that cannot be worked out."""
        flips = self.context.flips
        if flips is not None:
            flips.note(self.context.now + NONLINEAR)


_NONE: list[Any] = []
