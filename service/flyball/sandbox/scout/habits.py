"""How the emulated server behaves: how long things take, and what goes wrong on order."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

from flyball.sandbox.maps import refuse_unknown

Span = tuple[float, float]


@dataclass(slots=True)
class Outcome:
    """An ordered end of compiling for analyses whose name fits a pattern."""

    name: str
    """A pattern (regular expression) that is searched in the analysis' name."""
    status: str = "FAILED"
    """`FAILED`, `PASSED`, or `STUCK`: stays PENDING for ever."""
    traceback: str = ""
    """What the server says about it; empty on FAILED reads as "not submitted"."""
    count: int | None = None
    """At most so many times; None: always."""


@dataclass(slots=True)
class Habits:
    """Times and switches; tests and the sandbox's own addresses may change them while it runs."""

    token_s: float = 7 * 86400.0
    """Life of a token (the real server: seven days)."""
    compile_s: Span = (0.3, 3.0)
    """From and to how long compiling takes; 0 ends within the request, as a very fast worker does."""
    lag_s: float = 0.05
    """A failed compile shows its traceback so long before its status."""
    upload_s: float = 1.0
    """How long an upload of predictors takes; they appear one by one."""
    report_s: float = 1.0
    """How long a report takes."""
    workers: int = 4
    """How many tasks run at a time; the rest wait."""
    worker: bool = True
    """False: the worker is away; tasks are accepted and wait."""
    broker: bool = True
    """False: the task queue is down; nothing can be submitted."""
    outcomes: list[Outcome] = field(default_factory=list)
    """Ordered ends of compiling."""

    @classmethod
    def read(cls, values: dict[str, Any]) -> Self:
        """The habits of a scenario.

        Raises:
            ValueError: an unknown key or a wrong value.
        """
        habits = cls()
        habits.change(values)
        return habits

    def change(self, values: dict[str, Any]) -> None:
        """Set some of them.

        Raises:
            ValueError: an unknown key or a wrong value.
        """
        refuse_unknown(values, {f.name for f in fields(self)}, "neuroscout habits")
        for name, value in values.items():
            setattr(self, name, _READERS[name](value))


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{value!r} is not a number of seconds")
    return float(value)


def _span(value: Any) -> Span:
    """One number, or a list of two."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return _seconds(value[0]), _seconds(value[1])
    return _seconds(value), _seconds(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")  # noqa: TRY004 -- scenarios report ValueError
    return value


def _workers(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is not a number of workers")
    return value


def _outcomes(value: Any) -> list[Outcome]:
    try:
        found = [Outcome(**entry) for entry in value]
    except TypeError as error:
        raise ValueError(f"neuroscout outcomes: {error}") from error
    for outcome in found:
        if outcome.status not in {"FAILED", "PASSED", "STUCK"}:
            raise ValueError(f"neuroscout outcomes: {outcome.status!r} is not FAILED, PASSED or STUCK")
    return found


_READERS = {
    "token_s": _seconds,
    "compile_s": _span,
    "lag_s": _seconds,
    "upload_s": _seconds,
    "report_s": _seconds,
    "workers": _workers,
    "worker": _switch,
    "broker": _switch,
    "outcomes": _outcomes,
}
